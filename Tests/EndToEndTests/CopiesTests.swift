import Foundation
import Testing

@Suite("Verified copies")
struct CopiesTests {
    @Test func receiptsOfAllMembers() throws {
        let a = try RunningNode(["--label", "A"])
        let b = try RunningNode(joining: a, label: "B")
        let c = try RunningNode(joining: a, label: "C")
        var random = SystemRandomNumberGenerator()
        let film = (0..<2_000_000).map { _ in UInt8.random(in: 0...255, using: &random) }
        #expect(try a.send("PUT", "/files/card/film", body: film).status == 201)
        try a.put("/files/card/notes", "notes")
        // Only B has it yet.
        try b.sync()
        let copies = try a.get("/sync/copies?path=/card/film").json["copies"].items
        #expect(copies.count == 3)
        let held = Dictionary(uniqueKeysWithValues: copies.map { ($0["label"].text ?? "", $0["held"].flag ?? false) })
        #expect(held == ["A": true, "B": true, "C": false], "\(copies)")
        #expect(copies.allSatisfy { $0["verified_at"].text == nil && $0["signature"].text == nil })

        let file = a.directory.path + "/receipt.json"
        for path in ["/card/film", "/card"] {
            let receipt = try a.command("receipt", path, "--at-least", "2")
            #expect(receipt.code == 0, "\(receipt.errors)")
            #expect(receipt.errors.contains("no copy on C"))
            #expect(receipt.json["copies"].items.compactMap { $0["label"].text }.sorted() == ["A", "B"])
            #expect(try a.command("receipt", path, "--at-least", "3").code == 1)
            try Data(receipt.output.utf8).write(to: URL(filePath: file))
            let idOfB = try b.id()
            let check = try a.command(["receipt", "--check", file, "--at-least", "2"], isGlobal: false)
            #expect(check.code == 0 && check.output.contains(idOfB), "\(check.errors)")
            // Whatever is changed in it shows.
            for (text, replacement) in [(path, "/other"), (#""objects":"#, #""objects":1"#), (try b.id(), try c.id())] {
                let forged = receipt.output.replacingOccurrences(of: text, with: replacement)
                #expect(forged != receipt.output)
                try Data(forged.utf8).write(to: URL(filePath: file))
                let result = try a.command(["receipt", "--check", file], isGlobal: false)
                #expect(result.code == 1 && result.errors.contains("not genuine"), "\(text): \(result.errors)")
            }
        }
        // Since then it is known when.
        let later = try a.get("/sync/copies?path=/card/film").json["copies"].items
        #expect(later.filter { $0["verified_at"].text != nil }.count == 2)
        #expect(try a.command("copies", "/card/film", "--verify").code == 0)
    }

    @Test func aDamagedCopyIsNone() throws {
        let a = try RunningNode(["--label", "A"])
        let b = try RunningNode(joining: a, label: "B")
        var random = SystemRandomNumberGenerator()
        let film = (0..<400_000).map { _ in UInt8.random(in: 0...255, using: &random) }
        #expect(try a.send("PUT", "/files/film", body: film).status == 201)
        try b.sync()
        // A bit flips on B's disk, behind B's back.
        let segment = b.data + "/segments/00000001.segment"
        var bytes = try Data(contentsOf: URL(filePath: segment))
        let place = try #require(bytes.range(of: Data(film[1000..<1064])))
        bytes[place.lowerBound] ^= 1
        let handle = try #require(FileHandle(forUpdatingAtPath: segment))
        try handle.seek(toOffset: UInt64(place.lowerBound))
        try handle.write(contentsOf: bytes[place])
        try handle.close()
        #expect(try a.get("/sync/copies?path=/film").json["copies"].items.allSatisfy { $0["held"].flag == true })
        let receipt = try a.command("receipt", "/film", "--at-least", "2")
        #expect(receipt.code == 1)
        #expect(receipt.errors.contains("damaged"), "\(receipt.errors)")
        #expect(receipt.json["copies"].items.compactMap { $0["label"].text } == ["A"])
    }

    @Test func rulesHold() throws {
        let a = try RunningNode()
        try a.put("/files/open/f", "x")
        try a.put("/files/secret/f", "y")
        let made = try a.post("/auth/keys", #"{"label": "some", "rules": [{"path": "/open/**", "allow": ["read", "list"]}]}"#)
        let key = try #require(made.json["api_key"].text)
        let token = try #require(try a.send("POST", "/auth/token", body: Array("{\"api_key\": \"\(key)\"}".utf8), as: .nobody).json["token"].text)
        func status(_ path: String) throws -> Int { try a.send("GET", "/sync/copies?path=\(path)", as: .token(token)).status }
        #expect(try status("/open/f") == 200)
        #expect(try status("/secret/f") == 404)
        #expect(try status("/secret") == 404)
        #expect(try [403, 404].contains(status("/")))
        #expect(try a.get("/sync/copies?path=/nothing").status == 404)
        #expect(try a.get("/sync/copies").status == 400)
        #expect(try a.get("/sync/copies?path=x").status == 400)
        #expect(try a.get("/sync/copies?path=/open/f&verify=perhaps").status == 400)
        #expect(try a.post("/sync/copies", "{}").status == 403)
    }
}

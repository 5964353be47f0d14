import Crypto
import Foundation
import Testing

@Suite("Tokens and keys")
struct AccessTests {
    func base64(_ text: String) -> String {
        Data(text.utf8).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    /// The payload of a token, changed.
    func forged(_ token: String, header: String? = nil, _ change: (inout [String: Any]) -> Void) throws -> String {
        let parts = token.split(separator: ".").map(String.init)
        let padded = parts[1].replacing("-", with: "+").replacing("_", with: "/") + String(repeating: "=", count: (4 - parts[1].count % 4) % 4)
        let data = try #require(Data(base64Encoded: padded))
        var claims = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        change(&claims)
        let payload = base64(String(decoding: try JSONSerialization.data(withJSONObject: claims), as: UTF8.self))
        return "\(header.map(base64) ?? parts[0]).\(payload).\(header == nil ? parts[2] : "")"
    }

    @Test func badTokens() throws {
        let node = try RunningNode()
        let other = try RunningNode()
        try node.put("/files/f", "x")
        let good = try #require(try node.send("POST", "/auth/token", body: Array("{\"api_key\": \"\(node.rootKey)\"}".utf8), as: .nobody).json["token"].text)
        #expect(try node.send("GET", "/files/f", as: .token(good)).status == 200)
        let foreign = try #require(
            try other.send("POST", "/auth/token", body: Array("{\"api_key\": \"\(other.rootKey)\"}".utf8), as: .nobody).json["token"].text)
        let parts = good.split(separator: ".").map(String.init)
        let now = Int(Date().timeIntervalSince1970)
        var bad: [(String, Bearer)] = [
            ("none", .nobody), ("empty", .token("")), ("nonsense", .token("nonsense")), ("dots", .token("..")), ("foreign cluster", .token(foreign)),
            ("foreign owner", .token(other.token)), ("no signature", .token(parts[0] + "." + parts[1] + ".")), ("the API key", .token(node.rootKey)),
            ("another's signature", .token(parts[0] + "." + parts[1] + "." + foreign.split(separator: ".")[2])),
            ("a flipped bit", .token(parts[0] + "." + parts[1] + "." + (parts[2].hasPrefix("A") ? "B" : "A") + parts[2].dropFirst())),
            ("long", .token(String(repeating: "a.", count: 8000))), ("two tokens", .token("\(good) \(good)")),
        ]
        for header in [#"{"alg":"none","typ":"JWT"}"#, #"{"alg":"None"}"#, #"{"alg":"HS256","typ":"JWT"}"#, "{}"] {
            bad.append((header, .token(try forged(good, header: header) { _ in })))
        }
        bad.append(("expired", .token(try forged(good) { $0["exp"] = now - 1 })))
        bad.append(("longer", .token(try forged(good) { $0["exp"] = now + 100_000 })))
        bad.append(("another subject", .token(try forged(good) { $0["sub"] = "owner" })))
        bad.append(("a node", .token(try forged(good) { $0["kind"] = "node" })))
        for target in ["/files/f", "/files/", "/sync/status", "/sync/conflicts", "/sync/peers", "/sync/members"] {
            for (what, bearer) in bad {
                let answer = try node.send("GET", target, as: bearer)
                expectRefusal(answer, 401, what: "\(what) \(target)")
                #expect(answer["www-authenticate"]?.hasPrefix("Bearer") == true, "\(what)")
                #expect(!answer.text.contains(good) && !answer.text.contains(node.rootKey), "\(what)")
            }
        }
        for (method, target) in [
            ("PUT", "/files/f"), ("DELETE", "/files/f"), ("PATCH", "/files/f"), ("POST", "/files/copy"), ("POST", "/sync/trigger"),
            ("POST", "/sync/peers"), ("POST", "/sync/invitations"), ("POST", "/sync/nodes"), ("POST", "/sync/chunks"), ("POST", "/sync/changes"),
            ("POST", "/bulk/missing"), ("POST", "/bulk/objects"), ("POST", "/bulk/commit"), ("POST", "/sync/diff"), ("POST", "/sync/conflicts/f"),
            ("DELETE", "/sync/members/\(String(repeating: "0", count: 64))"), ("POST", "/sync/pull"),
        ] {
            expectRefusal(try node.send(method, target, body: [], as: .nobody), 401, what: "\(method) \(target)")
        }
        let basic = try node.send("GET", "/files/f", ["Authorization": "Basic eDp5"], as: .nobody)
        expectRefusal(basic, 401, what: "Basic")
        #expect(try node.content("/f") == "x")
        for target in ["/health/live", "/health/ready"] { #expect(try node.send("GET", target, as: .nobody).status == 200) }
        for secret in [good, node.rootKey, node.token] { #expect(!node.process.errors.contains(secret)) }
    }

    /// Tokens that the node's own key has signed, but that say what they must not.
    @Test func wellSignedTokens() throws {
        let node = try RunningNode()
        let id = try node.id()
        let key = try Curve25519.Signing.PrivateKey(rawRepresentation: Data(contentsOf: URL(filePath: node.data + "/node.key")))
        let cluster = try #require(try node.status()["cluster_id"].text)
        let now = Int(Date().timeIntervalSince1970)
        func token(_ changes: [String: Any]) throws -> String {
            var claims: [String: Any] = ["iss": id, "sub": "owner", "aud": id, "kind": "user", "iat": now, "exp": now + 3600, "jti": "x"]
            claims.merge(changes) { $1 }
            let payload = String(decoding: try JSONSerialization.data(withJSONObject: claims), as: UTF8.self)
            let message = base64(#"{"typ":"JWT","alg":"EdDSA"}"#) + "." + base64(payload)
            let signature = try key.signature(for: Data(message.utf8)).base64EncodedString()
            return message + "." + signature.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
        }
        #expect(try node.send("GET", "/files/", as: .token(token([:]))).status == 200)
        for changes in [
            ["exp": now - 1], ["iat": now - 7200, "exp": now - 3600], ["exp": now + 100_000], ["iat": now + 7200, "exp": now + 7300],
            ["aud": String(repeating: "0", count: 64)], ["aud": cluster], ["iss": String(repeating: "0", count: 64)], ["kind": "node"], ["kind": "other"],
            ["kind": "node", "sub": id], ["sub": "nobody"], ["sub": "nobody", "aud": cluster], ["exp": "later"],
        ] as [[String: Any]] {
            expectRefusal(try node.send("GET", "/files/", as: .token(token(changes))), 401, what: "\(changes)")
        }
    }

    @Test func wrongKeysAreSlowedDown() throws {
        let node = try RunningNode()
        let id = node.rootKey.split(separator: "_")[1]
        let wrong = "pando_\(id)_\(String(repeating: "0", count: 64))"
        var statuses: [Int] = []
        for _ in 0..<12 {
            let answer = try node.send("POST", "/auth/token", body: Array("{\"api_key\": \"\(wrong)\"}".utf8), as: .nobody)
            expectRefusal(answer, 401, 429, what: "wrong key")
            statuses.append(answer.status)
            if answer.status == 429 { #expect(answer["retry-after"].flatMap { Int($0) } ?? 0 >= 1) }
        }
        #expect(statuses.first == 401)
        #expect(statuses.contains(429))
        for key in ["", "nonsense", "pando_x_y", String(repeating: "x", count: 10_000)] {
            let answer = try node.send("POST", "/auth/token", body: Array("{\"api_key\": \(quoted(key))}".utf8), as: .nobody)
            expectRefusal(answer, 401, 429, 400, what: "key \(key.prefix(20))")
        }
        // Those who have a token go on.
        #expect(try node.get("/files/").status == 200)
    }

    @Test func refreshTokens() throws {
        let node = try RunningNode()
        func refresh(_ token: String) throws -> Answer {
            try node.send("POST", "/auth/refresh", body: Array("{\"refresh_token\": \(quoted(token))}".utf8), as: .nobody)
        }
        let first = try node.send("POST", "/auth/token", body: Array("{\"api_key\": \"\(node.rootKey)\"}".utf8), as: .nobody).json
        #expect(first["expires_in"].number ?? 0 > 3000)
        let second = try refresh(first["refresh_token"].text ?? "")
        #expect(second.status == 200)
        #expect(try node.send("GET", "/files/", as: .token(second.json["token"].text ?? "")).status == 200)
        // It outlives a restart, and so does that the first was used.
        try node.restart()
        let third = try refresh(second.json["refresh_token"].text ?? "")
        #expect(third.status == 200)
        // Used twice: somebody has stolen it, so the whole chain ends.
        expectRefusal(try refresh(first["refresh_token"].text ?? ""), 401, what: "used")
        expectRefusal(try refresh(third.json["refresh_token"].text ?? ""), 401, what: "the chain's last")
        expectRefusal(try refresh("nonsense"), 401, what: "nonsense")
    }
}

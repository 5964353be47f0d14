import Foundation
import Testing

/// What the console needs of the server; `scripts/test-console` tests the console itself, in a browser.
@Suite("The console's routes")
struct ConsoleTests {
    @Test("The page and its files: open, whole, never sniffed, framed or run with anything else")
    func page() throws {
        let node = try RunningNode()
        let page = try node.send("GET", "/", as: .nobody)
        #expect(page.status == 200)
        #expect(page["content-type"] == "text/html; charset=utf-8")
        let policy = try #require(page["content-security-policy"])
        #expect(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"))
        #expect(page["x-content-type-options"] == "nosniff")
        #expect(page["cache-control"] == "no-store")
        let text = String(decoding: page.body, as: UTF8.self)
        let nonce = try #require(text.firstMatch(of: /nonce="([0-9a-f]{32})"/)).1
        #expect(policy.contains("script-src 'nonce-\(nonce)'"))
        let links = text.matches(of: /"(\/console\/[^"]+)"/).map { String($0.1) }
        #expect(links.count == 3)
        for link in links {
            let file = try node.send("GET", link, as: .nobody)
            #expect(file.status == 200)
            #expect(file["cache-control"]?.contains("immutable") == true)
            #expect(!file.body.isEmpty)
            let compressed = try node.send("GET", link, ["Accept-Encoding": "gzip, zstd"], as: .nobody)
            #expect(compressed["content-encoding"] == (compressed.body.count < file.body.count ? "zstd" : nil))
        }
        // Every module that one of them imports is there, by its relative name.
        var open = ["app.js"]
        var seen: Set<String> = []
        let place = try #require(links.last).replacing(/[^\/]+$/, with: "")
        while let name = open.popLast() {
            guard seen.insert(name).inserted else { continue }
            let module = try node.send("GET", place + name, as: .nobody)
            #expect(module.status == 200, "\(name)")
            #expect(module["content-type"] == "text/javascript; charset=utf-8")
            open += String(decoding: module.body, as: UTF8.self).matches(of: /(?:from|import|import\() ?"\.\/([a-z0-9]+\.js)"/).map { String($0.1) }
        }
        #expect(seen.count > 15)
        for target in [place + "nothing.js", "/console/0123456789abcdef/app.js", "/console/", "/console/x/../app.js"] {
            #expect(try node.send("GET", target, as: .nobody).status == 404, "\(target)")
        }
        #expect(try node.send("POST", "/", as: .nobody).status == 405)
    }

    @Test("A session by cookie reads files and nothing else, from the console only, until it ends")
    func session() throws {
        let node = try RunningNode()
        try node.put("/files/f", "content")
        #expect(try node.send("POST", "/auth/session", as: .nobody).status == 401)
        #expect(try node.send("POST", "/auth/session", ["Sec-Fetch-Site": "cross-site"]).status == 403)
        let begun = try node.send("POST", "/auth/session")
        #expect(begun.status == 200)
        #expect(begun.json["holder"].text == "owner")
        let header = try #require(begun["set-cookie"])
        #expect(header.contains("; HttpOnly") && header.contains("; SameSite=Strict") && !header.contains("Secure"))
        let cookie = String(header.prefix { $0 != ";" })
        func status(_ method: String, _ target: String, _ headers: [String: String] = [:]) throws -> Int {
            try node.send(method, target, headers.merging(["Cookie": "other=1; " + cookie]) { $1 }, body: method == "GET" ? nil : [], as: .nobody).status
        }
        #expect(try status("GET", "/files/f") == 200)
        #expect(try status("HEAD", "/files/f") == 200)
        #expect(try status("GET", "/files/f", ["Sec-Fetch-Site": "same-origin"]) == 200)
        for site in ["cross-site", "same-site", "bogus"] { #expect(try status("GET", "/files/f", ["Sec-Fetch-Site": site]) == 401) }
        for (method, target) in [
            ("PUT", "/files/f"), ("DELETE", "/files/f"), ("PATCH", "/files/f"), ("POST", "/files/copy"), ("POST", "/archives"),
            ("POST", "/auth/session"), ("POST", "/auth/keys"), ("GET", "/auth/keys"), ("GET", "/sync/status"), ("GET", "/events"),
        ] {
            #expect(try status(method, target) == 401, "\(method) \(target)")
        }
        // A token that is wrong is not made up for by a cookie that is right.
        #expect(try node.send("GET", "/files/f", ["Cookie": cookie], as: .token("wrong")).status == 401)
        #expect(try node.send("GET", "/auth/session", ["Cookie": cookie], as: .nobody).json["token"].text?.isEmpty == false)
        #expect(try node.send("GET", "/auth/session", ["Cookie": cookie, "Sec-Fetch-Site": "cross-site"], as: .nobody).status == 204)
        let name = cookie.prefix { $0 != "=" }
        #expect(try node.send("POST", "/auth/session", ["Cookie": "\(name)=chosen"])["set-cookie"]?.contains("chosen") == false)
        #expect(try status("DELETE", "/auth/session", ["Sec-Fetch-Site": "cross-site"]) == 403)
        #expect(try status("DELETE", "/auth/session") == 204)
        #expect(try status("GET", "/files/f") == 401)
        #expect(try node.send("GET", "/auth/session", ["Cookie": cookie], as: .nobody).status == 204)
        // Whoever logs in anew has one session, not two.
        let cookies = try (0..<2).reduce(into: [String]()) { cookies, _ in
            let answer = try node.send("POST", "/auth/session", cookies.last.map { ["Cookie": $0] } ?? [:])
            let header = try #require(answer["set-cookie"])
            cookies.append(String(header.prefix { $0 != ";" }))
        }
        #expect(try cookies.map { try node.send("GET", "/files/f", ["Cookie": $0], as: .nobody).status } == [401, 200])
    }

    @Test("A session that a key began lasts for a week, through a restart, gives tokens, and ends with the key; one that a token began ends with the token")
    func keySession() throws {
        let node = try RunningNode()
        try node.put("/files/f", "content")
        let key = try node.send("POST", "/auth/keys", body: Array(#"{"label": "k", "rules": [{"path": "/**", "allow": ["read"]}]}"#.utf8)).json
        let secret = try #require(key["api_key"].text)
        func begin(_ key: String) throws -> Answer { try node.send("POST", "/auth/session", body: Array("{\"api_key\": \"\(key)\"}".utf8), as: .nobody) }
        #expect(try begin(String(secret.dropLast()) + (secret.hasSuffix("0") ? "1" : "0")).status == 401)
        let begun = try begin(secret)
        #expect(begun.status == 200)
        #expect(begun.json["holder"].text == key["id"].text)
        let header = try #require(begun["set-cookie"])
        let cookie = String(header.prefix { $0 != ";" })
        func lifetime(_ answer: Answer) -> Int? { answer["set-cookie"].flatMap { $0.firstMatch(of: /Max-Age=(\d+)/) }.flatMap { Int($0.1) } }
        #expect(lifetime(begun).map { (604_790...604_800).contains($0) } == true)
        let token = try #require(begun.json["token"].text)
        let byToken = try node.send("POST", "/auth/session", as: .token(token))
        #expect(lifetime(byToken).map { (1...3600).contains($0) } == true)
        // The cookie is no refresh token, and a refresh token no cookie.
        let value = String(try #require(cookie.split(separator: "=").last))
        let forged = "{\"refresh_token\": \"\(value.replacing("pandos", with: "pandor"))\"}"
        #expect(try node.send("POST", "/auth/refresh", body: Array(forged.utf8), as: .nobody).status == 401)
        let grant = try node.send("POST", "/auth/token", body: Array("{\"api_key\": \"\(secret)\"}".utf8), as: .nobody).json
        let refresh = try #require(grant["refresh_token"].text).replacing("pandor", with: "pandos")
        let wrong = cookie.prefix { $0 != "=" } + "=" + refresh
        #expect(try node.send("GET", "/files/f", ["Cookie": wrong], as: .nobody).status == 401)
        try node.restart()
        #expect(try node.send("GET", "/files/f", ["Cookie": cookie], as: .nobody).status == 200)
        let again = try node.send("GET", "/auth/session", ["Cookie": cookie], as: .nobody).json
        let renewed = try #require(again["token"].text)
        #expect(try node.send("GET", "/files/f", as: .token(renewed)).status == 200)
        #expect(!String(decoding: try node.directory.read("data/refresh-tokens"), as: UTF8.self).contains(value.suffix(64)))
        let id = try #require(key["id"].text)
        #expect(try node.send("DELETE", "/auth/keys/\(id)").status == 204)
        #expect(try node.send("GET", "/files/f", ["Cookie": cookie], as: .nobody).status == 401)
        #expect(try node.send("GET", "/auth/session", ["Cookie": cookie], as: .nobody).status == 204)
    }

    @Test("What a browser could run is served as a download in a sandbox, other files in a sandbox, PDF without one")
    func sandbox() throws {
        let node = try RunningNode()
        for (type, isAttached) in [
            ("text/html", true), ("TEXT/HTML ; charset=x", true), ("image/svg+xml", true), ("application/xhtml+xml", true), ("text/xml", true),
            ("application/javascript", true), ("image/png", false), ("text/plain", false), ("application/pdf", false), ("video/mp4", false),
        ] {
            try node.put("/files/f", "x", ["Content-Type": type])
            let answer = try node.get("/files/f")
            let policy = try #require(answer["content-security-policy"])
            #expect(answer["x-content-type-options"] == "nosniff")
            #expect(policy.contains("default-src 'none'") && !policy.contains("script"))
            #expect(policy.hasPrefix("sandbox;") == (type != "application/pdf"), "\(type)")
            #expect((answer["content-disposition"] == "attachment") == isAttached, "\(type)")
        }
    }

    @Test("States of the tree, a page at a time, for keys with all rights")
    func commits() throws {
        let node = try RunningNode()
        for number in 1...5 { try node.put("/files/f", "\(number)") }
        let all = try node.get("/versions/commits").json
        #expect(all["items"].items.count == 5)
        #expect(all["next"].text == nil)
        let first = try node.get("/versions/commits?limit=2").json
        #expect(first["items"].items.count == 2)
        let rest = try node.get("/versions/commits?limit=10&after=\(try #require(first["next"].text))").json
        #expect((0..<2).map { first["items"][$0]["commit"].text } + (0..<3).map { rest["items"][$0]["commit"].text } == (0..<5).map { all["items"][$0]["commit"].text })
        #expect(all["items"][0]["root"].text == (try node.get("/sync/status").json["root"].text))
        #expect(all["items"][0]["files"].number == 1)
        #expect(try node.get("/versions/commits?after=\(String(repeating: "0", count: 64))").status == 410)
        #expect(try node.get("/versions/commits?after=x").status == 400)
        #expect(try node.send("GET", "/versions/commits", as: .nobody).status == 401)
    }
}

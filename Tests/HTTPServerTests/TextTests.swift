import Hummingbird
import NIOCore
import Testing

@testable import HTTPServer

@Suite struct TextTests {
    private func read(_ text: String) throws -> JSONValue { try JSONReader.read(Array(text.utf8)) }

    @Test func json() throws {
        #expect(try read(" {\"a\" : [1, -2.5e+3, true, null, \"x\"]} ")
            == .object([("a", .array([.number("1"), .number("-2.5e+3"), .bool(true), .null, .string("x")]))]))
        #expect(try read(#""\u00e4\ud83d\ude00\n\"\/ü""#) == .string("ä😀\n\"/ü"))
    }

    @Test(arguments: [
        "", " ", "{", "[1,]", "{\"a\":1,}", "{a:1}", "01", "1.", ".5", "+1", "nul", "\"a", "\"\u{1}\"", #""\x""#, #""\ud800""#, #""\udc00""#, #""\u+123""#,
        "1 2", "{\"a\":1,\"a\":2}", "NaN", String(repeating: "[", count: 100) + String(repeating: "]", count: 100),
    ])
    func brokenJSON(_ text: String) {
        #expect(throws: JSONReader.Malformed.self) { try read(text) }
    }

    @Test func whatIsWrittenCanBeRead() throws {
        let texts = ["", "plain", "quote\" back\\ slash/", "\n\r\t\u{0}\u{1f}\u{7f}", "ünï 😀"]
        var json = JSONWriter()
        json.object { json in
            json.key("a")
            json.array { json in for text in texts { json.value(text) } }
            json.field("n", -5)
            json.field("none", nil as String?)
        }
        #expect(try JSONReader.read(Array(buffer: json.buffer))
            == .object([("a", .array(texts.map { .string($0) })), ("n", .number("-5")), ("none", .null)]))
    }

    @Test func fieldsThatNobodyTookAreRefused() throws {
        var fields = try JSONFields(try read(#"{"to": "/x", "tooo": 1}"#))
        #expect(try fields.requiredText("to") == "/x")
        #expect { try fields.finish() } throws: { ($0 as? Problem)?.detail.contains("tooo") == true }
        #expect(throws: Problem.self) { try fields.requiredText("to") }
        #expect(throws: Problem.self) { try fields.text("tooo") }
    }

    @Test func percentEncoding() {
        #expect(PercentDecoding.decode("a%20b+c") == "a b+c")
        #expect(PercentDecoding.decode("a%20b+c", plusIsSpace: true) == "a b c")
        #expect(PercentDecoding.decode("%c3%A4") == "ä")
        for broken in ["%", "%4", "%zz", "%ff", "%C0%80", "%ED%A0%80", "a\u{fffd}"] { #expect(PercentDecoding.decode(broken[...]) == nil, "\(broken)") }
        #expect(PercentDecoding.encode("../ä b%\r\n") == "../%C3%A4%20b%25%0D%0A")
    }

    @Test func queries() throws {
        var query = try Query("limit=5&a+b=c%26d&flag=true")
        #expect(try query.limit() == 5)
        #expect(query.text("a b") == "c&d")
        #expect(throws: Problem.self) { try query.finish() }
        #expect(try query.flag("flag") == true)
        try query.finish()
        #expect(throws: Problem.self) { try Query("a=1&a=2") }
        #expect(throws: Problem.self) { try Query("a=%f") }
    }
}

@Suite struct RoutesTests {
    private let routes: Routes = {
        var routes = Routes()
        routes.on(.post, "/files/copy") { _ in Response(status: .ok) }
        routes.on(.get, "/files/{path...}") { _ in Response(status: .ok) }
        routes.on(.patch, "/peers/{id}/label") { _ in Response(status: .ok) }
        return routes
    }()

    @Test func matches() {
        if case .found(let match) = routes.lookUp(.get, "/files/copy/%2F//x/") { #expect(match.tail == "/copy/%2F//x/") } else { Issue.record() }
        if case .found(let match) = routes.lookUp(.head, "/files") { #expect(match.tail.isEmpty) } else { Issue.record() }
        if case .found(let match) = routes.lookUp(.patch, "/peers/a%20b/label") { #expect(match.captures == ["a%20b"]) } else { Issue.record() }
    }

    @Test func otherMethodsAndUnknownPaths() {
        if case .otherMethods(let methods) = routes.lookUp(.delete, "/files/copy") {
            #expect(methods == [.post, .get, .head])
        } else { Issue.record() }
        for path: Substring in ["", "/", "files/a", "/filesa", "/peers//label", "/peers/a/label/", "/peers/a", "*"] {
            guard case .unknown = routes.lookUp(.get, path) else {
                Issue.record("\(path)")
                continue
            }
        }
    }
}

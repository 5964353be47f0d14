import Foundation
import Testing

@Suite("The house is tidy")
struct TidyTests {
    static func sources() throws -> [SourceFile] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Sources").resolvingSymlinksInPath()
        let files = try #require(FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil))
        var result: [SourceFile] = []
        for case let url as URL in files where url.pathExtension == "swift" {
            let parts = url.resolvingSymlinksInPath().pathComponents.dropFirst(root.pathComponents.count)
            let module = try #require(parts.first)
            result.append(SourceFile(
                module: module, name: parts.dropFirst().joined(separator: "/"), text: try String(contentsOf: url, encoding: .utf8)))
        }
        return result.sorted { ($0.module, $0.name) < ($1.module, $1.name) }
    }

    @Test("No file breaks a rule")
    func allFiles() throws {
        let files = try Self.sources()
        #expect(files.count > 30)
        #expect(Set(files.map(\.module)).isSuperset(of: ["Content", "Causality", "Merkle", "pando"]))
        for violation in files.flatMap({ TidyRules.violations(in: $0) }) { Issue.record(Comment(rawValue: violation)) }
    }

    @Test("Imports go down only")
    func imports() {
        for module in TidyRules.modules.keys { #expect(!TidyRules.reachable(from: module).contains(module)) }
        for (module, row) in TidyRules.modules where row.isPure {
            #expect(TidyRules.reachable(from: module).allSatisfy { TidyRules.modules[$0]?.isPure == true })
        }
        #expect(TidyRules.reachable(from: "Replication") == ["Content", "Causality", "Merkle", "Access"])
    }

    // MARK: - That the rules can be broken

    func violations(_ module: String, _ text: String, name: String = "File.swift") -> [String] {
        TidyRules.violations(in: SourceFile(module: module, name: name, text: text))
    }

    @Test(arguments: [
        ("Content", "import Merkle"), ("Content", "import Logging"), ("Causality", "  import Crypto"), ("Merkle", "import Access"),
        ("Merkle", "@testable import Objects"), ("Platform", "import Causality"), ("Objects", "import struct NIOCore.ByteBuffer"),
        ("FileDatabase", "import Node"), ("FileDatabase", "import Replication"), ("Node", "import HTTPServer"),
        ("HTTPServer", "import AsyncHTTPClient"), ("HTTPClient", "import Hummingbird"), ("HTTPClient", "public import HTTPServer"),
        ("Merkle", "import Glibc"),
    ])
    func refusedImport(module: String, line: String) {
        #expect(violations(module, "import Foundation\n\(line)\n").count == 1)
    }

    @Test(arguments: [
        ("Content", "import Crypto"), ("Merkle", "import Content"), ("Objects", "import CLMDB"), ("Node", "import Merkle"),
        ("Replication", "import Content"), ("HTTPServer", "@preconcurrency import Hummingbird"), ("pando", "import Content"),
        ("Platform", "    import Glibc"), ("Merkle", "// import Node"), ("Merkle", "important = 1"),
    ])
    func acceptedImport(module: String, line: String) {
        #expect(violations(module, line) == [])
    }

    @Test(arguments: [
        "let now = Date()", "Int.random(in: 0..<3)", "ContinuousClock().now", "print(1)", "func read() async throws",
        "try! read()", "fatalError(\"\")", "// " + TidyRules.bannedWords[0] + ": later", "  // " + TidyRules.bannedWords[2],
    ])
    func refusedInPureModules(line: String) {
        #expect(violations("Merkle", line).count == 1)
    }

    @Test(arguments: [
        "// async is banned here, and so is print(", "let update(x)", "asynchronous = 1", "try? read()", "footprint(1)",
        "hackneyed", "let isUpdate = validate(x)", "try !isEmpty",
    ])
    func acceptedInPureModules(line: String) {
        #expect(violations("Merkle", line) == [])
    }

    @Test func effectsAreLessStrict() {
        #expect(violations("Node", "func read() async { print(Date()) }") == [])
        #expect(violations("Node", "try! read()").count == 1)
        #expect(violations("pando", "fatalError()").count == 1)
    }

    @Test func refusedFiles() {
        #expect(violations("Merkle", "", name: "TreeUtils.swift").count == 1)
        #expect(violations("Merkle", "", name: "StoreManager.swift").count == 1)
        #expect(violations("Merkle", "", name: "Tree.swift") == [])
        #expect(violations("Merkle", String(repeating: "\n", count: 450)) == [])
        #expect(violations("Merkle", String(repeating: "\n", count: 451)).count == 1)
        #expect(violations("Miscellany", "").count == 1)
    }
}

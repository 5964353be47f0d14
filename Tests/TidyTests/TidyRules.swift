/// A source file and the module that it belongs to.
struct SourceFile {
    var module: String
    var name: String
    var text: String
}

/// The rules of the house that a machine can check (design, sections 8 and 9).
enum TidyRules {
    struct Module {
        var isPure = false
        /// Modules of ours; what they may import, this one may too.
        var modules: [String] = []
        var others: Set<String> = []
    }

    /// The table of section 8, and what follows it in `docs/decisions/`.
    static let modules: [String: Module] = [
        "Content": Module(isPure: true, others: ["CSHA256", "Crypto"]),
        "Causality": Module(isPure: true, modules: ["Content"]),
        "Merkle": Module(isPure: true, modules: ["Content", "Causality"]),
        "Access": Module(isPure: true, modules: ["Content", "Merkle"], others: ["Crypto"]),
        "Replication": Module(isPure: true, modules: ["Merkle", "Causality", "Access"]),
        "Platform": Module(modules: ["Content"], others: systemLibraries.union(["CLinux"])),
        "Objects": Module(modules: ["Content", "Platform"], others: systemLibraries.union(["CLMDB", "CZstd"])),
        "FileDatabase": Module(modules: ["Objects", "Merkle", "Causality", "Access"]),
        "Node": Module(modules: ["FileDatabase", "Replication", "Platform"], others: ["Logging", "JWTKit", "Crypto"]),
        "HTTPServer": Module(
            modules: ["Node"],
            others: ["CConsole", "NIOCore", "NIOHTTP1", "NIOHTTPTypes", "NIOSSL", "HTTPTypes", "Logging", "ServiceLifecycle", "Hummingbird", "HummingbirdCore", "X509", "SwiftASN1", "Crypto"]),
        "HTTPClient": Module(
            modules: ["Node"], others: ["NIOCore", "NIOHTTP1", "NIOPosix", "NIOSSL", "AsyncHTTPClient", "Logging"]),
        "FolderSync": Module(modules: ["Node"]),
        "pando": Module(
            modules: ["HTTPServer", "HTTPClient", "FolderSync"],
            others: systemLibraries.union(["ArgumentParser", "Yams", "Logging", "ServiceLifecycle", "UnixSignals", "Hummingbird", "JWTKit", "AsyncHTTPClient"])),
        "Simulation": Module(modules: ["HTTPServer"], others: ["CExecutorHook", "Crypto", "Logging", "NIOEmbedded"]),
        "simulate": Module(modules: ["Simulation"], others: systemLibraries.union(["ArgumentParser"])),
    ]
    static let systemLibraries: Set<String> = ["Glibc", "Musl", "Darwin"]
    static let importedByAll: Set<String> = ["Foundation", "Synchronization"]

    /// Our modules that stand in the module's row or are reachable from it.
    static func reachable(from module: String) -> Set<String> {
        var result: Set<String> = []
        var open = modules[module]?.modules ?? []
        while let next = open.popLast() {
            if result.insert(next).inserted { open += modules[next]?.modules ?? [] }
        }
        return result
    }

    static let bannedEverywhere = ["try!", "fatalError("]
    static let bannedWhenPure = ["Date(", ".random(", "ContinuousClock", "print(", "async"]
    /// Put together here, so that a search for them does not find this list.
    static let bannedWords = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]
    static let bannedFileNames = ["Utils", "Helpers", "Common", "Manager"]
    static let maximumLines = 450

    static func violations(in file: SourceFile) -> [String] {
        let place = "Sources/\(file.module)/\(file.name)"
        guard let module = modules[file.module] else { return ["\(place): the design has no module \(file.module)"] }
        var found: [String] = []
        for name in bannedFileNames where file.name.contains(name) { found.append("\(place): '\(name)' is no topic") }
        let lines = file.text.split(separator: "\n", omittingEmptySubsequences: false)
        let count = lines.count - (lines.last?.isEmpty == true ? 1 : 0)
        if count > maximumLines { found.append("\(place): \(count) lines") }
        let allowed = reachable(from: file.module).union(module.others).union(importedByAll)
        for (index, line) in lines.enumerated() {
            let here = "\(place):\(index + 1)"
            if let name = importedModule(line), !allowed.contains(name) { found.append("\(here): imports \(name)") }
            let code = withoutComment(line)
            for banned in bannedEverywhere + (module.isPure ? bannedWhenPure : []) where contains(code, banned) {
                found.append("\(here): \(banned)")
            }
            for word in bannedWords where contains(String(line), word) { found.append("\(here): \(word)") }
        }
        return found
    }

    /// The module that a line imports: of `@testable import struct Foundation.Date`, Foundation.
    static func importedModule(_ line: Substring) -> String? {
        var words = line.split(separator: " ")[...]
        while let first = words.first, first.hasPrefix("@") || ["public", "package", "internal", "fileprivate", "private"].contains(first) {
            words.removeFirst()
        }
        guard words.popFirst() == "import" else { return nil }
        if let kind = words.first, ["struct", "class", "enum", "protocol", "func", "let", "var", "typealias"].contains(kind) {
            words.removeFirst()
        }
        return words.first?.split(separator: ".").first.map(String.init)
    }

    /// The line up to a comment. A `//` within a string, as in a URL, is taken for one too: that hides code only behind it.
    static func withoutComment(_ line: Substring) -> String {
        var code = ""
        for character in line {
            if character == "/", code.last == "/" { return String(code.dropLast()) }
            code.append(character)
        }
        return code
    }

    /// Whether the text stands there and is not the end or the beginning of a longer word.
    static func contains(_ line: String, _ text: String) -> Bool {
        func isWord(_ character: Character?) -> Bool { character.map { $0.isLetter || $0.isNumber || $0 == "_" } ?? false }
        return line.ranges(of: text).contains { range in
            let before = range.lowerBound > line.startIndex ? line[line.index(before: range.lowerBound)] : nil
            let after = range.upperBound < line.endIndex ? line[range.upperBound] : nil
            return !(isWord(before) && isWord(text.first)) && !(isWord(after) && isWord(text.last))
        }
    }
}

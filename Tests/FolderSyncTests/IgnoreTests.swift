import Foundation
import TestSupport
import Testing

@testable import FolderSync

@Suite("What a folder ignores")
struct IgnoreTests {
    private func ignores(_ lines: String, _ path: String, isDirectory: Bool = false) -> Bool {
        let stack = IgnoreStack([IgnoreList(Array(lines.utf8), source: "test", depth: 0)])
        let names = path.split(separator: "/").map(String.init)
        for count in 1..<max(names.count, 1) where stack.decision(Array(names[..<count]), isDirectory: true)?.isIgnored == true { return true }
        return stack.decision(names, isDirectory: isDirectory)?.isIgnored ?? false
    }

    @Test func examplesOfTheManual() {
        #expect(ignores("*.o", "a/b.o"))
        #expect(!ignores("*.o\n!b.o", "a/b.o"))
        #expect(ignores("foo/", "a/foo", isDirectory: true))
        #expect(!ignores("foo/", "a/foo"))
        #expect(ignores("foo/", "a/foo/x"))
        #expect(!ignores("/foo", "a/foo"))
        #expect(ignores("doc/frotz", "doc/frotz"))
        #expect(!ignores("doc/frotz", "a/doc/frotz"))
        #expect(ignores("foo/*", "foo/test.json"))
        #expect(!ignores("foo/*", "foo", isDirectory: true))
        #expect(ignores("**/foo", "a/b/foo"))
        #expect(ignores("abc/**", "abc/x/y"))
        #expect(ignores("a/**/b", "a/b"))
        #expect(ignores("a/**/b", "a/x/y/b"))
        #expect(ignores("/*\n!/foo\n/foo/*\n!/foo/bar", "foo/other"))
        #expect(!ignores("/*\n!/foo\n/foo/*\n!/foo/bar", "foo/bar"))
        // What lies in an ignored directory cannot be taken back.
        #expect(ignores("foo\n!foo/bar", "foo/bar"))
        #expect(ignores("\\#x", "#x"))
        #expect(ignores("\\!x", "!x"))
        #expect(ignores("a\\ ", "a "))
        #expect(ignores("a   ", "a"))
        #expect(!ignores("# comment", "# comment"))
    }

    @Test func explainsItself() throws {
        let stack = IgnoreStack().adding(IgnoreList(Array("\n*.log\n!keep.log\n".utf8), source: "a/.pandoignore", depth: 1))
        let kept = try #require(stack.decision(["a", "b", "keep.log"], isDirectory: false))
        #expect(!kept.isIgnored)
        #expect(kept.source == "a/.pandoignore")
        #expect(kept.line == 3)
        #expect(stack.decision(["keep.log"], isDirectory: false) == nil)
        let standard = try #require(stack.decision(["a", ".DS_Store"], isDirectory: false))
        #expect(standard.isIgnored)
        #expect(standard.source == "the defaults")
    }

    /// Random patterns against git's own reading of them.
    @Test(arguments: Seed.several(3)) func agreesWithGit(_ seed: Seed) throws {
        guard FileManager.default.isExecutableFile(atPath: "/usr/bin/git") else { return }
        var random = seed.generator
        let directory = try TemporaryDirectory()
        func run(_ arguments: [String], input: String = "") throws -> String {
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/git")
            process.arguments = arguments
            process.currentDirectoryURL = URL(filePath: directory.path)
            process.environment = ["HOME": directory.path, "GIT_CONFIG_NOSYSTEM": "1", "PATH": "/usr/bin:/bin"]
            let (output, feed) = (Pipe(), Pipe())
            process.standardOutput = output
            process.standardError = FileHandle.nullDevice
            process.standardInput = feed
            try process.run()
            // Small enough for the pipe.
            feed.fileHandleForWriting.write(Data(input.utf8))
            try feed.fileHandleForWriting.close()
            let bytes = output.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            return String(decoding: bytes, as: UTF8.self)
        }
        _ = try run(["init", "-q"])
        let names = ["a", "b", "ab", "a.b", "b]", "x-y", "A1", " a", "a ", "é", "!a", "#b", "a*", "\\"]
        var paths: [(path: String, isDirectory: Bool)] = []
        func fill(_ prefix: String, _ depth: Int) throws {
            for name in names where random.below(depth == 0 ? 1 : 3) == 0 {
                let isDirectory = depth < 3 && random.once(in: 2)
                let path = prefix + name
                if isDirectory {
                    try FileManager.default.createDirectory(atPath: directory.path + "/" + path, withIntermediateDirectories: true)
                    try fill(path + "/", depth + 1)
                } else {
                    _ = FileManager.default.createFile(atPath: directory.path + "/" + path, contents: Data())
                }
                paths.append((path, isDirectory))
            }
        }
        try fill("", 0)
        paths = Array(paths.shuffled(using: &random).prefix(250))
        let pieces = [
            "a", "b", "ab", "*", "**", "/", "?", "[ab]", "[!a]", "[^b]", "[a-c]", "[]a]", "[[:alpha:]]", "[[:digit:]x]", "\\a", "\\*", ".", "-", "x-y",
            "é", "***", "[a", " ", "A1", "**/", "/**", "/**/",
        ]
        for _ in 0..<40 {
            let lines = (0..<1 + random.below(4)).map { _ in
                (random.once(in: 4) ? "!" : "") + (0..<1 + random.below(5)).map { _ in random.pick(pieces) }.joined()
                    + (random.once(in: 5) ? "/" : "")
            }
            let text = lines.joined(separator: "\n") + "\n"
            try text.write(toFile: directory.path + "/.gitignore", atomically: false, encoding: .utf8)
            let answer = try run(["check-ignore", "--no-index", "--stdin", "-z"], input: paths.map { $0.path + "\0" }.joined())
            let ignored = Set(answer.split(separator: "\0").map(String.init))
            for (path, isDirectory) in paths {
                #expect(
                    ignores(text, path, isDirectory: isDirectory) == ignored.contains(path),
                    "\(seed): '\(path)' with \(lines)")
            }
        }
    }
}

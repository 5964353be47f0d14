import Causality
import Content
@testable import FileDatabase
import Foundation
import Merkle
import Objects
import Platform
import TestSupport

/// A directory, and the database in it, opened again and again.
final class DatabaseFixture {
    let directory: TemporaryDirectory
    private weak var opened: FileDatabase?

    init() throws {
        directory = try TemporaryDirectory()
    }

    func open(actor: Int = 1, time: any TimeSource = SystemTime()) throws -> FileDatabase {
        // An LMDB environment must not be open twice in a process, and a thread may still be letting go of the last.
        while opened != nil { Thread.sleep(forTimeInterval: 0.001) }
        let database = try FileDatabase(directory: directory.path, actor: .numbered(actor), time: time)
        opened = database
        return database
    }
}

extension FileDatabase {
    /// A database over a disk in memory.
    static func inMemory(_ disk: FaultyDisk = FaultyDisk(), actor: Int = 1, time: any TimeSource = SystemTime()) throws -> FileDatabase {
        try FileDatabase(store: ObjectStore(disk: disk, index: MemoryIndex()), actor: .numbered(actor), time: time)
    }

    /// Puts a small file.
    @discardableResult
    func put(_ text: String, at path: String, if condition: WriteCondition = .none) async throws -> WriteResult {
        let object = PreparedObject(.chunk, Array(text.utf8))
        return try await put(.file(text), at: TreePath(path), objects: [object], if: condition)
    }

    func upload(_ bytes: [UInt8], pieces: Int = 100_000) async throws -> (content: FileContent, objects: [PreparedObject]) {
        let upload = FileUpload(to: self)
        for start in stride(from: 0, to: bytes.count, by: pieces) {
            bytes[start..<min(start + pieces, bytes.count)].withUnsafeBytes { upload.add($0) }
            try await upload.drain()
        }
        return try await upload.finish()
    }

    func read(_ content: FileContent, _ range: Range<UInt64>? = nil) async throws -> [UInt8] {
        var result: [UInt8] = []
        for try await piece in bytes(of: content, range) { result += piece }
        return result
    }

    func text(at path: String) async throws -> String? {
        guard let file = try view.info(at: TreePath(path))?.file else { return nil }
        return String(decoding: try await read(file.content), as: UTF8.self)
    }

    /// Everything below the root, by path: a file's text, or nil for a directory.
    func everything() async throws -> [String: String?] {
        var options = ListOptions()
        options.recursive = true
        options.limit = .max
        var result: [String: String?] = [:]
        for item in try view.list(.root, options).items {
            result.updateValue(try await text(at: item.path.description), forKey: item.path.description)
        }
        return result
    }

    /// Takes what another database has, as a sync does.
    @discardableResult
    func take(from other: FileDatabase, _ tree: Tree = .files) async throws -> JoinResult {
        let (view, source, target) = (other.view, other.store, store)
        func copy(_ hash: ContentHash) throws {
            guard hash != TreeNode.empty.hash, try !target.contains(hash) else { return }
            let node = try view.node(hash)
            for child in node.children { try copy(child.hash) }
            for index in 0..<(node.level == 0 ? node.count : 0) {
                let entry = try node.entry(at: index)
                if let subtree = entry.subtree { try copy(subtree.root) }
                for case .file(let file) in entry.register?.versions.map(\.value) ?? [] {
                    try target.append([PreparedObject(.chunk, source.read(file.content.root, .chunk))])
                }
            }
            try target.append([PreparedObject(.tree, node.bytes, hash: hash)])
        }
        try copy(view.head[tree].root)
        return try await join(view.head[tree].root, into: tree, latest: view.head.commit.time, cause: "test")
    }
}

func path(_ text: String) throws -> TreePath { try TreePath(text) }

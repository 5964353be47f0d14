import Causality
import Content
@testable import FileDatabase
import Merkle
import Objects
import TestSupport
import Testing

/// What a tree of files does, on a dictionary.
struct FileModel {
    /// A file's text; nil for a directory that was made as one.
    private(set) var entries: [TreePath: String?] = [:]

    enum Refusal: Error, Equatable {
        case notFound, conflict, invalid, precondition
    }

    func file(_ path: TreePath) -> String? { entries[path].flatMap(\.self) }

    func isDirectory(_ path: TreePath) -> Bool {
        path.isRoot || entries.contains { $0.key.isWithin(path) && ($0.key != path || $0.value == nil) }
    }

    func exists(_ path: TreePath) -> Bool { file(path) != nil || isDirectory(path) }

    private func checkParents(_ path: TreePath) throws(Refusal) {
        var place = path.parent
        while let parent = place {
            if file(parent) != nil { throw .conflict }
            place = parent.parent
        }
    }

    /// - Returns: whether nothing was there before.
    mutating func put(_ text: String?, at path: TreePath, if condition: WriteCondition = .none) throws(Refusal) -> Bool {
        guard !path.isRoot else { throw .conflict }
        try checkParents(path)
        if text != nil ? isDirectory(path) : file(path) != nil { throw .conflict }
        switch condition {
        case .none: break
        case .absent: if exists(path) { throw .precondition }
        case .matches(let hashes):
            guard let old = file(path) else { throw .precondition }
            guard hashes.isEmpty || hashes.contains(ContentHash(of: .chunk, Array(old.utf8))) else { throw .precondition }
        }
        defer { entries.updateValue(text, forKey: path) }
        return !exists(path)
    }

    mutating func delete(_ path: TreePath, recursive: Bool) throws(Refusal) {
        guard !path.isRoot else { throw .conflict }
        guard exists(path) else { throw .notFound }
        let below = entries.keys.filter { $0.isWithin(path) }
        guard recursive || !below.contains(where: { $0 != path }) else { throw .conflict }
        for path in below { entries[path] = nil }
    }

    mutating func transfer(_ source: TreePath, to target: TreePath, replace: Bool, moves: Bool) throws(Refusal) {
        guard !source.isRoot, exists(source) else { throw .notFound }
        if source == target { return }
        if target.isWithin(source) { throw .invalid }
        if target.isRoot || source.isWithin(target) { throw .conflict }
        try checkParents(target)
        if exists(target), !replace { throw .conflict }
        let moved = entries.filter { $0.key.isWithin(source) }
        for path in entries.keys where path.isWithin(target) || moves && path.isWithin(source) { entries[path] = nil }
        for (path, text) in moved { entries.updateValue(text, forKey: target.appending(path.names.dropFirst(source.depth))) }
    }

    /// All that a recursive listing shows, in order.
    func everything(below top: TreePath = .root) -> [TreePath] {
        var result: Set<TreePath> = []
        for path in entries.keys where path.isWithin(top) {
            for depth in (top.depth + 1)..<(max(path.depth, top.depth) + 1) {
                result.insert(TreePath.root.appending(path.names.prefix(depth)))
            }
        }
        return result.sorted()
    }
}

@Suite("Files against a model")
struct ModelTests {
    static let names = ["a", "b", "c", "é", "n1"]

    static func randomPath(_ random: inout SplitMix64) -> TreePath {
        var path = TreePath.root
        for _ in 0...random.below(4) { path = path.appending(random.pick(names)) }
        return random.once(in: 60) ? .root : path
    }

    static func refusal(_ code: DatabaseError.Code) -> FileModel.Refusal? {
        switch code {
        case .notFound: .notFound
        case .conflict: .conflict
        case .invalid: .invalid
        case .preconditionFailed: .precondition
        default: nil
        }
    }

    enum Step {
        case put(TreePath, String, WriteCondition)
        case makeDirectory(TreePath)
        case delete(TreePath, recursive: Bool)
        case transfer(TreePath, TreePath, replace: Bool, moves: Bool)

        init(_ random: inout SplitMix64, _ model: FileModel) {
            let path = ModelTests.randomPath(&random)
            switch random.below(12) {
            case 0...5:
                let text = "text \(random.below(5))"
                let hash = ContentHash(of: .chunk, Array("text \(random.below(5))".utf8))
                let conditions: [WriteCondition] = [.none, .none, .none, .absent, .matches([]), .matches([hash])]
                self = .put(path, text, random.pick(conditions))
            case 6: self = .makeDirectory(path)
            case 7, 8: self = .delete(path, recursive: random.once(in: 2))
            default: self = .transfer(path, ModelTests.randomPath(&random), replace: random.once(in: 2), moves: random.once(in: 2))
            }
        }

        func run(on model: inout FileModel) throws(FileModel.Refusal) -> Bool? {
            switch self {
            case .put(let path, let text, let condition): return try model.put(text, at: path, if: condition)
            case .makeDirectory(let path): return try model.put(nil, at: path)
            case .delete(let path, let recursive): try model.delete(path, recursive: recursive)
            case .transfer(let source, let target, let replace, let moves):
                try model.transfer(source, to: target, replace: replace, moves: moves)
            }
            return nil
        }

        func run(on database: FileDatabase) async throws -> Bool? {
            switch self {
            case .put(let path, let text, let condition): return try await database.put(text, at: path.description, if: condition).isNew
            case .makeDirectory(let path): return try await database.makeDirectory(path).isNew
            case .delete(let path, let recursive): try await database.delete(path, recursive: recursive)
            case .transfer(let source, let target, let replace, let moves):
                let info =
                    moves
                    ? try await database.move(source, to: target, replace: replace)
                    : try await database.copy(source, to: target, replace: replace)
                #expect(info.path == target)
            }
            return nil
        }
    }

    /// Checks everything that can be read.
    static func check(_ database: FileDatabase, _ model: FileModel, _ random: inout SplitMix64) async throws {
        let view = database.view
        let all = model.everything()
        #expect(try await database.everything().keys.sorted() == all.map(\.description).sorted())
        for path in all {
            let info = try #require(try view.info(at: path))
            #expect((info.kind == .directory) == model.isDirectory(path))
            if let text = model.file(path) {
                #expect(try await database.text(at: path.description) == text)
                #expect(info.size == UInt64(text.utf8.count))
            }
        }
        let files = all.compactMap { model.file($0) }
        #expect(view.files.aggregates.files == UInt64(files.count))
        #expect(view.files.aggregates.bytes == UInt64(files.reduce(0) { $0 + $1.utf8.count }))
        #expect(view.files.aggregates.conflicts == 0)
        // A page at a time, of one directory.
        let top = Self.randomPath(&random)
        var options = ListOptions()
        options.recursive = random.once(in: 2)
        options.limit = 1 + random.below(4)
        options.glob = try random.once(in: 2) ? nil : Glob(random.pick(["**/a", "/a/**", "*", "/?/b*", "/b/*/*"]))
        let expected = model.everything(below: top).filter { path in
            (options.recursive || path.depth == top.depth + 1) && options.glob?.matches(path) ?? true
        }
        var found: [TreePath] = []
        repeat {
            let page = try view.list(top, options)
            #expect(page.items.count <= options.limit)
            found += page.items.map(\.path)
            #expect((page.next != nil) == (found.count < expected.count))
            options.after = page.next
        } while options.after != nil
        #expect(found == expected)
    }

    @Test("Random edits, one after another", arguments: Seed.several(12))
    func edits(seed: Seed) async throws {
        var random = seed.generator
        let disk = FaultyDisk()
        var database = try FileDatabase.inMemory(disk)
        var model = FileModel()
        for number in 0..<120 {
            let step = Step(&random, model)
            let before = database.head
            var expected: Result<Bool?, FileModel.Refusal>
            do throws(FileModel.Refusal) { expected = .success(try step.run(on: &model)) } catch { expected = .failure(error) }
            do {
                let isNew = try await step.run(on: database)
                #expect(expected == .success(isNew), "\(step)")
            } catch let error as DatabaseError {
                #expect(Self.refusal(error.code).map { expected == .failure($0) } == true, "\(step): \(error)")
                #expect(database.head == before)
            }
            if number % 20 == 19 { try await Self.check(database, model, &random) }
            if number % 50 == 49 {
                database.close()
                database = try FileDatabase.inMemory(disk)
            }
        }
        try await Self.check(database, model, &random)
        #expect(try database.verify().faults.isEmpty)
    }

    @Test("A bulk write is all or nothing", arguments: Seed.several(25))
    func bulk(seed: Seed) async throws {
        var random = seed.generator
        let database = try FileDatabase.inMemory()
        var model = FileModel()
        for number in 0..<5 { try database.store.append([PreparedObject(.chunk, Array("text \(number)".utf8))]) }
        for _ in 0..<15 {
            var items: [FileDatabase.BulkItem] = []
            var changed = model
            var isRefused = false
            for _ in 0..<1 + random.below(6) {
                let path = Self.randomPath(&random)
                let text = random.once(in: 8) ? nil : "text \(random.below(5))"
                let mustBeNew = random.once(in: 8)
                items.append(FileDatabase.BulkItem(path: path, value: text.map { .file($0) } ?? .directory, mustBeNew: mustBeNew))
                if items.dropLast().contains(where: { $0.path == path }) { isRefused = true }
                do throws(FileModel.Refusal) {
                    // The state before decides what may be there, and the items among each other what lies under a file.
                    var alone = model
                    _ = try alone.put(text, at: path, if: mustBeNew ? .absent : .none)
                    _ = try changed.put(text, at: path)
                } catch { isRefused = true }
            }
            let before = database.head
            do {
                let result = try await database.put(items)
                #expect(!isRefused)
                #expect(result.created + result.replaced + result.unchanged == items.count)
                model = changed
            } catch let error as DatabaseError {
                #expect(isRefused, "\(error)")
                #expect(database.head == before)
            }
            try await Self.check(database, model, &random)
        }
    }

    @Test("A bulk write of what is not here, or is something else, is refused and says what is missing")
    func bulkObjects() async throws {
        let database = try FileDatabase.inMemory()
        let chunk = PreparedObject(.chunk, Array("here".utf8))
        let manifest = PreparedObject(.manifest, ManifestNode(
            height: 1, children: [ManifestNode.Child(hash: chunk.hash, size: 4), ManifestNode.Child(hash: .zero, size: 5)]).encoded())
        try database.store.append([chunk, manifest])
        func refused(_ content: FileContent, attributes: ContentHash? = nil) async throws -> [ContentHash] {
            let file = FileValue(content: content, mediaType: "", modifiedAt: 0, attributes: attributes)
            let before = database.head
            let error = await #expect(throws: DatabaseError.self) {
                _ = try await database.put([FileDatabase.BulkItem(path: path("/f"), value: .file(file))])
            }
            #expect(error?.code == .invalid)
            #expect(database.head == before)
            return error?.missing ?? []
        }
        let absent = ContentHash(of: .chunk, [9])
        #expect(try await refused(FileContent(root: absent, height: 0, size: 1)) == [absent])
        #expect(try await refused(FileContent(root: absent, height: 1, size: 1)).contains(absent))
        #expect(try await refused(FileContent(root: chunk.hash, height: 0, size: 4), attributes: absent) == [absent])
        #expect(try await refused(FileContent(root: manifest.hash, height: 1, size: 9)) == [.zero])
        // Here, but of another size, height or kind: what no peer could take from this node.
        #expect(try await refused(FileContent(root: chunk.hash, height: 0, size: 5)) == [])
        #expect(try await refused(FileContent(root: chunk.hash, height: 1, size: 4)) == [])
        #expect(try await refused(FileContent(root: manifest.hash, height: 0, size: 9)) == [])
        #expect(try await refused(FileContent(root: manifest.hash, height: 2, size: 9)) == [])
        #expect(try await refused(FileContent(root: manifest.hash, height: 1, size: 8)) == [])
        #expect(try await refused(FileContent(root: chunk.hash, height: 0, size: 4), attributes: chunk.hash) == [])
    }

    @Test("A sparse file of more chunks than anyone can count is taken in a few steps")
    func sparseFile() async throws {
        let database = try FileDatabase.inMemory()
        let zeros = PreparedObject(.chunk, [UInt8](repeating: 0, count: 1 << 20))
        var objects = [zeros]
        var child = ManifestNode.Child(hash: zeros.hash, size: 1 << 20)
        for height in 1...4 {
            let node = ManifestNode(height: height, children: Array(repeating: child, count: 1024))
            let object = PreparedObject(.manifest, node.encoded())
            child = ManifestNode.Child(hash: object.hash, size: node.size)
            objects.append(object)
        }
        try database.store.append(objects)
        let content = FileContent(root: child.hash, height: 4, size: child.size)
        let file = FileValue(content: content, mediaType: "", modifiedAt: 0)
        let result = try await database.put([FileDatabase.BulkItem(path: path("/sparse"), value: .file(file))])
        #expect(result.created == 1)
        #expect(try database.verify().faults.isEmpty)
        #expect(try await database.read(content, (1 << 59)..<(1 << 59) + 10) == [UInt8](repeating: 0, count: 10))
    }
}

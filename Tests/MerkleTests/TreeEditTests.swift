import Causality
import Content
import Merkle
import TestSupport
import Testing

@Suite("Edits and reads")
struct TreeEditTests {
    /// A tree and the dictionary that it should equal.
    struct Pair {
        var store = MemoryNodes()
        var tree = Subtree.empty
        var model: [TreePath: Register] = [:]
        var pool: RegisterPool

        init(_ random: inout SplitMix64) {
            pool = RegisterPool(&random)
        }

        /// A random batch of all kinds of edits.
        mutating func edit(_ count: Int, _ random: inout SplitMix64) throws {
            var edits: [TreePath: TreeEdit.Change] = [:]
            for _ in 0..<count {
                // Often a path that is there.
                let path = random.once(in: 2) ? model.keys.sorted().randomElement(using: &random) ?? .random(&random) : .random(&random)
                guard edits[path] == nil else { continue }
                let isInUse = model.keys.contains { $0 != path && $0.isWithin(path) } || edits.keys.contains { $0.isWithin(path) || path.isWithin($0) }
                switch random.below(6) {
                case 0, 1:
                    edits[path] = .forget
                    model[path] = nil
                case 2 where !isInUse:
                    let below = pool.registers(random.below(5), &random)
                    let register = random.once(in: 2) ? pool.register(at: path, &random) : nil
                    edits[path] = .adopt(try Subtree.holding(below, in: &store), register)
                    for (inner, value) in below { model[path.appending(inner.names[...])] = value }
                    model[path] = register
                default:
                    let register = pool.register(at: path, &random)
                    edits[path] = .set(register)
                    model[path] = register
                }
            }
            tree = try tree.applying(edits.map { TreeEdit($0.key, $0.value) }, in: &store)
        }
    }

    @Test("A batch of edits does what it does to a dictionary", arguments: Seed.several(25))
    func agreesWithModel(seed: Seed) throws {
        var random = seed.generator
        var pair = Pair(&random)
        for _ in 0..<8 {
            try pair.edit(1 + random.below(50), &random)
            let naive = NaiveTree(pair.model)
            #expect(try pair.tree.walked(in: pair.store) == naive.walked())
            #expect(pair.tree.aggregates == naive.aggregates)
            var fresh = MemoryNodes()
            #expect(try Subtree.holding(pair.model, in: &fresh) == pair.tree)
            for _ in 0..<20 {
                let path = TreePath.random(&random)
                #expect(try pair.tree.entry(at: path, in: pair.store)?.register == pair.model[path])
            }
        }
        // And all of it away again.
        let tree = try pair.tree.applying(pair.model.keys.map { TreeEdit($0, .forget) }, in: &pair.store)
        #expect(tree == .empty)
    }

    @Test("No edits, and edits that change nothing, leave the tree as it is", arguments: Seed.several(5))
    func nothing(seed: Seed) throws {
        var random = seed.generator
        var pair = Pair(&random)
        try pair.edit(60, &random)
        #expect(try pair.tree.applying([], in: &pair.store) == pair.tree)
        let same = pair.model.map { TreeEdit($0.key, .set($0.value)) }
        #expect(try pair.tree.applying(same, in: &pair.store) == pair.tree)
        let absent = try TreePath("/nowhere/at all")
        #expect(try pair.tree.applying([TreeEdit(absent, .forget)], in: &pair.store) == pair.tree)
        #expect(try pair.tree.entry(at: absent, in: pair.store) == nil)
        #expect(try pair.tree.entry(at: .root, in: pair.store) == nil)
    }

    @Test("A walk and a listing go on behind any name or path", arguments: Seed.several(15))
    func resume(seed: Seed) throws {
        var random = seed.generator
        var pair = Pair(&random)
        try pair.edit(200, &random)
        let all = NaiveTree(pair.model).walked()
        for _ in 0..<25 {
            let after = random.once(in: 2) ? random.pick(all).path : TreePath.random(&random)
            var walk = try pair.tree.walk(after: after, in: pair.store)
            var found: [TreePath] = []
            while let (path, _) = try walk.next() { found.append(path) }
            #expect(found == all.map(\.path).filter { after < $0 })

            // The same without going into some directories.
            let closed = random.pick(["a", "b", "n1", "n22579"])
            var partial = try pair.tree.walk(after: after, in: pair.store, descend: { $0.name != closed })
            found = []
            while let (path, _) = try partial.next() { found.append(path) }
            #expect(found == all.map(\.path).filter { after < $0 && !$0.names.dropLast().contains(closed) })

            let name = randomName(&random)
            var listing = try pair.tree.entries(after: name, in: pair.store)
            var names: [String] = []
            while let entry = try listing.next() { names.append(entry.name) }
            #expect(names == all.filter { $0.path.depth == 1 }.map { $0.path.names[0] }.filter { name.utf8.lexicographicallyPrecedes($0.utf8) })
        }
    }

    @Test("A walk of a subdirectory tells whole paths, and goes on behind one", arguments: Seed.several(5))
    func walkBelow(seed: Seed) throws {
        var random = seed.generator
        var pair = Pair(&random)
        try pair.edit(200, &random)
        let all = NaiveTree(pair.model).walked()
        for directory in all where directory.hasSubtree {
            let subtree = try #require(try pair.tree.entry(at: directory.path, in: pair.store)?.subtree)
            let below = all.map(\.path).filter { $0 != directory.path && $0.isWithin(directory.path) }
            for after in [nil] + below.map(Optional.init) {
                var walk = try subtree.walk(at: directory.path, after: after, in: pair.store)
                var found: [TreePath] = []
                while let (path, _) = try walk.next() { found.append(path) }
                #expect(found == below.filter { path in after.map { $0 < path } ?? true })
            }
        }
    }

    @Test("Names that are equal as strings under some Unicode version are different names")
    func namesAreBytes() throws {
        // Not valid names, but what another Unicode version takes for valid is no other thing to the tree.
        let names = ["z\u{323}\u{301}", "z\u{301}\u{323}", "\u{e9}", "e\u{301}"]
        var store = MemoryNodes()
        let paths = names.map { TreePath.root.appending($0) }
        let tree = try Subtree.empty.applying(paths.map { TreeEdit($0, .set(.written(.file(Array($0.names[0].utf8).description)))) }, in: &store)
        #expect(tree.aggregates.files == 4)
        for path in paths {
            #expect(try tree.entry(at: path, in: store)?.register == .written(.file(Array(path.names[0].utf8).description)))
        }
        #expect(paths[0] != paths[1])
        #expect((paths[0] < paths[1]) != (paths[1] < paths[0]))
        #expect(!paths[2].isWithin(paths[3]))
    }

    @Test("A missing node is an error that names it")
    func missingNode() {
        let hash = ContentHash(of: .tree, [1])
        let error = #expect(throws: MissingNode.self) {
            try Subtree(root: hash, aggregates: .zero).entry(named: "x", in: MemoryNodes())
        }
        #expect(error?.hash == hash)
    }
}

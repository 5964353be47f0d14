import Causality
import Content
import Crypto
import FileDatabase
import Foundation
import Merkle
import Node
import Platform
import Synchronization

/// One simulated cluster: its machines, its network, what is known of it, and whether something went wrong.
final class World: Sendable {
    private struct State {
        var model: Model
        /// The files' tree of each node as it was last looked at.
        var trees: [Subtree]
        var failure: String?
        var trace: [String] = []
        var digest = SHA256()
        var rootKey = ""
        var counter = 0
        var busy: [Int: [String]] = [:]
        var commits = 0
    }

    let seed: UInt64
    let features: Features
    let scheduler: Scheduler
    let network: Network
    private let keepsTrace: Bool
    private let state: Mutex<State>

    init(seed: UInt64, features: Features, scheduler: Scheduler, keepsTrace: Bool) {
        self.seed = seed
        self.features = features
        self.scheduler = scheduler
        self.keepsTrace = keepsTrace
        network = Network(scheduler: scheduler, seed: seed &+ 1)
        state = Mutex(State(
            model: Model(nodeCount: features.nodes), trees: Array(repeating: .empty, count: features.nodes)))
    }

    // MARK: What went on

    /// Adds a line to the run's trace.
    func note(_ line: @autoclosure () -> String) {
        let text = "\(scheduler.now) \(line())"
        state.withLock { state in
            state.digest.update(data: Data(text.utf8))
            if keepsTrace { state.trace.append(text) }
        }
    }

    /// Ends the run as failed, with the first reason that is given.
    func fail(_ reason: String) {
        note("FAILED: \(reason)")
        state.withLock { if $0.failure == nil { $0.failure = reason } }
    }

    var failure: String? { state.withLock { $0.failure } }
    var trace: [String] { state.withLock { $0.trace } }
    var commitCount: Int { state.withLock { $0.commits } }
    /// The same for two runs that went the same way.
    var digest: String { state.withLock { $0.digest }.finalize().map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() }

    var rootKey: String {
        get { state.withLock { $0.rootKey } }
        set { state.withLock { $0.rootKey = newValue } }
    }

    func withModel<Result: Sendable>(_ body: (inout Model) -> Result) -> Result {
        state.withLock { body(&$0.model) }
    }

    /// A number that was not given out before.
    func nextNumber() -> Int {
        state.withLock { state in
            state.counter += 1
            return state.counter
        }
    }

    // MARK: Who works on what

    /// Takes paths of one node, with all that is below them, for one user's operation, so that the model knows which write is
    /// whose.
    func take(_ paths: [String], on node: Int) -> Bool {
        state.withLock { state in
            let busy = state.busy[node] ?? []
            for path in paths where busy.contains(where: { $0 == path || $0.hasPrefix(path + "/") || path.hasPrefix($0 + "/") }) { return false }
            state.busy[node] = busy + paths
            return true
        }
    }

    func giveBack(_ paths: [String], on node: Int) {
        state.withLock { state in
            for path in paths {
                if let index = state.busy[node]?.firstIndex(of: path) { state.busy[node]?.remove(at: index) }
            }
        }
    }

    // MARK: What nodes show

    /// Called in the middle of each commit, which is durable by then.
    func committed(_ head: Head, at node: Int) {
        let before = state.withLock { state in
            state.commits += 1
            defer { state.trees[node] = head.commit.files }
            return state.trees[node]
        }
        note("node \(node) commits \(head.commit.files.root) by '\(head.commit.cause)'")
        guard let database = databases.withLock({ $0[node] }) else { return }
        compare(before, head.commit.files, in: database, on: node)
    }

    /// A node has started, from what its disk held: that is compared with all it ever showed.
    func started(_ machine: Machine, _ node: Node) {
        databases.withLock { $0[machine.index] = node.database }
        withModel { $0.name(machine.index, node.id) }
        let head = node.database.head
        state.withLock { $0.trees[machine.index] = head.commit.files }
        note("node \(machine.index) starts at \(head.commit.files.root)")
        var paths = withModel { $0.paths(on: machine.index) }
        compare(.empty, head.commit.files, in: node.database, on: machine.index) { paths.remove($0) }
        if let lost = paths.min() { fail("\(lost) on node \(machine.index): nothing is left of it after a start") }
    }

    private let databases = Mutex<[Int: FileDatabase]>([:])

    private func compare(
        _ before: Subtree, _ after: Subtree, in database: FileDatabase, on node: Int, also visit: (String) -> Void = { _ in }
    ) {
        do {
            var diff = try TreeDiff(from: before, to: after, in: database.view.reader)
            while let difference = try diff.next() {
                let path = difference.path.description
                visit(path)
                guard let register = difference.after else {
                    fail("\(path) on node \(node): all that was known of it is gone")
                    continue
                }
                let shown = register.versions.map { version in
                    Model.Shown(dot: version.dot, content: Model.Content(version.value), hasSeen: { version.past.covers($0) })
                }
                let winner = register.winner.dot
                if let reason = withModel({ $0.observe(shown, winner: winner, at: path, on: node) }) { fail(reason) }
            }
        } catch {
            fail("node \(node) cannot read what it committed: \(error)")
        }
    }
}

extension Model.Content {
    init(_ value: Value) {
        switch value {
        case .tombstone: self = .nothing
        case .directory: self = .directory
        case .symlink(let target): self = .file("link to \(target)")
        case .file(let file): self = .file("\(file.content.root)\(file.isExecutable ? " executable" : "")")
        }
    }
}

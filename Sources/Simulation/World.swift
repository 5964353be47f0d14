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
        /// The state of each node as it was last looked at, and the life that it was in.
        var shown: [Shown]
        var failure: String?
        var trace: [String] = []
        var digest = SHA256()
        var rootKey = ""
        /// A token of a key that is revoked.
        var revokedToken: String?
        var random: SplitMix64
        var snapshots: [String] = []
        var counter = 0
        var busy: [Int: [String]] = [:]
        var commits = 0
    }

    private struct Shown {
        var files = Subtree.empty
        var incarnation: UInt32 = 0
        /// Who was away for too long, as the node has it.
        var lapsed: Set<Int> = []
    }

    let seed: UInt64
    let features: Features
    let scheduler: Scheduler
    let network: Network
    let keepsTrace: Bool
    private let state: Mutex<State>

    init(seed: UInt64, features: Features, scheduler: Scheduler, keepsTrace: Bool) {
        self.seed = seed
        self.features = features
        self.scheduler = scheduler
        self.keepsTrace = keepsTrace
        network = Network(scheduler: scheduler, seed: seed &+ 1)
        state = Mutex(State(
            model: Model(
                nodeCount: features.nodes, dropsDeletions: features.dropsDeletions,
                partialMember: features.hasPartialMember ? features.nodes - 1 : nil),
            shown: Array(repeating: Shown(), count: features.nodes), random: SplitMix64(seed: seed &+ 7)))
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

    /// Adds a line of a node's log, which is in the trace but not in its digest.
    func logged(_ line: String) {
        let text = "\(scheduler.now) \(line)"
        state.withLock { $0.trace.append(text) }
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

    var revokedToken: String? {
        get { state.withLock { $0.revokedToken } }
        set { state.withLock { $0.revokedToken = newValue } }
    }

    /// The names of all snapshots that were made.
    var snapshots: [String] { state.withLock { $0.snapshots } }
    func add(snapshot name: String) { state.withLock { $0.snapshots.append(name) } }

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

    /// The machine that takes part in some of the files only.
    var partialMember: Int? { features.hasPartialMember ? features.nodes - 1 : nil }
    /// Whether there is somebody who may not see all.
    var hasSecrets: Bool { features.hasPartialMember || features.hasProber }

    /// What blocks takes its time now and then, and others get on meanwhile.
    func pauseOfThread() async {
        let pause = state.withLock { $0.random.once(in: 4) ? UInt64($0.random.below(3_000)) : 0 }
        if pause > 0 { try? await scheduler.wait(pause) }
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
        note("node \(node) commits \(head.commit.files.root) by '\(head.commit.cause)'")
        guard let database = databases.withLock({ $0[node] }) else { return }
        let lapsed = lapsedMembers(in: database)
        let before = state.withLock { state in
            state.commits += 1
            defer { state.shown[node] = Shown(files: head.commit.files, incarnation: head.commit.actor.incarnation, lapsed: lapsed) }
            return state.shown[node]
        }
        leaks.withLock { $0.hide(head.commit.files.root, on: node) }
        if head.commit.cause.contains("settings") { checkAbsence(of: lapsed.subtracting(before.lapsed), at: node) }
        let occasions = World.occasions(of: head, after: before.files, before.incarnation, dropsDeletions: features.dropsDeletions)
        let model = occasions.count > 1 ? withModel { $0 } : nil
        for occasion in occasions {
            if let model { withModel { $0 = model } }
            var findings = compare(
                before.files, head.commit.files, in: database, on: node, by: occasion, lapsed, isBatch: head.commit.cause.hasSuffix(" more"))
            if occasion == .startingOver { findings += passOver(head.commit.files, in: database, on: node) }
            if !findings.isEmpty, occasion != occasions.last { continue }
            report(findings, on: node)
            // Those who have refused it by then try it again after half a minute at the latest.
            if occasion == .startingOver { network.disturb(node, for: 30_000_000) }
            return
        }
    }

    /// How a commit may have come about, the likelier first. Of several requests of one commit only the first is named, and another of them may
    /// have been a start over.
    private static func occasions(of head: Head, after files: Subtree, _ incarnation: UInt32, dropsDeletions: Bool) -> [Model.Occasion] {
        let cause = head.commit.cause
        if head.commit.actor.incarnation == incarnation {
            // A member of a part lets go of what the others do not tell of any more.
            if cause.hasPrefix("follow ") { return [.following] }
            if cause.hasPrefix("write anew") { return [.renaming] }
            // Deletions may have been made anew by another request.
            return dropsDeletions && cause.hasSuffix(" more") ? [.ordinary, .renaming] : [.ordinary]
        }
        if cause.contains("long absence") { return [.startingOver] }
        let mayStartOver = dropsDeletions && cause.hasSuffix(" more") && !cause.hasPrefix("a fresh incarnation") && head.commit.files.root != files.root
        return mayStartOver ? [.renaming, .startingOver] : [.renaming]
    }

    /// A node that takes up another's state never hears of what is deleted there, and the deletion dropped.
    private func passOver(_ files: Subtree, in database: FileDatabase, on node: Int) -> [Finding] {
        withModel(\.paths).sorted().compactMap { path in
            guard let place = try? TreePath(path), (try? files.entry(at: place, in: database.view.reader))?.register == nil else { return nil }
            let reason = withModel { $0.observe([], winner: nil, at: path, on: node, by: .startingOver) }
            return reason.map { Finding(reason: $0, path: place) }
        }
    }

    /// A node has started, from what its disk held: that is compared with all it ever showed.
    func started(_ machine: Machine, _ node: Node) {
        databases.withLock { $0[machine.index] = node.database }
        withModel { $0.name(machine.index, node.id) }
        let head = node.database.head
        let lapsed = lapsedMembers(in: node.database)
        state.withLock { $0.shown[machine.index] = Shown(files: head.commit.files, incarnation: node.incarnation, lapsed: lapsed) }
        note("node \(machine.index) starts at \(head.commit.files.root)")
        var paths = withModel { $0.paths(on: machine.index) }
        // The last commit before a power cut may be there although nobody was told of it, and be that of several requests.
        let findings = compare(.empty, head.commit.files, in: node.database, on: machine.index, by: .ordinary, lapsed, isBatch: true) { paths.remove($0) }
        report(findings, on: machine.index)
        for path in paths.sorted() {
            if let reason = withModel({ $0.observe([], winner: nil, at: path, on: machine.index) }) { return fail("\(reason) (after a start)") }
        }
    }

    private let databases = Mutex<[Int: FileDatabase]>([:])

    /// What is wrong with what a node shows at a path.
    private struct Finding {
        var reason: String
        var path: TreePath?
        var shown: Register?
    }

    private func compare(
        _ before: Subtree, _ after: Subtree, in database: FileDatabase, on node: Int, by occasion: Model.Occasion,
        _ lapsed: Set<Int>, isBatch: Bool = false, also visit: (String) -> Void = { _ in }
    ) -> [Finding] {
        let listed = listedMembers(in: database)
        withModel { $0.setLapsed(lapsed, listed: listed) }
        var findings: [Finding] = []
        do {
            var diff = try TreeDiff(from: before, to: after, in: database.view.reader)
            while let difference = try diff.next() {
                let path = difference.path.description
                visit(path)
                let shown = (difference.after?.versions ?? []).map { version in
                    Model.Shown(dot: version.dot, content: Model.Content(version.value), hasSeen: { version.past.covers($0) })
                }
                let winner = difference.after?.winner.dot
                if let reason = withModel({ $0.observe(shown, winner: winner, at: path, on: node, by: occasion, isBatch: isBatch) }) {
                    findings.append(Finding(reason: reason, path: difference.path, shown: difference.after))
                }
                leaks.withLock { $0.hide(difference.after, at: path, on: node) }
            }
        } catch {
            findings.append(Finding(reason: "node \(node) cannot read what it committed: \(error)"))
        }
        return findings
    }

    private func report(_ findings: [Finding], on node: Int) {
        for finding in findings {
            fail(finding.reason)
            if keepsTrace, let path = finding.path { explain(path, shown: finding.shown, on: node) }
        }
    }

    /// What was written at a path, and what each node shows of it, for a trace.
    private func explain(_ path: TreePath, shown: Register?, on node: Int) {
        for line in withModel({ $0.writes(at: path.description) }) { logged(line) }
        for (other, database) in databases.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
            let register = other == node ? shown : (try? database.head.commit.files.entry(at: path, in: database.view.reader))?.register
            logged("  \(path): node \(other) shows \(register.map(World.words) ?? "nothing")")
        }
    }

    /// The same, where nothing is being committed.
    func explain(_ path: String) {
        guard keepsTrace, let path = try? TreePath(path), let database = databases.withLock({ $0[0] }) else { return }
        explain(path, shown: (try? database.head.commit.files.entry(at: path, in: database.view.reader))?.register, on: 0)
    }

    private static func words(_ register: Register) -> String {
        let versions = register.versions.map { "\($0.dot)\($0.value.isTombstone ? " (a deletion)" : "")" }
        let seen = register.context.elements.map { "\(Dot(timestamp: $0.timestamp, actor: $0.actor))" }
        return "\(versions.joined(separator: ", ")) of what it has seen up to \(seen.joined(separator: ", "))"
    }

    /// Where the nodes' files, or what they have of the cluster, differ, for a trace.
    func explainDifferences() {
        guard keepsTrace else { return }
        for path in differences(in: .files).paths.prefix(10) { explain(path.description) }
        let (paths, trees) = differences(in: .system)
        for path in paths.prefix(10) {
            for (node, registers) in trees { logged("  /.system\(path): node \(node) shows \(registers[path].map(World.words) ?? "nothing")") }
        }
    }

    private func differences(in tree: Tree) -> (paths: [TreePath], trees: [(node: Int, registers: [TreePath: Register])]) {
        let trees = databases.withLock { $0 }.sorted { $0.key < $1.key }.map { node, database in
            (node: node, registers: World.registers(in: database, tree))
        }
        return (Set(trees.flatMap(\.registers.keys)).filter { path in Set(trees.map { $0.registers[path] }).count > 1 }.sorted(), trees)
    }

    private static func registers(in database: FileDatabase, _ tree: Tree) -> [TreePath: Register] {
        var registers: [TreePath: Register] = [:]
        var walk = try? database.head[tree].walk(in: database.view.reader)
        while let (path, entry) = try? walk?.next() { registers[path] = entry.register }
        return registers
    }

    /// Where the member of a part shows something else than a whole node does, though it does not say that what it has is refused.
    func partDifference(_ refused: Set<String>) -> String? {
        let databases = databases.withLock { $0 }
        guard let partialMember, let part = databases[partialMember], let whole = databases[0] else { return nil }
        // A deletion that stands alone shows nothing; whole nodes have dropped it, maybe.
        func shown(_ register: Register?) -> Set<Dot> {
            guard let register, !register.versions.allSatisfy(\.value.isTombstone) else { return [] }
            return Set(register.versions.map(\.dot))
        }
        let (own, others) = (World.registers(in: part, .files), World.registers(in: whole, .files))
        return Set(own.keys).union(others.keys).map(\.description).filter { Leaks.shows($0) && !refused.contains($0) }.sorted().first { path in
            guard let path = try? TreePath(path) else { return false }
            return shown(own[path]) != shown(others[path])
        }
    }

    // MARK: Absence

    private static let lapsedDirectory = try? TreePath("/lapsed")

    private static let horizonDocument = try? TreePath("/horizon")

    private struct Horizon: Decodable {
        var time: UInt64
        var members: [String: UInt32]
    }

    /// The members that the horizon has waited for, as a node has it; nil if there is none.
    private func listedMembers(in database: FileDatabase) -> Set<Int>? {
        guard features.dropsDeletions, let path = World.horizonDocument, let versions = try? database.view.allVersions(of: path) else { return nil }
        let horizons = versions.compactMap { try? JSONDecoder().decode(Horizon.self, from: Data($0)) }
        let latest = horizons.max { $0.time < $1.time }
        return latest.map { Set($0.members.keys.compactMap { NodeID($0) }.compactMap { id in withModel { $0.index(of: id) } }) }
    }

    /// The members that were away for too long, as a node has it.
    private func lapsedMembers(in database: FileDatabase) -> Set<Int> {
        guard features.dropsDeletions, let directory = World.lapsedDirectory, let documents = try? database.view.documents(in: directory) else { return [] }
        return Set(documents.compactMap { NodeID($0.name) }.compactMap { id in withModel { $0.index(of: id) } })
    }

    /// Nobody is said to be away who was there all the time.
    private func checkAbsence(of members: Set<Int>, at node: Int) {
        let span = UInt64(Features.retention) * 1_000_000
        if network.wasDisturbed(node, within: 2 * span) { return }
        for member in members.sorted() where !network.wasDisturbed(member, within: 2 * span) {
            fail("node \(node) says that node \(member) was away for too long, which was there all the time")
        }
    }

    // MARK: Secrets

    private let leaks = Mutex(Leaks())

    /// Takes note of content that is put where not everybody may see it, and nowhere else.
    func hide(content: [UInt8]) { leaks.withLock { $0.hide(content: content) } }

    /// Looks at bytes that go to somebody who may see a part of the files only.
    func inspect(_ bytes: [UInt8], asked: [UInt8] = [], to receiver: @autoclosure () -> String) {
        guard let found = leaks.withLock({ $0.find(in: bytes, asked: asked) }) else { return }
        fail("\(found) goes to \(receiver()), who may not see it")
    }

    /// An object that those who see a part only must not get.
    var someSecret: (chunk: ContentHash, root: ContentHash)? { leaks.withLock { $0.some } }
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

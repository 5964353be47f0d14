import Causality
import Content
import Foundation

/// What must be true of the files of a cluster, worked out in the plainest way: for each write the set of all writes of that
/// path that its node had seen, and the set of those that it replaced. It knows no version vectors, no trees and no joins,
/// and learns only from what each node shows: the versions at a path after each commit.
struct Model {
    /// What a write put there, as far as two people could tell their copies apart.
    enum Content: Hashable {
        case nothing
        case directory
        case file(String)

        /// A modification beats a deletion; a directory stands before a file.
        var rank: Int {
            switch self {
            case .directory: 2
            case .file: 1
            case .nothing: 0
            }
        }
    }

    /// What somebody asked a node to do with a path.
    enum Intent {
        case write
        case resolve
    }

    struct Write {
        var dot: Dot
        var path: String
        var content: Content
        /// All that its node had seen of the path.
        var past: WriteSet
        var replaced: WriteSet
        var isAcknowledged = false
        /// Whether its node has written the same anew in another name: those who had it by then have both.
        var isRenamed = false
        /// Whether the commit that it first appeared in may have named it anew, so that its user was told of a name which nobody ever saw.
        var mayHaveHadAnotherName = false
    }

    /// A version that a node shows.
    struct Shown {
        var dot: Dot
        var content: Content
        /// Whether the node says that this version had seen another; asked only for two that appear in the same commit.
        var hasSeen: (Dot) -> Bool
    }

    private(set) var writes: [Write] = []
    private var indexes: [Dot: Int] = [:]
    /// By node and path, what the node has seen.
    var seen: [[String: WriteSet]]
    private(set) var nodes: [NodeID: Int] = [:]
    /// What a node had seen before it was put back to an old copy of itself.
    var forgotten: [[String: WriteSet]]
    /// Deletions that a node has let go of, since everybody has them.
    var dropped: [[String: WriteSet]]
    /// Writes that a node still has though they were named anew.
    var lingering: [[String: WriteSet]]
    /// By node, how many writes there were when it was last put back to an old copy of itself.
    var restoredAt: [Int: Int] = [:]
    /// Members for which deletions do not wait: they were away for too long.
    var lapsed: Set<Int> = []
    /// By node of which that was ever said, how many writes there were when it was last said.
    var lapsedUntil: [Int: Int] = [:]
    /// What has been asked for and not been answered yet.
    private var intents: [String: Intent] = [:]
    /// Where a request failed in a way that leaves open whether it was done: what is found after a start may be its work.
    private var openResolutions: Set<String> = []

    /// Whether deletions go at all within the time of a run.
    private let dropsDeletions: Bool

    /// The member of a part, for which deletions never wait.
    let unawaited: Set<Int>

    init(nodeCount: Int, dropsDeletions: Bool = false, partialMember: Int? = nil) {
        self.dropsDeletions = dropsDeletions
        unawaited = partialMember.map { [$0] } ?? []
        lapsed = unawaited
        seen = Array(repeating: [:], count: nodeCount)
        forgotten = seen
        dropped = seen
        lingering = seen
    }

    mutating func name(_ node: Int, _ id: NodeID) { nodes[id] = node }

    /// The node of an id.
    func index(of id: NodeID) -> Int? { nodes[id] }

    mutating func begin(_ intent: Intent, at path: String, on node: Int) { intents["\(node) \(path)"] = intent }

    /// - Parameter isCertain: whether the answer says if it was done.
    mutating func end(at path: String, on node: Int, isCertain: Bool) {
        let name = "\(node) \(path)"
        if !isCertain, intents[name] == .resolve { openResolutions.insert(name) }
        intents[name] = nil
    }

    /// Nobody will ever learn whether what was asked of a node was done.
    mutating func abandonRequests(to node: Int) {
        intents = intents.filter { !$0.key.hasPrefix("\(node) ") }
        openResolutions = openResolutions.filter { !$0.hasPrefix("\(node) ") }
    }

    var acknowledgedCount: Int { writes.count { $0.isAcknowledged } }

    /// Takes note that a user was told of a version.
    /// - Returns: what is wrong with that; nil if nothing is.
    mutating func acknowledge(_ version: String, at path: String, by node: Int) -> String? {
        let there = writes.indices.reversed().filter { writes[$0].path == path }
        let other = there.first { writes[$0].mayHaveHadAnotherName && nodes[writes[$0].dot.actor.node] == node }
        guard let index = there.first(where: { writes[$0].dot.description == version }) ?? other else {
            return "\(path): a user was told of version \(version), which no commit has shown"
        }
        writes[index].isAcknowledged = true
        return nil
    }

    /// What was written under a name; nil if nothing was.
    func content(of version: String, at path: String) -> Content? {
        writes.last { $0.path == path && $0.dot.description == version }?.content
    }

    // MARK: What nodes show

    /// How a commit came about, as far as it matters here.
    enum Occasion {
        case ordinary
        /// The node names anew what it wrote: since it has found out that it runs on an old copy, or nobody waited for it.
        case renaming
        /// The node was away for too long: it has taken another's state, and written anew what nobody else had.
        case startingOver
        /// The node has a part, and lets go of what the others do not tell of any more.
        case following

        /// Whether the node gives up what it knew for what others know.
        var forgets: Bool { self == .startingOver || self == .following }
    }

    /// Takes note of the versions that a node shows at a path after a commit, and says what is wrong with them.
    ///
    /// - Parameters:
    ///   - versions: none where all that was known of the path is gone.
    ///   - isBatch: whether several requests made the commit, so that what one brought another may have replaced unseen.
    mutating func observe(
        _ versions: [Shown], winner: Dot?, at path: String, on node: Int, by occasion: Occasion = .ordinary, isBatch: Bool = false
    ) -> String? {
        var known = seen[node][path] ?? WriteSet()
        let shownBefore = occasion == .ordinary ? WriteSet() : survivors(of: known).union(lingering[node][path] ?? WriteSet())
        let shown = Set(versions.map(\.dot))
        if occasion.forgets {
            // What it had alone is no more; what everybody has may have been dropped where it comes from.
            let common = commonKnowledge(of: path, besides: node, everSeen: false)
            known = common
            var behind = WriteSet()
            for version in versions { if let index = indexes[version.dot] { behind.formUnion(everythingBehind(index)) } }
            known.formUnion(behind)
            // What has come to the others since it asked for their state it hears of later, and what that replaced it may not have.
            while case let later = survivors(of: known).filter({ index in
                writes[index].content != .nothing && !shown.contains(writes[index].dot) && !behind.contains(index)
            }), !later.isEmpty {
                known.subtract(later)
            }
            // A deletion beside what it brings along stays behind where the path is gone otherwise, and those that it had replaced with it.
            for index in shownBefore where writes[index].content == .nothing && !shown.contains(writes[index].dot) {
                for deletion in everythingBehind(index) where writes[deletion].content == .nothing && !common.contains(deletion) {
                    writes[deletion].isRenamed = true
                }
            }
        }
        for version in versions {
            if let index = indexes[version.dot] {
                if writes[index].content != version.content || writes[index].path != path {
                    return "\(path) on node \(node): version \(version.dot) is not what was written under that name"
                }
            } else if nodes[version.dot.actor.node] != node {
                return "\(path) on node \(node): version \(version.dot) was written by nobody"
            }
        }
        let created = versions.filter { indexes[$0.dot] == nil }.sorted { $0.dot < $1.dot }
        // A directory is told of before what is in it, so this is how the node saw it before the commit.
        let hidesFile = !created.isEmpty && isDirectory(path, on: node)
        let arrived = versions.compactMap { indexes[$0.dot] }.filter { !known.contains($0) }
        var renamed: [(old: Int, new: Int)] = []
        for version in created {
            // What came by the same commit was there before the write only if the write says that it had seen it.
            var past = known
            for index in arrived where version.hasSeen(writes[index].dot) { past.formUnion(everythingBehind(index)) }
            if isBatch {
                for (index, write) in writes.enumerated() where write.path == path && !past.contains(index) && version.hasSeen(write.dot) {
                    // Its own of an earlier name may have come back, too; but where it writes those anew, they did not come with the rest.
                    let isForeign = nodes[write.dot.actor.node] != node || occasion == .ordinary && write.dot.actor != version.dot.actor
                    if isForeign { past.formUnion(everythingBehind(index)) }
                }
            }
            let index = writes.count
            var intent = intents["\(node) \(path)"] ?? .write
            // Nobody can say which of the two this is, except that a resolution leaves nothing else.
            if openResolutions.remove("\(node) \(path)") != nil, versions.count == 1 { intent = .resolve }
            // In a batch the directory may have come or gone before the write. What the write left tells which, except that no file is
            // written where a directory is.
            var hides = hidesFile
            if isBatch, let hidden = self.winner(among: survivors(of: past)) {
                hides = shown.contains(writes[hidden].dot) && (hidesFile || version.content.rank != 1)
            }
            var replaced = replaced(by: version.content, over: past, as: intent, hidesFile: hides)
            var former = occasion == .ordinary ? nil : writtenBefore(version, shown, shownBefore, by: occasion)
            if former == nil, isBatch, occasion == .startingOver {
                // It may have come by the same commit, before the node started over.
                former = writtenBefore(version, shown, WriteSet(writes.indices.filter { writes[$0].path == path }), by: occasion)
            }
            if let old = former {
                past = everythingBehind(old)
                // What it was made over is under the new name, too, where that has got one.
                for name in renamed where past.contains(name.old) { past.insert(name.new) }
                renamed.append((old, index))
                replaced = WriteSet([old])
                writes[old].isRenamed = true
                // What it wrote over since it was put back is no more replaced than that, where others had it by then.
                // Nor is what others still have, and it alone wrote over while it was away: what is old is left out of what it has seen.
                // Under the same actor's name there is nothing of either: the node knows what it wrote, and who has it.
                let isSameActor = writes[old].dot.actor == version.dot.actor
                let left = occasion == .startingOver ? survivors(of: commonKnowledge(of: path, besides: node, everSeen: true)) : WriteSet()
                for index in past {
                    let isOwn = occasion == .renaming && !isSameActor && index >= restoredAt[node] ?? 0 && writes[index].dot.actor == writes[old].dot.actor
                    if isOwn || left.contains(index) { writes[index].isRenamed = true }
                }
            }
            if let later = past.first(where: { writes[$0].dot >= version.dot }) {
                return "\(path) on node \(node): version \(version.dot) saw \(writes[later].dot), and yet is not the later one"
            }
            writes.append(Write(dot: version.dot, path: path, content: version.content, past: past, replaced: replaced))
            indexes[version.dot] = index
            writes[index].mayHaveHadAnotherName = occasion != .ordinary && isBatch && former == nil
            known.formUnion(past)
            known.insert(index)
        }
        for index in arrived { known.formUnion(everythingBehind(index)) }
        seen[node][path] = known
        // What another request of the same commit wrote over is there no more.
        if occasion.forgets, created.count == renamed.count,
           let lost = lostAlone(among: shownBefore, by: node, but: versions) {
            return "\(path) on node \(node): acknowledged version \(writes[lost].dot) of its own, which nobody else had, is gone after a long absence"
        }
        return check(shown, winner: winner, known, at: path, on: node)
    }

    /// A write and all that it had seen.
    private func everythingBehind(_ index: Int) -> WriteSet {
        var result = writes[index].past
        result.insert(index)
        return result
    }

    /// The write of the same content that the node showed until now: its own, or one of others that it alone has.
    ///
    /// - Parameters:
    ///   - shown: what it shows now.
    ///   - before: what it showed.
    private func writtenBefore(_ version: Shown, _ shown: Set<Dot>, _ before: WriteSet, by occasion: Occasion) -> Int? {
        let candidates = before.filter { index in
            let write = writes[index]
            return write.content == version.content && !shown.contains(write.dot)
        }
        let own = candidates.filter { writes[$0].dot.actor.node == version.dot.actor.node }
        // Deletions that only one that was away had told of are made anew by whoever has heard of them.
        let mayBeForeign = occasion == .startingOver || occasion == .renaming && version.content == .nothing
        let found = own.isEmpty && mayBeForeign ? candidates : own
        return found.max { writes[$0].dot < writes[$1].dot }
    }

    /// What a node wrote itself, whose content it shows no more though nobody who counts had heard of it.
    private func lostAlone(among before: WriteSet, by node: Int, but versions: [Shown]) -> Int? {
        before.first { index in
            let write = writes[index]
            guard write.isAcknowledged, write.content.rank == 1, nodes[write.dot.actor.node] == node,
                  !versions.contains(where: { $0.content == write.content }) else { return false }
            return !seen.indices.contains { other in
                other != node && !lapsed.contains(other)
                    && (seen[other][write.path]?.contains(index) == true || forgotten[other][write.path]?.contains(index) == true)
            }
        }
    }

    private mutating func check(_ shown: Set<Dot>, winner: Dot?, _ known: WriteSet, at path: String, on node: Int) -> String? {
        let survivors = survivors(of: known)
        let gone = dropsDeletions ? survivors.filter { !shown.contains(writes[$0].dot) && writes[$0].content == .nothing } : WriteSet()
        for index in gone
        where !everybodyHas(index, at: path, besides: node) && !isToldByItsAuthor(index, at: path) && !isFollowed(by: node, index, at: path, beside: shown) {
            return "\(path) on node \(node): the deletion \(writes[index].dot) was dropped before all members had it"
        }
        dropped[node][path] = gone
        let twice = known.filter { writes[$0].isRenamed && shown.contains(writes[$0].dot) }
        lingering[node][path] = twice
        let hushed = dropsDeletions ? survivors.filter { !shown.contains(writes[$0].dot) && isDeletedByOneAway($0) } : WriteSet()
        let left = survivors.subtracting(gone).subtracting(hushed)
        let expected = Set(left.map { writes[$0].dot })
        if let lost = expected.subtracting(shown).min() {
            let isAcknowledged = writes[indexes[lost]!].isAcknowledged
            return "\(path) on node \(node): \(isAcknowledged ? "acknowledged " : "")version \(lost) is gone, and nobody has replaced it"
        }
        if let extra = shown.subtracting(expected).subtracting(twice.map { writes[$0].dot }).min() {
            return "\(path) on node \(node): version \(extra) is back, though a write that had seen it replaced it"
        }
        if let right = self.winner(among: left.union(twice)), writes[right].dot != winner {
            return "\(path) on node \(node): \(winner.map { "\($0)" } ?? "nothing") is current where \(writes[right].dot) should be"
        }
        return nil
    }

    /// What was written at a path, for a trace.
    func writes(at path: String) -> [String] {
        writes.indices.filter { writes[$0].path == path }.map { index in
            let write = writes[index]
            let seers = seen.indices.filter { seen[$0][path]?.contains(index) == true }
            return "  \(path): write \(index) is \(write.dot): \(write.content), saw \(Array(write.past)), replaced \(Array(write.replaced)), "
                + "known to nodes \(seers)"
        }
    }

    /// Every path that anybody has ever written to.
    var paths: Set<String> { Set(writes.map(\.path)) }

    /// Every path that a node has ever shown something at.
    func paths(on node: Int) -> Set<String> { Set(seen[node].keys) }

    /// What a node that is said to know everything that any node knows has not heard of: where, and in words.
    /// - Parameter isConcerned: whether it takes part in a path.
    func checkComplete(_ node: Int, where isConcerned: (String) -> Bool = { _ in true }) -> (path: String, reason: String)? {
        // One that has a part, and is away for too long, keeps some of its writes to itself, and tells so (docs/decisions/0047).
        let apart = dropsDeletions ? unawaited : []
        if apart.contains(node) { return nil }
        for other in seen.indices where other != node && !apart.contains(other) {
            for (path, known) in seen[other].sorted(by: { $0.key < $1.key }) where isConcerned(path) {
                // Who never had what a deletion deleted need not hear of either once that is dropped.
                let gone = (dropped[other][path] ?? WriteSet()).reduce(into: WriteSet()) { $0.formUnion(everythingBehind($1)) }
                if let missing = known.subtracting(seen[node][path] ?? WriteSet()).subtracting(gone).map({ writes[$0].dot }).min() {
                    return (path, "\(path): node \(node) has never heard of version \(missing), which node \(other) knows of")
                }
            }
        }
        return nil
    }

    /// What users see at each path: the current content, and the losers.
    func visible(on node: Int) -> [String: (content: Content, losers: Set<Dot>)] {
        var result: [String: (content: Content, losers: Set<Dot>)] = [:]
        for (path, known) in seen[node] {
            let shown = survivors(of: known).subtracting(dropped[node][path] ?? WriteSet()).union(lingering[node][path] ?? WriteSet())
            guard let winner = winner(among: shown) else { continue }
            let content = writes[winner].content
            let isDirectory = content == .directory || isDirectory(path, on: node)
            let losers = shown.filter { index in
                let other = writes[index].content
                // A file that a directory hides has lost; that somebody deleted it is then no news.
                if index == winner { return isDirectory && content.rank == 1 }
                return other != content && other != .directory && !(isDirectory && other == .nothing)
            }
            result[path] = (isDirectory ? .directory : content, Set(losers.map { writes[$0].dot }))
        }
        return result
    }

    /// Whether something is in the directory of this name.
    private func isDirectory(_ path: String, on node: Int) -> Bool {
        let prefix = path + "/"
        return seen[node].contains { other, known in
            other.hasPrefix(prefix) && winner(among: survivors(of: known)).map { writes[$0].content.rank > 0 } == true
        }
    }

    // MARK: The rules

    private func replaced(by content: Content, over past: WriteSet, as intent: Intent, hidesFile: Bool) -> WriteSet {
        let survivors = survivors(of: past)
        if intent == .resolve { return survivors }
        guard let winner = winner(among: survivors) else { return WriteSet() }
        // Nobody could see the file that a directory of the same name hides, so nobody meant to replace it.
        if hidesFile, writes[winner].content.rank == 1 { return WriteSet() }
        let contents = [writes[winner].content, content]
        return survivors.filter { $0 == winner || contents.contains(writes[$0].content) }
    }

    private func survivors(of known: WriteSet) -> WriteSet {
        var survivors = known
        for index in known { survivors.subtract(writes[index].replaced) }
        return survivors
    }

    private func winner(among survivors: WriteSet) -> Int? {
        let heads = survivors.filter { candidate in !survivors.contains { writes[$0].past.contains(candidate) } }
        return heads.max { left, right in
            (writes[left].content.rank, writes[left].dot) < (writes[right].content.rank, writes[right].dot)
        }
    }
}

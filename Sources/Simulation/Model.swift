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
        var past: Set<Int>
        var replaced: Set<Int>
        var isAcknowledged = false
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
    private var seen: [[String: Set<Int>]]
    private var nodes: [NodeID: Int] = [:]
    /// What has been asked for and not been answered yet.
    private var intents: [String: Intent] = [:]
    /// Where a request failed in a way that leaves open whether it was done: what is found after a start may be its work.
    private var openResolutions: Set<String> = []

    init(nodeCount: Int) {
        seen = Array(repeating: [:], count: nodeCount)
    }

    mutating func name(_ node: Int, _ id: NodeID) { nodes[id] = node }

    mutating func begin(_ intent: Intent, at path: String, on node: Int) { intents["\(node) \(path)"] = intent }

    /// - Parameter isCertain: whether the answer says if it was done.
    mutating func end(at path: String, on node: Int, isCertain: Bool) {
        let name = "\(node) \(path)"
        if !isCertain, intents[name] == .resolve { openResolutions.insert(name) }
        intents[name] = nil
    }

    var acknowledgedCount: Int { writes.count { $0.isAcknowledged } }

    /// Takes note that a user was told of a version.
    /// - Returns: what is wrong with that; nil if nothing is.
    mutating func acknowledge(_ version: String, at path: String) -> String? {
        guard let index = writes.indices.reversed().first(where: { writes[$0].path == path && writes[$0].dot.description == version })
        else { return "\(path): a user was told of version \(version), which no commit has shown" }
        writes[index].isAcknowledged = true
        return nil
    }

    // MARK: What nodes show

    /// Takes note of the versions that a node shows at a path after a commit, and says what is wrong with them.
    mutating func observe(_ versions: [Shown], winner: Dot, at path: String, on node: Int) -> String? {
        var known = seen[node][path] ?? []
        for version in versions {
            if let index = indexes[version.dot] {
                if writes[index].content != version.content || writes[index].path != path {
                    return "\(path) on node \(node): version \(version.dot) is not what was written under that name"
                }
            } else if nodes[version.dot.actor.node] != node {
                return "\(path) on node \(node): version \(version.dot) was written by nobody"
            }
        }
        // A directory is told of before what is in it, so this is how the node saw it before the commit.
        let hidesFile = isDirectory(path, on: node)
        let created = versions.filter { indexes[$0.dot] == nil }.sorted { $0.dot < $1.dot }
        let arrived = versions.compactMap { indexes[$0.dot] }.filter { !known.contains($0) }
        for version in created {
            // What came by the same commit was there before the write only if the write says that it had seen it.
            var past = known
            for index in arrived where version.hasSeen(writes[index].dot) { past.formUnion(writes[index].past.union([index])) }
            let index = writes.count
            var intent = intents["\(node) \(path)"] ?? .write
            // Nobody can say which of the two this is, except that a resolution leaves nothing else.
            if openResolutions.remove("\(node) \(path)") != nil, versions.count == 1 { intent = .resolve }
            let replaced = replaced(by: version.content, over: past, as: intent, hidesFile: hidesFile)
            if let later = past.first(where: { writes[$0].dot >= version.dot }) {
                return "\(path) on node \(node): version \(version.dot) saw \(writes[later].dot), and yet is not the later one"
            }
            writes.append(Write(dot: version.dot, path: path, content: version.content, past: past, replaced: replaced))
            indexes[version.dot] = index
            known = known.union(past).union([index])
        }
        for index in arrived { known.formUnion(writes[index].past.union([index])) }
        seen[node][path] = known
        return check(Set(versions.map(\.dot)), winner: winner, known, at: path, on: node)
    }

    private func check(_ shown: Set<Dot>, winner: Dot, _ known: Set<Int>, at path: String, on node: Int) -> String? {
        let survivors = survivors(of: known)
        let expected = Set(survivors.map { writes[$0].dot })
        if let lost = expected.subtracting(shown).min() {
            let isAcknowledged = writes[indexes[lost]!].isAcknowledged
            return "\(path) on node \(node): \(isAcknowledged ? "acknowledged " : "")version \(lost) is gone, and nobody has replaced it"
        }
        if let extra = shown.subtracting(expected).min() {
            return "\(path) on node \(node): version \(extra) is back, though a write that had seen it replaced it"
        }
        if let right = self.winner(of: known), writes[right].dot != winner {
            return "\(path) on node \(node): \(winner) is current where \(writes[right].dot) should be"
        }
        return nil
    }

    /// Every path that a node has ever shown something at.
    func paths(on node: Int) -> Set<String> { Set(seen[node].keys) }

    /// What is wrong with a node that is said to know everything.
    func checkComplete(_ node: Int) -> String? {
        for (index, write) in writes.enumerated() where seen[node][write.path]?.contains(index) != true {
            return "\(write.path): node \(node) has never heard of version \(write.dot), though all roots are equal"
        }
        return nil
    }

    /// What users see at each path: the current content, and the losers.
    func visible(on node: Int) -> [String: (content: Content, losers: Set<Dot>)] {
        var result: [String: (content: Content, losers: Set<Dot>)] = [:]
        for (path, known) in seen[node] {
            guard let winner = winner(of: known) else { continue }
            let content = writes[winner].content
            let isDirectory = content == .directory || isDirectory(path, on: node)
            let losers = survivors(of: known).filter { index in
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
        seen[node].contains { other, known in
            other.hasPrefix(path + "/") && winner(of: known).map { writes[$0].content.rank > 0 } == true
        }
    }

    // MARK: The rules

    private func replaced(by content: Content, over past: Set<Int>, as intent: Intent, hidesFile: Bool) -> Set<Int> {
        let survivors = survivors(of: past)
        if intent == .resolve { return survivors }
        guard let winner = winner(of: past) else { return [] }
        // Nobody could see the file that a directory of the same name hides, so nobody meant to replace it.
        if hidesFile, writes[winner].content.rank == 1 { return [] }
        let contents = [writes[winner].content, content]
        return survivors.filter { $0 == winner || contents.contains(writes[$0].content) }
    }

    private func survivors(of known: Set<Int>) -> Set<Int> {
        known.subtracting(known.reduce(into: Set<Int>()) { $0.formUnion(writes[$1].replaced) })
    }

    private func winner(of known: Set<Int>) -> Int? {
        let survivors = survivors(of: known)
        let heads = survivors.filter { candidate in !survivors.contains { writes[$0].past.contains(candidate) } }
        return heads.max { left, right in
            (writes[left].content.rank, writes[left].dot) < (writes[right].content.rank, writes[right].dot)
        }
    }
}

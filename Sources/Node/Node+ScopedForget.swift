import Access
import Causality
import Content
import FileDatabase
import Foundation
import Logging
import Merkle
import Platform
import Synchronization

/// What a peer told of its changes, put into trees.
struct ScopedAnswer: Sendable {
    var cursor: [UInt8]
    var tree: Subtree
    /// All that the peer let this node see, where it told everything and something was known before.
    var all: Subtree?
    /// Where it told what has changed: what has gone there, though nothing that it has now has seen it.
    var losses: [FileDatabase.Loss]
    var forgotten: [TreePath]
    var horizon: Timestamp
    /// What the peer had said of itself before: what comes to be so later says nothing of this answer.
    var scope: ScopeInfo

    /// Where it is asked for.
    ///
    /// - Parameter prefixes: whether it may be packed after what is here.
    static func path(of tree: Tree, _ scope: ScopeInfo, prefixes: Bool = false) -> String {
        "/sync/scoped/changes?tree=\(tree.rawValue)" + (scope.packs == true ? "&packed=true" : "") + (prefixes ? "&prefixes=true" : "")
    }
}

/// What is gone at a peer of which this node sees a part, because it was deleted long ago or because the peer has lost it.
extension Node {
    /// Paths that are looked at together.
    private static let pathsAtOnce = 2048

    /// Follows what is gone at the peer:
    /// - What was deleted so long ago that the deletion itself is dropped goes here, too: this node was away, and has no other way to
    ///   learn of it.
    /// - What the peer has lost, because it was put back to an old copy, may be here alone. It is written anew where this node could not
    ///   give it back otherwise; `docs/decisions/0048-what-a-peer-has-lost.md`.
    ///
    /// - Parameters:
    ///   - known: what the peer had at any time, as far as this node knows.
    ///   - wanted: what this node asked for.
    /// - Returns: where this node stands with the peer. Without a cursor the peer is to tell everything again: its rules have just
    ///   changed, or it may still get back from others what it has lost.
    func follow(
        _ answer: ScopedAnswer, of known: Subtree, _ tree: Tree, _ wanted: RuleSet, _ link: PeerLink
    ) async throws -> ScopedState {
        guard let all = answer.all else {
            var left = try await forget(answer.forgotten, of: known, upTo: answer.horizon)
            if !answer.losses.isEmpty {
                let gone = try await database.follow(answer.losses, upTo: answer.horizon)
                if !gone.isEmpty { left = try await setTold(gone, in: left) }
            }
            return ScopedState(cursor: answer.cursor, known: left.root)
        }
        var rules = RuleSet.everything
        if tree == .files {
            rules = answer.scope.ruleSet
            link.state.withLock { $0.told = nil }
            // Of what it may not see any more it is not told either.
            guard try await scope(at: link).ruleSet == rules else { return ScopedState(cursor: [], known: known.root) }
        }
        let regains = try tree == .files && isVetted(at: link) ? answer.scope.complete : nil
        var (left, isWaiting, written) = (known, false, 0)
        var last: TreePath?
        repeat {
            let (start, database) = (last, database)
            let (gone, losses, end) = try await database.threads.run { [rules] in
                var gone: [TreePath] = []
                var losses: [FileDatabase.Loss] = []
                var diff = try TreeDiff(from: all, to: known, in: database.view.reader, after: start)
                while gone.count + losses.count < Node.pathsAtOnce, let difference = try diff.next() {
                    guard let had = difference.after, wanted.allows(.read, difference.path), rules.allows(.read, difference.path) else { continue }
                    if difference.before == nil, had.latest <= answer.horizon {
                        gone.append(difference.path)
                    } else {
                        losses.append(FileDatabase.Loss(path: difference.path, told: difference.before, had: had))
                    }
                }
                let isAtEnd = gone.count + losses.count < Node.pathsAtOnce
                return (gone, losses, isAtEnd ? nil : [gone.last, losses.last?.path].compactMap(\.self).max())
            }
            last = end
            if !gone.isEmpty { try await database.forget(gone, of: known, upTo: answer.horizon) }
            if regains == true, !losses.isEmpty {
                written += try await database.regain(losses, after: answer.horizon) { [rules] path, version in
                    rules.allows(version.value.isTombstone ? .delete : .write, path)
                }
            }
            if regains == false, !losses.isEmpty { isWaiting = true }
            left = try await setTold(regains == false ? [] : losses, forgetting: gone, in: left)
        } while last != nil
        if written > 0 {
            logger.notice("a peer has lost what it had; wrote it anew", metadata: ["peer": "\(link.name)", "writes": "\(written)"])
        }
        return ScopedState(cursor: isWaiting ? [] : answer.cursor, known: left.root)
    }

    /// What the peer is known to have, with what it has told in the place of what it had.
    private func setTold(_ losses: [FileDatabase.Loss], forgetting gone: [TreePath] = [], in known: Subtree) async throws -> Subtree {
        try await database.threads.run { [database] in
            let told = losses.compactMap { loss in loss.told.map { (path: loss.path, register: $0) } }
            return try database.stage(told, onto: database.forgetting(gone + losses.map(\.path), in: known))
        }
    }

    private func forget(_ paths: [TreePath], of known: Subtree, upTo horizon: Timestamp) async throws -> Subtree {
        if paths.isEmpty || horizon == .zero { return known }
        try await database.forget(paths, of: known, upTo: horizon)
        return try await database.threads.run { [database] in try database.forgetting(paths, in: known) }
    }
}

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
    var forgotten: [TreePath]
    var horizon: Timestamp
}

/// What is gone at a peer of which this node sees a part, because it was deleted long ago or because the peer has lost it.
extension Node {
    /// Paths that are written anew together.
    private static let maximumRegained = 2048

    /// Forgets what was deleted so long ago at the peer that the deletion itself is dropped: this node was away meanwhile, and has no
    /// other way to learn of it.
    ///
    /// - Parameter known: what the peer had at any time, as far as this node knows.
    /// - Returns: what the peer has.
    func forget(_ answer: ScopedAnswer, of known: Subtree, _ wanted: RuleSet, _ link: PeerLink) async throws -> Subtree {
        guard answer.horizon > .zero else { return known }
        var paths = answer.forgotten
        if let all = answer.all {
            // What the answer left out is gone, if it was given under the rules that are known here. What is later than the horizon is lost.
            let rules = link.state.withLock { $0.told?.ruleSet }
            link.state.withLock { $0.told = nil }
            guard let rules, try await scope(at: link).ruleSet == rules else { return known }
            paths = try await database.threads.run { [database] in
                var paths: [TreePath] = []
                var diff = try TreeDiff(from: all, to: known, in: database.view.reader)
                while let difference = try diff.next() {
                    guard difference.before == nil, let had = difference.after, had.latest <= answer.horizon else { continue }
                    if wanted.allows(.read, difference.path), rules.allows(.read, difference.path) { paths.append(difference.path) }
                }
                return paths
            }
        }
        if paths.isEmpty { return known }
        try await database.forget(paths, of: known, upTo: answer.horizon)
        let gone = paths
        return try await database.threads.run { [database] in try database.forgetting(gone, in: known) }
    }

    /// Forgets that a peer had what it does not tell of where it tells everything: it was put back to an old copy. What it has lost may be
    /// here alone, and is written anew where this node could not give it back otherwise.
    ///
    /// - Parameter known: what the peer had at any time, as far as this node knows.
    /// - Returns: what the peer has; nil if it may still get back from others what it has lost, and is to tell everything again.
    func forgetUntold(
        _ answer: ScopedAnswer, of known: Subtree, _ tree: Tree, _ wanted: RuleSet, _ link: PeerLink
    ) async throws -> Subtree? {
        guard let all = answer.all else { return known }
        let scope = try await self.scope(at: link)
        let rules = tree == .files ? scope.ruleSet : .everything
        let losses = try await database.threads.run { [database] in
            var losses: [FileDatabase.Loss] = []
            var diff = try TreeDiff(from: all, to: known, in: database.view.reader)
            while let difference = try diff.next() {
                // Of what it may not see any more it is not told either.
                guard let had = difference.after, wanted.allows(.read, difference.path), rules.allows(.read, difference.path) else { continue }
                losses.append(FileDatabase.Loss(path: difference.path, told: difference.before, had: had))
            }
            return losses
        }
        if losses.isEmpty { return known }
        if tree == .files, try isVetted(at: link) {
            guard scope.complete == true else {
                // It is asked again whether it has everything now.
                link.state.withLock { $0.told = nil }
                return nil
            }
            try await regain(losses, after: answer.horizon, rules, link)
        }
        return try await database.threads.run { [database] in
            let told = losses.compactMap { loss in loss.told.map { (path: loss.path, register: $0) } }
            return try database.stage(told, onto: database.forgetting(losses.map(\.path), in: known))
        }
    }

    private func regain(_ losses: [FileDatabase.Loss], after horizon: Timestamp, _ rules: RuleSet, _ link: PeerLink) async throws {
        var count = 0
        for start in stride(from: 0, to: losses.count, by: Node.maximumRegained) {
            count += try await database.regain(Array(losses[start..<min(start + Node.maximumRegained, losses.count)]), after: horizon) { path, version in
                rules.allows(version.value.isTombstone ? .delete : .write, path)
            }
        }
        guard count > 0 else { return }
        logger.notice("a peer has lost what it had; wrote it anew", metadata: ["peer": "\(link.name)", "writes": "\(count)"])
    }
}

import Access
import Causality
import Content
import Merkle

/// Why a record of a scoped caller is not taken.
public struct Refusal: Hashable, Sendable, Codable {
    public enum Code: String, Sendable, Codable {
        case forbidden
        case foreign
        case unseen
        case discards
        case future
        case stale
        case invalid

        /// Whether the same record may be taken later.
        public var isForNow: Bool { self == .unseen || self == .future }
    }

    public var path: String
    public var code: Code
    /// What was wrong and what to do.
    public var reason: String

    public init(_ path: TreePath, _ code: Code, _ reason: String) {
        self.path = path.description
        self.code = code
        self.reason = reason
    }
}

/// Decides whether the register that a scoped caller sends may be joined into this node's.
///
/// A join drops whatever the other side claims to have seen and does not have, so a liar's context could take away what others
/// wrote. What is taken is therefore what an honest node in the caller's place could have made of what this node has: new
/// versions in its own name only, claims about others' writes only up to what this node has itself, and nothing gone for which
/// nothing new came. What is taken is never rewritten: one version has the same bytes on all nodes.
///
/// Each condition that holds now goes on to hold when this node's register grows, so it need not be looked at again when the
/// push is joined. `docs/decisions/0010-scoped-callers.md` has the reasons.
public struct RegisterVetting: Sendable {
    /// New versions of one path in one push. Each replaces the one before, unless others wrote meanwhile.
    public static let maximumNewVersions = 64

    /// What the caller may do, where it may.
    public var rules: RuleSet
    /// In whose name it may write.
    public var node: NodeID
    /// Timestamps beyond it are refused.
    public var horizon: Timestamp
    /// Up to here all members have seen everything, and deleted paths are forgotten.
    public var forgotten: Timestamp

    public init(rules: RuleSet, node: NodeID, horizon: Timestamp, forgotten: Timestamp = .zero) {
        self.rules = rules
        self.node = node
        self.horizon = horizon
        self.forgotten = forgotten
    }

    /// - Parameter current: what this node has at the path.
    /// - Returns: nil if it may be joined.
    public func refusal(of register: Register, at path: TreePath, over current: Register?) -> Refusal? {
        let (mayRead, mayWrite, mayDelete) = (rules.allows(.read, path), rules.allows(.write, path), rules.allows(.delete, path))
        // First of all, and in the same words whatever is there.
        guard mayWrite || mayDelete else { return Refusal(path, .forbidden, "the rules do not allow to write here") }
        guard register.latest <= horizon else {
            return Refusal(path, .future, "has a time ahead of this node's clock; settle the clocks and send it again")
        }
        var new: [Version] = []
        for version in register.versions {
            if let known = current?.version(version.dot) {
                guard known == version else { return Refusal(path, .foreign, "has version \(version.dot) with other bytes than here") }
            } else if current?.context.covers(version.dot) != true {
                guard version.dot.actor.node == node else {
                    return mayRead
                        ? Refusal(path, .unseen, "has version \(version.dot) of another node, which has to come from there first")
                        : Refusal(path, .foreign, "has a version of another node")
                }
                // It may be what somebody has deleted since.
                guard version.dot.timestamp > forgotten else {
                    return Refusal(path, .stale, "has a version from before what this cluster remembers; write it anew")
                }
                new.append(version)
            }
        }
        guard new.count <= RegisterVetting.maximumNewVersions else { return Refusal(path, .invalid, "has \(new.count) new versions") }
        for version in new {
            guard version.value.isTombstone ? mayDelete : mayWrite else {
                return Refusal(path, .forbidden, "the rules do not allow to \(version.value.isTombstone ? "delete" : "write") here")
            }
            if let fault = version.value.fault { return Refusal(path, .invalid, fault) }
        }
        return refusal(ofClaimsIn: register, at: path, over: current, mayRead: mayRead)
            ?? refusal(ofLossesBy: register, new, at: path, over: current, mayDiscard: mayWrite && mayDelete)
    }

    /// A claim to have seen what this node has not would suppress it when it comes.
    private func refusal(ofClaimsIn register: Register, at path: TreePath, over current: Register?, mayRead: Bool) -> Refusal? {
        // The context covers the past of every version.
        for element in register.context.elements where element.actor.node != node && element.timestamp > forgotten {
            guard mayRead else { return Refusal(path, .unseen, "claims to have seen what the rules do not allow to read") }
            guard current?.context.covers(Dot(timestamp: element.timestamp, actor: element.actor)) == true else {
                return Refusal(path, .unseen, "builds on a write of node \(element.actor.node.short) that has not come here yet; send it again later")
            }
        }
        return nil
    }

    private func refusal(
        ofLossesBy register: Register, _ new: [Version], at path: TreePath, over current: Register?, mayDiscard: Bool
    ) -> Refusal? {
        let lost = (current?.versions ?? []).filter { register.version($0.dot) == nil && register.context.covers($0.dot) }
        for version in lost where !new.contains(where: { $0.past.covers(version.dot) }) {
            return Refusal(path, .discards, "drops version \(version.dot) without a new one in its place")
        }
        if mayDiscard { return nil }
        // Who may only write can replace with each new version what was once the current content, as somebody who has seen
        // nothing else would; not more.
        var contents: [Value] = []
        for version in lost where version.dot.actor.node != node {
            let isKept = contents.contains { $0.hasSameContent(as: version.value) } || new.contains { $0.value.hasSameContent(as: version.value) }
            if !isKept { contents.append(version.value) }
        }
        guard contents.count <= new.count else {
            return Refusal(path, .discards, "settles a conflict, which needs the rights to write and to delete")
        }
        return nil
    }
}

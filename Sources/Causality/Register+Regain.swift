import Content

extension Register {
    /// What stands at a path of which another node, an old copy of itself, has lost writes: its own register, and beside it what is
    /// here and not there.
    ///
    /// Writes of others become this node's own, since nobody is believed what others have written; so do own ones that say
    /// that they have seen something which is lost. Each says to have seen only what the other node has. If a lost write turns up
    /// again from elsewhere, both are kept.
    ///
    /// - Parameters:
    ///   - told: the other's register; nil where it has none.
    ///   - had: what the other had seen before.
    ///   - own: the node in whose name may be written.
    ///   - horizon: what is not later may be missing because it was deleted.
    ///   - mayWrite: whether a version may be written.
    ///   - nextDot: names for the new writes, which ascend.
    /// - Returns: nil if there is nothing to be done, or nothing that may be done.
    public func regained(
        over told: Register?, had: VersionVector, own: NodeID, after horizon: Timestamp, where mayWrite: (Version) -> Bool, nextDot: () -> Dot
    ) -> Regained? {
        let isLost = had.elements.contains { element in
            let dot = Dot(timestamp: element.timestamp, actor: element.actor)
            return element.timestamp > horizon && told?.context.covers(dot) != true
        }
        guard isLost else {
            return told.flatMap { following($0, had: had, upTo: horizon) }.map { Regained(register: $0, written: 0) }
        }
        var names: [(old: Dot, new: Dot)] = []
        var kept: [Version] = []
        for version in versions where told?.context.covers(version.dot) != true {
            // To delete what is not there is nothing, and what is there need not be written again.
            if told.map({ $0.versions.contains { $0.value.hasSameContent(as: version.value) } }) ?? version.value.isTombstone { continue }
            let isOwn = version.dot.actor.node == own
            guard version.dot.timestamp > horizon, isOwn || had.covers(version.dot), mayWrite(version) else { return nil }
            var past = version.past.filtered { actor, timestamp in
                actor.node == own ? timestamp : told?.context.timestamp(of: actor).map { min($0, timestamp) }
            }
            for name in names where version.past.covers(name.old) { past.insert(name.new) }
            let dot = isOwn && past == version.past ? version.dot : nextDot()
            names.append((version.dot, dot))
            kept.append(Version(dot: dot, past: past, value: version.value))
        }
        guard !kept.isEmpty else { return Regained(register: told, written: 0) }
        kept.sort { $0.dot < $1.dot }
        let register = Register(versions: kept, context: kept.reduce(into: VersionVector()) { context, version in
            context.merge(version.past)
            context.insert(version.dot)
        })
        return Regained(register: told.map { register.laid(over: $0, by: self) } ?? register, written: kept.count)
    }
}

extension Register {
    /// The register without what another node had and let go of long ago: it was deleted, and the deletion dropped, or written anew in another
    /// name by one that was away for too long. Nil if there is none of that.
    ///
    /// - Parameters:
    ///   - told: what the other has now, which this has, too.
    ///   - had: what the other had seen before.
    ///   - horizon: what is later is not there for another reason.
    public func following(_ told: Register, had: VersionVector, upTo horizon: Timestamp) -> Register? {
        let rest = versions.filter { $0.dot.timestamp > horizon || !had.covers($0.dot) || told.context.covers($0.dot) }
        // Nothing is left only where the other tells what cannot be.
        if rest.count == versions.count || rest.isEmpty { return nil }
        return rest == told.versions ? told : Register(versions: rest, context: context)
    }
}

/// What stands at a path after `Register.regained`.
public struct Regained: Hashable, Sendable {
    /// Nil where nothing does any more.
    public var register: Register?
    /// How many writes are here and not at the other node.
    public var written: Int
}

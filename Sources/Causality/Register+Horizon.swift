import Content

extension Register {
    /// The register without deletions that every member has seen; nil if nothing is left of it.
    ///
    /// A deletion has to be kept until nobody can bring back what it deleted. Up to the horizon, every member has every
    /// write: so a deletion from before it is dropped, with the deletions before it and all that the context says of the time until then, if
    /// everything that stays is later and was made over nothing of that time. Where something is not, the deletion is one side of a
    /// conflict that somebody has to settle.
    ///
    /// A function of the register and the horizon alone, idempotent, and the same in one step or in several: nodes that pass over a horizon end
    /// where those do that did not. Among registers of nodes that have every write up to the horizon it commutes with the join. So
    /// all nodes that know the horizon hold the same, whoever has purged first. O(deletions × size of the register).
    public func purged(upTo horizon: Timestamp) -> Register? {
        func isOver(_ version: Version, _ time: Timestamp) -> Bool { version.value.isTombstone && version.dot.timestamp <= time }
        let deletions = versions.filter { isOver($0, horizon) }
        if deletions.isEmpty { return self }
        if deletions.count == versions.count, latest <= horizon { return nil }
        // Not the horizon's own time matters, but that of a deletion: else it would, too, which horizons a node has passed over.
        for time in deletions.reversed().map(\.dot.timestamp) {
            let rest = versions.filter { !isOver($0, time) }
            guard !rest.isEmpty, rest.allSatisfy({ $0.dot.timestamp > time && $0.past.isAfter(time) }) else { continue }
            return Register(versions: rest, context: context.filtered { _, timestamp in timestamp > time ? timestamp : nil })
        }
        return self
    }

    /// The register without deletions that others have dropped and a later write has left without effect. One that stands alone stays: the node
    /// may be the only one to have it.
    public func shedding(upTo horizon: Timestamp) -> Register { horizon > .zero ? purged(upTo: horizon) ?? self : self }

    /// The register of a node that has forgotten some of its writes and learns that it has: what it has written since is
    /// named anew, so that it does not pass for having seen what was forgotten.
    ///
    /// - Parameters:
    ///   - since: the writes of `actor` that are behind it get other names.
    ///   - base: what had been seen of the path by then.
    ///   - nextDot: the new names, by another actor, which ascend.
    public func renamed(_ actor: Actor, since: Timestamp, over base: VersionVector, nextDot: () -> Dot) -> Register {
        func known(_ other: Actor, _ timestamp: Timestamp) -> Timestamp? {
            other == actor && timestamp > since ? base.timestamp(of: actor) : timestamp
        }
        var context = self.context.filtered(known)
        var names: [(old: Dot, new: Dot)] = []
        var result: [Version] = []
        for var version in versions {
            if version.dot.actor == actor, version.dot.timestamp > since {
                let dot = nextDot()
                var past = version.past.filtered(known)
                // One that was made over another still is.
                for name in names where version.past.covers(name.old) { past.insert(name.new) }
                names.append((version.dot, dot))
                version = Version(dot: dot, past: past, value: version.value)
            }
            context.merge(version.past)
            context.insert(version.dot)
            result.append(version)
        }
        return Register(versions: result.sorted { $0.dot < $1.dot }, context: context)
    }
}

extension Register {
    /// Some of the writes as new ones: of a node that was away for too long, whose writes nobody else has. Nil if there are none.
    ///
    /// They stand beside each other as they did: one that was made over another still is.
    ///
    /// - Parameters:
    ///   - isWanted: whether nobody else has a write.
    ///   - known: up to when others know an actor's writes, as far as what these have seen is to be told; nil for all of them.
    ///   - horizon: what the past says of the time before it is left out; `zero` to keep it.
    ///   - nextDot: the new names, which ascend.
    public func renewed(
        where isWanted: (Version) -> Bool, known: (Actor) -> Timestamp?, after horizon: Timestamp, nextDot: () -> Dot
    ) -> Register? {
        var names: [(old: Dot, new: Dot)] = []
        var result: [Version] = []
        var context = VersionVector()
        for version in versions where isWanted(version) {
            let dot = nextDot()
            var past = version.past.filtered { actor, timestamp in
                let timestamp = known(actor).map { min($0, timestamp) } ?? timestamp
                return timestamp > horizon ? timestamp : nil
            }
            for name in names where version.past.covers(name.old) { past.insert(name.new) }
            names.append((version.dot, dot))
            result.append(Version(dot: dot, past: past, value: version.value))
            context.merge(past)
            context.insert(dot)
        }
        return result.isEmpty ? nil : Register(versions: result, context: context)
    }

    /// The register with some of its writes named anew, which nobody else has by their old names. Nil if there are none.
    ///
    /// - Parameter nextDot: the new names, which ascend.
    public func renewing(where isUnsent: (Version) -> Bool, nextDot: () -> Dot) -> Register? {
        guard let renewed = renewed(where: isUnsent, known: { _ in nil }, after: .zero, nextDot: nextDot) else { return nil }
        let rest = versions.filter { !isUnsent($0) }
        return Register(versions: (rest + renewed.versions).sorted { $0.dot < $1.dot }, context: context.merged(with: renewed.context))
    }

    /// Another node's register with these new writes in it. What the other has stays where these have not seen it, and where the node that
    /// wrote them still has it beside them, as a plain write leaves losers where they are: a join alone would take that for replaced.
    ///
    /// - Parameter own: what the node had that wrote them.
    public func laid(over host: Register, by own: Register) -> Register {
        let standing = host.versions.filter { own.version($0.dot) != nil || !self.context.covers($0.dot) }
        let context = standing.reduce(into: self.context) { context, version in
            context.merge(version.past)
            context.insert(version.dot)
        }
        return host.joined(with: Register(versions: (versions + standing).sorted { $0.dot < $1.dot }, context: context))
    }
}

extension VersionVector {
    /// Whether it tells of nothing up to a time.
    public func isAfter(_ time: Timestamp) -> Bool { elements.allSatisfy { $0.timestamp > time } }

    /// The highest timestamp of an actor's writes that has been seen. O(actors).
    public func timestamp(of actor: Actor) -> Timestamp? { elements.first { $0.actor == actor }?.timestamp }

    /// The vector with other timestamps; nil takes an actor out.
    public func filtered(_ timestamp: (Actor, Timestamp) -> Timestamp?) -> VersionVector {
        VersionVector(elements.compactMap { element in
            timestamp(element.actor, element.timestamp).map { Dot(timestamp: $0, actor: element.actor) }
        })
    }
}

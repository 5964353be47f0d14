import Content

/// What is known of the writes of one path: a dotted version vector set.
///
/// The join is associative, commutative and idempotent, so nodes that have exchanged what they know hold the same
/// register whatever the order (Almeida, Baquero, Gonçalves, Preguiça, Fonte, "Scalable and accurate causality
/// tracking for eventually consistent stores", DAIS 2014).
///
/// Invariants: at least one version; versions ascend by dot; the context covers every version's dot and past.
public struct Register: Hashable, Sendable {
    /// The writes that nobody has replaced.
    public private(set) var versions: [Version]
    /// All writes that have been seen, replaced ones included.
    public private(set) var context: VersionVector

    /// The register of a path's first write.
    public init(_ first: Version) {
        versions = [first]
        context = first.past
        context.insert(first.dot)
    }

    /// - Parameter versions: at least one, ascending by dot.
    init(versions: [Version], context: VersionVector) {
        self.versions = versions
        self.context = context
    }

    /// The version of this name, if it has not been replaced.
    public func version(_ dot: Dot) -> Version? {
        versions.first { $0.dot == dot }
    }
}

// MARK: - The join

extension Register {
    /// The register of a node that has seen what these two have seen: a version stays if both have it, or if the
    /// side that lacks it has not seen it.
    public func joined(with other: Register) -> Register {
        if self == other { return self }
        var kept: [Version] = []
        kept.reserveCapacity(max(versions.count, other.versions.count))
        for version in versions {
            if let twin = other.version(version.dot) {
                kept.append(Register.one(of: version, twin))
            } else if !other.context.covers(version.dot) {
                kept.append(version)
            }
        }
        for version in other.versions where self.version(version.dot) == nil && !context.covers(version.dot) {
            kept.append(version)
        }
        kept.sort { $0.dot < $1.dot }
        // Honest registers cannot have replaced each other's versions entirely, since a replacement is later than
        // what it replaces. Of a liar's, the latest version is as good as any, and the same in either order.
        if kept.isEmpty { kept = [(versions + other.versions).max { $0.dot < $1.dot }!] }
        return Register(versions: kept, context: context.merged(with: other.context))
    }

    /// Dots are unique, so twins are equal; of a liar's two the choice must still not depend on the order.
    private static func one(of left: Version, _ right: Version) -> Version {
        left == right || left.encoded().lexicographicallyPrecedes(right.encoded()) ? right : left
    }
}

// MARK: - Writing

extension Register {
    /// The register after a plain write or delete, which replaces the winner and whatever has its content or the new
    /// one; other losers stay.
    public func writing(_ value: Value, at dot: Dot) -> Register {
        let winner = self.winner
        let kept = versions.filter {
            $0.dot != winner.dot && !$0.value.hasSameContent(as: winner.value) && !$0.value.hasSameContent(as: value)
        }
        return adding(value, at: dot, to: kept)
    }

    /// The register after a write that replaces nothing of what is there, and yet has seen it: the rest become losers.
    public func covering(_ value: Value, at dot: Dot) -> Register {
        adding(value, at: dot, to: versions)
    }

    /// The register after somebody settled the conflict in favour of `value`: nothing else stays.
    public func resolving(to value: Value, at dot: Dot) -> Register {
        adding(value, at: dot, to: [])
    }

    private func adding(_ value: Value, at dot: Dot, to kept: [Version]) -> Register {
        precondition(!context.covers(dot), "a dot was used twice")
        var context = self.context
        context.insert(dot)
        let version = Version(dot: dot, past: self.context, value: value)
        return Register(versions: (kept + [version]).sorted { $0.dot < $1.dot }, context: context)
    }
}

// MARK: - What users see

extension Register {
    /// The current version: of those that no other version has in its past, a directory before a file before a
    /// deletion, then the highest dot. The same on every node that holds this register.
    public var winner: Version {
        if versions.count == 1 { return versions[0] }
        // No version is in its own past, so one union of all pasts tells for each.
        let pasts = versions.reduce(into: VersionVector()) { $0.merge($1.past) }
        let heads = versions.filter { !pasts.covers($0.dot) }
        // Only a liar's versions can have each other in their past.
        return (heads.isEmpty ? versions : heads).max { left, right in
            left.value.rank != right.value.rank ? left.value.rank < right.value.rank : left.dot < right.dot
        }!
    }

    /// The versions beside the winner that hold something else than it, in the order of their dots.
    public var losers: [Version] {
        if versions.count == 1 { return [] }
        let winner = self.winner
        return versions.filter { version in
            if version.dot == winner.dot || version.value.hasSameContent(as: winner.value) { return false }
            switch (winner.value, version.value) {
            case (_, .directory), (.directory, .tombstone): return false
            default: return true
            }
        }
    }

    public var isConflicted: Bool { !losers.isEmpty }

    /// The latest write that has been seen.
    public var latest: Timestamp { context.elements.map(\.timestamp).max() ?? .zero }
}

// MARK: - Encoding

extension Version {
    func encoded() -> [UInt8] {
        var encoder = CanonicalEncoder()
        encode(to: &encoder)
        return encoder.bytes
    }
}

extension Register {
    /// More than fit into the bytes that an entry of a tree may have, so that size alone limits what can be written.
    static let maximumVersions = 1 << 15

    /// The context that the versions alone imply; it is written out only where it holds more.
    private static func implied(by versions: [Version]) -> VersionVector {
        var vector = VersionVector()
        for version in versions {
            vector.merge(version.past)
            vector.insert(version.dot)
        }
        return vector
    }

    public func encode(to encoder: inout CanonicalEncoder) {
        encoder.write(versions.count)
        for version in versions { version.encode(to: &encoder) }
        if context == Register.implied(by: versions) {
            encoder.write(byte: 0)
        } else {
            encoder.write(byte: 1)
            context.encode(to: &encoder)
        }
    }

    public init(from decoder: inout CanonicalDecoder) throws(MalformedBytes) {
        let count = try decoder.readCount(limit: Register.maximumVersions)
        guard count > 0 else { throw decoder.malformed("register without versions") }
        versions = []
        for _ in 0..<count {
            let version = try Version(from: &decoder)
            if let last = versions.last, last.dot >= version.dot { throw decoder.malformed("versions out of order") }
            versions.append(version)
        }
        let implied = Register.implied(by: versions)
        switch try decoder.readByte() {
        case 0: context = implied
        case 1:
            context = try VersionVector(from: &decoder)
            guard context != implied, context.covers(implied) else {
                throw decoder.malformed("context that its versions contradict")
            }
        default: throw decoder.malformed("register of unknown form")
        }
    }
}

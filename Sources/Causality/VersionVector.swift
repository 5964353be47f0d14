import Content

/// For each actor, the highest timestamp of its writes that has been seen; sorted by actor.
///
/// Timestamps stand where other systems have counters: they grow per actor just the same.
public struct VersionVector: Hashable, Sendable {
    public struct Element: Hashable, Sendable {
        public var actor: Actor
        public var timestamp: Timestamp

        public init(actor: Actor, timestamp: Timestamp) {
            self.actor = actor
            self.timestamp = timestamp
        }
    }

    public private(set) var elements: [Element] = []

    public init() {}

    public init(_ dots: some Sequence<Dot>) {
        for dot in dots { insert(dot) }
    }

    public var isEmpty: Bool { elements.isEmpty }

    /// Whether the write has been seen. O(log actors).
    public func covers(_ dot: Dot) -> Bool {
        let index = lowerBound(of: dot.actor)
        return index < elements.count && elements[index].actor == dot.actor && elements[index].timestamp >= dot.timestamp
    }

    /// Whether everything the other has seen has been seen.
    public func covers(_ other: VersionVector) -> Bool {
        other.elements.allSatisfy { covers(Dot(timestamp: $0.timestamp, actor: $0.actor)) }
    }

    public mutating func insert(_ dot: Dot) {
        let index = lowerBound(of: dot.actor)
        if index < elements.count, elements[index].actor == dot.actor {
            elements[index].timestamp = max(elements[index].timestamp, dot.timestamp)
        } else {
            elements.insert(Element(actor: dot.actor, timestamp: dot.timestamp), at: index)
        }
    }

    /// The first element whose actor is not below this one.
    private func lowerBound(of actor: Actor) -> Int {
        var low = 0
        var high = elements.count
        while low < high {
            let middle = (low + high) / 2
            if elements[middle].actor < actor { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The least vector that covers both. Linear, because a hostile vector is as long as its limit.
    public mutating func merge(_ other: VersionVector) {
        if other.isEmpty { return }
        var merged: [Element] = []
        merged.reserveCapacity(elements.count + other.elements.count)
        var rest = elements[...]
        for element in other.elements {
            while let first = rest.first, first.actor < element.actor { merged.append(rest.removeFirst()) }
            if let first = rest.first, first.actor == element.actor {
                merged.append(Element(actor: first.actor, timestamp: max(first.timestamp, element.timestamp)))
                rest.removeFirst()
            } else {
                merged.append(element)
            }
        }
        elements = merged + rest
    }

    public func merged(with other: VersionVector) -> VersionVector {
        var result = self
        result.merge(other)
        return result
    }
}

// MARK: - Encoding

extension VersionVector {
    /// More than fit into the bytes that an entry of a tree may have; keeps a hostile count from taking memory.
    static let maximumCount = 1 << 15

    func encode(to encoder: inout CanonicalEncoder) {
        encoder.write(elements.count)
        for element in elements {
            encoder.write(element.actor)
            encoder.write(element.timestamp.rawValue)
        }
    }

    init(from decoder: inout CanonicalDecoder) throws(MalformedBytes) {
        let count = try decoder.readCount(limit: VersionVector.maximumCount)
        for _ in 0..<count {
            let actor = try decoder.readActor()
            let timestamp = try decoder.readTimestamp()
            if let last = elements.last, last.actor >= actor {
                throw decoder.malformed("version vector out of order")
            }
            elements.append(Element(actor: actor, timestamp: timestamp))
        }
    }
}

extension CanonicalEncoder {
    mutating func write(_ actor: Actor) {
        write(actor.node.hash)
        write(UInt64(actor.incarnation))
    }

    mutating func write(_ dot: Dot) {
        write(dot.timestamp.rawValue)
        write(dot.actor)
    }
}

extension CanonicalDecoder {
    mutating func readActor() throws(MalformedBytes) -> Actor {
        let node = NodeID(try readHash())
        let incarnation = try readInteger()
        guard let incarnation = UInt32(exactly: incarnation) else { throw malformed("incarnation over 32 bits") }
        return Actor(node: node, incarnation: incarnation)
    }

    mutating func readTimestamp() throws(MalformedBytes) -> Timestamp {
        let timestamp = Timestamp(rawValue: try readInteger())
        guard timestamp > .zero, timestamp <= .latestAllowed else { throw malformed("timestamp out of range") }
        return timestamp
    }

    mutating func readDot() throws(MalformedBytes) -> Dot {
        let timestamp = try readTimestamp()
        return Dot(timestamp: timestamp, actor: try readActor())
    }
}

/// A span of time of which a log may lack its own actor's writes: from the last that was in it when a process began to when the process began.
///
/// A disk that is put back to an old image goes on as if nothing had happened. Whatever was written since the image was made lies in the gap.
public struct WriteGap: Sendable, Hashable {
    public var start: Timestamp
    /// No write of the process that follows is earlier.
    public var first: Timestamp

    public init(start: Timestamp, first: Timestamp) {
        self.start = start
        self.first = first
    }

    public func contains(_ timestamp: Timestamp) -> Bool { timestamp > start && timestamp < first }
}

/// As a pair: the timestamps of `start` and `first`.
extension WriteGap: Codable {
    public init(from decoder: any Decoder) throws {
        var pair = try decoder.unkeyedContainer()
        start = Timestamp(rawValue: try pair.decode(UInt64.self))
        first = Timestamp(rawValue: try pair.decode(UInt64.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var pair = encoder.unkeyedContainer()
        try pair.encode(start.rawValue)
        try pair.encode(first.rawValue)
    }
}

/// The bytes of a request.
public enum OutgoingBody: Sendable {
    case bytes([UInt8])
    /// Pieces that are made on these threads, one after another, each when it is about to be sent: straight into the memory that it is sent from.
    case pieces([OutgoingPiece], BlockingThreads)

    /// How many there are.
    public var count: Int {
        switch self {
        case .bytes(let bytes): bytes.count
        case .pieces(let pieces, _): pieces.reduce(0) { $0 + $1.count }
        }
    }

    /// All of them.
    public func collect() async throws -> [UInt8] {
        switch self {
        case .bytes(let bytes): return bytes
        case .pieces(let pieces, let threads):
            var all: [UInt8] = []
            for piece in pieces { all += try await threads.run { try piece.bytes() } }
            return all
        }
    }
}

/// A part of a request's body that is yet to be made.
public struct OutgoingPiece: Sendable {
    public let count: Int
    /// Fills memory of exactly that many bytes. Blocks.
    public let fill: @Sendable (UnsafeMutableRawBufferPointer) throws -> Void

    public init(count: Int, fill: @escaping @Sendable (UnsafeMutableRawBufferPointer) throws -> Void) {
        self.count = count
        self.fill = fill
    }

    fileprivate func bytes() throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            try fill(UnsafeMutableRawBufferPointer(buffer))
            filled = count
        }
    }
}

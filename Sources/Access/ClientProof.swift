import Content

/// How a client that shows an API key also shows that it holds a node's key, so that its tokens may write versions in that
/// node's name: a signature for one key, one receiver and one moment.
public struct ClientProof: Sendable, Hashable {
    /// How far from the receiver's clock the moment may be, in microseconds.
    public static let tolerance: Int64 = 60_000_000

    /// 32 bytes.
    public var publicKey: [UInt8]
    /// Microseconds since 1970, on the receiver's clock.
    public var time: Int64
    /// 64 bytes.
    public var signature: [UInt8]

    public init(publicKey: [UInt8], time: Int64, signature: [UInt8]) {
        self.publicKey = publicKey
        self.time = time
        self.signature = signature
    }

    public init(of key: NodeKey, keyID: String, receiver: NodeID, time: Int64) throws {
        self.init(
            publicKey: key.publicKey, time: time, signature: try key.signature(for: ClientProof.message(keyID: keyID, receiver: receiver, time: time)))
    }

    /// The node whose key the client holds; nil where it has not shown that.
    /// - Parameter now: the receiver's time, in microseconds since 1970.
    public func node(keyID: String, receiver: NodeID, now: Int64) -> NodeID? {
        let (distance, overflow) = time.subtractingReportingOverflow(now)
        guard !overflow, distance.magnitude <= UInt64(ClientProof.tolerance),
            NodeKey.isValid(signature, for: ClientProof.message(keyID: keyID, receiver: receiver, time: time), publicKey: publicKey)
        else { return nil }
        return NodeID(publicKey: publicKey)
    }

    private static func message(keyID: String, receiver: NodeID, time: Int64) -> [UInt8] {
        Array("pando client\n\(keyID)\n\(receiver)\n\(time)".utf8)
    }
}

import Content

/// An object as it came from elsewhere: nothing vouches for its having its hash.
public struct UncheckedObject: Sendable {
    public var hash: ContentHash
    public var kind: ObjectKind
    public var codec: Codec
    public var rawLength: Int
    public var stored: [UInt8]

    public init(hash: ContentHash, kind: ObjectKind, codec: Codec, rawLength: Int, stored: [UInt8]) {
        self.hash = hash
        self.kind = kind
        self.codec = codec
        self.rawLength = rawLength
        self.stored = stored
    }

    private var raw: [UInt8]? {
        switch codec {
        case .raw: stored.count == rawLength ? stored : nil
        case .zstd: stored.withUnsafeBytes { Compression.decompress($0, rawLength: rawLength) }
        }
    }

    /// Checks some objects, which is sooner done for several together.
    ///
    /// - Returns: for each the object as it can be stored, and its bytes before compression; nil where it does not decompress to its length, or
    ///   has another hash.
    public static func checked(_ objects: [UncheckedObject]) -> [(prepared: PreparedObject, bytes: [UInt8])?] {
        var result = objects.map(\.raw)
        // Arrays that are held and not changed keep their bytes in one place.
        let found = withExtendedLifetime(result) {
            let whole = result.enumerated().compactMap { index, bytes in bytes.map { (index, $0.withUnsafeBytes { $0 }) } }
            return zip(whole, ContentHash.several(of: whole.map { (objects[$0.0].kind, $0.1) })).map { (index: $0.0, hash: $1) }
        }
        for (index, hash) in found where hash != objects[index].hash { result[index] = nil }
        return zip(objects, result).map { object, bytes in
            bytes.map {
                (PreparedObject(verified: object.hash, object.kind, object.codec, rawLength: object.rawLength, stored: object.stored), $0)
            }
        }
    }
}

import Objects
import Replication

extension ObjectFrame {
    /// The object that it brings; nil where it says that there is none.
    public var object: UncheckedObject? {
        let codec: Objects.Codec
        switch header.codec {
        case .raw: codec = .raw
        case .zstd: codec = .zstd
        case .absent: return nil
        }
        return UncheckedObject(hash: header.hash, kind: header.kind, codec: codec, rawLength: header.rawLength, stored: stored)
    }
}

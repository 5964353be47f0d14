import CZstd

extension Compression {
    /// One zstd frame (RFC 8878) that holds the bytes, for those that are compressed once and served often; nil where it would
    /// not be shorter. At level 19 a megabyte takes about a second.
    public static func frame(of bytes: [UInt8]) -> [UInt8]? {
        guard !bytes.isEmpty else { return nil }
        let frame = [UInt8](unsafeUninitializedCapacity: bytes.count) { out, count in
            let written = bytes.withUnsafeBytes {
                ZSTD_compress(out.baseAddress, bytes.count, $0.baseAddress, $0.count, 19)
            }
            count = ZSTD_isError(written) != 0 ? 0 : written
        }
        return frame.isEmpty ? nil : frame
    }
}

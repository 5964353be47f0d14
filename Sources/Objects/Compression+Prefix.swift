import CZstd

extension Compression {
    /// Bytes compressed after others that both sides have: what repeats there is not held once more. The frame has a checksum, so that after
    /// other bytes it does not decompress to what was never compressed.
    ///
    /// - Parameter windowLog: the logarithm of how far back is looked; prefix and bytes together have to fit.
    /// - Returns: nil if there is no room for them.
    static func compress(_ bytes: [UInt8], after prefix: [UInt8], level: Int32, windowLog: Int32, room: Int) -> [UInt8]? {
        let result = compressors.with { context in
            [UInt8](unsafeUninitializedCapacity: room) { out, count in
                prefix.withUnsafeBytes { prefix in
                    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
                    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, windowLog)
                    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
                    ZSTD_CCtx_refPrefix(context, prefix.baseAddress, prefix.count)
                    let written = bytes.withUnsafeBytes { ZSTD_compress2(context, out.baseAddress, room, $0.baseAddress, $0.count) }
                    count = ZSTD_isError(written) != 0 ? 0 : written
                    // The next one to use it knows nothing of all this.
                    ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters)
                }
            }
        }
        return result.isEmpty ? nil : result
    }

    /// The bytes before compression, which must be exactly `rawLength`; nil if the input is damaged, or was compressed after other bytes.
    static func decompress(_ bytes: UnsafeRawBufferPointer, after prefix: [UInt8], rawLength: Int) -> [UInt8]? {
        var isWhole = false
        let result = decompressors.with { context in
            [UInt8](unsafeUninitializedCapacity: rawLength) { out, count in
                prefix.withUnsafeBytes { prefix in
                    ZSTD_DCtx_refPrefix(context, prefix.baseAddress, prefix.count)
                    let written = ZSTD_decompressDCtx(context, out.baseAddress, rawLength, bytes.baseAddress, bytes.count)
                    isWhole = ZSTD_isError(written) == 0 && written == rawLength
                    count = isWhole ? rawLength : 0
                    ZSTD_DCtx_reset(context, ZSTD_reset_session_and_parameters)
                }
            }
        }
        return isWhole ? result : nil
    }
}

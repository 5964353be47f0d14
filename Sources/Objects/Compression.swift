import CZstd
import Content
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// zstd for records: taken where it saves a tenth or more, and not tried where a look at the bytes says that it won't.
public enum Compression {
    /// Level 1: the log is written at disk speed.
    private static let level: Int32 = 1
    /// Under this the frame's own overhead eats the saving.
    private static let minimumSize = 96
    /// Above this many bits of order-0 entropy a byte, a sample is taken for incompressible.
    private static let incompressibleEntropy = 7.2

    static let compressors = ContextPool(make: { ZSTD_createCCtx() }, free: { _ = ZSTD_freeCCtx($0) })
    static let decompressors = ContextPool(make: { ZSTD_createDCtx() }, free: { _ = ZSTD_freeDCtx($0) })

    /// The compressed bytes, or nil if storing them as they are is better.
    static func compress(_ bytes: [UInt8]) -> [UInt8]? {
        guard bytes.count >= minimumSize, looksCompressible(bytes) else { return nil }
        // Not worth it unless a tenth is saved, so there need not be room for more.
        return compress(bytes, level: level, room: bytes.count - bytes.count / 10)
    }

    /// The compressed bytes; nil if there is no room for them.
    static func compress(_ bytes: [UInt8], level: Int32, room: Int) -> [UInt8]? {
        let result = compressors.with { context in
            [UInt8](unsafeUninitializedCapacity: room) { out, count in
                let written = bytes.withUnsafeBytes {
                    ZSTD_compressCCtx(context, out.baseAddress, room, $0.baseAddress, $0.count, level)
                }
                count = ZSTD_isError(written) != 0 ? 0 : written
            }
        }
        return result.isEmpty ? nil : result
    }

    /// The bytes before compression, which must be exactly `rawLength`; nil if the input is damaged.
    public static func decompress(_ bytes: UnsafeRawBufferPointer, rawLength: Int) -> [UInt8]? {
        var isWhole = false
        let result = decompressors.with { context in
            [UInt8](unsafeUninitializedCapacity: rawLength) { out, count in
                let written = ZSTD_decompressDCtx(context, out.baseAddress, rawLength, bytes.baseAddress, bytes.count)
                isWhole = ZSTD_isError(written) == 0 && written == rawLength
                count = isWhole ? rawLength : 0
            }
        }
        return isWhole ? result : nil
    }

    /// Eight runs of 128 bytes, evenly spread, tell most media and archives from text and tables.
    static func looksCompressible(_ bytes: [UInt8]) -> Bool {
        // Small inputs have too few bytes for an estimate, and cost little to try.
        if bytes.count < 2 * Sample.size { return true }
        let stride = bytes.count / Sample.runs
        let entropy = withUnsafeTemporaryAllocation(of: UInt16.self, capacity: 256) { counts in
            counts.initialize(repeating: 0)
            bytes.withUnsafeBufferPointer { bytes in
                for run in 0..<Sample.runs {
                    for index in run * stride..<run * stride + Sample.length { counts[Int(bytes[index])] += 1 }
                }
            }
            return Sample.entropy(counts)
        }
        return entropy < incompressibleEntropy
    }

    /// What is looked at of a large input.
    private enum Sample {
        static let runs = 8
        static let length = 128
        static let size = runs * length
        /// c·log2(c) for each count there can be.
        private static let terms: [Double] = (0...size).map { $0 == 0 ? 0 : Double($0) * log2(Double($0)) }
        /// So few bytes look more orderly than they are (Miller, 1955).
        private static let bias = 255.0 / (2 * Double(size) * log(2.0))

        /// Bits a byte, of order 0.
        static func entropy(_ counts: UnsafeMutableBufferPointer<UInt16>) -> Double {
            let sum = terms.withUnsafeBufferPointer { terms in counts.reduce(0) { $0 + terms[Int($1)] } }
            return log2(Double(size)) - sum / Double(size) + bias
        }
    }
}

/// zstd contexts are costly to make and serve one thread at a time.
final class ContextPool: Sendable {
    private struct Idle: @unchecked Sendable {
        var contexts: [OpaquePointer] = []
    }

    private let idle = Mutex(Idle())
    private let make: @Sendable () -> OpaquePointer?
    private let free: @Sendable (OpaquePointer) -> Void
    /// More are let go, so that a burst of threads does not hold memory for ever.
    private static let maximumIdle = 8

    init(make: @escaping @Sendable () -> OpaquePointer?, free: @escaping @Sendable (OpaquePointer) -> Void) {
        self.make = make
        self.free = free
    }

    func with<Result>(_ body: (OpaquePointer) -> Result) -> Result {
        let context = idle.withLock { $0.contexts.popLast() } ?? make()
        guard let context else { preconditionFailure("no memory for a zstd context") }
        let result = body(context)
        let isKept = idle.withLock { idle in
            guard idle.contexts.count < ContextPool.maximumIdle else { return false }
            idle.contexts.append(context)
            return true
        }
        if !isKept { free(context) }
        return result
    }
}

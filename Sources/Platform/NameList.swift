#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The names in a directory, in the order of their bytes, which need not be UTF-8. One buffer holds them all.
public struct NameList: Sendable, RandomAccessCollection {
    // Each name ends with a NUL.
    private var bytes: [UInt8] = []
    private var starts: [UInt32] = []

    public init() {}

    public var startIndex: Int { 0 }
    public var endIndex: Int { starts.count }
    public subscript(index: Int) -> ArraySlice<UInt8> { bytes[range(index)] }

    /// Where a name stands, or would stand if it were there.
    public func position(of name: some Collection<UInt8>) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self[middle].lexicographicallyPrecedes(name) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func range(_ index: Int) -> Range<Int> {
        let end = index + 1 < starts.count ? Int(starts[index + 1]) : bytes.count
        return Int(starts[index])..<end - 1
    }

    /// Calls `body` with the name as the system's calls take it.
    func withPointer<Result>(_ index: Int, _ body: (UnsafePointer<CChar>) -> Result) -> Result {
        bytes.withUnsafeBytes { body($0.baseAddress!.advanced(by: Int(starts[index])).assumingMemoryBound(to: CChar.self)) }
    }

    mutating func append(_ name: UnsafeRawBufferPointer) {
        starts.append(UInt32(bytes.count))
        bytes.append(contentsOf: name)
        bytes.append(0)
    }

    mutating func sort() {
        let sorted = (0..<starts.count).sorted { bytes[range($0)].lexicographicallyPrecedes(bytes[range($1)]) }
        var list = NameList()
        list.bytes.reserveCapacity(bytes.count)
        list.starts.reserveCapacity(starts.count)
        bytes.withUnsafeBytes { bytes in
            for index in sorted { list.append(UnsafeRawBufferPointer(rebasing: bytes[range(index)])) }
        }
        self = list
    }
}

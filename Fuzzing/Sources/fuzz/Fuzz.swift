import Foundation

/// What libFuzzer calls with each input. Which decoder gets it, the environment variable `FUZZ_DECODER` says.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    decoder(Array(UnsafeBufferPointer(start: data, count: count)))
    return 0
}

private let decoder: @Sendable ([UInt8]) -> Void = {
    let name = ProcessInfo.processInfo.environment["FUZZ_DECODER"] ?? ""
    guard let decoder = Decoders.all[name] else {
        FileHandle.standardError.write(Data("set FUZZ_DECODER to one of \(Decoders.all.keys.sorted().joined(separator: " "))\n".utf8))
        exit(2)
    }
    return decoder
}()

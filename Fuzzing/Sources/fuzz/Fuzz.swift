import CFuzzer
import Foundation

/// Gives libFuzzer the decoder that the environment variable `FUZZ_DECODER` names.
@main
struct Fuzz {
    nonisolated(unsafe) private static var decoder: @Sendable ([UInt8]) -> Void = { _ in }

    static func main() {
        let name = ProcessInfo.processInfo.environment["FUZZ_DECODER"] ?? ""
        guard let chosen = Decoders.all[name] else {
            FileHandle.standardError.write(Data("set FUZZ_DECODER to one of \(Decoders.all.keys.sorted().joined(separator: " "))\n".utf8))
            exit(2)
        }
        decoder = chosen
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        exit(LLVMFuzzerRunDriver(&count, &arguments) { data, size in
            Fuzz.decoder(Array(UnsafeBufferPointer(start: data, count: size)))
            return 0
        })
    }
}

import ArgumentParser
import Foundation

/// Bytes a second, as people write it.
struct ByteRate: ExpressibleByArgument {
    var bytes: UInt64

    init?(argument: String) {
        var text = argument.uppercased()
        for ending in ["/S", "IB", "B"] where text.hasSuffix(ending) { text.removeLast(ending.count) }
        var factor = 1.0
        if let last = text.last, let power = ["K", "M", "G"].firstIndex(of: String(last)) {
            factor = pow(1024, Double(power + 1))
            text.removeLast()
        }
        guard let number = Double(text), number > 0, number * factor >= 1, number * factor < 1e15 else { return nil }
        bytes = UInt64(number * factor)
    }
}

import Foundation

/// Seconds that `body` takes.
func seconds(_ body: () throws -> Void) rethrows -> Double {
    let start = ContinuousClock.now
    try body()
    return start.duration(to: .now).seconds
}

/// Seconds that `body` takes.
func seconds(_ body: () async throws -> Void) async rethrows -> Double {
    let start = ContinuousClock.now
    try await body()
    return start.duration(to: .now).seconds
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}

/// The value that this share of the values does not exceed, by nearest rank.
func percentile(_ values: [Double], _ percent: Double) -> Double {
    let sorted = values.sorted()
    return sorted[max(0, Int((Double(sorted.count) * percent / 100).rounded(.up)) - 1)]
}

/// Keeps a result from being optimised away.
@inline(never)
func keep<Value>(_ value: Value) {
    withExtendedLifetime(value) {}
}

/// This process, as the system sees it. Linux only: it reads /proc.
enum Process {
    struct Resident: Codable {
        var total = 0
        /// Without mapped files, whose pages the system takes back when it needs them.
        var anonymous = 0
    }

    /// Bytes of resident memory.
    static func resident() -> Resident {
        var result = Resident()
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        for line in status.split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard words.count == 3, let kibibytes = Int(words[1]) else { continue }
            if words[0] == "VmRSS:" { result.total = kibibytes << 10 }
            if words[0] == "RssAnon:" { result.anonymous = kibibytes << 10 }
        }
        return result
    }
}

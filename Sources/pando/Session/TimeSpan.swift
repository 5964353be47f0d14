import ArgumentParser

/// A span of time as people write it.
enum TimeSpan {
    /// Reads `90d`, `12h`, `30m` or `45s`.
    static func parse(_ text: String) throws -> Duration {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        // A thousand years is for ever.
        guard let unit = text.last.flatMap({ units[$0] }), let number = Int64(text.dropLast()), number > 0, number <= 365_000 * 86_400 / unit else {
            throw ValidationError("'\(text)' is no span of time; write 90d, 12h, 30m or 45s")
        }
        return .seconds(number * unit)
    }
}

import Foundation
import Synchronization

/// How far a transfer has come, shown on standard error: a bar on a terminal, a line now and then elsewhere.
final class Progress: Sendable {
    struct State {
        var bytes: UInt64 = 0
        var files: UInt64 = 0
        var totalBytes: UInt64 = 0
        var totalFiles: UInt64 = 0
        /// Whether the totals are whole: the walk that counts them has ended.
        var isCounted = false
        /// Bytes that crossed the network.
        var sent: UInt64 = 0
    }

    private let state = Mutex(State())
    private let started = ContinuousClock.now
    private let verb: String
    private let countsFiles: Bool

    /// - Parameters:
    ///   - verb: what happens to the files: "sent", "fetched".
    ///   - countsFiles: whether it is files that are counted, and not bytes alone.
    init(verb: String, countsFiles: Bool = true) {
        self.verb = verb
        self.countsFiles = countsFiles
    }

    func update(_ body: (inout State) -> Void) {
        state.withLock { body(&$0) }
    }

    var current: State { state.withLock { $0 } }

    var seconds: Double {
        let elapsed = ContinuousClock.now - started
        return Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
    }

    /// Shows the progress while `body` runs.
    func show<Result: Sendable>(isQuiet: Bool, _ body: () async throws -> Result) async throws -> Result {
        if isQuiet { return try await body() }
        let ticker = Task {
            let interval: Duration = Output.errorIsTerminal ? .milliseconds(200) : .seconds(10)
            while true {
                try await Task.sleep(for: interval)
                if Output.errorIsTerminal { Output.notePart("\r\u{1b}[K" + bar) } else { Output.note(line) }
            }
        }
        defer {
            ticker.cancel()
            if Output.errorIsTerminal { Output.notePart("\r\u{1b}[K") }
        }
        return try await body()
    }

    /// What was done, as one line at the end.
    var summary: String {
        let state = current
        let seconds = max(seconds, 0.001)
        return "\(verb) \(Output.count(state.files, "file")), \(Output.size(state.bytes)) in \(Output.fixed(seconds)) s"
            + " (\(Output.size(UInt64(Double(state.bytes) / seconds)))/s; \(Output.size(state.sent)) over the network)"
    }

    private var line: String {
        let state = current
        let rate = Double(state.bytes) / max(seconds, 0.001)
        var text = verb + (countsFiles ? " \(Output.count(state.files, "file"))," : "") + " \(Output.size(state.bytes))"
        if state.isCounted { text += " of \(Output.size(state.totalBytes))" }
        text += ", \(Output.size(UInt64(rate)))/s"
        if let left = timeLeft(state, rate) { text += ", \(left) left" }
        return text
    }

    private var bar: String {
        let state = current
        guard state.isCounted, state.totalBytes > 0 else { return line }
        let part = min(1, Double(state.bytes) / Double(state.totalBytes))
        let width = 24
        let full = Int(part * Double(width))
        return "[" + String(repeating: "#", count: full) + String(repeating: ".", count: width - full) + "] "
            + "\(Int(part * 100)) %  " + line
    }

    private func timeLeft(_ state: State, _ rate: Double) -> String? {
        guard state.isCounted, rate > 0, seconds > 1, state.totalBytes >= state.bytes else { return nil }
        return Progress.time(Double(state.totalBytes - state.bytes) / rate)
    }

    /// `45 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
    static func time(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds < 1e12 else { return "?" }
        let seconds = Int(seconds.rounded())
        if seconds < 60 { return "\(seconds) s" }
        if seconds < 3600 { return "\(seconds / 60) min \(seconds % 60) s" }
        if seconds < 86_400 { return "\(seconds / 3600) h \(seconds % 3600 / 60) min" }
        return "\(seconds / 86_400) d \(seconds % 86_400 / 3600) h"
    }
}

import Causality
import Content
import FolderSync
import Foundation
import Merkle
import Synchronization

/// Shows a folder's sync: on a terminal one live line for each direction, elsewhere a line for what matters, and with `--json` an
/// event a line.
final class FolderDisplay: Sendable {
    private struct State {
        var sent = FolderProgress(direction: .sending, files: 0, bytes: 0)
        var received = FolderProgress(direction: .receiving, files: 0, bytes: 0)
        var shown: Set<FolderNotice> = []
        var held: [HeldDeletions.Direction: HeldDeletions] = [:]
        var isDrawn = false
        var isLive = false
        var last: (at: ContinuousClock.Instant, sent: UInt64, received: UInt64)?
        var rates = (sent: 0.0, received: 0.0)
    }

    private static let interval = Duration.milliseconds(250)

    private let json: Bool
    private let traffic: @Sendable () -> (sent: UInt64, received: UInt64)
    private let state = Mutex(State())

    /// - Parameter traffic: bytes that crossed the network so far, each way.
    init(json: Bool, traffic: @escaping @Sendable () -> (sent: UInt64, received: UInt64)) {
        self.json = json
        self.traffic = traffic
    }

    // MARK: Live

    /// Keeps the live lines up to date while `body` runs.
    func live<Result: Sendable>(_ body: () async throws -> Result) async throws -> Result {
        guard Output.errorIsTerminal, !json else { return try await body() }
        state.withLock { $0.isLive = true }
        let ticker = Task {
            while true {
                try await Task.sleep(for: FolderDisplay.interval)
                draw()
            }
        }
        defer {
            ticker.cancel()
            state.withLock { state in
                erase(&state)
                state.isLive = false
            }
        }
        return try await body()
    }

    private func draw() {
        let now = traffic()
        state.withLock { state in
            guard state.isLive else { return }
            if let last = state.last {
                let elapsed = ContinuousClock.now - last.at
                let seconds = max(0.001, Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18)
                // A second's memory, so that the figure can be read.
                state.rates.sent += (Double(now.sent &- last.sent) / seconds - state.rates.sent) * 0.3
                state.rates.received += (Double(now.received &- last.received) / seconds - state.rates.received) * 0.3
            }
            state.last = (.now, now.sent, now.received)
            erase(&state)
            Output.notePart(line("sent", state.sent, now.sent, state.rates.sent) + "\n" + line("received", state.received, now.received, state.rates.received))
            state.isDrawn = true
        }
    }

    private func line(_ verb: String, _ progress: FolderProgress, _ crossed: UInt64, _ rate: Double) -> String {
        var text = "\(verb) \(Output.count(progress.files, "file")), \(Output.size(progress.bytes))"
        if let total = progress.totalBytes, total > progress.bytes { text += " of \(Output.size(total))" }
        text += ", \(Output.size(crossed)) over the network, \(Output.size(UInt64(max(0, rate))))/s"
        if let total = progress.totalBytes, total > progress.bytes, rate > 1 {
            text += ", \(Progress.time(Double(total - progress.bytes) / rate)) left"
        }
        return text
    }

    private func erase(_ state: inout State) {
        guard state.isDrawn else { return }
        Output.notePart("\r\u{1b}[K\u{1b}[1A\r\u{1b}[K")
        state.isDrawn = false
    }

    // MARK: Events

    func note(_ text: String) {
        guard !json else { return }
        state.withLock { state in
            erase(&state)
            Output.note(text)
        }
    }

    func show(_ event: FolderEvent) {
        let fields: [String: Any]
        switch event {
        case .looked(let names, let changes):
            fields = ["event": "looked", "names": names, "changes": changes]
        case .progress(let progress):
            state.withLock { state in
                if progress.direction == .sending {
                    state.sent.files += progress.files
                    state.sent.bytes += progress.bytes
                } else {
                    state.received = progress
                }
            }
            var event: [String: Any] = [
                "event": "progress", "direction": progress.direction.rawValue, "files": progress.files, "bytes": progress.bytes,
            ]
            // It is how much more there will be than before, which is less than what is written where files are replaced.
            if let total = progress.totalBytes, total >= progress.bytes { event["total_bytes"] = total }
            fields = event
        case .notice(let notice):
            // Each look at the folder finds the same again.
            guard state.withLock({ $0.shown.insert(notice).inserted }) else { return }
            note("\(FolderDisplay.words(notice.kind)) \(Output.shown(notice.path, isTerminal: Output.errorIsTerminal)): \(notice.reason)")
            fields = ["event": "notice", "kind": notice.kind.rawValue, "path": notice.path, "reason": notice.reason]
        case .held(let held):
            guard state.withLock({ $0.held.updateValue(held, forKey: held.direction) }) != held else { return }
            note(FolderDisplay.words(held))
            fields = ["event": "held", "direction": held.direction.rawValue, "files": held.files, "total": held.total]
        case .conflicts(let count):
            if count > 0 { note("\(Output.count(count, "conflict")); 'pando conflicts --folder FOLDER' shows them") }
            fields = ["event": "conflicts", "count": count]
        case .offline(let reason):
            note("not connected: \(reason)")
            fields = ["event": "offline", "reason": reason]
        case .online:
            note("connected")
            fields = ["event": "online"]
        case .waiting(let reason):
            note("waiting: \(reason)")
            fields = ["event": "waiting", "reason": reason]
        case .paused:
            note("paused")
            fields = ["event": "paused"]
        case .resumed:
            note("resumed")
            fields = ["event": "resumed"]
        case .inSync:
            if !Output.errorIsTerminal { note("in sync") }
            fields = ["event": "in_sync"]
        }
        if json { FolderDisplay.print(fields) }
    }

    private static func print(_ fields: [String: Any]) {
        guard let data = try? JSONSerialization.data(withJSONObject: fields, options: [.sortedKeys, .withoutEscapingSlashes]) else { return }
        Output.write(Array(data) + [UInt8(ascii: "\n")])
    }

    private static func words(_ kind: FolderNotice.Kind) -> String {
        switch kind {
        case .skipped: "left alone:"
        case .renamed: "renamed:"
        case .damaged: "DAMAGED:"
        case .kept: "not sent:"
        case .blocked: "not placed:"
        }
    }

    private static func words(_ held: HeldDeletions) -> String {
        let what = "\(Output.count(held.files, "deletion")) of \(Output.count(held.total, "file"))"
        return switch held.direction {
        case .sending: "held: \(what), made here, would be sent; run with --yes-delete if they are meant, or put the files back"
        case .receiving: "held: \(what), made elsewhere, would be carried out here; run with --yes-delete if they are meant"
        }
    }

    // MARK: Results

    func show(_ summary: FolderSummary) throws {
        if json {
            FolderDisplay.print([
                "event": "summary", "in_sync": summary.isInSync, "conflicts": summary.conflicts,
                "sent": ["files": summary.sentFiles, "bytes": summary.sentBytes, "deletions": summary.sentDeletions],
                "received": ["files": summary.receivedFiles, "bytes": summary.receivedBytes, "deletions": summary.receivedDeletions],
                "held": summary.held.map { ["direction": $0.direction.rawValue, "files": $0.files, "total": $0.total] as [String: Any] },
            ])
            return
        }
        Output.line("sent: \(Output.count(summary.sentFiles, "change")), \(Output.size(summary.sentBytes)); \(Output.count(summary.sentDeletions, "deletion"))")
        Output.line(
            "received: \(Output.count(summary.receivedFiles, "file")), \(Output.size(summary.receivedBytes)); "
                + Output.count(summary.receivedDeletions, "deletion"))
        if summary.conflicts > 0 { Output.line("\(Output.count(summary.conflicts, "conflict")): 'pando conflicts --folder FOLDER' shows them") }
        if !summary.isInSync {
            Output.complain(summary.notices.isEmpty && summary.held.isEmpty ? "not all is in sync yet; sync again" : "not all is in sync; see above")
        }
    }

    /// What a link of no known speed is taken to carry: 100 megabits a second.
    private static let guessedRate = 12_500_000.0

    func show(_ preview: FolderPreview, rate: Double?) throws {
        let seconds = { (bytes: UInt64) in Double(bytes) / (rate ?? FolderDisplay.guessedRate) }
        if json {
            func fields(_ direction: FolderPreview.Direction) -> [String: Any] {
                ["files": direction.files, "bytes": direction.bytes, "deletions": direction.deletions, "seconds": seconds(direction.bytes)]
            }
            FolderDisplay.print(["event": "preview", "sending": fields(preview.sending), "receiving": fields(preview.receiving)])
            return
        }
        for (verb, direction) in [("send", preview.sending), ("receive", preview.receiving)] {
            Output.line(
                "would \(verb): \(Output.count(direction.files, "file")), \(Output.size(direction.bytes)), "
                    + "\(Output.count(direction.deletions, "deletion")), about \(Progress.time(seconds(direction.bytes)))")
        }
        Output.note("times are \(rate == nil ? "guessed, at 100 Mbit/s" : "at the rate of the last sync")")
        for notice in preview.notices { show(.notice(notice)) }
    }

    static func show(_ explanation: FolderExplanation, _ path: TreePath, json: Bool) throws {
        func fields(_ version: Version) -> [String: Any] {
            [
                "version": version.dot.description, "node": version.dot.actor.node.description, "microseconds": version.dot.timestamp.microseconds,
                "deleted": version.value.isTombstone,
            ]
        }
        if json {
            var document: [String: Any] = [
                "path": path.description, "ignored": explanation.isReserved || explanation.ignore?.isIgnored ?? false, "in_scope": explanation.isInScope,
                "known": explanation.isKnown, "losers": explanation.losers.map(fields),
            ]
            if let ignore = explanation.ignore { document["pattern"] = ["text": ignore.pattern, "source": ignore.source, "line": ignore.line] as [String: Any] }
            if let current = explanation.current { document["current"] = fields(current) }
            if let alias = explanation.alias { document["alias"] = alias }
            if let reason = explanation.reason { document["reason"] = reason }
            return print(document)
        }
        if explanation.isReserved { return Output.line("\(path) is the sync's or the database's own, and never synced") }
        if let ignore = explanation.ignore {
            Output.line(
                "\(path) is \(ignore.isIgnored ? "ignored" : "not ignored") by '\(Output.shown(ignore.pattern))', line \(ignore.line) of \(Output.shown(ignore.source))")
        } else {
            Output.line("\(path) is not ignored: no pattern matches it")
        }
        if !explanation.isInScope { Output.line("it is outside the paths that this folder takes part in") }
        if let alias = explanation.alias { Output.line("it stands here as '\(Output.shown(alias))'") }
        guard let current = explanation.current else { return }
        func words(_ version: Version) -> String {
            let date = Date(timeIntervalSince1970: Double(version.dot.timestamp.microseconds) / 1e6)
            let time = date.formatted(Date.ISO8601FormatStyle())
            return "\(version.value.isTombstone ? "deleted" : "saved") by node \(version.dot.actor.node.short) at \(time) (\(version.dot))"
        }
        Output.line("current: \(words(current))")
        for loser in explanation.losers { Output.line("loser: \(words(loser))") }
        if let reason = explanation.reason { Output.line("the current one won because \(reason)") }
    }
}

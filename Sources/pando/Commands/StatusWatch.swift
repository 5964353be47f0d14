import Foundation
import HTTPClient
import Platform
import UnixSignals

/// Looks at a node again and again, until it is stopped: a screen that is drawn anew on a terminal, plain lines elsewhere.
struct StatusWatch {
    let client: PandoClient
    let interval: Duration
    /// Prints each look as one line of JSON.
    let isJSON: Bool

    private struct Look {
        var status: NodeStatus
        var peers: [Peer]
        var document: JSONValue
        var takenAt: ContinuousClock.Instant
    }

    /// Returns when the person has had enough.
    func run() async throws {
        let screen = Output.isTerminal && !isJSON ? Screen() : nil
        defer { screen?.end() }
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { for await _ in signals { return } }
            group.addTask { try await watch(on: screen) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func watch(on screen: Screen?) async throws {
        var before: Look?
        while true {
            do {
                let look = try await look()
                show(look, since: before, on: screen)
                before = look
            } catch let error as ClientError where before != nil {
                // It was there before, and may come back.
                if let screen { screen.draw(["\(client.url)", "", error.description, "", "still trying; Ctrl-C ends"]) } else { Output.complain(error.description) }
            }
            try await Task.sleep(for: interval)
        }
    }

    private func look() async throws -> Look {
        let status = try await client.status(as: JSONValue.self)
        let peers = try await client.peers(as: JSONValue.self)
        return Look(
            status: try status.decode(), peers: try peers.map { try $0.decode() },
            document: .object(["status": status, "peers": .array(peers)]), takenAt: .now)
    }

    private func show(_ look: Look, since before: Look?, on screen: Screen?) {
        if isJSON {
            if let line = try? Output.encoder.encode(look.document) { Output.write(Array(line) + [UInt8(ascii: "\n")]) }
        } else if let screen {
            screen.draw(picture(of: look, since: before))
        } else {
            for line in lines(of: look, since: before) { Output.line(line) }
        }
    }

    // MARK: For people

    private func picture(of look: Look, since before: Look?) -> [String] {
        let status = look.status
        var lines = [
            "\(client.url)  node \(status.nodeID.prefix(12))  up \(Progress.time(status.uptimeSeconds ?? 0))",
            // Not told to keys with rules.
            "\(status.files.map { Output.count($0, "file") } ?? "- files")  \(status.bytes.map(Output.size) ?? "-")"
                + "  \(status.conflicts.map { Output.count($0, "conflict") } ?? "- conflicts")"
                + "  root \((status.root ?? "-").prefix(12))",
            "",
        ]
        var table = Table(
            [.left, .left, .left, .right, .right, .right, .right, .right, .left],
            header: ["PEER", "LABEL", "STATE", "OFFSET", "ERROR", "LAG", "IN", "OUT", "ADDRESS"])
        for peer in look.peers {
            table.add(
                peer.nodeID.map { String($0.prefix(12)) } ?? "-", Output.shown(peer.label ?? "-"), peer.state ?? "-",
                StatusWatch.milliseconds(peer.offsetMicroseconds), StatusWatch.milliseconds(peer.errorMicroseconds), StatusWatch.lag(of: peer),
                rate(of: peer, \.bytesReceived, look, before), rate(of: peer, \.bytesSent, look, before), Output.shown(peer.address ?? "-"))
        }
        lines += look.peers.isEmpty ? ["no peers"] : table.lines
        // A reason may be longer than a column.
        let reasons = look.peers.compactMap { peer in
            peer.reason.flatMap { $0.isEmpty ? nil : "\(peer.nodeID.map { String($0.prefix(12)) } ?? peer.address ?? "-"): \(Output.shown($0))" }
        }
        if !reasons.isEmpty { lines += [""] + reasons }
        return lines + ["", "Ctrl-C ends"]
    }

    private func lines(of look: Look, since before: Look?) -> [String] {
        let time = Output.time(RFC3339.format(nanoseconds: Int64(Date().timeIntervalSince1970 * 1e9)))
        func shown(_ number: UInt64?) -> String { number.map { "\($0)" } ?? "-" }
        let status = look.status
        let node = "\(time)  files \(shown(status.files))  bytes \(shown(status.bytes))  conflicts \(shown(status.conflicts))  root \((status.root ?? "-").prefix(12))"
        return [node] + look.peers.map { peer in
            "\(time)  peer \(peer.nodeID.map { String($0.prefix(12)) } ?? "-")  \(peer.state ?? "-")"
                + "  offset \(StatusWatch.milliseconds(peer.offsetMicroseconds))  lag \(StatusWatch.lag(of: peer))"
                + "  in \(rate(of: peer, \.bytesReceived, look, before))  out \(rate(of: peer, \.bytesSent, look, before))"
                + (peer.reason.flatMap { $0.isEmpty ? nil : "  (\(Output.shown($0)))" } ?? "")
        }
    }

    private static func milliseconds(_ microseconds: Double?) -> String {
        microseconds.map { Output.fixed($0 / 1000) + " ms" } ?? "-"
    }

    private static func lag(of peer: Peer) -> String {
        peer.lagSeconds.map { $0 < 60 ? Output.fixed($0) + " s" : Progress.time($0) } ?? "-"
    }

    private func rate(of peer: Peer, _ count: KeyPath<Peer, UInt64?>, _ look: Look, _ before: Look?) -> String {
        guard let before, let old = before.peers.first(where: { $0.nodeID == peer.nodeID && $0.address == peer.address }),
            let was = old[keyPath: count], let now = peer[keyPath: count], now >= was
        else { return "-" }
        let elapsed = look.takenAt - before.takenAt
        let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
        return Output.size(UInt64(Double(now - was) / max(seconds, 0.001))) + "/s"
    }
}

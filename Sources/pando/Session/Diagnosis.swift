import ArgumentParser
import Foundation
import HTTPClient
import HTTPServer
import Platform

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What is found about the node of a data directory.
struct Diagnosis {
    enum State: String, Encodable {
        case fine
        /// It works, but not for ever or not as well as it could.
        case doubtful
        case broken

        var mark: String {
            switch self {
            case .fine: "ok  "
            case .doubtful: "warn"
            case .broken: "FAIL"
            }
        }
    }

    struct Finding: Encodable {
        var name: String
        var state: State
        var detail: String
        /// What to do.
        var advice: String?
    }

    /// Free space, in bytes: below the first a node is about to stop, below the second it is time to look.
    private static let (scarce, low): (UInt64, UInt64) = (256 << 20, 2 << 30)
    /// A node with many clients and segments.
    private static let descriptors = 4096
    /// Differences of clocks, in seconds.
    private static let clockDifference = 2.0
    /// A peer that is behind for so many seconds.
    private static let lag = 60.0

    private(set) var findings: [Finding] = []

    mutating func look(at data: String?) async {
        let settings = lookAtSettings(data)
        guard let settings else { return }
        lookAtDirectory(settings.directory)
        lookAtDisk(settings.directory)
        lookAtLimits()
        lookAtCertificate(settings)
        if let local = LocalEndpoint.running(in: settings.directory) {
            await lookAtNode(local, settings.directory)
        } else {
            lookAtPort(settings)
            lookAtClock(settings.directory)
        }
    }

    private mutating func add(_ name: String, _ state: State, _ detail: String, _ advice: String? = nil) {
        findings.append(Finding(name: name, state: state, detail: detail, advice: advice))
    }

    // MARK: The machine

    private mutating func lookAtSettings(_ data: String?) -> ServeSettings? {
        do {
            var flags = try Serve.parse([])
            flags.data = data
            let settings = try ServeSettings(flags, environment: ProcessInfo.processInfo.environment)
            let named = ProcessInfo.processInfo.environment["PANDO_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
            add("configuration", .fine, try ConfigurationFile.find(named)?.path ?? "no file; the defaults hold")
            return settings
        } catch {
            add("configuration", .broken, Serve.message(for: error), "mend the setting; contrib/pando.yaml explains each")
            return nil
        }
    }

    private mutating func lookAtDirectory(_ directory: String) {
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: directory) else {
            return add("data directory", .doubtful, "\(directory) is not there", "'pando serve' makes it; or name another with --data")
        }
        guard access(directory, R_OK | W_OK | X_OK) == 0 else {
            return add("data directory", .broken, "\(directory) cannot be written by this user", "run as its owner, or give it away with chown")
        }
        if let mode = attributes[.posixPermissions] as? Int, mode & 0o077 != 0 {
            return add("data directory", .doubtful, "others can look into \(directory)", "'chmod 700 \(directory)'; the keys in it are private all the same")
        }
        add("data directory", .fine, directory)
    }

    private mutating func lookAtDisk(_ directory: String) {
        guard let disk = MachineUsage.disk(at: directory) ?? MachineUsage.disk(at: ".") else { return }
        let text = "\(Output.size(disk.free)) free of \(Output.size(disk.total))"
        let state: State = disk.free < Diagnosis.scarce ? .broken : disk.free < Diagnosis.low || disk.free < disk.total / 50 ? .doubtful : .fine
        add("disk", state, text, state == .fine ? nil : "make room: a node whose disk is full takes no more writes, and loses none")
    }

    private mutating func lookAtLimits() {
        guard let limit = ProcessLimits.descriptors else { return }
        let isFine = limit >= Diagnosis.descriptors
        add(
            "open files", isFine ? .fine : .doubtful, "\(limit) at once",
            isFine ? nil : "each connection takes one; 'ulimit -n 65536' before 'pando serve', or LimitNOFILE in its unit")
    }

    private mutating func lookAtPort(_ settings: ServeSettings) {
        guard let fault = Host.faultOfListening(host: settings.host, port: settings.port) else {
            return add("port", .fine, "\(settings.host):\(settings.port) is free; the node is not running")
        }
        add("port", .broken, "cannot listen at \(settings.host):\(settings.port): \(fault)", "end what listens there, or choose another --port")
    }

    private mutating func lookAtClock(_ directory: String) {
        let correction = LocalNode.clockCorrection(dataDirectory: directory)
        let isFine = abs(correction) < Diagnosis.clockDifference
        add(
            "clock", isFine ? .fine : .doubtful, "this machine's was \(Output.fixed(abs(correction))) s \(correction < 0 ? "ahead of" : "behind") the cluster's time",
            isFine ? nil : "the node corrects for it; time synchronisation (chrony, systemd-timesyncd) mends it for everything else")
    }

    private mutating func lookAtCertificate(_ settings: ServeSettings) {
        guard case .files(let certificate, let key) = settings.encryption else { return }
        do {
            let left = try ServerCertificate(certificateFile: certificate, keyFile: key).expiresAt.timeIntervalSinceNow
            let isFine = left > 14 * 86_400
            add("certificate", isFine ? .fine : .doubtful, "good for \(Progress.time(left))", isFine ? nil : "renew it; the node takes the new files by itself")
        } catch {
            add("certificate", .broken, "\(error)", "without it the node does not start")
        }
    }

    // MARK: The node

    private mutating func lookAtNode(_ local: LocalEndpoint, _ directory: String) async {
        do {
            let connection = try Connection.resolve(node: nil, data: directory, environment: ProcessInfo.processInfo.environment)
            let client = connection.client()
            let answer: Result<(NodeStatus, [Peer]), any Error>
            do {
                answer = .success((try await client.status(), try await client.peers()))
            } catch {
                answer = .failure(error)
            }
            await client.shutdown()
            let (status, peers) = try answer.get()
            add("node", .fine, "\(status.nodeID.prefix(12)) answers at \(local.url), up \(Progress.time(status.uptimeSeconds ?? 0))")
            if status.clusterID == nil { add("cluster", .broken, "the node belongs to none", "'pando join URL --token INVITATION'") }
            lookAtTime(status)
            if let conflicts = status.conflicts, conflicts > 0 {
                add("conflicts", .doubtful, Output.count(conflicts, "path") + " with more than one version", "'pando conflicts' shows them, 'pando conflicts resolve' decides")
            }
            for peer in peers { lookAtPeer(peer) }
        } catch {
            add("node", .broken, "process \(local.pid ?? 0) runs, but does not answer: \(error)", "look at its log; 'pando serve --log-level debug' says more")
        }
    }

    private mutating func lookAtTime(_ status: NodeStatus) {
        if case .string(let text)? = status.virtualTime, let time = RFC3339.nanoseconds(text) {
            let ahead = Double(time) / 1e9 - Date().timeIntervalSince1970
            let isFine = abs(ahead) < Diagnosis.clockDifference
            add(
                "clock", isFine ? .fine : .doubtful,
                isFine ? "agrees with the cluster's time" : "this machine's is \(Progress.time(abs(ahead))) \(ahead > 0 ? "behind" : "ahead of") the cluster's time",
                isFine ? nil : "the node corrects for it; time synchronisation (chrony, systemd-timesyncd) mends it for everything else")
        }
    }

    private mutating func lookAtPeer(_ peer: Peer) {
        let name = "peer \(peer.nodeID.map { String($0.prefix(12)) } ?? peer.address ?? "?")"
        guard peer.state == "active" else {
            return add(name, .broken, "\(peer.state ?? "unknown"): \(peer.reason ?? "no reason given")", Diagnosis.advice(for: peer))
        }
        if let lag = peer.lagSeconds, lag > Diagnosis.lag {
            return add(name, .doubtful, "in touch, but \(Progress.time(lag)) behind", "'pando status --watch' shows whether it catches up")
        }
        add(name, .fine, "in touch at \(peer.address ?? "?")" + (peer.offsetMicroseconds.map { ", clock off by \(Output.fixed($0 / 1000)) ms" } ?? ""))
    }

    private static func advice(for peer: Peer) -> String {
        let reason = peer.reason ?? ""
        if reason.contains("is expected") || reason.contains("in between") {
            return "another node has taken the address, or somebody is in between; 'pando peers remove', and add it where it is now"
        }
        if reason.contains("speak TLS") || reason.contains("speaks TLS") { return "'pando peers remove', and add it with the other of http:// and https://" }
        if reason.contains("no member") { return "'pando invite' on a member, 'pando join' on the other" }
        if reason.contains("jitter") || reason.contains("offset") { return "the clocks cannot be brought together; look at the network and at the peer's clock" }
        return "is it running, and can \(peer.address ?? "its address") be reached from here? The node keeps trying"
    }
}

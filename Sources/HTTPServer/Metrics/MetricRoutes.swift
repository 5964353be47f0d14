import Access
import FileDatabase
import HTTPTypes
import Hummingbird
import Merkle
import NIOCore
import Node
import Platform
import Synchronization

/// `GET /metrics`, for Prometheus.
func addMetricRoutes(to routes: inout Routes, _ figures: NodeFigures) {
    // Prometheus sends the same word for months, so an API key will do in a token's place.
    routes.on(.get, "/metrics", access: .open) { call in
        try call.refuseQuery()
        let principal = try await call.node.authenticate(keyOrToken: Call.bearerToken(of: call.request), client: call.client)
        guard principal.rules.allowsAll(.list, below: .root) else {
            throw Problem(.forbidden, "this is for keys that may list everything: a rule '/**' with 'list'")
        }
        let text = try await call.database.threads.run { try figures.exposition(of: call.node) }
        return Response(
            status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}

/// What is counted while a server runs.
final class NodeFigures: Sendable {
    let requests = RequestFigures()
    private let commits = Atomic(0)

    init(of node: Node) {
        // For the life of the process, as the server is.
        _ = node.database.addObserver { [weak self] _ in self?.commits.add(1, ordering: .relaxed) }
    }

    /// All figures. Blocks.
    func exposition(of node: Node) throws -> String {
        var page = Exposition()
        let status = try node.status()
        page.add("pando_info", .gauge, "The node.", [([("version", status.version), ("node", status.nodeID)], 1)])
        page.add("pando_uptime_seconds", .gauge, "Since the node was started.", seconds: status.uptimeSeconds)
        page.add("pando_files", .gauge, "Files in the newest state.", status.files)
        page.add("pando_bytes", .gauge, "Bytes of all files in the newest state.", status.bytes)
        page.add("pando_conflicts", .gauge, "Paths that are conflicted.", status.conflicts)
        page.add("pando_commits_total", .counter, "Commits since the start, those by syncs too.", commits.load(ordering: .relaxed))
        addDatabase(try node.database.figures(), to: &page)
        addCare(node.careSoFar, running: Set(node.tasks.filter { $0.state == .running }.map(\.kind)), to: &page)
        addPeers(node.peers(), to: &page)
        page.add("pando_clock_settled", .gauge, "Whether the virtual time is the cluster's.", status.clockSettled ? 1 : 0)
        if let disk = MachineUsage.disk(at: node.database.directory) {
            page.add("pando_disk_free_bytes", .gauge, "Free on the file system of the data directory.", disk.free)
            page.add("pando_disk_size_bytes", .gauge, "Size of that file system.", disk.total)
        }
        page.add("process_resident_memory_bytes", .gauge, "Resident memory, mapped files included.", MachineUsage.residentBytes)
        page.add("process_cpu_seconds_total", .counter, "Processor time.", seconds: MachineUsage.processorSeconds)
        requests.write(to: &page)
        return page.text
    }

    private func addDatabase(_ figures: DatabaseFigures, to page: inout Exposition) {
        page.add("pando_write_queue", .gauge, "Writes that wait for the writer.", figures.waitingWrites)
        page.add("pando_node_cache_reads_total", .counter, "Tree nodes that were asked for.", [
            ([("result", "hit")], Double(figures.cacheHits)), ([("result", "miss")], Double(figures.cacheMisses)),
        ])
        page.add("pando_stored_bytes", .gauge, "Bytes of the log's segments.", figures.storedBytes)
        page.add("pando_objects", .gauge, "Objects in the log.", figures.objects)
        page.add("pando_damaged_objects", .gauge, "Objects that were found damaged.", figures.damagedObjects)
    }

    private func addCare(_ care: CareRecord, running: Set<CareTask.Kind>, to page: inout Exposition) {
        func seconds(_ time: Double?) -> [(labels: [(String, String)], value: Double)] { time.map { [([], $0)] } ?? [] }
        page.add("pando_last_scrub_timestamp_seconds", .gauge, "When all data was last read and compared with its hashes.", seconds(care.lastScrub))
        page.add("pando_scrub_damaged_objects", .gauge, "Objects that the last scrub found damaged or gone.", care.damaged)
        page.add("pando_healed_objects_total", .counter, "Objects that came back from peers.", care.healed)
        page.add("pando_lost_objects", .gauge, "Objects that paths need and nobody has.", care.lost)
        page.add("pando_last_gc_timestamp_seconds", .gauge, "When garbage was last collected.", seconds(care.lastCollection))
        page.add("pando_gc_freed_bytes_total", .counter, "Bytes that collections have freed.", care.freedBytes)
        page.add("pando_task_running", .gauge, "Whether a task of the kind runs.", CareTask.Kind.allCases.map { kind in
            ([("kind", kind.rawValue)], running.contains(kind) ? 1 : 0)
        })
    }

    private func addPeers(_ peers: [PeerInfo], to page: inout Exposition) {
        func each(_ value: (PeerInfo) -> Double?) -> [(labels: [(String, String)], value: Double)] {
            peers.compactMap { peer in value(peer).map { ([("peer", peer.nodeID ?? ""), ("address", peer.address)], $0) } }
        }
        page.add("pando_peer_active", .gauge, "Whether the peer is in touch and on one time.", each { $0.state == "active" ? 1 : 0 })
        page.add("pando_peer_in_sync", .gauge, "Whether the peer has the same files.", each { $0.inSync ? 1 : 0 })
        page.add("pando_peer_lag_seconds", .gauge, "How old what is here of the peer's may be.", each { $0.lagSeconds })
        page.add("pando_peer_clock_offset_seconds", .gauge, "The peer's clock against this node's.", each { $0.offsetUs.map { Double($0) / 1e6 } })
        page.add("pando_peer_clock_error_seconds", .gauge, "How far that can be off.", each { $0.errorUs.map { Double($0) / 1e6 } })
        page.add("pando_peer_received_bytes_total", .counter, "Bytes from the peer.", each { Double($0.bytesReceived) })
        page.add("pando_peer_sent_bytes_total", .counter, "Bytes of requests to the peer.", each { Double($0.bytesSent) })
    }
}

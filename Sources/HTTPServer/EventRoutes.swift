import Access
import Causality
import Content
import FileDatabase
import Foundation
import HTTPTypes
import Hummingbird
import Merkle
import NIOCore
import Node
import Platform

/// `GET /events`: what happens here, as server-sent events (WHATWG HTML, "Server-sent events").
func addEventRoutes(to routes: inout Routes) {
    routes.on(.get, "/events") { call in
        let stream = EventStream(call: call, request: try EventRequest(call))
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
            body: ResponseBody { writer in
                try await stream.send(to: &writer)
                try await writer.finish(nil)
            })
    }
}

/// What a reader asks for.
private struct EventRequest {
    enum Kind: String, CaseIterable {
        case ready, commit, conflict, resolved, peer, progress, heartbeat
    }

    var kinds = Set(Kind.allCases)
    var prefix: TreePath?
    /// Whether commits tell what changed. Nodes ask for the difference themselves.
    var wantsPaths = true
    /// What the reader has seen last, as it was told.
    var lastID: String?

    init(_ call: Call) throws {
        var query = try call.query()
        if let names = query.text("events") {
            kinds = [.ready]
            for name in names.split(separator: ",") {
                guard let kind = Kind(rawValue: String(name)) else {
                    let known = Kind.allCases.map(\.rawValue).joined(separator: ", ")
                    throw Problem(.badRequest, "'\(name.prefix(80))' is no event; \(known) are known")
                }
                kinds.insert(kind)
            }
        }
        prefix = try query.text("prefix").map { try Call.filePath($0) }
        wantsPaths = try query.flag("paths") ?? true
        // A browser's EventSource sends the field by itself; others may find the query easier.
        lastID = query.text("last_event_id") ?? call.request.headers[.lastEventID]
        try query.finish()
    }
}

extension HTTPField.Name {
    fileprivate static let lastEventID = HTTPField.Name("Last-Event-ID")!
}

/// The progress of a task, beside which that of syncs has no `task`.
private struct CareProgress: Encodable {
    var task: CareTask
}

extension Principal {
    fileprivate var isPerson: Bool { if case .node = identity { false } else { true } }
}

/// One reader's stream. It ends when the node does, and when the reader's rights do.
private struct EventStream: Sendable {
    /// Paths that one commit tells a reader who may not see everything.
    private static let pathsOfCommit = 100
    /// Heartbeats, and the looks at the reader's rights, are this far apart, in microseconds.
    private static let beat: UInt64 = 2_000_000

    let call: Call
    let request: EventRequest

    private var hub: EventHub { call.node.events }

    func send(to writer: inout any ResponseBodyWriter) async throws {
        let reader = hub.join(wantsPaths: request.wantsPaths)
        defer { hub.leave(reader) }
        var position = reader.start
        var principal = call.principal
        var isMissing = false
        if let lastID = request.lastID {
            if let number = number(of: lastID, principal), case .events = hub.events(after: number) {
                position = number
            } else {
                isMissing = true
            }
        }
        // Where the reader goes on from: one that is cut off before the first event must not resume behind it.
        try await writer.write(ready(principal, id: position))
        if isMissing { try await writer.write(resync(principal, id: position)) }
        let clock = call.node.clock
        var nextBeat = clock.monotonicMicroseconds() + EventStream.beat
        while true {
            guard let current = try await holder() else { return }
            var buffer = ByteBuffer()
            if current.rules != principal.rules, request.kinds.contains(.commit) {
                // What was hidden may be visible now, without having changed.
                buffer.writeImmutableBuffer(message("commit", id: nil) { $0.field("rights", true) })
            }
            principal = current
            switch hub.events(after: position) {
            case .closed: return
            case .missed(let newest):
                position = newest
                buffer.writeImmutableBuffer(resync(principal, id: newest))
            case .events(let events):
                for event in events {
                    if case .commit(let notice) = event.payload, !principal.seesEverything {
                        try await writeScoped(notice, event, for: principal, to: &buffer)
                    } else {
                        write(event, for: principal, to: &buffer)
                    }
                    position = event.number
                }
            }
            if clock.monotonicMicroseconds() >= nextBeat {
                writeBeat(to: &buffer)
                nextBeat = clock.monotonicMicroseconds() + EventStream.beat
            }
            if buffer.readableBytes > 0 {
                try await writer.write(buffer)
            } else {
                let now = clock.monotonicMicroseconds()
                await reader.wait(upTo: .microseconds(nextBeat > now ? Int64(nextBeat - now) : 0))
                try Task.checkCancellation()
            }
        }
    }

    /// Whoever reads, with the rights that they have now; nil if the stream is to end.
    private func holder() async throws -> Principal? {
        if case .node(let id) = call.principal.identity {
            // A node's token is for one request; what counts is what it is as a member.
            return try call.node.principal(of: id)
        }
        return try? await Call.authenticate(call.request, call.node)
    }

    // MARK: Names

    /// Numbers count what happened. To those who may not see everything they are sealed.
    private func id(_ number: UInt64, _ principal: Principal) -> String {
        if principal.seesEverything { return "\(hub.run)-\(number)" }
        let bytes = withUnsafeBytes(of: number.bigEndian) { Array($0) }
        return "\(hub.run)-" + Cursor.encode(call.node.seal.close(bytes, .event, for: principal))
    }

    private func number(of id: String, _ principal: Principal) -> UInt64? {
        let parts = id.split(separator: "-", maxSplits: 1)
        guard parts.count == 2, parts[0] == hub.run else { return nil }
        if principal.seesEverything { return UInt64(parts[1]) }
        guard let sealed = try? Cursor.decode(String(parts[1])), let bytes = call.node.seal.open(sealed, .event, for: principal), bytes.count == 8
        else { return nil }
        return bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }

    // MARK: Events

    private func ready(_ principal: Principal, id number: UInt64) -> ByteBuffer {
        message("ready", id: id(number, principal)) { json in
            json.field("node_id", call.node.id.description)
            if principal.seesEverything { json.fields(of: call.database.head) }
            json.field("virtual_time", time: Int64(call.node.clock.wallMicroseconds()) * 1000)
        }
    }

    private func resync(_ principal: Principal, id number: UInt64) -> ByteBuffer {
        message("resync", id: id(number, principal)) { json in
            json.field("reason", "events were missed; look at everything anew")
        }
    }

    private func writeBeat(to buffer: inout ByteBuffer) {
        guard request.kinds.contains(.heartbeat) else {
            // So that neither side takes a quiet connection for a dead one.
            buffer.writeString(": \n\n")
            return
        }
        let now = call.node.clock.wallMicroseconds()
        buffer.writeImmutableBuffer(message("heartbeat", id: nil) { json in
            json.field("intent_time", now)
            json.field("construct_time", call.node.clock.wallMicroseconds())
            json.field("node_id", call.node.id.description)
        })
    }

    private func write(_ event: Event, for principal: Principal, to buffer: inout ByteBuffer) {
        let seesAll = principal.seesEverything
        switch event.payload {
        case .commit(let notice):
            guard request.kinds.contains(.commit) else { return }
            let visible = notice.paths.filter { shows($0, to: principal) }
            // Where not all paths are told, what the reader waits for may be among the rest.
            guard !visible.isEmpty || notice.hasMore || seesAll && request.prefix == nil else { return }
            buffer.writeImmutableBuffer(message("commit", id: id(event.number, principal)) { json in
                if seesAll { json.fields(of: notice.head) }
                json.field("at", time: Int64(notice.head.commit.time.microseconds) * 1000)
                guard request.wantsPaths else { return }
                json.key("paths")
                json.array { json in for path in visible { json.value(path.description) } }
                json.field("more", notice.hasMore)
            })
        case .conflict(let path, let losers):
            guard request.kinds.contains(.conflict), shows(path, to: principal) else { return }
            buffer.writeImmutableBuffer(message("conflict", id: id(event.number, principal)) { json in
                json.field("path", path.description)
                json.field("losers", losers)
            })
        case .resolved(let path):
            guard request.kinds.contains(.resolved), shows(path, to: principal) else { return }
            buffer.writeImmutableBuffer(message("resolved", id: id(event.number, principal)) { $0.field("path", path.description) })
        case .peer(let info):
            guard request.kinds.contains(.peer), seesAll else { return }
            writeEncoded("peer", info, id: id(event.number, principal), to: &buffer)
        case .progress(let report):
            guard request.kinds.contains(.progress), seesAll else { return }
            writeEncoded("progress", report, id: id(event.number, principal), to: &buffer)
        case .care(let task):
            guard request.kinds.contains(.progress), seesAll, principal.isPerson else { return }
            writeEncoded("progress", CareProgress(task: task), id: id(event.number, principal), to: &buffer)
        }
    }

    /// A commit for one who may not see everything: only where something that they may see has changed, whatever else has.
    private func writeScoped(_ notice: CommitNotice, _ event: Event, for principal: Principal, to buffer: inout ByteBuffer) async throws {
        guard request.kinds.contains(.commit) else { return }
        let (database, limit) = (call.database, request.wantsPaths ? EventStream.pathsOfCommit : 0)
        let prefix = request.prefix
        let (paths, isMore) = try await database.threads.run {
            try database.view.changes(from: notice.before, to: notice.head.commit.files, within: prefix, rules: principal.rules, limit: limit)
        }
        guard !paths.isEmpty || isMore else { return }
        buffer.writeImmutableBuffer(message("commit", id: id(event.number, principal)) { json in
            json.field("at", time: Int64(notice.head.commit.time.microseconds) * 1000)
            guard request.wantsPaths else { return }
            json.key("paths")
            json.array { json in for path in paths { json.value(path.description) } }
            json.field("more", isMore)
        })
    }

    private func shows(_ path: TreePath, to principal: Principal) -> Bool {
        (request.prefix.map { path.isWithin($0) } ?? true) && (principal.may(.list, path) || principal.may(.read, path))
    }

    // MARK: The format

    private func message(_ name: StaticString, id: String?, _ fields: (inout JSONWriter) -> Void) -> ByteBuffer {
        var json = JSONWriter()
        json.object(fields)
        var body = json.buffer
        return message(name, id: id, &body)
    }

    private func writeEncoded(_ name: StaticString, _ value: some Encodable, id: String, to buffer: inout ByteBuffer) {
        // These types encode without fail; an event that did would be left out.
        guard let bytes = try? JSON.encode(value) else { return }
        var body = ByteBuffer(bytes: bytes)
        buffer.writeImmutableBuffer(message(name, id: id, &body))
    }

    private func message(_ name: StaticString, id: String?, _ body: inout ByteBuffer) -> ByteBuffer {
        var buffer = ByteBuffer()
        if let id { buffer.writeString("id: \(id)\n") }
        buffer.writeStaticString("event: ")
        buffer.writeStaticString(name)
        buffer.writeStaticString("\ndata: ")
        buffer.writeBuffer(&body)
        buffer.writeStaticString("\n\n")
        return buffer
    }
}

extension JSONWriter {
    fileprivate mutating func fields(of head: Head) {
        field("root", head.commit.files.root)
        field("system_root", head.commit.system.root)
        field("head", head.hash)
        field("clock", head.commit.time.description)
    }
}

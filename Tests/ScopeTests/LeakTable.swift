import Causality
import Content
import Merkle
import Replication

/// What is tried of a route to find out something about a path that may not be seen, or about an object in it.
struct Probe {
    var target: (_ hidden: String) -> String
    var headers: [String: String] = [:]
    var body: (_ hidden: String, _ hash: ContentHash) -> [UInt8] = { _, _ in [] }
    /// Whether the answer has something of chance in it, so that two are never the same.
    var isRandom = false

    init(_ target: @escaping (_ hidden: String) -> String, headers: [String: String] = [:]) {
        self.target = target
        self.headers = headers
    }

    init(_ target: String = "", json: @escaping (_ hidden: String, _ hash: ContentHash) -> String, isRandom: Bool = false) {
        self.target = { _ in target }
        headers = ["Content-Type": "application/json"]
        body = { Array(json($0, $1).utf8) }
        self.isRandom = isRandom
    }

    init(_ target: String = "", bytes: @escaping (_ hidden: String, _ hash: ContentHash) throws -> [UInt8], isRandom: Bool = false) {
        self.target = { _ in target }
        body = { (try? bytes($0, $1)) ?? [] }
        self.isRandom = isRandom
    }

    static func path(_ suffix: String, json: String? = nil, headers: [String: String] = [:]) -> Probe {
        var probe = Probe({ $0 + suffix }, headers: headers)
        if let json { probe.body = { hidden, _ in Array(json.replacing("HIDDEN", with: hidden).utf8) } }
        return probe
    }
}

/// Every route and what is tried of it. A route that is not here fails the test: think of what a caller could ask it about what the
/// caller may not see, and put that here; nothing, where it takes nothing that could name it and says nothing of the state.
enum LeakTable {
    static func frame(_ hash: ContentHash) -> [UInt8] {
        var bytes: [UInt8] = []
        ObjectFrame.Header.absent(.chunk, hash).encode(to: &bytes)
        return bytes + [ObjectFrame.end]
    }

    static func raw(_ hash: ContentHash) -> [UInt8] { hash.withBytes { Array($0) } }

    /// - Parameters:
    ///   - cursor: that the caller was given.
    ///   - node: the caller's.
    static func probes(cursor: [UInt8], node: Actor, now: UInt64) -> [String: [Probe]] {
        func register(_ hash: ContentHash, past: [Dot] = []) -> Register {
            let file = FileValue(content: FileContent(root: hash, height: 0, size: 100), mediaType: "text/plain", modifiedAt: 0)
            let dot = Dot(timestamp: Timestamp(microseconds: now), actor: node)
            return Register(Version(dot: dot, past: VersionVector(past), value: .file(file)))
        }
        func part(_ path: String, _ hash: ContentHash, bases: [ContentBase] = []) throws -> [UInt8] {
            let record = PushRecord(path: try TreePath(path), register: register(hash), bases: bases)
            return PushPart.encoded(isLast: true, ticket: [], cursor: cursor, records: record.encoded())
        }
        func content(_ path: String, _ root: ContentHash) throws -> [UInt8] {
            let places = [0, 1, ContentPlace.attributes].map { ContentPlace(height: $0, offset: 0) }
            return ContentRequest(cursor: cursor, files: [.init(path: try TreePath(path), root: root, places: places)]).encoded()
        }
        func changes(_ cursor: [UInt8], _ globs: [String]) -> [UInt8] {
            var encoder = CanonicalEncoder()
            encoder.write(cursor)
            encoder.write(globs.count)
            for glob in globs { encoder.write(glob) }
            return encoder.bytes
        }
        func commit(_ path: String, _ hash: ContentHash) -> [UInt8] {
            var encoder = CanonicalEncoder()
            encoder.write(1)
            encoder.write(path)
            encoder.write(byte: 0)
            register(hash).versions[0].value.encode(to: &encoder)
            return encoder.bytes
        }
        func rooted(_ hash: ContentHash) -> [UInt8] {
            var encoder = CanonicalEncoder()
            encoder.write(hash)
            encoder.write(0)
            return encoder.bytes
        }
        let owner = Probe { _ in "" }
        return [
            "GET /files/{path...}": [
                Probe { _ in "/files/" }, Probe { _ in "/files/?recursive=true&limit=10000" }, Probe { _ in "/files/?glob=**" },
                Probe { _ in "/files/?glob=/hidden-qz/*" }, Probe { _ in "/files/hidden-qz/" }, Probe { _ in "/files/hidden-qz?recursive=true" },
                Probe { _ in "/files/.conflicts/?recursive=true" }, Probe { _ in "/files/.conflicts/hidden-qz/?recursive=true" },
                Probe { _ in "/files/.system/members" }, .path(""), .path("/"), .path("?chunks=true"), .path("", headers: ["Range": "bytes=0-3"]),
                .path("", headers: ["If-None-Match": "*"]), Probe { "/files/.conflicts" + $0.dropFirst(6) }, Probe { _ in "/files/assets/?recursive=true" },
                .path("?at=2026-11-25T12:00:00Z"), .path("?recursive=true&limit=1"),
            ],
            "PUT /files/{path...}": [.path(""), .path("", headers: ["If-None-Match": "*"]), .path("", headers: ["If-Match": "*"]), .path("/"),
                Probe("/files/assets/stolen?chunks=true", bytes: { raw($1) }), Probe("/files/assets/stolen?chunks=true", bytes: { raw($1) + raw($1) }),
            ],
            "DELETE /files/{path...}": [.path(""), .path("?recursive=true"), Probe { _ in "/files/hidden-qz?recursive=true" }],
            "PATCH /files/{path...}": [.path("", json: #"{"to": "/assets/stolen"}"#), Probe("/files/assets/one", json: { hidden, _ in #"{"to": "\#(hidden.dropFirst(6))"}"# })],
            "POST /files/copy": [
                Probe("/files/copy", json: { hidden, _ in #"{"from": "\#(hidden.dropFirst(6))", "to": "/assets/stolen"}"# }),
                Probe("/files/copy", json: { hidden, _ in #"{"from": "/assets/one", "to": "\#(hidden.dropFirst(6))"}"# }),
            ],
            "POST /bulk/missing": [Probe("/bulk/missing", bytes: { raw($1) })],
            "POST /bulk/objects": [Probe("/bulk/objects", bytes: { frame($1) })],
            "POST /bulk/commit": [
                Probe("/bulk/commit", bytes: { commit(String($0.dropFirst(6)), $1) }), Probe("/bulk/commit", bytes: { commit("/assets/stolen", $1) }),
            ],
            "GET /sync/conflicts": [Probe { _ in "/sync/conflicts" }, Probe { _ in "/sync/conflicts?prefix=/hidden-qz" }, Probe { "/sync/conflicts?prefix=" + $0.dropFirst(6) }],
            "POST /sync/conflicts/{path...}": [Probe { "/sync/conflicts" + $0.dropFirst(6) }],
            "POST /sync/diff": [
                Probe("/sync/diff", json: { _, _ in #"{"since": null}"# }, isRandom: true),
                Probe("/sync/diff", json: { hidden, _ in #"{"since": null, "paths": ["\#(hidden.dropFirst(6))", "/hidden-qz/**"]}"# }, isRandom: true),
                Probe("/sync/diff", json: { _, hash in #"{"since": "\#(hash)"}"# }),
            ],
            "GET /sync/status": [Probe({ _ in "/sync/status" }).random],
            "GET /sync/identity": [Probe({ _ in "/sync/identity" }).random],
            "GET /sync/scope": [Probe({ _ in "/sync/scope" }).random],
            "GET /sync/peers": [Probe { _ in "/sync/peers" }],
            "GET /sync/members": [Probe { _ in "/sync/members" }],
            "POST /sync/peers": [Probe("/sync/peers", json: { _, _ in #"{"address": "http://nobody:1"}"# })],
            "PATCH /sync/peers/{node_id}": [Probe({ _ in "/sync/peers/\(node.node)" })],
            "DELETE /sync/peers/{node_id}": [Probe { _ in "/sync/peers/\(node.node)" }],
            "PATCH /sync/members/{node_id}": [Probe({ _ in "/sync/members/\(node.node)" })],
            "DELETE /sync/members/{node_id}": [Probe { _ in "/sync/members/\(node.node)" }],
            "POST /sync/invitations": [Probe("/sync/invitations", json: { _, _ in "{}" })],
            "POST /sync/join": [Probe("/sync/join", json: { _, hash in
                #"{"token": "x", "node_id": "\#(hash)", "public_key": "\#(hash)", "signature": "00"}"#
            }).random],
            "POST /sync/join-cluster": [Probe("/sync/join-cluster", json: { _, _ in #"{"address": "http://nobody:1", "token": "x"}"# })],
            "POST /sync/trigger": [Probe("/sync/trigger", json: { _, _ in "{}" })],
            "POST /sync/drop": [Probe("/sync/drop", json: { _, _ in "{}" })],
            "POST /sync/acknowledge": [Probe("/sync/acknowledge", json: { _, _ in #"{"clock": 1, "caught_up": 1, "seen": {}}"# })],
            "POST /sync/pull": [Probe { _ in "/sync/pull" }.random],
            "POST /sync/heartbeat": [Probe("/sync/heartbeat", json: { _, _ in
                #"{"intent_time": \#(now), "construct_time": \#(now), "node_id": "\#(node.node)"}"#
            }, isRandom: true)],
            "POST /sync/nodes": [Probe("/sync/nodes", bytes: { raw($1) })],
            "POST /sync/chunks": [Probe("/sync/chunks", bytes: { raw($1) })],
            "POST /sync/changes": [Probe("/sync/changes", bytes: { rooted($1) }), Probe("/sync/changes?tree=system", bytes: { rooted($1) })],
            "POST /sync/scoped/changes": [
                Probe("/sync/scoped/changes", bytes: { _, _ in changes([], []) }, isRandom: true),
                Probe("/sync/scoped/changes", bytes: { hidden, _ in changes(cursor, [String(hidden.dropFirst(6)), "/hidden-qz/**"]) }, isRandom: true),
                Probe("/sync/scoped/changes", bytes: { _, hash in changes(raw(hash), []) }, isRandom: true),
                Probe("/sync/scoped/changes?tree=system", bytes: { _, _ in changes([], []) }),
            ],
            "POST /sync/scoped/objects": [
                Probe("/sync/scoped/objects", bytes: { try content(String($0.dropFirst(6)), $1) }),
                Probe("/sync/scoped/objects", bytes: { try content("/assets/one", $1) }),
                Probe("/sync/scoped/objects?tree=system", bytes: { try content("/members/\(node.node)", $1) }),
            ],
            "POST /sync/push/missing": [
                Probe("/sync/push/missing", bytes: { MissingRequest(bases: [], hashes: [$1]).encoded() }),
                Probe("/sync/push/missing", bytes: { hidden, hash in
                    let path = try TreePath(String(hidden.dropFirst(6)))
                    return MissingRequest(bases: [ContentBase(path: path, root: hash)], hashes: [hash]).encoded()
                }),
            ],
            "POST /sync/push/objects": [Probe("/sync/push/objects", bytes: { frame($1) })],
            "POST /sync/push": [
                Probe("/sync/push", bytes: { try part(String($0.dropFirst(6)), $1) }),
                Probe("/sync/push", bytes: { try part("/assets/stolen", $1) }),
                Probe("/sync/push", bytes: { hidden, hash in
                    try part("/assets/stolen", hash, bases: [ContentBase(path: try TreePath(String(hidden.dropFirst(6))), root: hash)])
                }),
                Probe("/sync/push?tree=system", bytes: { try part("/members/x", $1) }),
            ],
            "POST /auth/token": [Probe("/auth/token", json: { _, _ in #"{"api_key": "pando_0000000000000000_\#(String(repeating: "0", count: 64))"}"# }).random],
            "POST /auth/refresh": [Probe("/auth/refresh", json: { _, _ in #"{"refresh_token": "x"}"# }).random],
            "POST /auth/keys": [Probe("/auth/keys", json: { hidden, _ in
                #"{"label": "more", "rules": [{"path": "\#(hidden.dropFirst(6))", "allow": ["read"]}]}"#
            })],
            "GET /auth/keys": [Probe { _ in "/auth/keys" }],
            "DELETE /auth/keys/{id}": [Probe { _ in "/auth/keys/0000000000000000" }],
            // A session is its holder in a cookie, and knows what they do.
            "POST /auth/session": [Probe("/auth/session", json: { _, _ in "" }).random],
            "GET /auth/session": [Probe { _ in "/auth/session" }],
            "DELETE /auth/session": [Probe { _ in "/auth/session" }],
            "POST /archives": [
                Probe("/archives", json: { _, _ in #"{"paths": ["/"], "format": "tar"}"# }).random, Probe("/archives", json: { hidden, _ in #"{"paths": ["\#(hidden.dropFirst(6))"]}"# }),
                Probe("/archives", json: { hidden, _ in #"{"paths": ["/assets", "\#(hidden.dropFirst(6))"]}"# }),
            ],
            // What an archive holds has a test of its own.
            "GET /archives/{id}/{name}": [Probe { _ in "/archives/\(String(repeating: "0", count: 32))/files.zip" }],
            "GET /": [Probe({ _ in "/" }).random],
            "GET /console/{version}/{name}": [Probe { _ in "/console/0/console.js" }],
            "GET /versions/history": [Probe { _ in "/versions/history" }, Probe { _ in "/versions/history?limit=1" }],
            "GET /versions/history/{path...}": [
                Probe { "/versions/history" + $0.dropFirst(6) }, Probe { _ in "/versions/history/hidden-qz" }, Probe { _ in "/versions/history/assets" },
            ],
            "GET /versions/diff": [
                Probe { _ in "/versions/diff?from=2026-11-25T12:00:00Z" }.random, Probe { "/versions/diff?from=now&path=" + $0.dropFirst(6) },
                Probe { "/versions/diff?from=now&format=text&path=" + $0.dropFirst(6) },
            ],
            "POST /versions/restore": [
                Probe("/versions/restore", json: { hidden, _ in #"{"path": "\#(hidden.dropFirst(6))", "at": "now"}"# }),
                Probe("/versions/restore", json: { _, _ in #"{"path": "/", "at": "now", "preview": true}"# }),
            ],
            "GET /versions/snapshots": [Probe { _ in "/versions/snapshots" }],
            "GET /versions/snapshots/{name}": [Probe { _ in "/versions/snapshots/none" }],
            "POST /versions/snapshots": [Probe("/versions/snapshots", json: { _, _ in #"{"name": "mine"}"# })],
            "DELETE /versions/snapshots/{name}": [Probe { _ in "/versions/snapshots/none" }],
            "GET /versions/retention": [Probe { _ in "/versions/retention" }],
            "PUT /versions/retention": [Probe("/versions/retention", json: { _, _ in #"{"rules": []}"# })],
            "GET /sync/copies": [Probe { "/sync/copies?path=" + $0.dropFirst(6) }, Probe { _ in "/sync/copies?path=/" }],
            "POST /sync/copies": [Probe("/sync/copies", json: { hidden, hash in
                #"{"path": "\#(hidden.dropFirst(6))", "kind": "file", "root": "\#(hash)", "size": 100, "height": 0}"#
            })],
            "GET /system/export": [Probe { _ in "/system/export" }],
            "POST /system/gc": [Probe("/system/gc", json: { _, _ in #"{"dry_run": true}"# })],
            "POST /system/scrub": [Probe("/system/scrub", json: { _, _ in "{}" })],
            "POST /system/verify": [Probe("/system/verify", json: { _, _ in "{}" })],
            "GET /system/tasks": [Probe { _ in "/system/tasks" }],
            "GET /system/tasks/{id}": [Probe { _ in "/system/tasks/none" }],
            "DELETE /system/tasks/{id}": [Probe { _ in "/system/tasks/none" }],
            "GET /versions/commits": [Probe { _ in "/versions/commits" }],
            "GET /metrics": [Probe { _ in "/metrics" }],
            "GET /openapi.json": [Probe { _ in "/openapi.json" }],
            "GET /health/live": [Probe { _ in "/health/live" }],
            "GET /health/ready": [Probe { _ in "/health/ready" }],
            // Never ends by itself: it has a test of its own.
            "GET /events": [owner],
        ]
    }
}

extension Probe {
    /// The same, whose answers are never the same.
    var random: Probe {
        var probe = self
        probe.isRandom = true
        return probe
    }
}

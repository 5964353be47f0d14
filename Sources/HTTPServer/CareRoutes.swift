import HTTPTypes
import Hummingbird
import Node

/// Collection, scrub and verification as tasks: `POST` starts one, `GET` follows it, `DELETE` ends it. For people who run the node.
func addCareRoutes(to routes: inout Routes) {
    routes.on(.post, "/system/gc") { call in
        try await start(.gc, call) { fields throws(Problem) in
            (try fields.flag("dry_run") ?? false, try fields.rate())
        }
    }
    routes.on(.post, "/system/scrub") { call in
        try await start(.scrub, call) { fields throws(Problem) in (false, try fields.rate()) }
    }
    routes.on(.post, "/system/verify") { call in
        try await start(.verify, call) { _ throws(Problem) in (false, nil) }
    }
    routes.on(.get, "/system/tasks") { call in
        try call.requireOwner()
        return try .encoded(ItemPage(call.node.tasks, call, isDescending: true) { "\($0.startedAt) \($0.id)" })
    }
    routes.on(.get, "/system/tasks/{id}") { call in
        try call.refuseQuery()
        try call.requireOwner()
        return try .encoded(call.node.task(call.capture(0)))
    }
    routes.on(.delete, "/system/tasks/{id}") { call in
        try call.refuseQuery()
        try call.requireOwner()
        try call.node.cancelTask(call.capture(0))
        return Response(status: .accepted)
    }
}

/// 202 with the task, which goes on by itself.
private func start(
    _ kind: CareTask.Kind, _ call: Call, _ read: (inout JSONFields) throws(Problem) -> (isDryRun: Bool, rate: UInt64?)
) async throws -> Response {
    try call.refuseQuery()
    try call.requireOwner()
    var fields = try await call.fields(orNone: true)
    let options = try read(&fields)
    try fields.finish()
    return try .encoded(await call.node.startTask(kind, isDryRun: options.isDryRun, rate: options.rate), status: .accepted)
}

extension JSONFields {
    /// Bytes a second; nil for as fast as it goes, where it is left away, too: somebody waits for it.
    fileprivate mutating func rate() throws(Problem) -> UInt64? {
        try integer("rate", in: 1...Int.max).map { UInt64($0) }
    }
}

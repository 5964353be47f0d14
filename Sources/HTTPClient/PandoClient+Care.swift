import AsyncHTTPClient
import NIOHTTP1

extension PandoClient {
    /// Starts a task: `gc`, `scrub` or `verify`.
    ///
    /// - Parameter rate: bytes a second; nil for as fast as it goes.
    public func startTask(_ kind: String, isDryRun: Bool = false, rate: UInt64? = nil) async throws -> TaskItem {
        var body: [String: JSONValue] = [:]
        if isDryRun { body["dry_run"] = .bool(true) }
        if let rate { body["rate"] = .integer(Int64(clamping: rate)) }
        return try await document(.POST, "/system/" + kind, body: JSONValue.object(body), isRepeatable: false)
    }

    public func tasks() async throws -> [TaskItem] { try await all("/system/tasks") }

    public func task(_ id: String) async throws -> TaskItem {
        try await document(.GET, "/system/tasks/" + PercentEncoding.component(id))
    }
}

import NIOHTTP1
import Node

extension PandoClient {
    /// Which members hold what is at a path.
    ///
    /// - Parameter verify: whether they are to read and hash all of it again, and sign what they found.
    public func copies(of path: String, verify: Bool) async throws -> CopyReport {
        try await document(.GET, "/sync/copies" + PercentEncoding.query([("path", path), ("verify", verify ? "true" : nil)]))
    }
}

import AsyncHTTPClient
import NIOHTTP1

extension PandoClient {
    /// A backup of the node as a stream of bytes.
    ///
    /// - Parameters:
    ///   - state: a snapshot's name, a commit or a root; nil for the newest state.
    ///   - since: the same, of the backup that this one goes on from.
    ///   - commit: of one that broke off, whose bytes from `offset` on are wanted.
    public func export(state: String?, since: String?, commit: String? = nil, offset: UInt64 = 0) async throws -> ByteStream {
        let query = [("state", state), ("since", since), ("commit", commit), ("offset", offset == 0 ? nil : String(offset))]
        let response = try await send(.GET, "/system/export" + PercentEncoding.query(query))
        return ByteStream(body: response.body, url: url)
    }
}

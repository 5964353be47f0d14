import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What a running node says about itself in its data directory.
struct LocalEndpoint: Decodable {
    var url: String
    var nodeID: String?
    var pid: Int32?

    enum CodingKeys: String, CodingKey {
        case url, pid
        case nodeID = "node_id"
    }

    /// The endpoint of the node that runs on a directory, or nil where none does.
    static func running(in dataDirectory: String) -> LocalEndpoint? {
        guard let data = FileManager.default.contents(atPath: dataDirectory + "/endpoint.json"),
            let endpoint = try? JSONDecoder().decode(LocalEndpoint.self, from: data)
        else { return nil }
        // A node that was killed leaves its file behind. A process of someone else answers EPERM.
        if let pid = endpoint.pid, pid > 0, kill(pid, 0) != 0, errno == ESRCH { return nil }
        return endpoint
    }
}

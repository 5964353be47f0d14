import Access
import Foundation
import Node

/// The node that keeps its data in a directory of this machine.
struct LocalNode {
    /// The data directory that the configuration file names.
    static func configuredDirectory() throws -> String? {
        let named = ProcessInfo.processInfo.environment["PANDO_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        guard case .text(let directory)? = try ConfigurationFile.find(named)?.values[.data] else { return nil }
        return directory
    }

    /// How many seconds the node's time was ahead of this machine's when it was last written down.
    static func clockCorrection(dataDirectory: String) -> Double {
        Double(NodeClock.storedCorrection(directory: dataDirectory)) / 1e6
    }

    /// A token that the node in `dataDirectory` accepts, signed with the key that its owner can read.
    static func token(dataDirectory: String) async throws -> String {
        let key: NodeKey?
        do {
            key = try NodeKey.existing(directory: dataDirectory)
        } catch {
            throw Failure("cannot read the node's key: \(error)")
        }
        guard let key else {
            throw Failure("no node has run in \(dataDirectory); start one with 'pando serve --data \(dataDirectory)', or name another directory with --data")
        }
        return try await Tokens.owner(key, directory: dataDirectory)
    }
}

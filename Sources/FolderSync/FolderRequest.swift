import Causality
import Content
import FileDatabase
import Foundation
import Merkle
import Node
import Platform

/// Something that a command asks of a folder's database, which only one process has open: a running sync, or else the command itself.
public enum FolderRequest: Codable, Sendable {
    /// The conflicts at and below a path.
    case conflicts(under: String)
    /// Settles the conflict at a path: `winner`, `loser` or a version's name.
    case resolve(path: String, pick: String)
}

/// What came of it, as the routes of the API tell it.
public struct FolderAnswer: Codable, Sendable {
    public struct Version: Codable, Sendable {
        public var version: String
        public var node: String
        public var timestamp: String
        public var size: UInt64?
        public var contentType: String?
        public var contentHash: String?
        public var deleted: Bool
        public var path: String?

        enum CodingKeys: String, CodingKey {
            case version, node, timestamp, size, deleted, path
            case contentType = "content_type"
            case contentHash = "content_hash"
        }
    }

    public struct Conflict: Codable, Sendable {
        public var path: String
        public var kind: String
        public var winner: Version?
        public var losers: [Version]
    }

    public var conflicts: [Conflict] = []
    /// The version that a resolved path has now.
    public var resolved: Version?
    /// Why it was refused.
    public var error: String?
}

extension FolderState {
    /// Conflicts that one answer tells.
    private static let maximumConflicts = 10_000

    /// Does what a request asks. What a resolution changes is brought into the folder by whoever syncs it.
    public func answer(_ request: FolderRequest) async -> FolderAnswer {
        var answer = FolderAnswer()
        do {
            switch request {
            case .conflicts(let under):
                let path = try TreePath(under)
                let view = database.view
                let (items, _) = try await database.threads.run { try view.conflicts(at: path, limit: FolderState.maximumConflicts) }
                answer.conflicts = items.map { FolderAnswer.Conflict($0) }
            case .resolve(let text, let pick):
                let path = try TreePath(text)
                let choice: ConflictPick = switch pick {
                case "winner": .winner
                case "loser": .loser
                default: .version(pick)
                }
                answer.resolved = try await database.resolve(path, pick: choice).map { FolderAnswer.Version($0) }
            }
        } catch {
            answer.error = "\(error)"
        }
        return answer
    }

    /// Carries out a request without the server, and shows the result in the folder at once.
    public func carryOut(_ request: FolderRequest) async throws -> FolderAnswer {
        // What was edited since the last sync is an edit of what was there then.
        if case .resolve = request { _ = try await absorb(nil, confirmsDeletions: false) }
        let answer = await answer(request)
        if case .resolve = request, answer.error == nil { _ = try await place(from: NoRemote(), confirmsDeletions: false) }
        return answer
    }
}

/// Stands for a server that is not asked.
private struct NoRemote: FolderRemote {
    var trouble: String? { "not connected" }
    var refusals: [FolderNotice] { [] }

    func exchange() async throws -> ExchangeOutcome { throw FolderError(.unreachable, "not connected") }
    func pull() async throws { throw FolderError(.unreachable, "not connected") }
    func fetch(_ wanted: [WantedChunk], _ deliver: @escaping @Sendable (WantedChunk, [UInt8]) async throws -> Void) async throws {
        throw FolderError(.unreachable, "some of the content is not here; it comes once the server can be reached")
    }
    func goLive() {}
    func stopLive() {}
}

extension FolderAnswer.Conflict {
    init(_ conflict: Conflict) {
        path = conflict.path.description
        kind = conflict.kind.rawValue
        winner = conflict.winner.map { FolderAnswer.Version($0, at: conflict.path) }
        losers = conflict.losers.map { FolderAnswer.Version($0, at: TreeView.conflictsPath(of: $0, at: conflict.path)) }
    }
}

extension FolderAnswer.Version {
    init(_ version: Causality.Version, at path: TreePath? = nil) {
        self.version = version.dot.description
        node = version.dot.actor.node.description
        timestamp = Date(timeIntervalSince1970: Double(version.dot.timestamp.microseconds) / 1e6)
            .formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        deleted = version.value.isTombstone
        self.path = path?.description
        if case .file(let file) = version.value {
            size = file.content.size
            contentType = file.mediaType
            contentHash = file.content.root.description
        }
    }
}

// MARK: - From another process

/// Requests to a running sync: files in a directory of the folder's state. Whoever may write there may do anything to the folder
/// anyway.
public struct FolderRequests: Sendable {
    private static let patience = Duration.seconds(20)
    private static let pause = Duration.milliseconds(50)

    private let path: String

    public init(folder: String) {
        path = FolderLayout(folder: folder).state + "/requests"
    }

    /// Asks the process that syncs the folder, and waits for its answer.
    public func ask(_ request: FolderRequest) async throws -> FolderAnswer {
        _ = try OperatingSystemDisk(path: path)
        let name = "\(path)/\(UUID().uuidString)"
        try PrivateFile.write(Array(JSONEncoder().encode(request)), to: name + ".request")
        defer {
            PrivateFile.remove(name + ".request")
            PrivateFile.remove(name + ".answer")
        }
        let end = ContinuousClock.now + FolderRequests.patience
        while ContinuousClock.now < end {
            if let bytes = try PrivateFile.read(name + ".answer") { return try JSONDecoder().decode(FolderAnswer.self, from: Data(bytes)) }
            try await Sleep.wait(FolderRequests.pause)
        }
        throw FolderError(.inUse, "the sync that runs does not answer")
    }

    /// Answers what waits.
    func answerAll(_ state: FolderState) async {
        guard let directory = try? DirectoryHandle(path: path), let names = try? directory.names() else { return }
        for name in names.map({ String(decoding: $0, as: UTF8.self) }) where name.hasSuffix(".request") {
            guard let bytes = try? PrivateFile.read("\(path)/\(name)") else { continue }
            PrivateFile.remove("\(path)/\(name)")
            var answer = FolderAnswer()
            if let request = try? JSONDecoder().decode(FolderRequest.self, from: Data(bytes)) {
                answer = await state.answer(request)
            } else {
                answer.error = "the request is not one of this version"
            }
            guard let encoded = try? JSONEncoder().encode(answer) else { continue }
            // Whoever asked waits for a while, and then says so.
            try? PrivateFile.write(Array(encoded), to: "\(path)/\(name.dropLast(8)).answer")
        }
    }
}

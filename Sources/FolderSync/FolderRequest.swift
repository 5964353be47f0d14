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
    /// Brings the folder and the server together, and answers when they are.
    ///
    /// - Parameter confirmsDeletions: whether deletions that would be held are carried out; nil, as earlier programs ask, for no.
    case once(confirmsDeletions: Bool?)
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
    /// What came of bringing the two together.
    public var summary: FolderSummary?
    /// Why it was refused.
    public var error: String?

    public init() {}
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
            case .once: answer.error = "no sync of this folder is running"
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

    func meet() async throws { throw FolderError(.unreachable, "not connected") }
    func exchange() async throws -> ExchangeOutcome { throw FolderError(.unreachable, "not connected") }
    func pull() async throws { throw FolderError(.unreachable, "not connected") }
    func fetch(_ wanted: [WantedChunk], _ deliver: @escaping @Sendable ([ArrivedChunk]) throws -> Void) async throws {
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
    /// How long a request may lie there before a running sync takes it up.
    private let patience: Duration
    private static let pause = Duration.milliseconds(5)

    private let path: String

    public init(folder: String, patience: Duration = .seconds(20)) {
        self.patience = patience
        path = FolderLayout(folder: folder).requests
    }

    /// Asks the process that syncs the folder, and waits for its answer for as long as that process lives.
    ///
    /// - Parameter pid: of the process, where it is known.
    public func ask(_ request: FolderRequest, of pid: Int? = nil) async throws -> FolderAnswer {
        _ = try OperatingSystemDisk(path: path)
        let id = UUID().uuidString
        let name = "\(path)/\(id)"
        try put(Array(JSONEncoder().encode(request)), as: id + ".request")
        defer {
            PrivateFile.remove(name + ".request")
            PrivateFile.remove(name + ".answer")
        }
        let end = ContinuousClock.now + patience
        while true {
            if let bytes = try PrivateFile.read(name + ".answer") { return try JSONDecoder().decode(FolderAnswer.self, from: Data(bytes)) }
            let isTaken = try PrivateFile.read(name + ".request") == nil
            guard ContinuousClock.now < end || isTaken && (pid.map { RunningProcess.exists($0) } ?? false) else {
                throw FolderError(.inUse, "the sync that runs does not answer")
            }
            try await Sleep.wait(FolderRequests.pause)
        }
    }

    /// Answers what can be answered at once.
    /// - Returns: the names of the requests to bring the two together, which are answered once they are, and whether any of them confirms
    ///   deletions.
    func answerAll(_ state: FolderState) async -> (waiting: [String], confirmsDeletions: Bool) {
        guard let directory = try? DirectoryHandle(path: path), let names = try? directory.names() else { return ([], false) }
        var waiting: [String] = []
        var confirmsDeletions = false
        for name in names.map({ String(decoding: $0, as: UTF8.self) }) where name.hasSuffix(".request") {
            guard let bytes = try? PrivateFile.read("\(path)/\(name)") else { continue }
            PrivateFile.remove("\(path)/\(name)")
            let request = try? JSONDecoder().decode(FolderRequest.self, from: Data(bytes))
            if case .once(let confirms)? = request {
                waiting.append(name)
                confirmsDeletions = confirmsDeletions || confirms == true
                continue
            }
            var answer = FolderAnswer()
            if let request {
                answer = await state.answer(request)
            } else {
                answer.error = "the request is not one of this version"
            }
            send(answer, to: name)
        }
        return (waiting, confirmsDeletions)
    }

    func send(_ answer: FolderAnswer, to request: String) {
        // Whoever asked waits for a while, and then says so.
        guard let encoded = try? JSONEncoder().encode(answer) else { return }
        try? put(Array(encoded), as: "\(request.dropLast(8)).answer")
    }

    /// Shows the whole file or none. A power cut takes it back, and whoever waits for it with it, so that it need not be durable.
    private func put(_ bytes: [UInt8], as name: String) throws {
        let directory = try DirectoryHandle(path: path)
        let beside = Array("\(name).new".utf8)
        let file = try directory.create(beside)
        try bytes.withUnsafeBytes { try file.write($0, at: 0) }
        _ = try directory.replace(directory, Array(name.utf8), with: beside)
    }
}

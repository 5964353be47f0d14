import Foundation
import HTTPClient
import Platform
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Fetches files and folders from a node, several at a time.
final class Fetch: Sendable {
    private static let workers = 8

    private let client: PandoClient
    private let progress: Progress
    private let at: String?
    private let threads = BlockingThreads(count: 4, name: "fetch")
    private let state = Mutex(State())

    private struct State {
        /// Folders that are known to be there.
        var folders: Set<String> = []
        var errors: [String] = []
        var errorCount = 0
    }

    private static let maximumErrors = 1000

    init(_ client: PandoClient, at: String?, progress: Progress) {
        self.client = client
        self.at = at
        self.progress = progress
    }

    /// - Returns: What went wrong with single files.
    func run(_ roots: [RemoteItem]) async throws -> [String] {
        let walk = RemoteWalk(roots, client: client, at: at, progress: progress)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<Fetch.workers {
                group.addTask { [self] in
                    while let item = try await walk.next() { try await fetch(item) }
                }
            }
            try await group.waitForAll()
        }
        return state.withLock { state in
            let hidden = state.errorCount - state.errors.count
            return hidden > 0 ? state.errors + ["\(Output.count(hidden, "more error"))"] : state.errors
        }
    }

    private func fetch(_ item: RemoteItem) async throws {
        do {
            switch item.item.kind {
            case .directory:
                try await threads.run { [self] in try makeFolder(item.local) }
            case .symlink:
                guard let target = item.item.target else {
                    throw Failure("\(item.item.path): the node does not say where this link leads")
                }
                try await threads.run { [self] in
                    try makeParent(of: item.local)
                    try Fetch.link(item.local, to: target)
                }
                progress.update { $0.files += 1 }
            case .file:
                try await threads.run { [self] in try makeParent(of: item.local) }
                try await FileFetch(
                    client: client, threads: threads, progress: progress, item: item.item, target: item.local, at: at
                ).run()
            }
        } catch let error as ClientError where error.status == nil && error.title == "no connection" {
            throw error
        } catch let error as ClientError where error.status == 401 {
            throw error
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            state.withLock { state in
                state.errorCount += 1
                if state.errors.count < Fetch.maximumErrors { state.errors.append("\(error)") }
            }
        }
    }

    // MARK: Folders

    private func makeParent(of path: String) throws {
        guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return }
        try makeFolder(String(path[..<slash]))
    }

    /// Makes a folder and those above it.
    private func makeFolder(_ path: String) throws {
        if state.withLock({ $0.folders.contains(path) }) { return }
        if let status = try LocalFile.status(of: path) {
            // A link could lead anywhere, so nothing is written through one that lies among what is fetched.
            guard status.kind == .directory else {
                throw Failure("\(path): is in the way: the node has a folder there")
            }
        } else {
            try makeParent(of: path)
            guard mkdir(path, 0o777) == 0 || errno == EEXIST else { throw Failure("\(path): \(LocalFile.reason())") }
        }
        _ = state.withLock { $0.folders.insert(path) }
    }

    /// Folders that the user named may be links.
    func trust(folder: String) {
        _ = state.withLock { $0.folders.insert(folder) }
    }

    // MARK: Links

    private static func link(_ path: String, to target: String) throws {
        if let status = try LocalFile.status(of: path) {
            if status.kind == .symlink, try LocalFile.target(ofLink: path) == target { return }
            guard status.kind != .directory else { throw Failure("\(path): is a folder, and the node has a link there") }
        }
        let part = PartFile(target: path).path
        unlink(part)
        guard symlink(target, part) == 0 else { throw Failure("\(part): \(LocalFile.reason())") }
        guard rename(part, path) == 0 else { throw Failure("\(path): \(LocalFile.reason())") }
    }
}

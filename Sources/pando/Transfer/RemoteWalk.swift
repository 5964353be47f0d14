import HTTPClient
import Merkle

/// Something on the node and where it goes on this machine.
struct RemoteItem: Sendable {
    var item: ListItem
    var local: String
}

/// Hands out what is at and below paths of the node, page by page.
actor RemoteWalk {
    private let client: PandoClient
    private let at: String?
    private let progress: Progress
    private var roots: ArraySlice<RemoteItem>
    private var page: ArraySlice<RemoteItem> = []
    private var cursor: String?
    private var folder: RemoteItem?
    private var fetching: Task<Void, any Error>?

    init(_ roots: [RemoteItem], client: PandoClient, at: String?, progress: Progress) {
        self.roots = roots[...]
        self.client = client
        self.at = at
        self.progress = progress
    }

    func next() async throws -> RemoteItem? {
        while true {
            if let item = page.popFirst() { return item }
            // One page is fetched for all that wait for it.
            if let fetching {
                try await fetching.value
                continue
            }
            guard folder != nil || !roots.isEmpty else { return nil }
            let task = Task { try await fetch() }
            fetching = task
            try await task.value
        }
    }

    private func fetch() async throws {
        // Here and not where it was started: who waits for it must not find it running when it is over.
        defer { fetching = nil }
        if folder == nil {
            guard let root = roots.popFirst() else { return }
            if root.item.kind == .directory { folder = root }
            add([root])
            if roots.isEmpty, folder == nil { progress.update { $0.isCounted = true } }
            return
        }
        guard let folder else { return }
        let listed: Page<ListItem> = try await client.list(
            folder.item.path, recursive: true, at: at, after: cursor, limit: 10_000)
        let base = folder.item.path == "/" ? "/" : folder.item.path + "/"
        add(try listed.items.map { item in
            // The node names the paths; none may lead out of the folder.
            guard item.path.hasPrefix(base), let path = try? TreePath(item.path), path.description == item.path else {
                throw ClientError(title: "unexpected answer", detail: "the node listed '\(item.path)' below \(folder.item.path)")
            }
            return RemoteItem(item: item, local: LocalFile.join(folder.local, String(item.path.dropFirst(base.count))))
        })
        cursor = listed.next
        if cursor == nil {
            self.folder = nil
            if roots.isEmpty { progress.update { $0.isCounted = true } }
        }
    }

    private func add(_ items: [RemoteItem]) {
        page += items
        progress.update { state in
            for item in items where item.item.kind != .directory {
                state.totalFiles += 1
                state.totalBytes += item.item.size ?? 0
            }
        }
    }
}

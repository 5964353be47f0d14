import Causality
import Content
import FileDatabase
import Merkle
import Objects
import Platform

/// What a sync would do, found out without doing it.
public struct FolderPreview: Sendable {
    public struct Direction: Sendable {
        public var files = 0
        public var bytes: UInt64 = 0
        public var deletions = 0
    }

    public var sending = Direction()
    /// Its bytes are those that would cross the network: what the folder has already is left out.
    public var receiving = Direction()
    public var notices: [FolderNotice] = []
}

extension FolderSync {
    /// Names that a preview tells.
    private static let maximumAliases = 10_000

    /// What a sync would do. Learns of the server's changes, and changes neither the folder nor the server.
    public func preview() async throws -> FolderPreview {
        try await remote.pull()
        return try await state.database.threads.run { [state] in
            try state.requireFolder()
            let scan = try state.look(nil)
            var preview = FolderPreview()
            preview.notices = scan.notices + (try state.index.read { try $0.allAliases(limit: FolderSync.maximumAliases) }).map { alias in
                FolderNotice(.renamed, alias.path.joined(separator: "/"), "stands here as '\(alias.name)'")
            }
            preview.sending.files = scan.changedCount
            preview.sending.bytes = scan.changedBytes
            preview.sending.deletions = try state.index.read {
                try LostFiles(LostWalk(scan, in: state.root), scan, isSought: false, in: $0).count
            }
            let placement = Placement(state: state, placed: try state.index.read { try $0.placed() }, view: state.database.view)
            var seen: Set<ContentHash> = []
            try placement.eachDifference { difference in
                if difference.lostFile != nil, !difference.after.isVisible { preview.receiving.deletions += 1 }
                guard case .write(let value) = difference.step else { return true }
                preview.receiving.files += 1
                guard case .file(let file) = value, seen.insert(file.content.root).inserted else { return true }
                let chunks = (try? state.database.placedChunks(of: file.content)) ?? []
                let missing = Set(try state.database.store.missing(among: chunks.map(\.hash)))
                preview.receiving.bytes += chunks.reduce(0) { $0 + (missing.contains($1.hash) ? UInt64($1.size) : 0) }
                return true
            }
            return preview
        }
    }
}

/// What there is to know of one path of a folder.
public struct FolderExplanation: Sendable {
    public init() {}

    /// What decides whether it is ignored; nil where no pattern matches.
    public var ignore: IgnoreDecision?
    /// Whether it is the sync's or the database's own, and never synced.
    public var isReserved = false
    public var isInScope = true
    /// The name in the folder, where it is another than in the tree.
    public var alias: String?
    /// Whether the folder knows it.
    public var isKnown = false
    /// The version that is current; nil where there is none.
    public var current: Version?
    public var losers: [Version] = []

    /// Why the current version won over the others.
    public var reason: String? {
        guard let current, let loser = losers.last else { return nil }
        if loser.value.isTombstone { return "a modification stands over a deletion" }
        return loser.dot < current.dot ? "it was saved last" : "it was made by somebody who had seen the other"
    }
}

extension FolderState {
    /// Explains a path of the tree. Blocks.
    public func explain(_ path: TreePath) throws -> FolderExplanation {
        var explanation = FolderExplanation()
        explanation.ignore = try FolderState.ignoreDecision(path, folder: layout.folder)
        explanation.isReserved = FolderState.isReserved(path)
        explanation.isInScope = scope.includes(path)
        if let (_, name, row) = try index.read({ try $0.find(path) }) {
            explanation.isKnown = true
            if row.treeName != nil { explanation.alias = String(decoding: name, as: UTF8.self) }
        }
        if let entry = try database.view.entry(at: path) {
            explanation.current = entry.current ?? entry.register?.winner
            explanation.losers = entry.losers
        }
        return explanation
    }

    public static func isReserved(_ path: TreePath) -> Bool { FolderScope.isReserved(path) }

    /// Which pattern decides of a path, those of the directories above it first. Needs nothing but the folder.
    public static func ignoreDecision(_ path: TreePath, folder: String) throws -> IgnoreDecision? {
        // Nil below a directory that is not there, of which the patterns above it say what they would say.
        var handle: DirectoryHandle? = try DirectoryHandle(path: folder)
        var rules = IgnoreStack()
        var decision: IgnoreDecision?
        for (index, name) in path.names.enumerated() {
            let names = Array(path.names[...index])
            if let handle { rules = rules.adding(try IgnoreList(in: handle, names: Array(names.dropLast()))) }
            let isDirectory = index < path.names.count - 1 ? true : try handle?.status(Array(name.utf8))?.kind == .directory
            decision = rules.decision(names, isDirectory: isDirectory)
            if decision?.isIgnored == true { return decision }
            handle = try handle?.directory(Array(name.utf8))
        }
        return decision
    }
}

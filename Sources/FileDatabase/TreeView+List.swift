import Access
import Causality
import Content
import Merkle

/// What a listing shows of what is there.
public struct ListOptions: Sendable {
    /// Everything below, not only what is directly in the directory.
    public var recursive = false
    public var glob: Glob?
    /// Items at the most.
    public var limit = 1000
    /// The path that the last page ended with.
    public var after: TreePath?
    /// Rules that let only some paths be listed, and the directories on the way to them; nil for all.
    public var rules: RuleSet?

    public init() {}
}

/// A page of a listing.
public struct Listing: Sendable {
    public var items: [FileInfo]
    /// Where the next page goes on; nil on the last one.
    public var next: TreePath?
}

extension TreeView {
    /// What a user sees at a path, `/.conflicts/` included; nil if that is nothing.
    public func info(at path: TreePath) throws -> FileInfo? {
        if path.names.first == TreeView.conflictsName { return try conflictsInfo(at: path) }
        return try entry(at: path).flatMap { FileInfo(path, $0) }
    }

    /// A page of a directory's listing, in order of path.
    public func list(_ path: TreePath, _ options: ListOptions) throws -> Listing {
        try asDatabaseErrors {
            if path.names.first == TreeView.conflictsName { return try listConflicts(path, options) }
            guard let directory = try entry(at: path)?.subtree else { return Listing(items: [], next: nil) }
            // Losers, deleted names and what the reader may not see are passed over without costing a place.
            let shown = Shown(options)
            var items: [FileInfo] = []
            var walk = try directory.walk(at: path, after: options.after, in: nodes, where: \.isVisible) { place in
                options.recursive && shown.isShown(below: place) && shown.canMatch(below: place)
            }
            while let (place, entry) = try walk.next() {
                guard let info = FileInfo(place, entry), shown.matches(place),
                    shown.isShown(place) || info.kind == .directory && shown.isShown(below: place)
                else { continue }
                if items.count == options.limit { return Listing(items: items, next: items.last?.path) }
                items.append(info)
            }
            return Listing(items: items, next: nil)
        }
    }
}

/// What a listing may show. A class, because the walk and its reader look at it in turn.
final class Shown {
    private var rules: RuleCursor?
    private var glob: GlobCursor?

    init(_ options: ListOptions) {
        rules = options.rules.map { RuleCursor($0) }
        glob = options.glob.map { GlobCursor([$0]) }
    }

    init(_ rules: RuleSet) {
        self.rules = RuleCursor(rules)
    }

    func matches(_ path: TreePath) -> Bool { glob?.matches(path) ?? true }

    func canMatch(below path: TreePath) -> Bool { glob?.canMatch(below: path) ?? true }

    func isShown(_ path: TreePath) -> Bool { rules?.allows(.list, path) ?? true }

    /// Whether anything at or below the path may be, which also shows the directory on the way to it.
    func isShown(below path: TreePath) -> Bool { rules?.mayAllow(.list, below: path) ?? true }
}

// MARK: - /.conflicts/

extension TreeView {
    /// The name of the view of losing versions, at the root: `/.conflicts/PATH/VERSION`.
    public static let conflictsName = ".conflicts"

    /// The names that are not files' or directories' at the root.
    public static func isReserved(_ path: TreePath) -> Bool {
        path.names.first == conflictsName || path.names.first == ".system"
    }

    /// Where a losing version is read.
    public static func conflictsPath(of version: Version, at path: TreePath) -> TreePath {
        root(conflictsName).appending(path.names[...]).appending(version.dot.description)
    }

    private static func root(_ name: String) -> TreePath {
        TreePath.root.appending(name)
    }

    private func conflictsInfo(at path: TreePath) throws -> FileInfo? {
        let place = TreePath.root.appending(path.names.dropFirst())
        if let version = place.name, let parent = place.parent, !parent.isRoot,
            let loser = try loser(named: version, at: parent), !loser.value.isTombstone
        {
            return FileInfo(loser: loser, at: path)
        }
        guard let entry = try entry(at: place), entry.aggregates.conflicts > 0 || place.isRoot else { return nil }
        return FileInfo(conflictsDirectory: path, conflicts: entry.aggregates.conflicts)
    }

    /// A directory of the view: the names below it that lead to losers, and the losers of the path itself.
    private func listConflicts(_ path: TreePath, _ options: ListOptions) throws -> Listing {
        let top = TreePath.root.appending(path.names.dropFirst())
        guard let entry = try entry(at: top) else { return Listing(items: [], next: nil) }
        // A path's losers stand among its children, so the view is put in order before it is cut into pages.
        let shown = Shown(options)
        var items: [FileInfo] = []
        func add(_ info: FileInfo) {
            if let after = options.after, info.path <= after { return }
            if shown.matches(info.path) { items.append(info) }
        }
        func addLosers(of entry: Entry, at place: TreePath) {
            guard shown.isShown(place) else { return }
            for loser in entry.losers where !loser.value.isTombstone {
                add(FileInfo(loser: loser, at: TreeView.conflictsPath(of: loser, at: place)))
            }
        }
        if !top.isRoot { addLosers(of: entry, at: top) }
        if let directory = entry.subtree {
            var walk = try directory.walk(at: top, in: nodes, where: { $0.conflicts > 0 }) { place in
                options.recursive && shown.isShown(below: place)
            }
            while let (place, entry) = try walk.next() {
                guard entry.aggregates.conflicts > 0, shown.isShown(place) || shown.isShown(below: place) else { continue }
                // A directory that only leads on is shown if it leads to a conflict that is.
                if let rules = options.rules, try !hasConflict(at: place, rules: rules) { continue }
                let view = path.appending(place.names.dropFirst(top.depth))
                add(FileInfo(conflictsDirectory: view, conflicts: entry.aggregates.conflicts))
                if options.recursive { addLosers(of: entry, at: place) }
            }
        }
        items.sort { $0.path < $1.path }
        if items.count > options.limit {
            items.removeLast(items.count - options.limit)
            return Listing(items: items, next: items.last?.path)
        }
        return Listing(items: items, next: nil)
    }
}

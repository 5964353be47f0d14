import Merkle

/// The patterns of one `.pandoignore` file.
public struct IgnoreList: Sendable {
    /// The name of the files that hold patterns, in any directory of the folder.
    public static let fileName = ".pandoignore"
    /// A longer file is no list of patterns.
    static let maximumSize = 1 << 20

    /// The file, for messages: its path in the folder.
    let source: String
    /// How many names deep its directory is.
    let depth: Int
    let patterns: [(line: Int, pattern: IgnorePattern)]

    public init(_ bytes: [UInt8], source: String, depth: Int) {
        self.source = source
        self.depth = depth
        var rest = bytes[...]
        if rest.starts(with: [0xef, 0xbb, 0xbf]) { rest = rest.dropFirst(3) }
        var patterns: [(line: Int, pattern: IgnorePattern)] = []
        for (index, line) in rest.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            if let pattern = IgnorePattern(line) { patterns.append((index + 1, pattern)) }
        }
        self.patterns = patterns
    }

    /// What no one wants on another desk: what systems and programs keep for themselves. A folder's own list can take any of
    /// it back.
    public static let defaults = IgnoreList(
        Array("""
            .DS_Store
            .Spotlight-V100/
            .Trashes/
            .fseventsd/
            .TemporaryItems/
            .DocumentRevisions-V100/
            Thumbs.db
            ehthumbs.db
            desktop.ini
            $RECYCLE.BIN/
            System Volume Information/
            .Trash-*/
            .directory
            .nfs*
            .fuse_hidden*
            ~$*
            .~lock.*#
            .#*
            .*.sw[op]
            *.crdownload
            *.part
            """.utf8),
        source: "the defaults", depth: 0)
}

/// Why a name is ignored, or why it is not.
public struct IgnoreDecision: Sendable {
    public var isIgnored: Bool
    /// The pattern that decided.
    public var pattern: String
    /// Where it stands.
    public var source: String
    /// Counted from 1.
    public var line: Int
}

/// The lists that bear on the names of one directory: of the folder's own files, the deeper ones and the later lines come
/// before the others.
public struct IgnoreStack: Sendable {
    private var lists: [IgnoreList]

    public init(_ lists: [IgnoreList] = [.defaults]) {
        self.lists = lists
    }

    /// With the list of a directory further down.
    public func adding(_ list: IgnoreList?) -> IgnoreStack {
        guard let list, !list.patterns.isEmpty else { return self }
        return IgnoreStack(lists + [list])
    }

    /// What the patterns say of a name; nil if none matches. What lies in an ignored directory is ignored, which is for the
    /// caller to know.
    ///
    /// - Parameter names: from the folder down to the name itself.
    public func decision(_ names: [String], isDirectory: Bool) -> IgnoreDecision? {
        guard let last = names.last else { return nil }
        return decision(Array(last.utf8)[...], in: names.dropLast(), isDirectory: isDirectory)
    }

    func ignores(_ names: [String], isDirectory: Bool) -> Bool {
        decision(names, isDirectory: isDirectory)?.isIgnored ?? false
    }

    /// The same, of a name in a directory. Where no pattern asks for it, the path is not put together.
    func decision(_ name: ArraySlice<UInt8>, in directory: ArraySlice<String>, isDirectory: Bool) -> IgnoreDecision? {
        for list in lists.reversed() where directory.count >= list.depth {
            var path: [UInt8]?
            for (line, pattern) in list.patterns.reversed() {
                let text: ArraySlice<UInt8>
                if pattern.matchesName {
                    text = name
                } else {
                    let made = path ?? Array(directory.dropFirst(list.depth).map { $0 + "/" }.joined().utf8) + name
                    path = made
                    text = made[...]
                }
                if pattern.matches(text, isDirectory: isDirectory) {
                    return IgnoreDecision(isIgnored: !pattern.isNegated, pattern: pattern.text, source: list.source, line: line)
                }
            }
        }
        return nil
    }
}

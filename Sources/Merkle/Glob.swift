/// A pattern over paths: `?` is one character, `*` any run of them within a name, `**` any run of whole names.
///
/// A pattern is anchored at the root; one without a leading slash matches at any depth, as `**/PATTERN` does.
/// `/a/**` matches everything below `/a` and `/a` itself.
public struct Glob: Hashable, Sendable, CustomStringConvertible {
    public static let maximumLength = 4096
    /// Parts of a pattern behind its first `**`, where somebody asks for it: a match may stand at each of them, so each costs a comparison
    /// for every name that is looked at.
    public static let maximumOpenParts = 64

    enum Part: Hashable, Sendable {
        case names  // **
        case pattern(NamePattern)
    }

    public let description: String
    let parts: [Part]

    public init(_ text: String) throws(InvalidPath) {
        guard !text.isEmpty else { throw InvalidPath(text, "is empty and matches nothing; use '**' for everything", isPattern: true) }
        guard text.utf8.count <= Glob.maximumLength else {
            throw InvalidPath(text, "is longer than \(Glob.maximumLength) bytes", isPattern: true)
        }
        guard !text.utf8.contains(0) else { throw InvalidPath(text, "has a NUL byte", isPattern: true) }
        description = text
        var parts: [Part] = text.utf8.first == UInt8(ascii: "/") ? [] : [.names]
        // By bytes, as paths are: a combining mark behind a slash makes another character of it.
        for part in text.utf8.split(separator: UInt8(ascii: "/")) {
            let name = Substring(part)
            if name == "**" {
                // Runs of ** mean what one means, and would only cost time.
                if parts.last != .names { parts.append(.names) }
            } else {
                parts.append(.pattern(NamePattern(name)))
            }
        }
        self.parts = parts
    }

    /// Reads a pattern that somebody asks for, which has to be one that many paths can be compared with.
    public init(asked text: String) throws(InvalidPath) {
        try self.init(text)
        let first = parts.firstIndex(of: .names) ?? parts.count
        guard parts.count - first <= Glob.maximumOpenParts + 1 else {
            throw InvalidPath(text, "has more than \(Glob.maximumOpenParts) names behind its first '**'", isPattern: true)
        }
    }

    // Matching simulates the pattern's automaton, so that no pattern takes exponential time: `Glob+Place.swift`.

    /// `**` or `/**`, which most keys have: not worth a simulation for each request.
    private var matchesEverything: Bool { parts.count == 1 && parts[0] == .names }

    /// The deepest directory that holds, or is, whatever the pattern matches: its leading names without wildcards.
    public var directory: TreePath {
        var names: [String] = []
        for part in parts {
            guard case .pattern(let pattern) = part, let name = pattern.onlyName else { break }
            names.append(name)
        }
        return TreePath(unchecked: names)
    }

    /// The one path that matches, where there are no wildcards.
    public var onlyPath: TreePath? {
        let directory = directory
        return directory.depth == parts.count ? directory : nil
    }

    /// Whether the pattern matches the path. O(parts × names).
    public func matches(_ path: TreePath) -> Bool {
        matchesEverything || matches(place(of: path))
    }

    /// Whether the pattern can match anything below the path.
    public func canMatch(below path: TreePath) -> Bool {
        matchesEverything || canMatch(below: place(of: path))
    }

    /// Whether the pattern matches everything below the path, whatever its name.
    public func matchesAll(below path: TreePath) -> Bool {
        matchesEverything || matchesAll(below: place(of: path))
    }
}

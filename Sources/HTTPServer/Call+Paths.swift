import Access
import FileDatabase
import HTTPTypes
import Merkle

/// A path as a URL has it.
struct FilePath {
    var path: TreePath
    /// Whether it ends in a slash, and so can only mean a directory.
    var hasSlash: Bool
}

extension Call {
    /// The path in the place of `{path...}`. Decoded name by name, so that an escaped slash does not make two names of one.
    ///
    /// - Throws: 400 with the rule that it breaks; 404 for `/.system/`, which nobody sees here.
    func filePath() throws -> FilePath {
        let bytes = tail.utf8
        if bytes.isEmpty { return FilePath(path: .root, hasSlash: true) }
        let hasSlash = bytes.last == UInt8(ascii: "/")
        let path: TreePath
        if bytes.contains(where: { $0 == UInt8(ascii: "%") || $0 >= 0x80 }) {
            let inner = hasSlash ? tail.dropFirst().dropLast() : tail.dropFirst()
            var names: [String] = []
            for part in inner.split(separator: "/", omittingEmptySubsequences: false) {
                guard let name = PercentDecoding.decode(part) else {
                    throw Problem(.badRequest, "the path has a name that is not percent-encoded UTF-8", path: String(tail.prefix(200)))
                }
                names.append(name)
            }
            path = try TreePath(names: names)
        } else {
            path = try TreePath(String(tail))
        }
        try Call.refuseSystem(path)
        return FilePath(path: path, hasSlash: hasSlash)
    }

    /// A path as text, from a JSON body or a query.
    static func filePath(_ text: String) throws -> TreePath {
        let path = try TreePath(text)
        try refuseSystem(path)
        return path
    }

    private static func refuseSystem(_ path: TreePath) throws(Problem) {
        if path.names.first == ".system" { throw Problem.notFound(path) }
    }
}

// MARK: - Rules

extension Call {
    /// Whether it may be told that there is something at a path, or below it.
    func mayKnow(_ path: TreePath) -> Bool {
        principal.may(.read, path) || mayList(path)
    }

    /// Whether a directory may be listed, if only for what is further down.
    func mayList(_ path: TreePath) -> Bool {
        principal.may(.list, path) || principal.rules.mayAllow(.list, below: path)
    }

    /// - Throws: 403 where the rules forbid it, 404 where they also forbid to know of the path.
    func require(_ permission: Permission, _ path: TreePath) throws(Problem) {
        if !principal.may(permission, path) { throw refusal(permission, path) }
    }

    /// The same for everything below a directory.
    func require(_ permission: Permission, below path: TreePath) throws(Problem) {
        if !principal.rules.allowsAll(permission, below: path) { throw refusal(permission, path) }
    }

    private func refusal(_ permission: Permission, _ path: TreePath) -> Problem {
        mayKnow(path)
            ? Problem(.forbidden, "the key's rules do not allow to \(permission.rawValue) here", path: path) : .notFound(path)
    }

    /// - Throws: 400 for `/.conflicts/` where a path is asked for that is more than a view: not the route is wrong, but what it is given.
    static func refuseViewed(_ path: TreePath) throws(Problem) {
        guard path.names.first == TreeView.conflictsName else { return }
        throw Problem(.badRequest, "/.conflicts/ is a view of what lies elsewhere; give the path that the conflict is at", path: path)
    }

    /// - Throws: 405 for `/.conflicts/`, which shows what is elsewhere.
    static func refuseView(_ path: TreePath) throws(Problem) {
        guard path.names.first == TreeView.conflictsName else { return }
        throw Problem.methodNotAllowed(
            [.get, .head], "/.conflicts/ is a view that cannot be written; settle conflicts with POST /sync/conflicts/PATH",
            path: path.description)
    }
}

import ArgumentParser
import Foundation
import Merkle

/// A path on the node as a person typed it.
struct RemotePath: ExpressibleByArgument, Sendable {
    /// Where it is, without a slash at its end unless it is the root.
    var path: String
    /// Whether it was written with a slash at its end: what is meant lies in it.
    var isDirectory: Bool
    /// Whether it was written as `PATH/.`: its content is meant, not itself.
    var meansContent: Bool

    init?(argument: String) {
        try? self.init(argument)
    }

    init(_ text: String) throws {
        var names: [String] = []
        let parts = text.split(separator: "/", omittingEmptySubsequences: true)
        meansContent = parts.last == "." && parts.count > 1
        for part in parts where part != "." {
            names.append(part.utf8.allSatisfy { $0 < 0x80 } ? String(part) : part.precomposedStringWithCanonicalMapping)
        }
        path = try TreePath(names: names).description
        isDirectory = text.hasSuffix("/") || names.isEmpty
    }

    init(path: String) {
        self.path = path
        isDirectory = false
        meansContent = false
    }

    var defaultValueDescription: String { path }

    /// Its last name; empty for the root.
    var name: String { RemotePath.name(of: path) }

    static func name(of path: String) -> String {
        String(path[path.index(after: path.lastIndex(of: "/") ?? path.startIndex)...])
    }

    /// The path of something in it.
    static func join(_ directory: String, _ name: String) -> String {
        directory == "/" ? "/" + name : directory + "/" + name
    }

    func appending(_ name: String) -> String { RemotePath.join(path, name) }
}

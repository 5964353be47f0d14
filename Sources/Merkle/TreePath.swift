import Content
import Foundation

/// A path or a name that breaks a rule; says which.
public struct InvalidPath: Error, Equatable, CustomStringConvertible {
    public var path: String
    /// What is wrong with it, as words behind "the path".
    public var reason: String
    /// Whether it is a pattern over paths, and the reason stands behind "the pattern".
    public var isPattern: Bool

    public init(_ path: String, _ reason: String, isPattern: Bool = false) {
        // An error must not grow with hostile input. Scalars, because a character has any number of them.
        self.path = String(path.unicodeScalars.prefix(200))
        self.reason = reason
        self.isPattern = isPattern
    }

    public var description: String { "\(isPattern ? "pattern" : "path") '\(path)': \(reason)" }
}

/// A place in the tree: names from the root down. The root itself has none.
///
/// Names are UTF-8 in normalisation form C, of 1 to 255 bytes, without `/` and NUL, and are not `.` or `..`; the whole
/// path has at most 4,096 bytes. Names are compared by their bytes; see `String.isSameName(as:)`.
public struct TreePath: Hashable, Comparable, Sendable, CustomStringConvertible {
    public static let maximumNameLength = 255
    public static let maximumLength = 4096
    public static let root = TreePath(unchecked: [])

    public private(set) var names: [String]

    init(unchecked names: [String]) {
        self.names = names
    }

    /// Reads `/a/b`; a slash at the end is allowed and means nothing.
    public init(_ text: String) throws(InvalidPath) {
        guard text.utf8.first == UInt8(ascii: "/") else { throw InvalidPath(text, "must start with '/'") }
        guard text.utf8.count <= TreePath.maximumLength else {
            throw InvalidPath(text, "is longer than \(TreePath.maximumLength) bytes")
        }
        var rest = text.utf8.dropFirst()
        if rest.count > 1, rest.last == UInt8(ascii: "/") { rest = rest.dropLast() }
        names = []
        if rest.isEmpty { return }
        for part in rest.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            let name = String(Substring(part))
            if let reason = TreePath.fault(inName: name) { throw InvalidPath(text, reason) }
            names.append(name)
        }
    }

    public init(names: [String]) throws(InvalidPath) {
        for name in names {
            if let reason = TreePath.fault(inName: name) { throw InvalidPath("/" + names.joined(separator: "/"), reason) }
        }
        self.names = names
        guard length <= TreePath.maximumLength else {
            throw InvalidPath(description, "is longer than \(TreePath.maximumLength) bytes")
        }
    }

    /// The rule that a name breaks, or nil.
    public static func fault(inName name: String) -> String? {
        let bytes = name.utf8
        if bytes.isEmpty { return "has an empty name" }
        if bytes.count > maximumNameLength { return "has a name of \(bytes.count) bytes; \(maximumNameLength) are allowed" }
        if name == "." || name == ".." { return "has the name '\(name)', which is not allowed" }
        var isASCII = true
        for byte in bytes {
            if byte == 0 { return "has a NUL byte in a name" }
            if byte == UInt8(ascii: "/") { return "has a '/' in a name" }
            if byte >= 0x80 { isASCII = false }
        }
        // Comparing bytes, because strings compare equal across normalisation forms.
        if !isASCII, !name.precomposedStringWithCanonicalMapping.utf8.elementsEqual(bytes) {
            return "has a name that is not in Unicode normalisation form C"
        }
        return nil
    }

    public var isRoot: Bool { names.isEmpty }
    public var name: String? { names.last }
    public var depth: Int { names.count }

    /// Bytes of the description.
    public var length: Int { names.isEmpty ? 1 : names.reduce(0) { $0 + 1 + $1.utf8.count } }

    public var parent: TreePath? {
        names.isEmpty ? nil : TreePath(unchecked: names.dropLast())
    }

    /// The path of a child whose name is known to be valid.
    public func appending(_ name: String) -> TreePath {
        TreePath(unchecked: names + [name])
    }

    public func appending(_ other: ArraySlice<String>) -> TreePath {
        TreePath(unchecked: names + other)
    }

    /// Whether this is the other path or below it.
    public func isWithin(_ other: TreePath) -> Bool {
        names.starts(with: other.names) { $0.isSameName(as: $1) }
    }

    public var description: String { "/" + names.joined(separator: "/") }

    public static func == (left: TreePath, right: TreePath) -> Bool {
        left.names.elementsEqual(right.names) { $0.isSameName(as: $1) }
    }

    /// The order of a walk through the tree: name by name.
    public static func < (left: TreePath, right: TreePath) -> Bool {
        for (mine, other) in zip(left.names, right.names) where !mine.isSameName(as: other) {
            return mine.sortsBefore(other)
        }
        return left.names.count < right.names.count
    }
}

// Swift compares strings by canonical equivalence as the Unicode version of its own tables has it, and Foundation, which
// tells what is in form C, has another version. So two names can both be in form C and still be equal as strings, and
// nodes built with different versions would sort them differently. Bytes are the same everywhere.
extension String {
    func isSameName(as other: String) -> Bool {
        utf8.elementsEqual(other.utf8)
    }

    /// Whether the name stands before another in a directory.
    public func sortsBefore(_ other: String) -> Bool {
        utf8.lexicographicallyPrecedes(other.utf8)
    }
}

import Causality
import Content

/// What a name in a directory holds: a file register, a subdirectory, or both.
public struct Entry: Hashable, Sendable {
    public var name: String
    public var register: Register?
    /// Never an empty directory tree: that is no subdirectory at all.
    public var subtree: Subtree?

    public init(name: String, register: Register? = nil, subtree: Subtree? = nil) {
        self.name = name
        self.register = register
        self.subtree = subtree
    }

    public var isEmpty: Bool { register == nil && subtree == nil }
}

// MARK: - What users see

extension Entry {
    /// Whether the name is a directory now: something is in it, or it was made as one.
    public var isDirectory: Bool {
        subtree?.aggregates.isVisible == true || register?.winner.value == .directory
    }

    /// The file or symbolic link that the name is now. A directory of the same name hides it.
    public var current: Version? {
        guard let winner = register?.winner, !isDirectory, !winner.value.isTombstone else { return nil }
        return winner
    }

    public var isVisible: Bool { isDirectory || current != nil }

    /// Whether a directory stands where the register has a file or a link.
    public var hidesFile: Bool {
        guard isDirectory, let winner = register?.winner else { return false }
        return winner.value != .directory && !winner.value.isTombstone
    }

    /// The versions that lost, in the order of their dots: the register's losers, and its winner too where a
    /// directory stands in its place.
    public var losers: [Version] {
        guard let register else { return [] }
        var losers = register.losers
        if isDirectory {
            let winner = register.winner
            switch winner.value {
            case .file, .symlink: losers.append(winner)
            case .directory, .tombstone: break
            }
            // Beside a directory, that somebody deleted the file is no news.
            losers.removeAll { $0.value.isTombstone }
            losers.sort { $0.dot < $1.dot }
        }
        return losers
    }

    /// Sums over this name: itself and what is below.
    public var aggregates: Aggregates {
        var sums = subtree?.aggregates ?? .zero
        guard let register else { return sums }
        // A lone version without a directory beside it is no conflict; that is nearly always so.
        if register.versions.count > 1 || subtree != nil, !losers.isEmpty { sums.conflicts &+= 1 }
        if let current {
            sums.files &+= 1
            if case .file(let file) = current.value { sums.bytes &+= file.content.size }
        }
        if register.winner.value == .directory { sums.directories &+= 1 }
        for version in register.versions where version.value.isTombstone { sums.tombstones &+= 1 }
        return sums
    }
}

// MARK: - Encoding

extension Entry {
    enum Holds {
        static let register: UInt8 = 1
        static let subtree: UInt8 = 2
    }

    func encode(to encoder: inout CanonicalEncoder) {
        encoder.write(name)
        encoder.write(byte: (register == nil ? 0 : Holds.register) | (subtree == nil ? 0 : Holds.subtree))
        register?.encode(to: &encoder)
        subtree?.encode(to: &encoder)
    }

    func encoded() -> [UInt8] {
        var encoder = CanonicalEncoder(reserving: 160)
        encode(to: &encoder)
        return encoder.bytes
    }

    /// Reads an entry; the decoder's range is exactly the entry's.
    init(from decoder: inout CanonicalDecoder) throws(MalformedBytes) {
        name = try decoder.readText(limit: TreePath.maximumNameLength)
        let holds = try decoder.readByte()
        guard holds > 0, holds <= Holds.register | Holds.subtree else { throw decoder.malformed("entry that holds nothing known") }
        register = holds & Holds.register == 0 ? nil : try Register(from: &decoder)
        subtree = holds & Holds.subtree == 0 ? nil : try Subtree(from: &decoder)
        guard subtree?.root != TreeNode.empty.hash else { throw decoder.malformed("subdirectory without entries") }
        try decoder.finish()
    }
}

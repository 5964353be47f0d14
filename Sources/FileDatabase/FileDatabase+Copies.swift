import Causality
import Content
import Merkle
import Objects

extension FileDatabase {
    /// Content that nodes can hold copies of.
    public enum CopyTarget: Hashable, Sendable {
        case file(FileContent, attributes: ContentHash?)
        /// A directory with everything below, versions that lost included.
        case directory(ContentHash)

        /// Its hash: of a file the content hash, of a directory its root.
        public var root: ContentHash {
            switch self {
            case .file(let content, _): content.root
            case .directory(let root): root
            }
        }
    }

    /// What a look at a copy found.
    public struct CopyCheck: Sendable {
        /// Each counted once.
        public var objects: UInt64 = 0
        /// Their bytes.
        public var bytes: UInt64 = 0
        /// What is missing or damaged; nil if nothing is.
        public var fault: String?
    }

    /// What is at a path now; nil for nothing and for a symbolic link, which has no content.
    public func copyTarget(at path: TreePath) throws -> CopyTarget? {
        guard let entry = try view.entry(at: path) else { return nil }
        if path.isRoot || entry.isDirectory { return .directory(entry.subtree?.root ?? TreeNode.empty.hash) }
        guard case .file(let file)? = entry.current?.value else { return nil }
        return .file(file.content, attributes: file.attributes)
    }

    /// Whether all of something is here, whichever state it is of. Blocks.
    ///
    /// - Parameter rereads: whether every byte is read from the disk again and hashed; otherwise the index is believed.
    public func checkCopy(of target: CopyTarget, rereads: Bool) throws -> CopyCheck {
        var look = CopyLook(store: store, rereads: rereads)
        do {
            switch target {
            case .file(let content, let attributes):
                if let attributes { try look.look(at: attributes, .attributes) }
                try look.look(at: content)
            case .directory(let root):
                guard root != TreeNode.empty.hash else { break }
                let nodes = CopyNodes(store: store, rereads: rereads)
                var walk = try Subtree(root: root, aggregates: .zero).walk(in: nodes)
                while let (_, entry) = try walk.next() {
                    for case .file(let file) in entry.register?.versions.map(\.value) ?? [] {
                        if let attributes = file.attributes { try look.look(at: attributes, .attributes) }
                        try look.look(at: file.content)
                    }
                }
                look.check.objects += nodes.counts.objects
                look.check.bytes += nodes.counts.bytes
            }
        } catch let error as StoreError where error.code == .missing || error.code == .damaged {
            look.check.fault = error.description
        } catch let error as MalformedBytes {
            look.check.fault = error.description
        } catch {
            throw DatabaseError(error)
        }
        return look.check
    }
}

/// One look at a copy. Memory grows with the number of objects, by their hashes alone.
private struct CopyLook {
    let store: ObjectStore
    let rereads: Bool
    var check = FileDatabase.CopyCheck()
    private var seen: Set<ContentHash> = []

    init(store: ObjectStore, rereads: Bool) {
        self.store = store
        self.rereads = rereads
    }

    mutating func look(at content: FileContent) throws {
        var stack = [(hash: content.root, height: content.height, size: content.size, isRoot: true, isLast: true)]
        while let place = stack.popLast() {
            guard !seen.contains(place.hash) else { continue }
            guard place.height > 0 else {
                let size = try look(at: place.hash, .chunk)
                guard size == place.size else { throw MalformedBytes("chunk \(place.hash) has another size than its manifest says") }
                continue
            }
            let bytes = try rereads ? store.reread(place.hash, .manifest) : store.read(place.hash, .manifest)
            count(place.hash, UInt64(bytes.count))
            let node = try ManifestNode(
                decoding: bytes, height: place.height, size: place.size, isRoot: place.isRoot, isLast: place.isLast)
            for (index, child) in node.children.enumerated().reversed() {
                stack.append((child.hash, place.height - 1, child.size, false, place.isLast && index == node.children.count - 1))
            }
        }
    }

    /// - Returns: the object's bytes.
    @discardableResult
    mutating func look(at hash: ContentHash, _ kind: ObjectKind) throws -> UInt64 {
        let size: UInt64
        if rereads {
            size = UInt64(try store.reread(hash, kind).count)
        } else {
            guard let location = try store.location(of: hash), location.kind == kind, !store.damagedObjects.contains(hash) else {
                throw StoreError(.missing, "\(kind) \(hash) is missing", hash: hash)
            }
            size = UInt64(location.rawLength)
        }
        count(hash, size)
        return size
    }

    private mutating func count(_ hash: ContentHash, _ size: UInt64) {
        guard seen.insert(hash).inserted else { return }
        check.objects += 1
        check.bytes += size
    }
}

/// Tree nodes straight from the store, and how many were read. Used by one thread.
private final class CopyNodes: NodeReader {
    let store: ObjectStore
    let rereads: Bool
    private(set) var counts = FileDatabase.CopyCheck()

    init(store: ObjectStore, rereads: Bool) {
        self.store = store
        self.rereads = rereads
    }

    func node(_ hash: ContentHash) throws -> TreeNode {
        if hash == TreeNode.empty.hash { return .empty }
        let bytes = try rereads ? store.reread(hash, .tree) : store.read(hash, .tree)
        counts.objects += 1
        counts.bytes += UInt64(bytes.count)
        return try TreeNode(bytes, hash: hash)
    }
}

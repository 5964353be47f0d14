import Content
import Objects

/// The chunks of a file in order, from any byte on. Reads one manifest node a level at a time.
struct ManifestWalk {
    struct Chunk: Sendable {
        var hash: ContentHash
        /// Where it starts in the file.
        var offset: UInt64
        var size: UInt64
    }

    private struct Frame {
        var node: ManifestNode
        var index: Int
        var isLast: Bool
    }

    private let store: ObjectStore
    private var frames: [Frame] = []
    private var pending: (child: ManifestNode.Child, height: Int, isLast: Bool)?
    private var offset: UInt64 = 0
    private let start: UInt64
    /// Where a node that was gone into before is passed over: what was gone into.
    private var seen: Set<Place>?

    private struct Place: Hashable {
        var hash: ContentHash
        var height: Int
        var size: UInt64
        var isLast: Bool
    }

    /// - Parameters:
    ///   - start: chunks that end at or before this byte are passed over, unread.
    ///   - isDistinct: Go into each node once. A sparse file of a few objects may have more chunks than anyone can count.
    init(_ content: FileContent, _ store: ObjectStore, from start: UInt64 = 0, isDistinct: Bool = false) {
        seen = isDistinct ? [] : nil
        self.store = store
        self.start = start
        pending = (ManifestNode.Child(hash: content.root, size: content.size), content.height, true)
    }

    mutating func next() throws -> Chunk? {
        while let (child, height, isLast) = take() {
            // An empty file has one empty chunk, which is worth a read: it shows that nothing is missing.
            if offset &+ child.size <= start, child.size > 0 {
                offset += child.size
                continue
            }
            if height == 0 {
                defer { offset += child.size }
                return Chunk(hash: child.hash, offset: offset, size: child.size)
            }
            let place = Place(hash: child.hash, height: height, size: child.size, isLast: isLast)
            if seen?.insert(place).inserted == false {
                offset += child.size
                continue
            }
            let bytes = try store.read(child.hash, .manifest)
            let node = try ManifestNode(
                decoding: bytes, height: height, size: child.size, isRoot: frames.isEmpty, isLast: isLast)
            frames.append(Frame(node: node, index: 0, isLast: isLast))
        }
        return nil
    }

    private mutating func take() -> (child: ManifestNode.Child, height: Int, isLast: Bool)? {
        if let pending {
            self.pending = nil
            return pending
        }
        while let last = frames.indices.last {
            let frame = frames[last]
            guard frame.index < frame.node.children.count else {
                frames.removeLast()
                continue
            }
            frames[last].index += 1
            let isLast = frame.isLast && frame.index == frame.node.children.count - 1
            return (frame.node.children[frame.index], frame.node.height - 1, isLast)
        }
        return nil
    }
}

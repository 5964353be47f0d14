import Causality
import Content

extension TreeNode {
    /// What a node leads to.
    public enum Reference: Hashable, Sendable {
        /// A node of this tree or the root of a subdirectory.
        case tree(ContentHash)
        case content(FileContent)
        case attributes(ContentHash)
    }

    /// Calls `body` with everything that the node leads to, read without decoding the rest.
    public func eachReference(_ body: (Reference) throws -> Void) throws {
        switch items {
        case .children(let children):
            for child in children { try body(.tree(child.hash)) }
        case .entries(let ranges):
            for range in ranges {
                var decoder = CanonicalDecoder(bytes, range)
                _ = try decoder.readByteString(limit: TreePath.maximumNameLength)
                let holds = try decoder.readByte()
                if holds & Entry.Holds.register != 0 {
                    try Register.scanContents(from: &decoder) { content, attributes in
                        try body(.content(content))
                        if let attributes { try body(.attributes(attributes)) }
                    }
                }
                if holds & Entry.Holds.subtree != 0 { try body(.tree(try decoder.readHash())) }
            }
        }
    }
}

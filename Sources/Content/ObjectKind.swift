/// What the bytes of an object are. The raw value is the tag that is hashed in front of them, so that the
/// same bytes read as two different things never share a name.
public enum ObjectKind: UInt8, Sendable, CaseIterable {
    /// A run of file bytes.
    case chunk = 1
    /// A node of a file's manifest.
    case manifest = 2
    /// A node of a directory's tree.
    case tree = 3
    /// A commit.
    case commit = 4
    /// A list of extended attributes.
    case attributes = 5
}

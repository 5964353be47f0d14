/// The node that keeps its data in a directory of this machine.
struct LocalNode {
    /// A token that the node in `dataDirectory` accepts, signed with the key that its owner can read.
    static func token(dataDirectory: String) throws -> String {
        throw Failure("this program cannot make tokens for the node in \(dataDirectory); set PANDO_TOKEN or log in")
    }
}

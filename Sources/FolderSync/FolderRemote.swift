import Node

/// What an exchange with the server did.
public struct ExchangeOutcome: Sendable {
    /// Paths that changed there, or that the server took.
    public var entries = 0
    /// Changes that the server does not take, and that stay here.
    public var refused: [FolderNotice] = []

    public init(entries: Int = 0, refused: [FolderNotice] = []) {
        self.entries = entries
        self.refused = refused
    }
}

/// The other side of a folder's sync: a seam, so that tests have a server in the same process.
public protocol FolderRemote: Sendable {
    /// Comes to know the server and its time, so that what is written from now on has the cluster's and not that of this machine's clock.
    func meet() async throws
    /// Brings what changed there into the folder's database, without the files' chunks, and sends what changed here.
    func exchange() async throws -> ExchangeOutcome
    /// The first half of it alone.
    func pull() async throws
    /// Brings chunks, and hands them out as they come, checked against their hashes, some at a time, in any order. One that the server does not
    /// have any more is left out. `deliver` is called on threads that may block.
    func fetch(_ wanted: [WantedChunk], _ deliver: @escaping @Sendable ([ArrivedChunk]) throws -> Void) async throws
    /// Begins and ends to exchange changes by itself, as they happen.
    func goLive()
    func stopLive()
    /// Changes made here that the server does not take.
    var refusals: [FolderNotice] { get }
    /// Why nothing is exchanged now; nil while all is well.
    var trouble: String? { get }
}

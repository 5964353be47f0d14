import NIOCore

/// Sizes, numbers and times that keep one client from hurting the others, and why each is what it is.
enum ServerLimits {
    // MARK: Sizes

    /// Objects that come back from peers while one request waits.
    static let mendedObjects = 64

    /// All header fields of a request: a path of 4,096 bytes takes 12 KiB when percent-encoded, a token 1 KiB.
    static let headerBytes = 32 << 10
    static let headerFields = 100
    /// A JSON body. The largest useful one is a list of rules or globs.
    static let jsonBody = 1 << 20
    /// Levels of a JSON body; the deepest that is asked for has three.
    static let jsonDepth = 16
    /// `/bulk/commit`: 65,536 files with paths of a kilobyte.
    static let bulkCommitBody = 64 << 20
    /// Files of one `/bulk/commit`, hashes of one `/bulk/missing`.
    static let bulkItems = 65_536
    /// Objects that are hashed and written together: large enough that a write to the log is one long run.
    static let bulkBatch = 4 << 20
    /// Batches under way at once, so that receiving and hashing overlap and memory stays at a few batches.
    static let bulkBatchesInFlight = 3
    /// Items of a listing: a page of 10,000 is about 3 MB.
    static let listing = 1000
    static let maximumListing = 10_000
    /// Chunks of one file in a list of them: a terabyte. A manifest can name more than memory holds.
    static let chunkList = 4 << 20
    /// Commits that are looked through for the root that a restricted key names in a diff: some ten milliseconds.
    static let diffCommits = 1000
    /// Paths of one archive, each of them a file or a directory with all that is in it.
    static let archivePaths = 10_000
    /// What is read and thrown away of a body that was refused, so that a client that sends first and reads then sees
    /// the answer. One that sends more is cut off.
    static let discardedBody = 16 << 20

    // MARK: Connections

    /// Connections that wait to be accepted: a burst of clients at once. The system caps it (`net.core.somaxconn`).
    static let backlog = 1024
    /// Each takes a descriptor and some kilobytes. Further ones wait in the backlog.
    static let connections = 8192
    /// Descriptors that are not for connections: segments open for reading, the index, the log.
    static let reservedDescriptors = 320
    /// Read from a socket at once. The buffer grows to this only for clients that fill it.
    static let receiveBuffer = 256 << 10
    /// A chunk may wait behind the one that is being sent, so that the socket is never idle between the two.
    static let sendWatermark = (low: 512 << 10, high: 1 << 20)

    // MARK: Times

    /// How long a connection may be idle between two requests, or take to send a request's head: longer than clients keep
    /// pooled connections, mostly a minute.
    static let idle = TimeAmount.seconds(75)
    /// How often the progress of a request's body and of its answer is looked at.
    static let progressInterval = TimeAmount.seconds(20)
    /// A body or an answer that moved less than this in `stalledIntervals` intervals is given up. So a transfer may take any
    /// time, as long as it goes on.
    static let progressBytes = 1024
    static let stalledIntervals = 3
    /// How long a client has to read the answer that ends a connection.
    static let linger = TimeAmount.seconds(2)
    /// How often it is looked whether there is a new certificate.
    static let certificateInterval = Duration.seconds(3600)
    /// How long requests have to end after the server was asked to stop.
    static let shutdown = Duration.seconds(10)
}

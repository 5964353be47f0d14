/// A directory of flat files, as a database needs it. The operating system's is `OperatingSystemDisk`; simulations and
/// fault tests put their own in its place.
public protocol Disk: Sendable {
    /// The names in the directory, in any order.
    func names() throws(DiskError) -> [String]
    /// Opens a file for reading and writing.
    func open(_ name: String) throws(DiskError) -> any DiskFile
    /// The same; makes the file if it is not there.
    func create(_ name: String) throws(DiskError) -> any DiskFile
    func remove(_ name: String) throws(DiskError)
    /// Makes creations and removals durable.
    func syncDirectory() throws(DiskError)
}

/// An open file.
///
/// An existential: each call is a system call, next to which the dispatch does not show.
public protocol DiskFile: AnyObject, Sendable {
    func size() throws(DiskError) -> UInt64
    /// Fills the buffer from `offset` on.
    /// - Returns: the bytes read; fewer than asked only at the end of the file.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(DiskError) -> Int
    /// Writes all parts, one after another, from `offset` on. On an error any prefix may have been written.
    func write(_ parts: [UnsafeRawBufferPointer], at offset: UInt64) throws(DiskError)
    func truncate(to size: UInt64) throws(DiskError)
    /// Makes everything written durable.
    func sync() throws(DiskError)
    /// Asks the system to start writing these bytes out, so that the sync that follows is short. Only a hint.
    func startWriting(_ range: Range<UInt64>)
    /// Asks the system to forget what it keeps of these bytes in memory, so that the next read comes from the medium. Only a hint.
    func forgetCached(_ range: Range<UInt64>)
    /// Asks the system to read these bytes into memory, and does not wait for them. Only a hint.
    func prefetch(_ range: Range<UInt64>)
}

extension DiskFile {
    public func forgetCached(_ range: Range<UInt64>) {}
    public func prefetch(_ range: Range<UInt64>) {}
}

/// What the disk said.
public struct DiskError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable, Equatable {
        /// No room: bytes, quota or inodes.
        case full
        case notFound
        case permission
        case other
    }

    public var code: Code
    /// What was tried, and on which file.
    public var operation: String
    /// The system's error number; 0 if it is not the system's error.
    public var number: Int32
    public var reason: String

    public init(code: Code, operation: String, number: Int32 = 0, reason: String) {
        self.code = code
        self.operation = operation
        self.number = number
        self.reason = reason
    }

    public var description: String { "\(operation): \(reason)" }
}

import Content
import Crypto
import Foundation
import Replication

/// Reads a backup from its beginning to its end, and refuses it where it is damaged. Holds a few megabytes.
public final class BackupReader {
    /// An object, and where its header stands.
    public struct Object: Sendable {
        public var frame: ObjectFrame
        public var offset: UInt64
    }

    private static let readSize = 4 << 20

    public let description: BackupDescription
    /// Bytes up to the end of the last whole object, or of the backup.
    public private(set) var offset: UInt64 = 0
    private let read: (Int) throws -> [UInt8]
    private var buffer: [UInt8] = []
    private var position = 0
    private var digest: BackupDigest
    private var isAtEnd = false

    /// - Parameter path: of the file; nil for standard input.
    public convenience init(path: String?) throws {
        let handle: FileHandle
        if let path {
            guard let file = FileHandle(forReadingAtPath: path) else { throw BackupError("cannot open \(path)") }
            handle = file
        } else {
            handle = .standardInput
        }
        try self.init { try [UInt8](handle.read(upToCount: $0) ?? Data()) }
    }

    /// A backup, or its beginning, in memory.
    public convenience init(bytes: [UInt8]) throws {
        var rest = bytes[...]
        try self.init { count in
            defer { rest = rest.dropFirst(count) }
            return Array(rest.prefix(count))
        }
    }

    /// - Parameter read: gives up to so many bytes more; none at the end.
    init(_ read: @escaping (Int) throws -> [UInt8]) throws {
        self.read = read
        var bytes: [UInt8] = []
        /// The next bytes of the description's part.
        func take(_ count: Int) throws -> [UInt8] {
            while bytes.count < count {
                let more = try read(BackupReader.readSize)
                guard !more.isEmpty else { throw BackupError("the backup ends within its first \(BackupDescription.maximumSize) bytes", isCutOff: true) }
                bytes += more
            }
            return Array(bytes[..<count])
        }
        let magic = BackupDescription.magic
        guard try take(magic.count) == magic else { throw BackupError("this is no backup of this version") }
        let length = try take(magic.count + 4).suffix(4).reduce(0) { $0 << 8 | Int($1) }
        guard length <= 256 else { throw BackupError.damaged(UInt64(magic.count), "a description of \(length) bytes") }
        let end = magic.count + 4 + length
        let head = try take(end + ContentHash.byteCount)
        guard head[end...].elementsEqual(SHA256.hash(data: head[..<end])) else { throw BackupError.damaged(UInt64(magic.count + 4), "its description") }
        do {
            description = try BackupDescription(decoding: Array(head[(magic.count + 4)..<end]))
        } catch {
            throw BackupError.damaged(UInt64(magic.count + 4), error.reason)
        }
        digest = BackupDigest(head)
        offset = UInt64(head.count)
        buffer = bytes
        position = head.count
    }

    /// The next objects, some megabytes of them; nil at the end, which has been checked then. Their bytes are not checked yet.
    public func next() throws -> [Object]? {
        if isAtEnd { return nil }
        var objects: [Object] = []
        var size = 0
        while size < BackupReader.readSize {
            // What is whole comes first; the next call tells of the end.
            if try !objects.isEmpty && isCutOff() { return objects }
            try fill(1)
            if buffer[position] == ObjectFrame.end {
                try finish()
                return objects.isEmpty ? nil : objects
            }
            try fill(ObjectFrame.Header.byteCount)
            let header: ObjectFrame.Header
            do {
                header = try buffer.withUnsafeBytes {
                    try ObjectFrame.Header(decoding: UnsafeRawBufferPointer(rebasing: $0[position..<position + ObjectFrame.Header.byteCount]))
                }
            } catch let error as MalformedBytes {
                throw BackupError.damaged(offset, error.reason)
            }
            guard header.codec != .absent else { throw BackupError.damaged(offset, "object \(header.hash) is not in it") }
            let end = ObjectFrame.Header.byteCount + header.storedLength
            try fill(end)
            let stored = Array(buffer[position + ObjectFrame.Header.byteCount..<position + end])
            objects.append(Object(frame: ObjectFrame(header: header, stored: stored), offset: offset))
            digest.add(header)
            position += end
            offset += UInt64(end)
            size += end
        }
        return objects
    }

    /// Whether the next object, or the trailer, is not all there.
    private func isCutOff() throws -> Bool {
        do {
            try fill(1)
            if buffer[position] == ObjectFrame.end { return false }
            try fill(ObjectFrame.Header.byteCount)
            // The stored length stands in front of the hash.
            let length = buffer[position + 6..<position + 10].reduce(0) { $0 << 8 | Int($1) }
            guard length <= ObjectFrame.maximumRawLength(of: .tree) else { return false }
            try fill(ObjectFrame.Header.byteCount + length)
            return false
        } catch let error as BackupError where error.isCutOff {
            return true
        }
    }

    private func finish() throws {
        try fill(1 + BackupDigest.trailerSize)
        let trailer = Array(buffer[position + 1..<position + 1 + BackupDigest.trailerSize])
        guard trailer == digest.trailer(length: offset + 1) else {
            throw BackupError.damaged(offset, "its end does not fit what is before it: objects were lost, added or exchanged")
        }
        position += 1 + BackupDigest.trailerSize
        offset += UInt64(1 + BackupDigest.trailerSize)
        isAtEnd = true
        guard try position == buffer.count && read(1).isEmpty else { throw BackupError.damaged(offset, "there are bytes behind its end") }
    }

    /// Sees to it that so many bytes are in the buffer from the position on.
    private func fill(_ count: Int) throws {
        guard buffer.count - position < count else { return }
        buffer.removeFirst(position)
        position = 0
        while buffer.count < count {
            let more = try read(BackupReader.readSize)
            guard !more.isEmpty else { throw BackupError("the backup is cut off behind byte \(offset)", isCutOff: true) }
            buffer += more
        }
    }
}

import Foundation
import Node
import Platform

/// A backup that is being written: beside its place as `FILE.part`, readable for its owner alone, moved there when it is whole.
final class BackupPart {
    /// What the part that was left is of; nil if it begins anew.
    private(set) var description: BackupDescription?
    /// Bytes of it that are whole.
    private(set) var length: UInt64 = 0
    private let target: String
    private let path: String
    private let handle: FileHandle

    /// Opens what an export that broke off has left, if it can be gone on with; otherwise an empty one.
    init(of target: String, canGoOn: (BackupDescription) -> Bool) throws {
        self.target = target
        path = target + ".part"
        if FileManager.default.fileExists(atPath: path), let found = try? BackupPart.whole(path), canGoOn(found.description) {
            (description, length) = found
        } else {
            do { try PrivateFile.write([], to: path) } catch { throw Failure("\(error)") }
        }
        guard let handle = FileHandle(forUpdatingAtPath: path) else { throw Failure("cannot open \(path)") }
        self.handle = handle
        try handle.truncate(atOffset: length)
        try handle.seek(toOffset: length)
    }

    /// Reads a backup and checks each object, up to its end or to where it breaks off.
    static func whole(_ path: String) throws -> (description: BackupDescription, length: UInt64) {
        let reader = try BackupReader(path: path)
        var length: UInt64 = 0
        do {
            while let objects = try reader.next() {
                for object in objects { _ = try object.checked(in: path) }
                length = reader.offset
            }
            length = reader.offset
        } catch let error as BackupError where error.isCutOff {
            // The rest is written now.
        }
        return (reader.description, length)
    }

    func append(_ bytes: [UInt8]) throws {
        do {
            try bytes.withUnsafeBytes { bytes in
                guard let start = bytes.baseAddress else { return }
                try handle.write(contentsOf: Data(bytesNoCopy: UnsafeMutableRawPointer(mutating: start), count: bytes.count, deallocator: .none))
            }
        } catch {
            throw Failure("cannot write \(path): \(error.localizedDescription)")
        }
    }

    /// Makes it durable and moves it to its place.
    /// - Returns: its bytes.
    func finish() throws -> UInt64 {
        try handle.synchronize()
        let size = try handle.offset()
        try handle.close()
        // What was there before and what came now must be of one piece.
        if length > 0 {
            let reader = try BackupReader(path: path)
            while try reader.next() != nil {}
        }
        do { try FileManager.default.moveItem(atPath: path, toPath: target) } catch { throw Failure("cannot move \(path) to \(target): \(error.localizedDescription)") }
        return size
    }
}

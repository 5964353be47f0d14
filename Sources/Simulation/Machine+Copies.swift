import FileDatabase
import Foundation
import Node
import Objects

/// A copy of all that a machine held at some time, as backups make them.
struct MachineCopy: Sendable {
    fileprivate var disk: FaultyDisk
    /// By name, what was in the node's directory.
    fileprivate var files: [String: Data]
    /// How far off the wall clock was by which the node remembers the time.
    fileprivate var wallError: Int64
    fileprivate var known: Model.Copy
}

extension Machine {
    /// - Returns: nil where the machine is in no state to be copied.
    func makeCopy() -> MachineCopy? {
        guard !isBroken, !isRestored, let node else { return nil }
        var files: [String: Data] = [:]
        for name in (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? [] {
            files[name] = FileManager.default.contents(atPath: directory + "/" + name)
        }
        // The wall clock may have been set since the node last wrote down how far off it is.
        let wallError = Int64(node.database.now) - NodeClock.storedCorrection(directory: directory) - time.trueTime
        return MachineCopy(disk: disk.copy(), files: files, wallError: wallError, known: world.withModel { $0.copy(of: index) })
    }

    /// Puts a machine that is off back to what a copy of it holds.
    ///
    /// - Parameter isImage: whether the node's key stays the very file that it is, as in an image of a disk, so that the node cannot
    ///   know before others tell it.
    func restore(_ copy: MachineCopy, isImage: Bool) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: directory) where !(isImage && name == "node.key") {
            try FileManager.default.removeItem(atPath: directory + "/" + name)
        }
        for (name, content) in copy.files where !(isImage && name == "node.key") {
            try content.write(to: URL(filePath: directory + "/" + name))
        }
        replaceDisk(with: copy.disk.copy(), isRestored: isImage)
        // A clock that was set since cannot be told from time that has passed.
        time.setWallClock(error: copy.wallError)
        world.withModel { $0.restore(index, to: copy.known) }
    }
}

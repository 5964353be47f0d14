import Causality
import Content
import FileDatabase
import Objects
import Platform

extension FolderState {
    /// Gives a file its attributes, its executable bit and its time.
    ///
    /// - Parameter isNew: whether the file can have no attributes yet.
    func setMetadata(of file: OpenFile, _ value: FileValue, oldMode: UInt16?, isNew: Bool = false) throws {
        // Attributes of a file that nobody may write cannot be set, not even by its owner.
        if traits.hasAttributes, traits.hasModes, let oldMode, oldMode & 0o200 == 0 { try file.setMode(oldMode | 0o200) }
        if traits.hasAttributes {
            if let hash = value.attributes {
                // A list that makes no sense is somebody else's fault, and the file is good without it.
                let attributes = try? FileAttributes(decoding: database.store.read(hash, .attributes))
                _ = try attributes?.apply(to: file)
            } else if !isNew {
                try FileAttributes.removeAll(of: file)
            }
        }
        if traits.hasModes {
            let mode = oldMode ?? 0o666 & ~ProcessLimits.fileModeMask
            try file.setMode(value.isExecutable ? mode | (mode & 0o444) >> 2 : mode & ~0o111)
        }
        // Last, since all else may change it.
        try file.setModificationTime(value.modifiedAt)
    }
}

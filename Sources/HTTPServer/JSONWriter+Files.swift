import Causality
import Content
import FileDatabase
import Merkle

extension JSONWriter {
    /// What is told of a directory.
    enum Shown {
        case everything
        /// Not all that is below may be seen, so its sums stay unsaid.
        case withoutSums
        /// It only leads to something that may be seen.
        case name
    }

    /// A file, link or directory, as in listings.
    mutating func item(_ info: FileInfo, _ shown: Shown = .everything) {
        object { json in
            json.field("name", info.name)
            json.field("path", info.path.description)
            json.field("kind", info.kind.rawValue)
            let isHidden = info.kind == .directory && shown != .everything
            let version = info.kind == .directory && shown == .name ? nil : info.version
            json.field("size", isHidden ? nil : info.size)
            if info.kind == .directory { json.field("files", isHidden ? nil : info.aggregates.files) }
            json.field("content_type", info.file?.mediaType)
            json.field("content_hash", info.contentHash)
            json.field("modified_at", time: version == nil ? nil : info.modifiedAt)
            json.field("version", version?.dot.description)
            json.field("node", version?.dot.actor.node.hash)
            json.field("conflicts", isHidden ? nil : info.conflicts)
            if let file = info.file { json.field("executable", file.isExecutable) }
            if let target = info.symlinkTarget { json.field("target", target) }
        }
    }

    /// A version of a path.
    ///
    /// - Parameters:
    ///   - path: where it is read.
    ///   - undo: what takes the pick back that has made it, if a pick has.
    ///   - more: fields beside its own.
    mutating func version(
        _ version: Version, path: TreePath, undo: String?? = nil, _ more: (inout JSONWriter) -> Void = { _ in }
    ) {
        object { json in
            json.field("version", version.dot.description)
            json.field("node", version.dot.actor.node.hash)
            json.field("timestamp", time: version.dot.timestamp.nanoseconds)
            switch version.value {
            case .file(let file):
                json.field("kind", "file")
                json.field("size", file.content.size)
                json.field("content_type", file.mediaType)
                json.field("content_hash", file.content.root)
            case .symlink(let target):
                json.field("kind", "symlink")
                json.field("size", target.utf8.count)
                json.field("content_type", nil as String?)
                json.field("content_hash", ContentHash(of: .chunk, Array(target.utf8)))
                json.field("target", target)
            case .directory, .tombstone:
                json.field("kind", version.value == .directory ? "directory" : nil)
                json.field("size", nil as Int?)
                json.field("content_type", nil as String?)
                json.field("content_hash", nil as String?)
            }
            json.field("deleted", version.value.isTombstone)
            json.field("path", path.description)
            if let undo { json.field("undo", undo) }
            more(&json)
        }
    }
}

extension Timestamp {
    /// Nanoseconds since 1970.
    var nanoseconds: Int64 { Int64(clamping: microseconds).multipliedReportingOverflow(by: 1000).partialValue }
}

extension FileInfo {
    /// Nanoseconds since 1970: what the writer said of a file, when it was written for the rest; nil for a directory that
    /// nobody made.
    var modifiedAt: Int64? { file?.modifiedAt ?? version?.dot.timestamp.nanoseconds }
}

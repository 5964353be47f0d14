import Content
import FolderSync
import Foundation

/// The folders of this person that are synced, and where.
enum PairedFolder {
    /// The folder as an absolute path, with links followed, so that one folder has one name.
    static func path(_ text: String) throws -> String {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: text, isDirectory: &isDirectory) else {
            throw Failure("\(text): there is no such folder; make it first")
        }
        guard isDirectory.boolValue else { throw Failure("\(text): is not a folder") }
        guard let resolved = realpath(text, nil) else { throw Failure("\(text): cannot be reached") }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    static func requirePairing(_ folder: String) throws {
        guard try Pairing.of(folder: folder) != nil else { throw Failure("\(folder) is not paired; 'pando sync \(folder) URL' pairs it") }
    }

    /// Whether a folder is remembered to have been paired, by its path: where it has no pairing itself, its disk is not mounted.
    static func isRemembered(_ folder: String) -> Bool { FileManager.default.fileExists(atPath: note(of: folder)) }

    static func remember(_ folder: String) throws {
        guard !isRemembered(folder) else { return }
        try UserDirectory.write(Array((folder + "\n").utf8), to: note(of: folder))
    }

    /// A file for each, so that two that are paired at once do not meet.
    private static func note(of folder: String) -> String {
        "\(UserDirectory.state)/folders/\(ContentHash(sha256: folder.utf8).description.prefix(32))"
    }

    /// The paired folder that a path lies in; nil if none does.
    static func containing(_ path: String) -> String? {
        var url = URL(filePath: path).standardizedFileURL
        while true {
            let folder = url.path(percentEncoded: false)
            let trimmed = folder.count > 1 && folder.hasSuffix("/") ? String(folder.dropLast()) : folder
            if (try? Pairing.of(folder: trimmed)) ?? nil != nil { return trimmed }
            if trimmed == "/" { return nil }
            url.deleteLastPathComponent()
        }
    }
}

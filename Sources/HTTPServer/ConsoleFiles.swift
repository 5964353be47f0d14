import CConsole
import Content
import Foundation
import Objects

/// The web console's files, which the program carries within it.
///
/// All but the page itself stand under a name that holds the hash of them all: `/console/HASH/NAME`. Modules import each
/// other by relative names and so stay within one release, and browsers may keep them for good.
struct ConsoleFiles: Sendable {
    struct File: Sendable {
        var mediaType: String
        var bytes: [UInt8]
        /// One zstd frame of the bytes, where that is shorter.
        var compressed: [UInt8]?
    }

    /// The page, with places for the version and the nonce.
    let page: String
    let version: String
    private let files: [String: File]

    /// Compressed when they are first asked for: many a node is never looked at.
    static let all = ConsoleFiles()

    private init() {
        var files: [String: File] = [:]
        var listing: [UInt8] = []
        var index = 0
        while let entry = pando_console_file(index)?.pointee {
            let name = String(cString: entry.name)
            let bytes = Array(UnsafeBufferPointer(start: entry.bytes, count: entry.count))
            files[name] = File(mediaType: ConsoleFiles.mediaType(of: name), bytes: bytes, compressed: Compression.frame(of: bytes))
            listing += Array(name.utf8) + [0] + Array("\(bytes.count)".utf8) + [0] + bytes
            index += 1
        }
        guard let page = files.removeValue(forKey: "index.html") else { preconditionFailure("the console has a page") }
        version = String(ContentHash(sha256: listing).description.prefix(16))
        self.page = String(decoding: page.bytes, as: UTF8.self).replacing("{version}", with: version)
        self.files = files
    }

    subscript(name: String) -> File? { files[name] }

    private static func mediaType(of name: String) -> String {
        switch name.split(separator: ".").last {
        case "js": "text/javascript; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "svg": "image/svg+xml"
        default: "text/html; charset=utf-8"
        }
    }
}

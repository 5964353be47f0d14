import Content
import Foundation

/// Reads from a peer's event stream what another node wants to know of it: its roots. Anything else is passed over.
struct NoticeReader {
    /// A line that is longer is none of a node's.
    private static let maximumLine = 64 << 10

    private struct Roots: Decodable {
        var root: String?
        var systemRoot: String?
    }

    private var line: [UInt8] = []

    /// Reads the next piece of the stream.
    /// - Returns: the states that it tells of, in order.
    mutating func read(_ piece: [UInt8]) throws -> [PeerRoots] {
        var notices: [PeerRoots] = []
        for byte in piece {
            if byte != UInt8(ascii: "\n") {
                guard line.count < NoticeReader.maximumLine else { throw MalformedBytes("a line of the peer's events is too long") }
                line.append(byte)
                continue
            }
            if let notice = roots(in: line) { notices.append(notice) }
            line.removeAll(keepingCapacity: true)
        }
        return notices
    }

    private func roots(in line: [UInt8]) -> PeerRoots? {
        let prefix = Array("data:".utf8)
        guard line.starts(with: prefix), let roots = try? JSON.decode(Roots.self, Array(line.dropFirst(prefix.count))),
            let files = roots.root.flatMap({ ContentHash($0) }), let system = roots.systemRoot.flatMap({ ContentHash($0) })
        else { return nil }
        return PeerRoots(files: files, system: system)
    }
}

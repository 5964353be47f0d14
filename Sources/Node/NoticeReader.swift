import Causality
import Content
import Foundation

/// Reads from a peer's event stream what another node wants to know of it: its roots, or, where it does not tell them, that
/// something has changed. Anything else is passed over.
struct NoticeReader {
    enum Notice: Hashable {
        case roots(PeerRoots)
        /// Something that this node may see is new, or what it may see.
        case change(ofRights: Bool)
    }

    /// A line that is longer is none of a node's.
    private static let maximumLine = 64 << 10

    private struct Fields: Decodable {
        var root: String?
        var systemRoot: String?
        var rights: Bool?
        var clock: String?
    }

    private var line: [UInt8] = []
    private var event: [UInt8] = []

    /// Reads the next piece of the stream.
    /// - Returns: what it tells, in order.
    mutating func read(_ piece: [UInt8]) throws -> [Notice] {
        var notices: [Notice] = []
        for byte in piece {
            if byte != UInt8(ascii: "\n") {
                guard line.count < NoticeReader.maximumLine else { throw MalformedBytes("a line of the peer's events is too long") }
                line.append(byte)
                continue
            }
            if let notice = notice(in: line) { notices.append(notice) }
            line.removeAll(keepingCapacity: true)
        }
        return notices
    }

    private mutating func notice(in line: [UInt8]) -> Notice? {
        if let name = value(of: "event:", in: line) { event = name }
        // An empty line ends an event.
        if line.isEmpty { event = [] }
        guard let data = value(of: "data:", in: line), let fields = try? JSON.decode(Fields.self, data) else { return nil }
        if let files = fields.root.flatMap({ ContentHash($0) }), let system = fields.systemRoot.flatMap({ ContentHash($0) }) {
            let clock = fields.clock.flatMap { UInt64($0, radix: 16) }
            return .roots(PeerRoots(files: files, system: system, clock: clock.map(Timestamp.init(rawValue:)) ?? .zero))
        }
        guard event == Array("commit".utf8) || event == Array("resync".utf8) else { return nil }
        return .change(ofRights: fields.rights ?? false)
    }

    private func value(of field: String, in line: [UInt8]) -> [UInt8]? {
        guard line.starts(with: field.utf8) else { return nil }
        return Array(line.dropFirst(field.utf8.count).drop { $0 == UInt8(ascii: " ") })
    }
}

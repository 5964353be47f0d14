import Content
import FileDatabase
import HTTPTypes

/// The tags of an `If-Match` or `If-None-Match` header (RFC 9110, section 8.8.3).
enum EntityTags: Equatable {
    case any
    case some([Tag])

    struct Tag: Equatable {
        var isWeak: Bool
        var text: String
    }

    /// - Throws: 400: a condition that cannot be read must not turn into none.
    init?(_ name: HTTPField.Name, in headers: HTTPFields) throws(Problem) {
        guard let header = headers[name] else { return nil }
        guard let tags = EntityTags(header) else {
            throw Problem(.badRequest, "'\(name.rawName)' must be * or a list of tags in double quotes")
        }
        self = tags
    }

    init?(_ header: String) {
        if header == "*" {
            self = .any
            return
        }
        var tags: [Tag] = []
        var rest = header.utf8[...]
        func skipSpace() { while let byte = rest.first, byte == 0x20 || byte == 0x09 { rest = rest.dropFirst() } }
        while true {
            skipSpace()
            // Empty elements of a list are allowed (RFC 9110, section 5.6.1).
            if rest.first == UInt8(ascii: ",") {
                rest = rest.dropFirst()
                continue
            }
            if rest.isEmpty { break }
            let isWeak = rest.starts(with: "W/".utf8)
            if isWeak { rest = rest.dropFirst(2) }
            guard rest.first == UInt8(ascii: "\"") else { return nil }
            rest = rest.dropFirst()
            guard let end = rest.firstIndex(of: UInt8(ascii: "\"")) else { return nil }
            tags.append(Tag(isWeak: isWeak, text: String(rest[..<end]) ?? ""))
            rest = rest[end...].dropFirst()
            skipSpace()
            guard rest.isEmpty || rest.first == UInt8(ascii: ",") else { return nil }
        }
        if tags.isEmpty { return nil }
        self = .some(tags)
    }

    /// For `If-None-Match`: the marks of weakness do not count.
    func matchesWeakly(_ hash: ContentHash) -> Bool {
        switch self {
        case .any: true
        case .some(let tags): tags.contains { ContentHash($0.text) == hash }
        }
    }

    /// For `If-Match`: a weak tag matches nothing.
    func matchesStrongly(_ hash: ContentHash) -> Bool {
        switch self {
        case .any: true
        case .some(let tags): tags.contains { !$0.isWeak && ContentHash($0.text) == hash }
        }
    }
}

extension WriteCondition {
    /// What a write's headers ask for.
    init(_ headers: HTTPFields) throws(Problem) {
        self = .none
        if let tags = try EntityTags(.ifNoneMatch, in: headers) {
            guard tags == .any else { throw Problem(.badRequest, "only 'If-None-Match: *' is known for writes") }
            self = .absent
        }
        guard let tags = try EntityTags(.ifMatch, in: headers) else { return }
        if self == .absent { throw Problem(.preconditionFailed, "'If-Match' and 'If-None-Match: *' never hold together") }
        switch tags {
        case .any: self = .matches([])
        // A tag that is no hash of ours can match nothing, and must not make the set empty.
        case .some(let tags): self = .matches(Set(tags.map { $0.isWeak ? .zero : ContentHash($0.text) ?? .zero }))
        }
    }
}

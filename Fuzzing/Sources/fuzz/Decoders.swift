import Access
import Causality
import Content
import FileDatabase
import Foundation
import Merkle
import Objects
import Replication

/// The decoders of bytes that people, peers or a damaged disk can give. Each must refuse or accept, and what it accepts must have
/// one encoding: its own.
enum Decoders {
    static let all: [String: @Sendable ([UInt8]) -> Void] = [
        "register": { bytes in
            var decoder = CanonicalDecoder(bytes)
            guard let register = try? Register(from: &decoder), (try? decoder.finish()) != nil else { return }
            var encoder = CanonicalEncoder()
            register.encode(to: &encoder)
            precondition(encoder.bytes == bytes, "a register has two encodings")
            precondition(register.versions.contains(register.winner), "the winner is none of the versions")
            precondition(register.joined(with: register) == register, "a register joined with itself is another")
        },
        "registers": { bytes in
            // Two at once, so that the join of what a liar may send is tried too.
            var decoder = CanonicalDecoder(bytes)
            guard let left = try? Register(from: &decoder), let right = try? Register(from: &decoder) else { return }
            precondition(left.joined(with: right) == right.joined(with: left), "the order of a join matters")
        },
        "value": { bytes in
            var decoder = CanonicalDecoder(bytes)
            guard let value = try? Value(from: &decoder), (try? decoder.finish()) != nil else { return }
            var encoder = CanonicalEncoder()
            value.encode(to: &encoder)
            precondition(encoder.bytes == bytes, "a value has two encodings")
        },
        "tree": { bytes in
            guard let node = try? TreeNode(bytes, hash: ContentHash(of: .tree, bytes)) else { return }
            guard (try? node.validate(as: .root(nil))) != nil else { return }
            if node.level == 0 { for index in 0..<node.count { _ = try? node.entry(at: index) } }
            _ = try? node.aggregates()
        },
        "manifest": { bytes in
            guard bytes.count > 9 else { return }
            let size = bytes[..<8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            let encoded = Array(bytes[8...])
            guard let node = try? ManifestNode(decoding: encoded, height: Int(encoded[0]), size: size, isRoot: true, isLast: true) else { return }
            precondition(node.encoded() == encoded, "a manifest node has two encodings")
        },
        "commit": { bytes in
            guard let commit = try? Commit(decoding: bytes) else { return }
            precondition(commit.encoded() == bytes, "a commit has two encodings")
        },
        "frames": { bytes in
            var whole = ObjectFrameReader()
            let frames = try? whole.read(bytes)
            // The same bytes in small pieces must come to the same.
            var pieces = ObjectFrameReader()
            var read: [ObjectFrame]? = []
            for byte in bytes {
                guard let more = try? pieces.read([byte]) else {
                    read = nil
                    break
                }
                read? += more
            }
            precondition(frames?.map(\.header.hash) == read?.map(\.header.hash), "frames depend on how they are cut")
            for frame in frames ?? [] {
                _ = try? PreparedObject(
                    checking: frame.header.hash, frame.header.kind, frame.header.codec == .zstd ? .zstd : .raw,
                    rawLength: frame.header.rawLength, stored: frame.stored)
            }
        },
        "changes": { bytes in
            var reader = ChangeReader()
            _ = try? reader.read(bytes)
        },
        "zstd": { bytes in
            guard bytes.count > 2 else { return }
            let length = Int(bytes[0]) << 8 | Int(bytes[1])
            let raw = bytes[2...].withUnsafeBytes { Compression.decompress($0, rawLength: length) }
            precondition(raw == nil || raw?.count == length, "more or fewer bytes than were asked for")
        },
        "packed": { bytes in
            let limit = 100_000
            let known = (0..<1000).map { UInt8(truncatingIfNeeded: $0 / 4) }
            func prefix(_ recipe: [UInt8]) throws -> [UInt8] {
                let spans = try RecordSpans(decoding: recipe)
                precondition(spans.encoded() == recipe, "spans have two encodings")
                return known
            }
            guard let message = try? PackedRecords.unpack(bytes, limit: limit, prefix: prefix) else { return }
            precondition(message.count <= limit, "more than is taken")
            for packed in [PackedRecords.pack(message), PackedRecords.pack(message, after: PackedPrefix(recipe: [0], bytes: known))] {
                precondition((try? PackedRecords.unpack(packed, limit: limit, prefix: prefix)) == message, "packed records read back as others")
            }
        },
        "path": { bytes in
            guard let text = String(validating: bytes, as: UTF8.self), let path = try? TreePath(text) else { return }
            precondition((try? TreePath(path.description)) == path, "a path reads back as another")
        },
        "glob": { bytes in
            let parts = bytes.split(separator: 0, maxSplits: 1)
            guard parts.count == 2, let pattern = String(validating: parts[0], as: UTF8.self), let name = String(validating: parts[1], as: UTF8.self),
                let glob = try? Glob(pattern), let path = try? TreePath(name)
            else { return }
            if glob.matches(path), let parent = path.parent { precondition(glob.canMatch(below: parent), "a match below what cannot match") }
        },
        "rules": { bytes in
            // The last part is a path, those before are patterns.
            let parts = bytes.split(separator: 0, omittingEmptySubsequences: false).map { String(validating: $0, as: UTF8.self) }
            guard parts.count > 1, let text = parts.last ?? nil, let path = try? TreePath(text) else { return }
            let globs = parts.dropLast().compactMap { $0.flatMap { try? Glob($0) } }
            let rules = RuleSet(globs.enumerated().map { Rule(path: $1, allow: $0.isMultiple(of: 2) ? [.read] : [.list]) })
            var cursor = RuleCursor(rules)
            for permission in [Permission.read, .list] {
                precondition(cursor.allows(permission, path) == rules.allows(permission, path), "rules in a directory differ from those of a path")
                precondition(cursor.mayAllow(permission, below: path) == rules.mayAllow(permission, below: path), "rules below differ")
            }
        },
        "push": { bytes in
            guard let part = try? PushPart(decoding: bytes) else { return }
            let again = PushPart.encoded(isLast: part.isLast, ticket: part.ticket, cursor: part.cursor, records: part.records.flatMap { $0.encoded() })
            precondition((try? PushPart(decoding: again).records) == part.records, "a part of a push reads back as another")
        },
        "missing": { bytes in
            guard let request = try? MissingRequest(decoding: bytes) else { return }
            precondition((try? MissingRequest(decoding: request.encoded())) == request, "a question for what is missing reads back as another")
        },
        "content": { bytes in
            guard let request = try? ContentRequest(decoding: bytes) else { return }
            precondition((try? ContentRequest(decoding: request.encoded())) == request, "a request for content reads back as another")
        },
        "key": { bytes in
            guard let text = String(validating: bytes, as: UTF8.self), let key = APIKey(text) else { return }
            precondition(key.text == text, "an API key has two forms")
        },
        "claims": { bytes in
            _ = try? JSONDecoder().decode(TokenClaims.self, from: Data(bytes))
        },
    ]
}

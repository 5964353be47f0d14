import Content

extension Register {
    /// What a lone version holds, for sums.
    public enum Scanned {
        case file(size: UInt64), symlink, directory, tombstone
    }

    /// Reads just enough of a register's bytes, which are known to be well-formed, to tell what its only version holds;
    /// nil if it has several. Rewriting a leaf sums a hundred entries that did not change, and this does it without
    /// allocating.
    public static func scanLoneVersion(from decoder: inout CanonicalDecoder) throws(MalformedBytes) -> Scanned? {
        guard try decoder.readInteger() == 1 else { return nil }
        try skipDot(&decoder)
        try skipVector(&decoder)
        switch try decoder.readByte() {
        case 0: return .tombstone
        case 1: return .directory
        case 2: return .symlink
        default:
            _ = try decoder.take(ContentHash.byteCount)
            _ = try decoder.readInteger()
            return .file(size: try decoder.readInteger())
        }
    }

    private static func skipDot(_ decoder: inout CanonicalDecoder) throws(MalformedBytes) {
        _ = try decoder.readInteger()
        _ = try decoder.take(ContentHash.byteCount)
        _ = try decoder.readInteger()
    }

    private static func skipVector(_ decoder: inout CanonicalDecoder) throws(MalformedBytes) {
        for _ in 0..<(try decoder.readCount(limit: VersionVector.maximumCount)) {
            _ = try decoder.take(ContentHash.byteCount)
            _ = try decoder.readInteger()
            _ = try decoder.readInteger()
        }
    }

    /// Reads a register's bytes, which are known to be well-formed, for the content that its versions name. A collection looks at
    /// half a million a second.
    public static func scanContents(
        from decoder: inout CanonicalDecoder, _ body: (FileContent, _ attributes: ContentHash?) throws -> Void
    ) throws {
        for _ in 0..<(try decoder.readCount(limit: Register.maximumVersions)) {
            try skipDot(&decoder)
            try skipVector(&decoder)
            if let (content, attributes) = try Value.scanContent(from: &decoder) { try body(content, attributes) }
        }
        if try decoder.readByte() == 1 { try skipVector(&decoder) }
    }
}

import Content

/// One write of one path.
public struct Version: Hashable, Sendable {
    /// Its name.
    public var dot: Dot
    /// What the writer's node had seen of the path.
    public var past: VersionVector
    public var value: Value

    public init(dot: Dot, past: VersionVector, value: Value) {
        self.dot = dot
        self.past = past
        self.value = value
    }
}

/// What a write put at its path.
public enum Value: Hashable, Sendable {
    case file(FileValue)
    /// A symbolic link. No node ever follows it.
    case symlink(target: String)
    /// A directory that stands even when nothing is in it.
    case directory
    /// Nothing: the path was deleted.
    case tombstone
}

/// A file as it was written.
public struct FileValue: Hashable, Sendable {
    public var content: FileContent
    /// The media type (RFC 9110, section 8.3).
    public var mediaType: String
    public var isExecutable: Bool
    /// Nanoseconds since 1970, as the writer's file system or request said.
    public var modifiedAt: Int64
    /// The object that lists the extended attributes, if there are any.
    public var attributes: ContentHash?

    public init(
        content: FileContent, mediaType: String, isExecutable: Bool = false, modifiedAt: Int64,
        attributes: ContentHash? = nil
    ) {
        self.content = content
        self.mediaType = mediaType
        self.isExecutable = isExecutable
        self.modifiedAt = modifiedAt
        self.attributes = attributes
    }
}

// MARK: - Equality

// Strings are equal across normalisation forms, but their bytes and so their hashes are not. Values are equal if their
// bytes are: a link's target is whatever bytes its file system has, and a join must not take one for the other.

extension FileValue {
    public static func == (left: FileValue, right: FileValue) -> Bool {
        left.content == right.content && left.mediaType.utf8.elementsEqual(right.mediaType.utf8)
            && left.isExecutable == right.isExecutable && left.modifiedAt == right.modifiedAt
            && left.attributes == right.attributes
    }
}

extension Value {
    public static func == (left: Value, right: Value) -> Bool {
        switch (left, right) {
        case (.file(let left), .file(let right)): left == right
        case (.symlink(let left), .symlink(let right)): left.utf8.elementsEqual(right.utf8)
        case (.directory, .directory), (.tombstone, .tombstone): true
        default: false
        }
    }
}

extension Value {
    public var isTombstone: Bool { self == .tombstone }

    /// Whether a user who holds one of the two misses nothing of the other: times and media types do not count.
    public func hasSameContent(as other: Value) -> Bool {
        switch (self, other) {
        case (.file(let mine), .file(let theirs)):
            mine.content == theirs.content && mine.isExecutable == theirs.isExecutable
                && mine.attributes == theirs.attributes
        default: self == other
        }
    }

    /// A directory stands before a file, a file before a deletion.
    var rank: Int {
        switch self {
        case .directory: 2
        case .file, .symlink: 1
        case .tombstone: 0
        }
    }
}

// MARK: - Validity

extension Value {
    /// The rule that a value breaks, which a decoder would refuse; nil if it breaks none.
    public var fault: String? {
        switch self {
        case .tombstone, .directory: return nil
        case .symlink(let target):
            return target.utf8.count > Value.maximumTargetLength ? "a link's target is longer than \(Value.maximumTargetLength) bytes" : nil
        case .file(let file):
            if file.mediaType.utf8.count > Value.maximumMediaTypeLength { return "the media type is longer than \(Value.maximumMediaTypeLength) bytes" }
            guard (0...ManifestNode.maximumHeight).contains(file.content.height) else { return "a manifest of \(file.content.height) levels" }
            if file.content.height == 0, file.content.size > UInt64(Chunker.maximumSize) { return "a file of one chunk of \(file.content.size) bytes" }
            return nil
        }
    }
}

// MARK: - Encoding

extension Value {
    static let maximumMediaTypeLength = 255
    /// As long as a path may be.
    public static let maximumTargetLength = 4096

    private enum Tag {
        static let tombstone: UInt8 = 0
        static let directory: UInt8 = 1
        static let symlink: UInt8 = 2
        static let file: UInt8 = 3
        static let executable: UInt8 = 0x10
        static let attributes: UInt8 = 0x20
    }

    public func encode(to encoder: inout CanonicalEncoder) {
        switch self {
        case .tombstone:
            encoder.write(byte: Tag.tombstone)
        case .directory:
            encoder.write(byte: Tag.directory)
        case .symlink(let target):
            encoder.write(byte: Tag.symlink)
            encoder.write(target)
        case .file(let file):
            var tag = Tag.file
            if file.isExecutable { tag |= Tag.executable }
            if file.attributes != nil { tag |= Tag.attributes }
            encoder.write(byte: tag)
            encoder.write(file.content.root)
            encoder.write(file.content.height)
            encoder.write(file.content.size)
            encoder.write(file.mediaType)
            encoder.write(signed: file.modifiedAt)
            if let attributes = file.attributes { encoder.write(attributes) }
        }
    }

    public init(from decoder: inout CanonicalDecoder) throws(MalformedBytes) {
        let tag = try decoder.readByte()
        switch tag {
        case Tag.tombstone: self = .tombstone
        case Tag.directory: self = .directory
        case Tag.symlink: self = .symlink(target: try decoder.readText(limit: Value.maximumTargetLength))
        case let tag where tag & ~(Tag.executable | Tag.attributes) == Tag.file:
            let root = try decoder.readHash()
            let height = try decoder.readCount(limit: ManifestNode.maximumHeight)
            let size = try decoder.readInteger()
            guard height > 0 || size <= UInt64(Chunker.maximumSize) else {
                throw decoder.malformed("file of one chunk of \(size) bytes")
            }
            let mediaType = try decoder.readText(limit: Value.maximumMediaTypeLength)
            let modifiedAt = try decoder.readSignedInteger()
            let attributes = tag & Tag.attributes == 0 ? nil : try decoder.readHash()
            self = .file(FileValue(
                content: FileContent(root: root, height: height, size: size), mediaType: mediaType,
                isExecutable: tag & Tag.executable != 0, modifiedAt: modifiedAt, attributes: attributes))
        default: throw decoder.malformed("value of unknown kind \(tag)")
        }
    }
}

extension Value {
    /// Reads a value for the content that it names; nil if it names none.
    static func scanContent(from decoder: inout CanonicalDecoder) throws(MalformedBytes) -> (FileContent, attributes: ContentHash?)? {
        let tag = try decoder.readByte()
        if tag == Tag.symlink { _ = try decoder.readByteString(limit: maximumTargetLength) }
        guard tag & ~(Tag.executable | Tag.attributes) == Tag.file else { return nil }
        let content = FileContent(
            root: try decoder.readHash(), height: try decoder.readCount(limit: ManifestNode.maximumHeight), size: try decoder.readInteger())
        _ = try decoder.readByteString(limit: maximumMediaTypeLength)
        _ = try decoder.readInteger()
        return (content, tag & Tag.attributes == 0 ? nil : try decoder.readHash())
    }
}

extension Version {
    func encode(to encoder: inout CanonicalEncoder) {
        encoder.write(dot)
        past.encode(to: &encoder)
        value.encode(to: &encoder)
    }

    init(from decoder: inout CanonicalDecoder) throws(MalformedBytes) {
        dot = try decoder.readDot()
        past = try VersionVector(from: &decoder)
        guard !past.covers(dot) else { throw decoder.malformed("version in its own past") }
        value = try Value(from: &decoder)
    }
}

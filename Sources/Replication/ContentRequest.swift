import Content
import Merkle

/// Where an object stands in a file: what a scoped caller asks by, since a hash alone opens nothing to it.
public struct ContentPlace: Hashable, Sendable {
    /// Stands for the list of extended attributes, in the place of a height.
    public static let attributes = 31

    /// 0 for a chunk, from 1 on for a manifest node, or `attributes`.
    public var height: Int
    /// Where the object's bytes begin in the file. Of attributes, how their hash begins, since versions of one content may have different ones; 0
    /// for those of the first such version, as earlier nodes ask.
    public var offset: UInt64

    public init(height: Int, offset: UInt64) {
        self.height = height
        self.offset = offset
    }

    /// The place of a file's attributes.
    public init(attributes: ContentHash) {
        self.init(height: ContentPlace.attributes, offset: attributes.highBits)
    }
}

/// The body of `POST /sync/scoped/objects`.
public struct ContentRequest: Hashable, Sendable {
    /// Places in one request.
    public static let maximumPlaces = 1024
    /// Bytes of one: each file with a path of its own, and a cursor.
    public static let maximumSize = maximumPlaces * (TreePath.maximumLength + 64) + ChangeReader.maximumCursorSize

    public struct File: Hashable, Sendable {
        public var path: TreePath
        /// The root of one of its versions.
        public var root: ContentHash
        public var places: [ContentPlace]

        public init(path: TreePath, root: ContentHash, places: [ContentPlace]) {
            self.path = path
            self.root = root
            self.places = places
        }
    }

    /// What came with the records.
    public var cursor: [UInt8]
    public var files: [File]

    public init(cursor: [UInt8], files: [File]) {
        self.cursor = cursor
        self.files = files
    }

    public func encoded() -> [UInt8] {
        var encoder = CanonicalEncoder(reserving: 256)
        encoder.write(cursor)
        encoder.write(files.count)
        for file in files {
            encoder.write(file.path.description)
            encoder.write(file.root)
            encoder.write(file.places.count)
            for place in file.places {
                encoder.write(place.height)
                encoder.write(place.offset)
            }
        }
        return encoder.bytes
    }

    public init(decoding bytes: [UInt8]) throws {
        var decoder = CanonicalDecoder(bytes)
        cursor = Array(bytes[try decoder.readByteString(limit: ChangeReader.maximumCursorSize)])
        files = []
        var left = ContentRequest.maximumPlaces
        for _ in 0..<(try decoder.readCount(limit: ContentRequest.maximumPlaces)) {
            let path = try TreePath(decoder.readText(limit: TreePath.maximumLength))
            let root = try decoder.readHash()
            let count = try decoder.readCount(limit: left)
            left -= count
            var places: [ContentPlace] = []
            for _ in 0..<count {
                let height = try decoder.readCount(limit: ContentPlace.attributes)
                places.append(ContentPlace(height: height, offset: try decoder.readInteger()))
            }
            files.append(File(path: path, root: root, places: places))
        }
        try decoder.finish()
    }
}

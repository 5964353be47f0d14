import Content
import Platform
import Synchronization

extension ObjectStore {
    /// The bytes of an object, checked against its hash. One that is about to be removed is read until it is gone.
    ///
    /// - Parameter trustingRecent: whether one that had its hash within the last minute need not be hashed again.
    public func read(_ hash: ContentHash, _ kind: ObjectKind, trustingRecent: Bool = false) throws(StoreError) -> [UInt8] {
        guard var location = try place(of: hash) else { return try readHeld(hash, kind) }
        var stored = try readLog(location)
        if stored == nil, let moved = try place(of: hash), moved != location {
            location = moved
            stored = try readLog(location)
        }
        guard location.kind == kind else {
            throw StoreError(.missing, "\(hash) is a \(location.kind), not a \(kind)", hash: hash)
        }
        guard let stored else { throw lost(hash, location) }
        let bytes: [UInt8]?
        switch location.codec {
        case .raw: bytes = stored
        case .zstd: bytes = stored.withUnsafeBytes { Compression.decompress($0, rawLength: Int(location.rawLength)) }
        }
        if trustingRecent, let bytes, bytes.count == Int(location.rawLength), verified.contains(hash) { return bytes }
        guard let bytes, ContentHash(of: kind, bytes) == hash else {
            damaged.withLock { _ = $0.insert(hash) }
            throw StoreError(.damaged, "\(kind) \(hash) is damaged in segment \(location.position.segment)", hash: hash)
        }
        if trustingRecent { verified.insert(hash) }
        return bytes
    }

    /// What the log does not have, the holder may.
    private func readHeld(_ hash: ContentHash, _ kind: ObjectKind) throws(StoreError) -> [UInt8] {
        guard kind == .chunk, let chunkHolder else { throw StoreError(.missing, "\(kind) \(hash) is missing", hash: hash) }
        guard let bytes = try chunkHolder.read(hash) else { throw Self.gone(hash) }
        return bytes
    }

    private static func gone(_ hash: ContentHash) -> StoreError {
        StoreError(.missing, "chunk \(hash) is missing: the file that held it has changed", hash: hash)
    }

    /// The bytes of an object, read from the medium as far as the system allows it, and checked against its hash.
    public func reread(_ hash: ContentHash, _ kind: ObjectKind) throws(StoreError) -> [UInt8] {
        if let location = try place(of: hash) {
            let start = location.position.offset
            do throws(DiskError) {
                try files.file(location.position.segment).forgetCached(start..<start + UInt64(location.storedLength))
            } catch {
                // Compaction may have moved it; the read finds it.
                if error.code != .notFound { throw StoreError(error) }
            }
        }
        return try read(hash, kind)
    }

    /// The bytes of an object as they are stored, unchecked: for sending to someone who checks.
    ///
    /// - Parameter location: as the store has given it. Compaction may have moved the object since.
    public func readStored(_ location: Location, hash: ContentHash) throws(StoreError) -> [UInt8] {
        var failure: StoreError?
        let bytes = [UInt8](unsafeUninitializedCapacity: Int(location.storedLength)) { buffer, count in
            do throws(StoreError) {
                try readStored(location, hash: hash, into: UnsafeMutableRawBufferPointer(buffer))
                count = buffer.count
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// The same, into memory of the caller's which has exactly room for them.
    public func readStored(
        _ location: Location, hash: ContentHash, into buffer: UnsafeMutableRawBufferPointer
    ) throws(StoreError) {
        if location.isHeld {
            guard let chunkHolder, try chunkHolder.read(hash, into: buffer) else { throw Self.gone(hash) }
            return
        }
        if try readLog(location, into: buffer) { return }
        if let moved = try place(of: hash), moved.storedLength == location.storedLength, moved.codec == location.codec,
            try readLog(moved, into: buffer)
        {
            return
        }
        throw lost(hash, location)
    }

    /// An object's stored bytes; nil where its segment is gone or ends before them.
    private func readLog(_ location: Location) throws(StoreError) -> [UInt8]? {
        var failure: StoreError?
        let bytes = [UInt8](unsafeUninitializedCapacity: Int(location.storedLength)) { buffer, count in
            do throws(StoreError) {
                count = try readLog(location, into: UnsafeMutableRawBufferPointer(buffer)) ? buffer.count : 0
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes.count == Int(location.storedLength) ? bytes : nil
    }

    /// - Returns: false where the segment is gone or ends before the object does.
    private func readLog(_ location: Location, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) -> Bool {
        do throws(DiskError) {
            return try files.file(location.position.segment).read(into: buffer, at: location.position.offset) == buffer.count
        } catch {
            if error.code == .notFound { return false }
            throw StoreError(error)
        }
    }

    /// Counts as absent from now on, so that the same bytes can be put or fetched again.
    private func lost(_ hash: ContentHash, _ location: Location) -> StoreError {
        damaged.withLock { _ = $0.insert(hash) }
        return StoreError(
            .damaged, "\(location.kind) \(hash) is lost: segment \(location.position.segment) is gone or cut off", hash: hash)
    }
}

import Content
import HTTPClient
import Platform
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Fetches one file. What the disk has of it already, in the target or in a part that was left, is not fetched again.
struct FileFetch: Sendable {
    let client: PandoClient
    let threads: BlockingThreads
    let progress: Progress
    let item: ListItem
    let target: String
    let at: String?
    /// Bytes of this file that the progress shows.
    private let shown = ByteCount()

    /// Up to here a file is fetched whole, in one request, and written in one go.
    private static let smallSize = 1 << 20
    private static let maximumTries = 5
    private static let writeLength = 1 << 20

    private enum Local: Sendable {
        /// The file is here as it should be.
        case whole
        /// There is something to start from.
        case some
        case none
    }

    func run() async throws {
        let part = PartFile(target: target)
        let size = item.size ?? 0
        var local = try await threads.run { try look(part) }
        if local == .whole {
            progress.update {
                $0.files += 1
                $0.bytes += size
            }
            return
        }
        var tries = 0
        while true {
            tries += 1
            do {
                if size <= UInt64(FileFetch.smallSize) {
                    try await fetchSmall(part)
                } else if local == .some {
                    try await fetchMissing(part)
                } else {
                    try await fetchWhole(part, size)
                }
                break
            } catch let error as ClientError where error.canRetry && tries < FileFetch.maximumTries {
                // What came is on the disk; only the rest is asked for.
                local = .some
                let shown = shown.bytes.exchange(0, ordering: .relaxed)
                progress.update { $0.bytes -= shown }
                try await Task.sleep(for: .milliseconds(200 << tries))
            }
        }
        progress.update { $0.files += 1 }
    }

    private func look(_ part: PartFile) throws -> Local {
        let size = item.size ?? 0
        if let status = try LocalFile.status(of: target) {
            guard status.kind != .directory else { throw Failure("\(target): is a folder, and the node has a file there") }
            if status.kind == .file, status.size == size, let hash = item.contentHash {
                let file = try LocalFile.openForReading(target)
                defer { close(file) }
                if try ContentDigest.read(file, path: target).root.description == hash {
                    try PartFile.setAttributes(file, item, path: target)
                    return .whole
                }
                return .some
            }
            if status.kind == .file, status.size > UInt64(Chunker.minimumSize) { return .some }
        }
        return try LocalFile.status(of: part.path)?.kind == .file ? .some : .none
    }

    // MARK: Whole files

    private func fetchSmall(_ part: PartFile) async throws {
        let download = try await client.get(item.path, at: at)
        var bytes: [UInt8] = []
        for try await piece in download.body {
            if bytes.isEmpty { bytes = piece } else { bytes += piece }
            // The file may have been replaced by a larger one since it was listed.
            guard bytes.count <= 2 * FileFetch.smallSize else { throw changed }
        }
        let whole = bytes
        let item = try current(download.head, count: UInt64(whole.count))
        try await threads.run {
            try whole.withUnsafeBytes { bytes in
                var digest = ContentDigest()
                digest.update(bytes)
                try check(digest.finish(), item)
                let file = try part.open(truncating: true)
                defer { close(file) }
                try LocalFile.write(bytes, to: file, path: part.path)
                try part.complete(file, item)
            }
        }
        count(UInt64(whole.count), isSent: true)
    }

    private func fetchWhole(_ part: PartFile, _ size: UInt64) async throws {
        let download = try await client.get(item.path, at: at)
        let item = try current(download.head, count: download.length ?? size)
        let writer = try await threads.run { try PartWriter(part) }
        var gathered: [UInt8] = []
        for try await piece in download.body {
            gathered += piece
            if gathered.count >= FileFetch.writeLength {
                let bytes = gathered
                gathered.removeAll(keepingCapacity: true)
                try await threads.run { try writer.append(bytes) }
                count(UInt64(bytes.count), isSent: true)
            }
        }
        let rest = gathered
        try await threads.run {
            try writer.append(rest)
            try check(writer.finish(), item)
            try part.complete(writer.file, item)
        }
        count(UInt64(rest.count), isSent: true)
    }

    // MARK: Files that are here in part

    private func fetchMissing(_ part: PartFile) async throws {
        let list = try await client.chunks(of: item.path, at: at)
        guard let plan = try await threads.run({ try LocalChunks(list, target: target, part: part) }) else { throw changed }
        count(plan.bytesFound, isSent: false)
        var item = item
        item.size = list.size
        item.contentHash = list.contentHash
        let file = plan.file
        for run in plan.missing {
            let download = try await client.get(item.path, range: run.range, at: at)
            guard download.head.contentHash == nil || download.head.contentHash == list.contentHash else { throw changed }
            var pending = run.chunks[...]
            var offset = run.range.lowerBound
            var gathered: [UInt8] = []
            for try await piece in download.body {
                gathered += piece
                while let chunk = pending.first, gathered.count >= chunk.size {
                    let bytes = Array(gathered[..<chunk.size])
                    gathered.removeFirst(chunk.size)
                    let place = offset
                    try await threads.run {
                        guard ContentHash(of: .chunk, bytes) == chunk.hash else { throw damaged }
                        try bytes.withUnsafeBytes { try LocalFile.write($0, to: file.descriptor, at: place, path: part.path) }
                    }
                    count(UInt64(bytes.count), isSent: true)
                    offset += UInt64(bytes.count)
                    pending = pending.dropFirst()
                }
            }
            guard pending.isEmpty else {
                throw ClientError(title: "cut off", detail: "\(item.path): the answer ended early", canRetry: true)
            }
        }
        let whole = item
        try await threads.run { try part.complete(file.descriptor, whole) }
    }

    // MARK: Checks

    /// What the listing said, brought up to date by what the node sends now.
    private func current(_ head: FileHead, count: UInt64) throws -> ListItem {
        guard head.kind != .directory else { throw changed }
        var item = item
        item.size = count
        if let hash = head.contentHash { item.contentHash = hash }
        return item
    }

    private func check(_ content: FileContent, _ item: ListItem) throws {
        guard item.contentHash == nil || content.root.description == item.contentHash else { throw damaged }
    }

    private func count(_ bytes: UInt64, isSent: Bool) {
        shown.bytes.add(bytes, ordering: .relaxed)
        progress.update {
            $0.bytes += bytes
            if isSent { $0.sent += bytes }
        }
    }

    private var changed: ClientError {
        ClientError(title: "changed", detail: "\(item.path): changed on the node while it was fetched", canRetry: true)
    }

    private var damaged: ClientError {
        ClientError(title: "damaged", detail: "\(item.path): what came does not have the hash that the node named", canRetry: true)
    }
}

/// Bytes, counted from several threads.
private final class ByteCount: Sendable {
    let bytes = Atomic<UInt64>(0)
}

/// An open file that is closed with its last owner.
final class OpenFile: Sendable {
    let descriptor: Int32

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }
}

/// Writes a file from its beginning and computes what it is called; one call at a time.
private final class PartWriter: @unchecked Sendable {
    private let open: OpenFile
    private let path: String
    private var digest = ContentDigest()

    var file: Int32 { open.descriptor }

    init(_ part: PartFile) throws {
        open = OpenFile(try part.open(truncating: true))
        path = part.path
    }

    func append(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { bytes in
            try LocalFile.write(bytes, to: file, path: path)
            digest.update(bytes)
        }
    }

    func finish() -> FileContent { digest.finish() }
}

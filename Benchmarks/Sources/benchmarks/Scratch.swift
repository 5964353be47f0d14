import Foundation

/// A directory for what a benchmark writes, gone with it.
final class Scratch {
    let path: String

    init(in parent: String) throws {
        path = parent + "/pando-benchmark-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
        // The disk has the blocks to give back, which must not go on while the next thing is measured.
        sync()
    }

    /// Bytes that the files and directories take on the disk.
    var diskBytes: Int {
        var total = 0
        guard let names = FileManager.default.enumerator(atPath: path) else { return 0 }
        for case let name as String in names {
            var status = stat()
            if lstat(path + "/" + name, &status) == 0 { total += Int(status.st_blocks) * 512 }
        }
        return total
    }
}

/// A file that is written and read with bare system calls: what anything that stores bytes is measured against.
final class BareFile {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    private let descriptor: Int32
    private let path: String
    private var end: off_t = 0

    init(in directory: String) throws {
        path = directory + "/bare-\(UInt32.random(in: 0 ... .max))"
        descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if descriptor < 0 { throw Failure(description: "\(path): \(String(cString: strerror(errno)))") }
    }

    deinit {
        close(descriptor)
        unlink(path)
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        guard pwrite(descriptor, bytes.baseAddress, bytes.count, end) == bytes.count else { throw failure() }
        end += off_t(bytes.count)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        guard pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset)) == buffer.count else { throw failure() }
    }

    func sync() throws {
        guard fdatasync(descriptor) == 0 else { throw failure() }
    }

    private func failure() -> Failure {
        Failure(description: "\(path): \(String(cString: strerror(errno)))")
    }

    /// Appends of 4 KiB, each made durable before the next, a second.
    static func syncRate(in directory: String, count: Int) throws -> Double {
        let file = try BareFile(in: directory)
        let block = Numbers.block
        let time = try block.withUnsafeBytes { block in
            try seconds {
                for _ in 0..<count {
                    try file.append(block)
                    try file.sync()
                }
            }
        }
        return Double(count) / time
    }
}

extension Numbers {
    fileprivate static var block: [UInt8] {
        var numbers = Numbers(seed: 4096)
        return numbers.bytes(4096)
    }
}

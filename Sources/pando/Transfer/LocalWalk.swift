import Foundation
import Merkle

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Something on this machine that is to be written to the node.
struct LocalItem: Sendable {
    enum Kind: Sendable {
        case file
        case symlink
        /// A directory with nothing in it.
        case emptyDirectory
        /// Standard input.
        case standardInput
    }

    var kind: Kind
    var local: String
    var remote: String
}

/// Goes through folders and hands out what is in them, in the order of names.
struct LocalWalk {
    /// Takes each item; false stops the walk.
    let emit: (LocalItem) -> Bool
    let report: (String) -> Void
    let progress: Progress

    private enum Stopped: Error {
        case stopped
    }

    func walk(_ roots: [LocalItem]) {
        do {
            for root in roots { try visit(root) }
        } catch {
            return
        }
        progress.update { $0.isCounted = true }
    }

    private func visit(_ root: LocalItem) throws(Stopped) {
        if root.kind == .standardInput { return try hand(root, size: 0) }
        do {
            guard let status = try LocalFile.status(of: root.local) else {
                return report("\(root.local): no such file or directory")
            }
            try visit(local: root.local, remote: root.remote, status)
        } catch let stopped as Stopped {
            throw stopped
        } catch {
            report("\(error)")
        }
    }

    private func visit(local: String, remote: String, _ status: LocalFile.Status) throws(Stopped) {
        switch status.kind {
        case .file: try hand(LocalItem(kind: .file, local: local, remote: remote), size: status.size)
        case .symlink: try hand(LocalItem(kind: .symlink, local: local, remote: remote), size: 0)
        case .directory: try descend(local, remote)
        case .special: Output.note("skipped \(Output.shown(local, isTerminal: Output.errorIsTerminal)): neither file, folder nor link")
        }
    }

    private func hand(_ item: LocalItem, size: UInt64) throws(Stopped) {
        progress.update {
            $0.totalFiles += 1
            $0.totalBytes += size
        }
        guard emit(item) else { throw .stopped }
    }

    private func descend(_ local: String, _ remote: String) throws(Stopped) {
        guard let names = names(in: local) else { return }
        if names.isEmpty {
            if remote != "/" { try hand(LocalItem(kind: .emptyDirectory, local: local, remote: remote), size: 0) }
            return
        }
        var composed: Set<String> = []
        for name in names {
            let path = LocalFile.join(local, name)
            var stored = name
            if !name.utf8.allSatisfy({ $0 < 0x80 }) {
                stored = name.precomposedStringWithCanonicalMapping
                // Two names that differ in their normalisation form alone are one name on the node.
                guard composed.insert(stored).inserted else {
                    report("\(path): another file here has the same name in Unicode normalisation form C")
                    continue
                }
            }
            let target = RemotePath.join(remote, stored)
            if let fault = TreePath.fault(inName: stored) {
                report("\(path): \(fault)")
                continue
            }
            if target.utf8.count > TreePath.maximumLength {
                report("\(path): the path on the node would be longer than \(TreePath.maximumLength) bytes")
                continue
            }
            let status: LocalFile.Status
            do {
                // Gone since the directory was read: as if it had never been there.
                guard let found = try LocalFile.status(of: path) else { continue }
                status = found
            } catch {
                report("\(error)")
                continue
            }
            try visit(local: path, remote: target, status)
        }
    }

    /// A name that is not UTF-8, as a shell takes it within `$'...'`.
    private static func escaped(_ name: [UInt8]) -> String {
        name.map { (0x20..<0x7f).contains($0) ? String(UnicodeScalar($0)) : "\\x" + String($0, radix: 16) }.joined()
    }

    /// The names in a directory in the order of their bytes; nil where it can't be read.
    private func names(in path: String) -> [String]? {
        guard let directory = opendir(path) else {
            report("\(path): \(LocalFile.reason())")
            return nil
        }
        defer { closedir(directory) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(directory) else {
                if errno != 0 { report("\(path): \(LocalFile.reason())") }
                break
            }
            let bytes = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                let bytes = UnsafeRawPointer(pointer).assumingMemoryBound(to: UInt8.self)
                return Array(UnsafeBufferPointer(start: bytes, count: strlen(UnsafePointer<CChar>(OpaquePointer(bytes)))))
            }
            guard let name = String(validating: bytes, as: UTF8.self) else {
                report("\(LocalFile.join(path, LocalWalk.escaped(bytes))): its name is not UTF-8; rename it to send it")
                continue
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
}

#if canImport(Glibc)
import CLinux
import Glibc
#else
import Darwin
#endif

/// What the file system under a folder can and cannot hold.
public struct FileSystemTraits: Hashable, Sendable {
    /// Bytes in a name, at most.
    public var maximumNameLength = 255
    /// Whether `a` and `A` are one name.
    public var ignoresCase = false
    /// Whether names that differ in their Unicode form alone are one name.
    public var ignoresForm = false
    /// Whether the names and characters that Windows reserves cannot be used.
    public var reservesWindowsNames = false
    /// Whether a file can have extended attributes.
    public var hasAttributes = true
    /// Whether a file can be marked as executable.
    public var hasModes = true
    public var hasLinks = true

    public init() {}

    /// Tries them out in a directory that holds nothing of anybody else's.
    public init(probing directory: DirectoryHandle) throws(DiskError) {
        let length = fpathconf(directory.descriptor, Int32(_PC_NAME_MAX))
        if length > 0 { maximumNameLength = min(Int(length), 255) }
        func probe(_ name: String, _ other: String) throws(DiskError) -> Bool {
            try directory.remove(Array(name.utf8))
            _ = try directory.create(Array(name.utf8))
            let isThere = try directory.status(Array(other.utf8)) != nil
            try directory.remove(Array(name.utf8))
            return isThere
        }
        ignoresCase = try probe("probe-a", "probe-A")
        ignoresForm = try probe("probe-\u{e9}", "probe-e\u{301}")
        #if canImport(Glibc)
        // FAT, exFAT, NTFS (both drivers), SMB.
        let reserved: Set<Int> = [0x4d44, 0x2011_bab0, 0x5346_544e, 0x7366_746e, 0xff53_4d42, 0xfe53_4d42, 0x517b]
        reservesWindowsNames = reserved.contains(pando_file_system_type(directory.descriptor))
        #endif
        let name = Array("probe-file".utf8)
        try directory.remove(name)
        let file = try directory.create(name)
        hasAttributes = (try? file.setAttribute("pando.probe", to: [1])) ?? false
        try? file.setMode(0o700)
        let isExecutable = try file.status().isExecutable
        try? file.setMode(0o600)
        let isStillExecutable = try file.status().isExecutable
        hasModes = isExecutable && !isStillExecutable
        try directory.remove(name)
        let link = Array("probe-link".utf8)
        try directory.remove(link)
        hasLinks = (try? directory.makeLink(link, to: "nowhere")) != nil
        try directory.remove(link)
    }
}

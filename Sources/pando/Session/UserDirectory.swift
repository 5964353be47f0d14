import Foundation
import Platform

/// Pando's directories of the person who runs it, after the XDG base directory specification.
enum UserDirectory {
    static var configuration: String { path(variable: "XDG_CONFIG_HOME", fallback: ".config") }
    static var state: String { path(variable: "XDG_STATE_HOME", fallback: ".local/state") }

    private static func path(variable: String, fallback: String) -> String {
        let environment = ProcessInfo.processInfo.environment
        // The specification has relative paths ignored.
        if let set = environment[variable], set.hasPrefix("/") { return set + "/pando" }
        return (environment["HOME"] ?? NSHomeDirectory()) + "/" + fallback + "/pando"
    }

    /// Writes a file that only its owner may read, and makes the directories that it needs.
    static func write(_ bytes: [UInt8], to path: String) throws {
        let directory = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        do {
            try make(directory)
            try PrivateFile.write(bytes, to: path)
        } catch {
            throw Failure("cannot write \(path): \(error.reason)")
        }
    }

    /// Makes a directory and those above it, for their owner alone.
    private static func make(_ directory: String) throws(DiskError) {
        if FileManager.default.fileExists(atPath: directory) { return }
        if let slash = directory.lastIndex(of: "/"), slash > directory.startIndex { try make(String(directory[..<slash])) }
        _ = try OperatingSystemDisk(path: directory)
    }
}

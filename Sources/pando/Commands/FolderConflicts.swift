import ArgumentParser
import FolderSync
import Foundation
import HTTPClient
import Platform

/// Conflicts of a synced folder, which are decided there, with the server or without.
enum FolderConflicts {
    static let help =
        "The conflicts of a synced folder, also offline (default: the folder that the working directory lies in, unless a node is named)."

    /// The folder that is meant; nil where a node is.
    static func folder(_ named: String?, _ options: GlobalOptions) throws -> String? {
        if let named {
            let folder = try PairedFolder.path(named)
            try PairedFolder.requirePairing(folder)
            return folder
        }
        let environment = ProcessInfo.processInfo.environment
        guard options.node == nil, options.data == nil, environment["PANDO_NODE"] == nil, environment["PANDO_DATA"] == nil else { return nil }
        return PairedFolder.containing(FileManager.default.currentDirectoryPath)
    }

    /// Asks the sync that runs, or else does it here.
    static func ask(_ folder: String, _ request: FolderRequest) async throws -> FolderAnswer {
        do {
            return try await FolderSession.withDatabase(of: folder) { try await $0.carryOut(request) }
        } catch is DirectoryInUse {
            return try await FolderRequests(folder: folder).ask(request)
        }
    }

    /// A path of the tree from what a person typed.
    static func path(_ text: String, in folder: String) throws -> String {
        do {
            return try FolderSession.treePath(text, in: folder).description
        } catch {
            throw ValidationError("\(error)")
        }
    }

    static func list(_ folder: String, under: String?) async throws -> [JSONValue] {
        let answer = try await ask(folder, .conflicts(under: under ?? "/"))
        if let error = answer.error { throw Failure(error) }
        return try answer.conflicts.map { try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode($0)) }
    }
}

extension Conflicts.Resolve {
    func resolve(in folder: String) async throws {
        var paths = try paths.map { try FolderConflicts.path($0, in: folder) }
        if all || under != nil {
            let under = try under.map { try FolderConflicts.path($0, in: folder) }
            let answer = try await FolderConflicts.ask(folder, .conflicts(under: under ?? "/"))
            paths += answer.conflicts.map(\.path)
        }
        var resolved: [FolderAnswer.Version] = []
        var failed = false
        for path in paths {
            let answer = try await FolderConflicts.ask(folder, .resolve(path: path, pick: pick))
            if let error = answer.error {
                failed = true
                Output.complain(Output.shown(error))
            } else {
                if let version = answer.resolved { resolved.append(version) }
                if !options.json { Output.line("resolved \(Output.shown(path))") }
            }
        }
        if options.json { try Output.json(["items": resolved]) }
        if paths.isEmpty, !options.json { Output.note("no conflicts") }
        if failed { throw ExitCode.failure }
    }
}

import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The program under test.
enum Program {
    /// `PANDO_PROGRAM`, or the `pando` that was built beside the tests.
    static let path: String = {
        if let set = ProcessInfo.processInfo.environment["PANDO_PROGRAM"], !set.isEmpty { return set }
        var candidates = CommandLine.arguments.map { URL(filePath: $0) }
        candidates.append(URL(filePath: "/proc/self/exe").resolvingSymlinksInPath())
        for candidate in candidates {
            let beside = candidate.resolvingSymlinksInPath().deletingLastPathComponent().appending(path: "pando").path()
            if FileManager.default.isExecutableFile(atPath: beside) { return beside }
        }
        return "pando"
    }()
}

/// How a process ended.
enum ProcessEnd: Equatable {
    case exited(Int32)
    case killed(Int32)
}

/// A process with its output in files.
final class ChildProcess {
    /// Held while a process starts.
    static let starting = Mutex(())

    let id: pid_t
    let outputPath: String
    let errorPath: String
    private var end: ProcessEnd?

    /// - Parameters:
    ///   - directory: where it runs, and where its output goes unless it is named.
    ///   - fileSizeLimit: the largest file that it may write, in bytes (`ulimit -f`); the signal for it is ignored, so that a
    ///     write beyond it fails as on a full disk.
    init(
        _ arguments: [String], program: String = Program.path, in directory: String, environment: [String: String] = [:],
        output: String? = nil, error: String? = nil, fileSizeLimit: Int? = nil
    ) throws {
        outputPath = output ?? "\(directory)/output-\(UUID().uuidString)"
        errorPath = error ?? "\(directory)/errors-\(UUID().uuidString)"
        // The shell makes way for the program, which keeps its process id.
        let limit = fileSizeLimit.map { "trap '' XFSZ; ulimit -f \($0 / 512); " } ?? ""
        let words = ["/bin/sh", "-c", limit + "cd \"$0\" && exec \"$@\"", directory, program] + arguments
        // Settings of whoever runs the tests stay out of them.
        var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("PANDO_") }
        variables["HOME"] = directory
        variables["XDG_CONFIG_HOME"] = directory + "/config"
        variables["XDG_STATE_HOME"] = directory + "/state"
        variables.merge(environment) { $1 }

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errorPath, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        // Signals start as the system has them, whatever the test runner does with its own.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        var id: pid_t = 0
        let result = ChildProcess.withPointers(words) { words in
            ChildProcess.withPointers(variables.map { "\($0.key)=\($0.value)" }) { variables in
                ChildProcess.starting.withLock { _ in posix_spawn(&id, "/bin/sh", &actions, &attributes, words, variables) }
            }
        }
        guard result == 0 else { throw TestFailure("cannot start \(program): \(String(cString: strerror(result)))") }
        self.id = id
    }

    deinit {
        if !isOver {
            kill(id, SIGKILL)
            _ = try? wait()
        }
    }

    private static func withPointers<Result>(_ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result) -> Result {
        let pointers = texts.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        return body(pointers + [nil])
    }

    var isOver: Bool {
        if end == nil { _ = poll() }
        return end != nil
    }

    var output: String { (try? String(contentsOfFile: outputPath, encoding: .utf8)) ?? "" }
    var errors: String { (try? String(contentsOfFile: errorPath, encoding: .utf8)) ?? "" }

    func signal(_ number: Int32) {
        if end == nil { kill(id, number) }
    }

    private func poll() -> ProcessEnd? {
        if let end { return end }
        var status: Int32 = 0
        guard waitpid(id, &status, WNOHANG) == id else { return nil }
        end = status & 0x7f == 0 ? .exited(status >> 8 & 0xff) : .killed(status & 0x7f)
        return end
    }

    /// Waits for its end. One that takes two minutes hangs.
    @discardableResult
    func wait() throws -> ProcessEnd {
        for _ in 0..<12_000 {
            if let end = poll() { return end }
            usleep(10_000)
        }
        kill(id, SIGKILL)
        throw TestFailure("process \(id) did not end; it said: \(errors.suffix(2000))")
    }
}

/// Something that the tests themselves need did not work.
struct TestFailure: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) {
        self.description = description
    }
}

/// A directory that goes with its owner.
final class TemporaryDirectory {
    let path: String

    init() throws {
        let base = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
        var template = Array("\(base)/pando-test-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw TestFailure("cannot make a temporary directory in \(base)") }
        path = String(cString: made)
    }

    deinit {
        // Not FileManager: it stops at names that are not UTF-8.
        if let remover = try? ChildProcess(["-rf", path], program: "/bin/rm", in: "/", output: "/dev/null", error: "/dev/null") {
            _ = try? remover.wait()
        }
    }

    func appending(_ name: String) -> String { path + "/" + name }

    func write(_ bytes: [UInt8], to name: String) throws {
        let url = URL(filePath: appending(name))
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: url)
    }

    func write(_ text: String, to name: String) throws {
        try write(Array(text.utf8), to: name)
    }

    func read(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(filePath: appending(name))))
    }
}

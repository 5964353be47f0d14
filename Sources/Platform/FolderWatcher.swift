import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What happened in a watched directory.
public enum WatchEvent: Sendable, Hashable {
    /// A name appeared, went or changed in some way.
    case changed(directory: UInt64, name: [UInt8])
    /// A file is being written, and whoever writes it still has it open.
    case writing(directory: UInt64, name: [UInt8])
    /// The watched directory itself is gone or has moved.
    case gone(directory: UInt64)
    /// Some events were lost: everything has to be looked at.
    case overflow
}

/// Tells what changes in directories. On Linux by inotify(7); elsewhere there is none yet, and whoever wants to know looks
/// from time to time.
public final class FolderWatcher: Sendable {
    /// Whether a directory is watched.
    public enum Watching: Sendable {
        case watched
        /// The system allows no more watches (`fs.inotify.max_user_watches`).
        case limitReached
        /// It went in the meantime.
        case missing
    }

    private struct State {
        /// By the system's number, the caller's.
        var directories: [Int32: UInt64] = [:]
    }

    private let state = Mutex(State())
    private let descriptor: Int32
    private let stopper: (read: Int32, write: Int32)

    /// - Parameter handler: called on a thread of the watcher's; must not block.
    /// - Returns: nil where the system has no way to watch.
    public init?(_ handler: @escaping @Sendable ([WatchEvent]) -> Void) {
        #if canImport(Glibc)
        let descriptor = inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK))
        guard descriptor >= 0 else { return nil }
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else {
            close(descriptor)
            return nil
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        self.descriptor = descriptor
        stopper = (ends[0], ends[1])
        let stop = ends[0]
        let thread = Thread { [weak self] in
            FolderWatcher.read(descriptor, stop) { self?.translate($0) ?? [] } _: { handler($0) }
            close(descriptor)
            close(stop)
        }
        thread.name = "watcher"
        thread.start()
        #else
        return nil
        #endif
    }

    deinit {
        // The thread notices, and closes the rest.
        close(stopper.write)
    }

    /// Watches a directory. One that is watched already takes the new number.
    ///
    /// - Parameter number: how the events name it.
    public func watch(_ directory: DirectoryHandle, as number: UInt64) -> Watching {
        #if canImport(Glibc)
        let mask =
            UInt32(IN_CREATE | IN_DELETE | IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE)
            | UInt32(IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
        // By the descriptor: the path may lead elsewhere by now.
        let watch = inotify_add_watch(descriptor, "/proc/self/fd/\(directory.descriptor)", mask)
        guard watch >= 0 else { return errno == ENOSPC || errno == ENOMEM ? .limitReached : .missing }
        state.withLock { $0.directories[watch] = number }
        return .watched
        #else
        return .missing
        #endif
    }

    /// How many directories are watched.
    public var count: Int { state.withLock { $0.directories.count } }

    #if canImport(Glibc)
    private struct Raw {
        var watch: Int32
        var mask: UInt32
        var name: [UInt8]
    }

    /// Hands on what the system tells until the stopper's other end is closed.
    private static func read(_ descriptor: Int32, _ stop: Int32, _ translate: ([Raw]) -> [WatchEvent], _ handler: ([WatchEvent]) -> Void) {
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            var waiting = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0), pollfd(fd: stop, events: Int16(POLLIN), revents: 0)]
            if poll(&waiting, 2, -1) < 0, errno != EINTR { return }
            if waiting[1].revents != 0 { return }
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0 {
                if errno == EINTR || errno == EAGAIN { continue }
                return
            }
            let events = translate(parse(buffer[..<count]))
            if !events.isEmpty { handler(events) }
        }
    }

    private static func parse(_ bytes: ArraySlice<UInt8>) -> [Raw] {
        let headerSize = MemoryLayout<inotify_event>.size
        var events: [Raw] = []
        bytes.withUnsafeBytes { bytes in
            var offset = 0
            while offset + headerSize <= bytes.count {
                let header = bytes.loadUnaligned(fromByteOffset: offset, as: inotify_event.self)
                let start = offset + headerSize
                let end = min(start + Int(header.len), bytes.count)
                events.append(Raw(watch: header.wd, mask: header.mask, name: Array(bytes[start..<end].prefix { $0 != 0 })))
                offset = end
            }
        }
        return events
    }

    private func translate(_ raw: [Raw]) -> [WatchEvent] {
        state.withLock { state in
            var events: [WatchEvent] = []
            for event in raw {
                if event.mask & UInt32(IN_Q_OVERFLOW) != 0 {
                    events.append(.overflow)
                    continue
                }
                guard let number = state.directories[event.watch] else { continue }
                if event.mask & UInt32(IN_IGNORED) != 0 {
                    state.directories[event.watch] = nil
                } else if event.mask & UInt32(IN_DELETE_SELF | IN_MOVE_SELF) != 0 {
                    events.append(.gone(directory: number))
                } else if event.name.isEmpty {
                    continue
                } else if event.mask & UInt32(IN_MODIFY) != 0 {
                    events.append(.writing(directory: number, name: event.name))
                } else {
                    events.append(.changed(directory: number, name: event.name))
                }
            }
            return events
        }
    }
    #endif
}

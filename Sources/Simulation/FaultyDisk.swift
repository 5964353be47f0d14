import Platform
import Synchronization

/// A disk in memory that fails on demand, and that can lose power: it knows of each file what is durable and what is only
/// written, and what it is found to hold after a crash is drawn from everything that a real disk may do.
public final class FaultyDisk: Disk {
    public enum Operation: Sendable, CaseIterable {
        case read, write, sync
    }

    static let faultNumber: Int32 = 5
    static let cutNumber: Int32 = -1

    /// A change of a file that no sync has made durable yet.
    enum Change {
        case write([UInt8], at: Int)
        case truncate(Int)

        func apply(to bytes: inout [UInt8]) {
            switch self {
            case .truncate(let size): bytes.resize(to: size)
            case .write(let new, let offset):
                if new.isEmpty { return }
                if offset == bytes.count { return bytes += new }
                bytes.resize(to: max(bytes.count, offset + new.count))
                bytes.replaceSubrange(offset..<offset + new.count, with: new)
            }
        }
    }

    struct Content {
        var bytes: [UInt8] = []
        var durable: [UInt8] = []
        var changes: [Change] = []
        /// Whether its name is durable.
        var isListed = false

        mutating func add(_ change: Change) {
            change.apply(to: &bytes)
            changes.append(change)
        }

        mutating func persist() {
            for change in changes { change.apply(to: &durable) }
            changes = []
        }
    }

    struct State {
        var files: [String: Content] = [:]
        /// Names whose removal is not durable yet.
        var removed: [String: Content] = [:]
        var capacity: Int?
        /// How many calls of an operation still succeed, and how many fail after that.
        var faults: [Operation: (after: Int, count: Int)] = [:]
        /// Changes and syncs until the power fails; what is asked of the disk then and later fails.
        var eventsLeft: Int?
        var events = 0
        var reads = 0
        var bytesRead = 0
        var syncs = 0
    }

    let state: Mutex<State>

    public init(capacity: Int? = nil) {
        state = Mutex(State(capacity: capacity))
    }

    private init(_ files: [String: [UInt8]]) {
        state = Mutex(State(files: files.mapValues { Content(bytes: $0, durable: $0, isListed: true) }))
    }

    // MARK: What a test asks for

    /// The most bytes that all files can have; nil for no limit.
    public func setCapacity(_ bytes: Int?) { state.withLock { $0.capacity = bytes } }

    /// Makes an operation fail `count` times, after it has succeeded `after` times.
    public func fail(_ operation: Operation, after: Int = 0, count: Int = .max) {
        state.withLock { $0.faults[operation] = (after, count) }
    }

    /// Ends all faults.
    public func repair() { state.withLock { $0.faults = [:] } }

    /// Cuts the power at the change or sync of this number from now on, counted from 0.
    public func cutPower(atEvent event: Int) { state.withLock { $0.eventsLeft = event } }

    public func flip(_ name: String, at offset: Int, bit: UInt8 = 0) {
        state.withLock { state in
            state.files[name]?.bytes[offset] ^= 1 << bit
            state.files[name]?.durable[offset] ^= 1 << bit
        }
    }

    /// The files, by name, with how many of their bytes are durable and stand where they stood.
    public var durableSizes: [(name: String, size: Int)] {
        state.withLock { $0.files.map { ($0.key, min($0.value.bytes.count, $0.value.durable.count)) } }.filter { $0.size > 0 }
            .sorted { $0.name < $1.name }
    }

    /// Puts bytes in the place of a file's, durably.
    public func replace(_ name: String, with bytes: [UInt8]) {
        state.withLock { $0.files[name] = Content(bytes: bytes, durable: bytes, isListed: true) }
    }

    public func bytes(of name: String) -> [UInt8] { state.withLock { $0.files[name]?.bytes ?? [] } }
    /// Changes and syncs so far.
    public var events: Int { state.withLock { $0.events } }
    public var syncs: Int { state.withLock { $0.syncs } }
    public var reads: Int { state.withLock { $0.reads } }
    public var bytesRead: Int { state.withLock { $0.bytesRead } }
    public var size: Int { state.withLock { $0.files.values.reduce(0) { $0 + $1.bytes.count } } }

    /// The disk as it is now, with nothing lost: what another process sees if the first one is killed.
    public func copy() -> FaultyDisk {
        FaultyDisk(state.withLock { $0.files.mapValues(\.bytes) })
    }

    /// The disk as it may be found after the power failed now.
    public func crashed(_ random: inout SplitMix64) -> FaultyDisk {
        let (present, removed) = state.withLock { ($0.files, $0.removed) }
        var files: [String: [UInt8]] = [:]
        for (name, content) in removed.sorted(by: { $0.key < $1.key }) where random.once(in: 2) { files[name] = content.durable }
        for (name, content) in present.sorted(by: { $0.key < $1.key }) where content.isListed || random.once(in: 2) {
            files[name] = FaultyDisk.survivors(of: content, &random)
        }
        return FaultyDisk(files)
    }

    private static func survivors(of content: Content, _ random: inout SplitMix64) -> [UInt8] {
        var bytes = content.durable
        switch random.below(5) {
        case 0: break
        case 1: bytes = content.bytes
        case 2:
            // In order, up to some byte of some change.
            let count = random.below(content.changes.count + 1)
            for change in content.changes.prefix(count) { change.apply(to: &bytes) }
            if count < content.changes.count, case .write(let new, let offset) = content.changes[count] {
                Change.write(Array(new.prefix(random.below(new.count + 1))), at: offset).apply(to: &bytes)
            }
        case 3:
            // All but a few sectors, with what was written behind them.
            bytes = content.bytes
            let writes = content.changes.compactMap { change in
                if case .write(let new, let offset) = change, !new.isEmpty { offset..<offset + new.count } else { nil }
            }
            if writes.isEmpty { break }
            for _ in 0...random.below(3) {
                let write = random.pick(writes)
                let start = write.lowerBound + random.below(write.count) / 64 * 64
                for place in start..<max(start, min(start + 64, write.upperBound, bytes.count)) {
                    bytes[place] = place < content.durable.count ? content.durable[place] : 0
                }
            }
        default:
            // In any order: sectors that were not written yet are zeros where the file has grown over them.
            for change in content.changes {
                guard case .write(let new, let offset) = change else {
                    if random.once(in: 2) { change.apply(to: &bytes) }
                    continue
                }
                if random.once(in: 3) { continue }
                let isWhole = random.once(in: 2)
                if random.once(in: 2) { bytes.resize(to: max(bytes.count, offset + new.count)) }
                for start in stride(from: 0, to: new.count, by: 64) where isWhole || random.once(in: 2) {
                    Change.write(Array(new[start..<min(start + 64, new.count)]), at: offset + start).apply(to: &bytes)
                }
            }
        }
        return bytes
    }

    // MARK: Disk

    public func names() throws(DiskError) -> [String] {
        try event(counts: false)
        return state.withLock { Array($0.files.keys) }
    }

    public func open(_ name: String) throws(DiskError) -> any DiskFile {
        guard state.withLock({ $0.files[name] != nil }) else {
            throw DiskError(code: .notFound, operation: "open \(name)", reason: "no such file")
        }
        return try create(name)
    }

    public func create(_ name: String) throws(DiskError) -> any DiskFile {
        let isNew = state.withLock { $0.files[name] == nil }
        if isNew {
            try event()
            state.withLock { $0.files[name] = Content() }
        } else {
            try event(counts: false)
        }
        return FaultyFile(disk: self, name: name)
    }

    public func remove(_ name: String) throws(DiskError) {
        try event()
        state.withLock { state in
            if let content = state.files.removeValue(forKey: name), content.isListed { state.removed[name] = content }
        }
    }

    public func syncDirectory() throws(DiskError) {
        try event(.sync)
        state.withLock { state in
            state.removed = [:]
            for name in state.files.keys { state.files[name]?.isListed = true }
        }
    }

    /// Counts the call; fails if it is to fail.
    func event(_ operation: Operation? = nil, counts: Bool = true) throws(DiskError) {
        let failure = state.withLock { state -> DiskError? in
            if let left = state.eventsLeft {
                if left < 0 { return DiskError(code: .other, operation: "disk", reason: "the power is off") }
                if counts { state.eventsLeft = left - 1 }
                if left == 0, counts {
                    return DiskError(code: .other, operation: "disk", number: FaultyDisk.cutNumber, reason: "the power fails")
                }
            }
            if counts { state.events += 1 }
            guard let operation, let fault = state.faults[operation] else { return nil }
            if fault.after > 0 {
                state.faults[operation] = (fault.after - 1, fault.count)
                return nil
            }
            if fault.count == 0 { return nil }
            state.faults[operation] = (0, fault.count == .max ? .max : fault.count - 1)
            return DiskError(code: .other, operation: "\(operation)", number: FaultyDisk.faultNumber, reason: "a fault that the test asked for")
        }
        if let failure { throw failure }
    }
}

final class FaultyFile: DiskFile {
    private let disk: FaultyDisk
    private let name: String

    init(disk: FaultyDisk, name: String) {
        self.disk = disk
        self.name = name
    }

    func size() throws(DiskError) -> UInt64 {
        try disk.event(counts: false)
        return disk.state.withLock { UInt64($0.files[name]?.bytes.count ?? 0) }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(DiskError) -> Int {
        try disk.event(.read, counts: false)
        return disk.state.withLock { state in
            guard let bytes = state.files[name]?.bytes, offset < UInt64(bytes.count) else { return 0 }
            let count = min(buffer.count, bytes.count - Int(offset))
            bytes.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[Int(offset)..<Int(offset) + count])) }
            state.reads += 1
            state.bytesRead += count
            return count
        }
    }

    func write(_ parts: [UnsafeRawBufferPointer], at offset: UInt64) throws(DiskError) {
        let new = parts.flatMap { Array($0) }
        do throws(DiskError) {
            try disk.event(.write)
        } catch {
            // The disk may fail in the middle, and so may the power.
            if error.number == FaultyDisk.faultNumber { change(.write(Array(new.prefix(new.count / 2)), at: Int(offset))) }
            if error.number == FaultyDisk.cutNumber { change(.write(new, at: Int(offset))) }
            throw error
        }
        let room = disk.state.withLock { state -> Int in
            guard let capacity = state.capacity else { return .max }
            let size = state.files[name]?.bytes.count ?? 0
            let others = state.files.values.reduce(0) { $0 + $1.bytes.count } - size
            return max(0, capacity - others - Int(offset))
        }
        change(.write(Array(new.prefix(room)), at: Int(offset)))
        if room < new.count { throw DiskError(code: .full, operation: "write \(name)", number: 28, reason: "no space left") }
    }

    func truncate(to size: UInt64) throws(DiskError) {
        try disk.event()
        change(.truncate(Int(size)))
    }

    func sync() throws(DiskError) {
        do throws(DiskError) {
            try disk.event(.sync)
        } catch {
            // As on Linux: what could not be written is forgotten, and the next sync will say that all is well.
            if error.number == FaultyDisk.faultNumber { disk.state.withLock { $0.files[name]?.changes = [] } }
            throw error
        }
        disk.state.withLock { state in
            state.syncs += 1
            state.files[name]?.persist()
        }
    }

    func startWriting(_ range: Range<UInt64>) {}

    private func change(_ change: FaultyDisk.Change) {
        disk.state.withLock { $0.files[name]?.add(change) }
    }
}

extension [UInt8] {
    fileprivate mutating func resize(to size: Int) {
        if size < count { removeLast(count - size) } else { append(contentsOf: repeatElement(0, count: size - count)) }
    }
}

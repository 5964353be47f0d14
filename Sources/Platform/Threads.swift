import Foundation

/// Threads for work that blocks, so that the cooperative pool never waits for a disk.
public final class BlockingThreads: Sendable {
    /// Trees are edited and walked by recursion along the path, which may be 2,048 names deep.
    public static let stackSize = 16 << 20

    private let queue: WorkQueue
    /// Whether there are no threads, and work is done by whoever asks for it: in a simulation, where nothing blocks and
    /// everything has to happen in the same order each time.
    public let isInline: Bool
    /// Where there are no threads, what each piece of work waits for first.
    private let pause: @Sendable () async -> Void

    /// - Parameters:
    ///   - count: 0 for no threads at all: work is done by tasks.
    ///   - givesWay: whether all other threads go first where there are too few processors. So do threads that these start.
    ///   - pause: what each of those tasks does before it begins.
    public init(count: Int, name: String, givesWay: Bool = false, pause: @escaping @Sendable () async -> Void = {}) {
        let queue = WorkQueue()
        self.queue = queue
        isInline = count == 0
        self.pause = pause
        for index in 0..<count {
            let thread = Thread {
                if givesWay { BlockingThreads.giveWay() }
                while let work = queue.next() { work() }
            }
            thread.name = "\(name)-\(index)"
            thread.stackSize = BlockingThreads.stackSize
            thread.start()
        }
    }

    deinit {
        queue.close()
    }

    /// Lowers the priority of the thread that calls.
    private static func giveWay() {
        #if canImport(Darwin)
        pthread_set_qos_class_self_np(QOS_CLASS_UTILITY, 0)
        #elseif os(Linux)
        // On Linux each thread has a nice value of its own, and 0 is the thread that calls: setpriority(2), "C library/kernel differences".
        _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
        #endif
    }

    /// Runs `body` on one of the threads. Work that waits is done in the order of the calls.
    public func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            let work = { @Sendable in continuation.resume(with: Swift.Result { try body() }) }
            // As with threads, others may go on before it is done, and before the caller learns of it.
            if isInline { soon(work) } else { queue.add(work) }
        }
    }

    /// Does `body` in a task, where there are no threads.
    public func soon(_ body: @escaping @Sendable () -> Void) {
        Task { [pause] in
            await pause()
            body()
        }
    }

    /// Starts `body` on one of the threads and goes on.
    public func start(_ body: @escaping @Sendable () -> Void) {
        if isInline { body() } else { queue.add(body) }
    }
}

/// Work that waits for a thread.
private final class WorkQueue: @unchecked Sendable {
    // The condition guards all of the state.
    private let condition = NSCondition()
    private var waiting: [@Sendable () -> Void] = []
    private var head = 0
    private var isClosed = false

    func add(_ work: @escaping @Sendable () -> Void) {
        condition.lock()
        waiting.append(work)
        condition.signal()
        condition.unlock()
    }

    /// The next piece of work; nil when closed and done.
    func next() -> (@Sendable () -> Void)? {
        condition.lock()
        defer { condition.unlock() }
        while head == waiting.count {
            if isClosed { return nil }
            condition.wait()
        }
        let work = waiting[head]
        // Let go of at once: work holds what it works on, megabytes of it.
        waiting[head] = {}
        head += 1
        if head == waiting.count {
            waiting.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 1024, head * 2 >= waiting.count {
            waiting.removeFirst(head)
            head = 0
        }
        return work
    }

    func close() {
        condition.lock()
        isClosed = true
        condition.broadcast()
        condition.unlock()
    }
}

/// A queue of requests that one thread takes in batches: whatever came in while it was busy with the last batch.
public final class Mailbox<Item: Sendable>: @unchecked Sendable {
    // The condition guards all of the state.
    private let condition = NSCondition()
    private var items: [Item] = []
    private var isClosed = false

    public init() {}

    /// Items that wait.
    public var count: Int {
        condition.lock()
        defer { condition.unlock() }
        return items.count
    }

    /// - Returns: false if the mailbox is closed and the item was not taken.
    public func add(_ item: Item) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        if isClosed { return false }
        items.append(item)
        condition.signal()
        return true
    }

    /// Waits for items and takes all of them, in order; nil when closed and empty.
    public func takeAll(limit: Int) -> [Item]? {
        condition.lock()
        defer { condition.unlock() }
        while items.isEmpty {
            if isClosed { return nil }
            condition.wait()
        }
        return take(limit)
    }

    /// Takes what is there, in order, without waiting for more.
    public func takeWaiting(limit: Int) -> [Item] {
        condition.lock()
        defer { condition.unlock() }
        return take(limit)
    }

    private func take(_ limit: Int) -> [Item] {
        if items.count <= limit {
            let taken = items
            items = []
            return taken
        }
        let taken = Array(items.prefix(limit))
        items.removeFirst(limit)
        return taken
    }

    public func close() {
        condition.lock()
        isClosed = true
        condition.broadcast()
        condition.unlock()
    }
}

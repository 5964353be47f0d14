import Foundation

/// Threads for calls that block, so that the threads that run tasks never do.
final class BlockingThreads: Sendable {
    private typealias Work = @Sendable () -> Void

    private let queue = BlockingQueue<Work>(capacity: 1024)

    init(count: Int) {
        let queue = queue
        for _ in 0..<count {
            BlockingThreads.start { while let work = queue.pop() { work() } }
        }
    }

    deinit {
        queue.close()
    }

    /// Runs `body` on one of the threads.
    func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            let isTaken = queue.push { continuation.resume(with: Swift.Result { try body() }) }
            precondition(isTaken, "the queue is open as long as its owner lives")
        }
    }

    /// Starts a thread of its own for work that takes long.
    static func start(_ body: @escaping @Sendable () -> Void) {
        let thread = Thread { body() }
        // A walk goes down as deep as a path can be.
        thread.stackSize = 8 << 20
        thread.start()
    }
}

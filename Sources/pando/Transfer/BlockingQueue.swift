import Foundation

/// A bounded queue between threads that may block.
final class BlockingQueue<Element: Sendable>: @unchecked Sendable {
    // Everything below is guarded by the condition's lock.
    private let condition = NSCondition()
    private var elements: [Element] = []
    private var head = 0
    private var isClosed = false
    private let capacity: Int

    init(capacity: Int) {
        self.capacity = capacity
    }

    /// Waits for room and adds an element.
    ///
    /// - Returns: Whether the queue takes elements still.
    func push(_ element: Element) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        while elements.count - head >= capacity, !isClosed { condition.wait() }
        if isClosed { return false }
        elements.append(element)
        condition.signal()
        return true
    }

    /// Waits for an element; nil at the end.
    func pop() -> Element? {
        condition.lock()
        defer { condition.unlock() }
        while head == elements.count, !isClosed { condition.wait() }
        if head == elements.count { return nil }
        let element = elements[head]
        head += 1
        if head == elements.count {
            elements.removeAll(keepingCapacity: true)
            head = 0
            condition.broadcast()
        } else if head >= capacity / 2 {
            elements.removeFirst(head)
            head = 0
            condition.broadcast()
        }
        return element
    }

    /// Ends the queue: what is in it is still handed out, or thrown away.
    func close(discarding: Bool = false) {
        condition.lock()
        isClosed = true
        if discarding {
            elements.removeAll()
            head = 0
        }
        condition.broadcast()
        condition.unlock()
    }
}

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A lock for state that is held while the disk works.
///
/// Whoever waits for it sleeps. `Mutex` is made for moments: on Linux its waiters keep a core busy while the holder runs,
/// which through a write of megabytes is a core lost to whoever could hash meanwhile.
public final class SleepingLock<Value>: @unchecked Sendable {
    // Guards the value; at one address for its whole life, as the system demands.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var value: Value

    public init(_ value: sending Value) {
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        let result = pthread_mutex_init(mutex, nil)
        precondition(result == 0, "no room for a lock")
        self.value = value
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    public func withLock<Result, Failure: Error>(_ body: (inout Value) throws(Failure) -> Result) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }
}

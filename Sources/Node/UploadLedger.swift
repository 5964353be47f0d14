import Access
import Content
import Synchronization

/// Which objects the holders of restricted keys have sent lately.
///
/// A commit makes an object readable to whoever names it. Someone who may see only a part of the database could name an
/// object of another part, if knowing its hash were enough; so they must have sent its bytes. What is forgotten here is sent
/// again.
public final class UploadLedger: Sendable {
    private struct Entry: Hashable {
        var identity: Principal.Identity
        var hash: ContentHash
    }

    /// Two generations: when one is full, the older is forgotten.
    private struct Generations {
        var young: Set<Entry> = []
        var old: Set<Entry> = []
    }

    /// Entries of a generation, about 60 MB: a hundred gigabytes of new chunks.
    private static let limit = 400_000

    private let generations = Mutex(Generations())

    init() {}

    public func add(_ hashes: [ContentHash], of principal: Principal) {
        if principal.rules.isUnrestricted { return }
        generations.withLock { ledger in
            for hash in hashes {
                ledger.young.insert(Entry(identity: principal.identity, hash: hash))
                if ledger.young.count >= UploadLedger.limit {
                    ledger.old = ledger.young
                    ledger.young = []
                }
            }
        }
    }

    /// The objects that the holder has not sent.
    public func unproven(_ hashes: [ContentHash], of identity: Principal.Identity) -> [ContentHash] {
        generations.withLock { ledger in
            hashes.filter {
                let entry = Entry(identity: identity, hash: $0)
                return !ledger.young.contains(entry) && !ledger.old.contains(entry)
            }
        }
    }
}

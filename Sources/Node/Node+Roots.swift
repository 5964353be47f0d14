import Content
import FileDatabase
import Merkle
import Synchronization

extension Node {
    /// Roots that syncs want to go on from, so that a collection leaves them. Without them the trees would be walked, or told, anew.
    func knownRoots() -> [HeldRoot] {
        var roots: Set<ContentHash> = []
        for state in (local.value.scoped ?? [:]).values { roots.insert(state.known) }
        for link in allLinks() {
            link.state.withLock { state in
                for scoped in state.scoped.values { roots.insert(scoped.known) }
                // A peer that is away for long holds nothing up.
                if state.phase == .active { roots.formUnion(state.joined.values) }
            }
        }
        roots.remove(TreeNode.empty.hash)
        return roots.sorted().map { .tree($0) }
    }
}

import Content
import Logging
import Synchronization

/// A node that has lost its log is still a member: it knows its peers by their keys, and they know it by its own.
extension Node {
    /// Whether the cluster's own tree went with the log.
    public var hasLostCluster: Bool { !hasCluster && local.value.peers.contains { $0.nodeID != nil } }

    /// Takes the cluster's own tree anew from a peer, where it was lost. What fails is tried again at the next sync.
    public func recoverCluster() async {
        guard hasLostCluster else { return }
        for link in allLinks() where link.apiKey == nil && link.nodeID != nil {
            do {
                try await meet(link, mustBeMember: false)
                try await adoptSystem(of: link)
                return logger.notice("took the cluster's own tree anew: it was lost with the log", metadata: ["peer": "\(link.name)"])
            } catch {
                logger.warning("cannot take the cluster's own tree anew", metadata: ["peer": "\(link.name)", "reason": "\(Node.words(error))"])
            }
        }
    }
}

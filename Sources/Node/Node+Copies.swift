import Access
import Content
import FileDatabase
import Foundation
import Logging
import Merkle
import Platform
import Synchronization

extension Node {
    /// Copies whose last check is remembered.
    private static let maximumCheckedCopies = 10_000
    private static let maximumCopyAnswer = 64 << 10
    /// How long a member may take to read what it holds: a terabyte at 100 MB/s takes three hours.
    private static let copyTimeout = 6 * 3600

    /// Asks all members who hold what is at a path now.
    ///
    /// - Parameter verify: whether they are to read all of it from their disks again and sign what they found.
    public func copies(of path: TreePath, verify: Bool) async throws -> CopyReport {
        let (target, size) = try await database.threads.run { [database] in
            guard let target = try database.copyTarget(at: path), let info = try database.view.info(at: path) else {
                throw DatabaseError(.notFound, "is no file and no directory", path: path)
            }
            return (target, info.size)
        }
        let cluster = try cluster()
        var report = CopyReport(
            path: path.description, kind: target.kind, root: target.root.description, size: size, clusterID: cluster.id ?? "", copies: [])
        let question = target.question(path: path, size: size, verify: verify)
        let links = allLinks()
        report.copies = await withTaskGroup(of: CopyReport.Copy.self) { group in
            for (node, member) in cluster.members {
                let unknown = CopyReport.Copy(
                    nodeID: member.nodeID, label: member.label, publicKey: member.publicKey, held: false, objects: 0, bytes: 0)
                group.addTask {
                    do {
                        var answer: CopyReport.Copy
                        if node == self.id {
                            answer = try await self.answer(question, target)
                        } else if let link = links.first(where: { $0.nodeID == node }) {
                            answer = try await self.ask(question, link)
                        } else {
                            throw NodeError(.unavailable, "this node does not exchange changes with it")
                        }
                        // Under its own name and key, whatever it says.
                        (answer.nodeID, answer.label, answer.publicKey) = (member.nodeID, member.label, member.publicKey)
                        return answer
                    } catch {
                        var copy = unknown
                        copy.reason = Node.words(error)
                        return copy
                    }
                }
            }
            var copies: [CopyReport.Copy] = []
            for await copy in group { copies.append(copy) }
            return copies.sorted { $0.nodeID < $1.nodeID }
        }
        for index in report.copies.indices where report.copies[index].signature != nil {
            guard let fault = report.fault(of: report.copies[index]) else { continue }
            report.copies[index].held = false
            report.copies[index].signature = nil
            report.copies[index].reason = fault
        }
        return report
    }

    private func ask(_ question: CopyQuestion, _ link: PeerLink) async throws -> CopyReport.Copy {
        let response = try await send(
            .post, "/sync/copies", to: link, body: JSON.encode(question), contentType: "application/json",
            timeoutSeconds: question.verify ? Node.copyTimeout : 60)
        return try JSONDecoder().decode(CopyReport.Copy.self, from: Data(await response.body.collect(limit: Node.maximumCopyAnswer)))
    }

    /// Says whether this node holds what a member asks about.
    ///
    /// - Parameter isCurrent: whether it must be what is at the path here, too: whoever may not see everything must not find out
    ///   what content there is.
    public func answer(_ question: CopyQuestion, isCurrent: Bool) async throws -> CopyReport.Copy {
        let path = try TreePath(question.path)
        let target = try question.target()
        if isCurrent {
            let current = try await database.threads.run { [database] in try database.copyTarget(at: path) }
            guard current == target else {
                return try ownCopy(held: false, reason: "another version is there")
            }
        }
        return try await answer(question, target)
    }

    private func answer(_ question: CopyQuestion, _ target: FileDatabase.CopyTarget) async throws -> CopyReport.Copy {
        let check = try await database.threads.run { [database] in try database.checkCopy(of: target, rereads: question.verify) }
        var copy = try ownCopy(held: check.fault == nil, reason: check.fault)
        copy.objects = check.objects
        copy.bytes = check.bytes
        if check.fault != nil {
            checkedCopies.withLock { $0[target] = nil }
            return copy
        }
        let now = clock.wallMicroseconds()
        let verifiedAt = checkedCopies.withLock { checked in
            if question.verify {
                if checked.count >= Node.maximumCheckedCopies { checked = [:] }
                checked[target] = now
            }
            return checked[target]
        }
        copy.verifiedAt = verifiedAt.map { Date(timeIntervalSince1970: Double($0) / 1e6).rfc3339 }
        if question.verify {
            let report = CopyReport(
                path: question.path, kind: question.kind, root: question.root, size: question.size, clusterID: try cluster().id ?? "",
                copies: [])
            copy.signature = try key.signature(for: report.message(of: copy)).hex
        }
        return copy
    }

    private func ownCopy(held: Bool, reason: String?) throws -> CopyReport.Copy {
        CopyReport.Copy(
            nodeID: id.description, label: label, publicKey: key.publicKey.hex, held: held, reason: reason, objects: 0, bytes: 0)
    }
}

extension FileDatabase.CopyTarget {
    fileprivate var kind: String {
        switch self {
        case .file: "file"
        case .directory: "directory"
        }
    }

    fileprivate func question(path: TreePath, size: UInt64, verify: Bool) -> CopyQuestion {
        var question = CopyQuestion(
            path: path.description, kind: kind, root: root.description, size: size, height: 0, attributes: nil, verify: verify)
        if case .file(let content, let attributes) = self {
            question.height = content.height
            question.attributes = attributes?.description
        }
        return question
    }
}

extension CopyQuestion {
    fileprivate func target() throws -> FileDatabase.CopyTarget {
        guard let hash = ContentHash(root) else { throw NodeError(.invalid, "'root' must be a hash") }
        let list = try attributes.map { text throws(NodeError) in
            guard let hash = ContentHash(text) else { throw NodeError(.invalid, "'attributes' must be a hash") }
            return hash
        }
        switch kind {
        case "directory": return .directory(hash)
        case "file":
            guard (0...ManifestNode.maximumHeight).contains(height) else { throw NodeError(.invalid, "'height' is out of range") }
            return .file(FileContent(root: hash, height: height, size: size), attributes: list)
        default: throw NodeError(.invalid, "'kind' must be file or directory")
        }
    }
}

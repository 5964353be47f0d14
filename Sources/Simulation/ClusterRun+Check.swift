import Content
import Foundation
import Node
import Replication

/// What users see in the end.
extension ClusterRun {
    /// What a node has not heard of that it takes part in.
    func lacks(_ node: Int, _ world: World) -> (path: String, reason: String)? {
        world.withModel { $0.checkComplete(node) { node != world.partialMember || Leaks.shows($0) } }
    }

    /// Where the member of a part shows something else than the others do, and does not say that it is refused.
    func partDifference(_ machines: [Machine], _ world: World) -> String? {
        guard let partial = world.partialMember, let node = machines[partial].node else { return nil }
        let refused = machines.compactMap(\.node?.id).flatMap { node.refusals(by: $0).filter { !$0.code.isForNow }.map(\.path) }
        return world.partDifference(Set(refused))
    }

    /// Compares what users see at a node, through its routes, with what they should see.
    func check(_ machine: Machine, _ world: World) async {
        let node = machine.index
        if let lack = lacks(node, world) {
            world.explain(lack.path)
            return world.fail(lack.reason)
        }
        let expected = world.withModel { $0.visible(on: node) }
        do {
            for (path, state) in expected.sorted(by: { $0.key < $1.key }) {
                guard case .file(let content) = state.content else { continue }
                let answer = try await machine.request("GET", "/files\(path)?chunks=true")
                let item = try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any]
                guard answer.status == 200, content.hasPrefix(item?["content_hash"] as? String ?? "-") else {
                    return world.fail("\(path) cannot be read at node \(node) as it should be: status \(answer.status)")
                }
                guard await read(path, content, at: machine, world) else { return }
            }
            let answer = try await machine.request("GET", "/sync/conflicts?limit=10000")
            let list = try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any]
            var listed: [String: Int] = [:]
            for item in list?["items"] as? [[String: Any]] ?? [] {
                let losers = item["losers"] as? [[String: Any]] ?? []
                let place = item["path"] as? String ?? ""
                listed[place] = losers.count
                for loser in losers where loser["deleted"] as? Bool == false {
                    guard let path = loser["path"] as? String else { return world.fail("node \(node) lists a loser without a path") }
                    guard case .file(let content) = world.withModel({ $0.content(of: loser["version"] as? String ?? "", at: place) }) else {
                        return world.fail("node \(node) lists the loser \(path), which nobody wrote")
                    }
                    guard await read(path, content, at: machine, world) else { return }
                }
            }
            let conflicts = expected.mapValues(\.losers.count).filter { $0.value > 0 }
            if listed != conflicts { world.fail("node \(node) lists conflicts \(listed) where there are \(conflicts)") }
        } catch {
            world.fail("node \(node) does not answer: \(error)")
        }
    }

    /// Reads a file, and compares it with what was put there.
    ///
    /// - Parameters:
    ///   - content: as the model has it.
    ///   - isAlone: whether nobody can help the node, so that it may say that it has not got the file. Other bytes it must never give.
    /// - Returns: whether nothing is wrong.
    func read(_ path: String, _ content: String, at machine: Machine, _ world: World, isAlone: Bool = false) async -> Bool {
        let answer: (status: Int, body: [UInt8])
        do {
            answer = try await machine.request("GET", "/files\(path)")
        } catch {
            if !isAlone { world.fail("the content of \(path) cannot be read at node \(machine.index): \(error)") }
            return isAlone
        }
        guard answer.status == 200 else {
            if !isAlone { world.fail("the content of \(path) cannot be read at node \(machine.index): status \(answer.status)") }
            return isAlone
        }
        // Of a file of one chunk the hash is that of its bytes. Larger ones may have more.
        guard answer.body.isEmpty || answer.body.count >= 60_000 || content.hasPrefix(ContentHash(of: .chunk, answer.body).description) else {
            world.fail("\(path) has other bytes at node \(machine.index) than were put there")
            return false
        }
        return true
    }
}

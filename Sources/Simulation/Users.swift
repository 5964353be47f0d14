import Foundation
import Platform

/// Somebody who works at one machine: writes, deletes, moves and settles conflicts, through the routes that people use.
struct User {
    let world: World
    let machine: Machine
    var random: SplitMix64
    var operationsLeft: Int

    private static let names = ["/a.txt", "/b.psd", "/d/a.txt", "/d/b.psd", "/d/e/c.mov", "/hot.txt"]
    private static let visibleNames = names.filter(Leaks.shows)
    private static let directories = ["/d", "/d/e", "/g"]

    /// Whether the machine takes part in some of the files only.
    private var isPartial: Bool { machine.index == world.partialMember }

    mutating func work() async {
        while operationsLeft > 0, world.failure == nil {
            operationsLeft -= 1
            do {
                try await world.scheduler.wait(UInt64(random.below(world.features.pause * 1000)))
                // Who finds the node down waits for it.
                guard machine.isRunning else { continue }
                try await act()
            } catch is Machine.Unreachable {
                continue
            } catch let error as TransportError {
                // The machine died under the request.
                world.note("user at node \(machine.index): \(error)")
            } catch {
                if machine.isRunning { world.note("user at node \(machine.index): \(error)") }
            }
        }
    }

    private mutating func act() async throws {
        switch random.below(22) {
        case 0...1: try await delete(random.once(in: 4) ? someDirectory() : somePath())
        case 2 where world.features.movesThings: try await move()
        case 3...5 where world.features.resolvesConflicts: try await resolve()
        case 6: try await makeDirectory()
        case 7 where world.features.movesThings: try await copy()
        case 8 where world.features.hasSnapshots && !isPartial: try await random.once(in: 2) ? makeSnapshot() : restore()
        case 9 where world.features.collects: try await care()
        case 10...12: try await reply()
        default: try await put(somePath())
        }
    }

    private mutating func somePath() -> String {
        if isPartial { return random.once(in: 3) ? "/d/a.txt" : random.pick(User.visibleNames) }
        return random.once(in: 3) ? "/hot.txt" : random.pick(User.names)
    }

    private mutating func someDirectory() -> String {
        isPartial ? "/d/e" : random.pick(User.directories)
    }

    /// Nobody brings what is hidden to where all may see it, nor out of where a machine takes part.
    private func isAllowed(from source: String, to target: String) -> Bool {
        isPartial ? Leaks.shows(target) : !world.hasSecrets || Leaks.shows(source) || !Leaks.shows(target)
    }

    // MARK: Operations

    /// Writes right after something has come from others, to where they write too.
    private mutating func reply() async throws {
        let known = machine.root
        for _ in 0..<20 where machine.root == known { try await world.scheduler.wait(1_000) }
        try await put(isPartial ? "/d/a.txt" : "/hot.txt")
    }

    /// Writes wherever people write.
    mutating func writeEverywhere() async {
        for name in isPartial ? User.visibleNames : User.names where world.failure == nil { try? await put(name) }
    }

    private mutating func put(_ path: String) async throws {
        let isLarge = world.features.hasLargeFiles && random.once(in: 25)
        // Now and then the same bytes as somebody else's, which is no conflict.
        let isSame = random.once(in: 6)
        var body = isSame ? Array("the same".utf8) : Array("\(Leaks.shows(path) ? "content" : Leaks.mark) \(world.nextNumber())".utf8)
        if isLarge { body += random.bytes(300_000 + random.below(400_000)) }
        let content = body
        if !isLarge, !isSame, !Leaks.shows(path) { world.hide(content: content) }
        try await change([path], .write) { machine in
            let answer = try await machine.request("PUT", "/files\(path)", content, contentType: "text/plain")
            return answer.status == 200 || answer.status == 201 ? (answer.status, answer.body, path) : (answer.status, [], path)
        }
    }

    private mutating func delete(_ path: String) async throws {
        try await change([path], .write) { machine in
            (try await machine.request("DELETE", "/files\(path)?recursive=true").status, [], path)
        }
    }

    private mutating func makeDirectory() async throws {
        let path = someDirectory()
        try await change([path], .write) { machine in (try await machine.request("PUT", "/files\(path)/").status, [], path) }
    }

    private mutating func move() async throws {
        let source = random.once(in: 3) ? someDirectory() : somePath()
        let target = random.once(in: 2) ? "\(isPartial ? "/d/new" : "/moved")-\(world.nextNumber())" : somePath()
        guard !target.hasPrefix(source), !source.hasPrefix(target), isAllowed(from: source, to: target) else { return }
        let body = Array(#"{"to":"\#(target)","replace":true}"#.utf8)
        try await change([source, target], .write) { machine in
            (try await machine.request("PATCH", "/files\(source)", body, contentType: "application/json").status, [], source)
        }
    }

    private mutating func copy() async throws {
        let (source, target) = (somePath(), somePath())
        guard source != target, isAllowed(from: source, to: target) else { return }
        let body = Array(#"{"from":"\#(source)","to":"\#(target)","replace":true}"#.utf8)
        try await change([source, target], .write) { machine in
            (try await machine.request("POST", "/files/copy", body, contentType: "application/json").status, [], target)
        }
    }

    private mutating func resolve() async throws {
        let listed = try await machine.request("GET", "/sync/conflicts?limit=50")
        guard listed.status == 200, let list = try JSONSerialization.jsonObject(with: Data(listed.body)) as? [String: Any],
            let items = list["items"] as? [[String: Any]], !items.isEmpty
        else { return }
        let item = items[random.below(items.count)]
        guard let path = item["path"] as? String, let losers = item["losers"] as? [[String: Any]], !losers.isEmpty else { return }
        let version = losers[random.below(losers.count)]["version"] as? String ?? "winner"
        let pick = random.once(in: 2) ? "winner" : version
        let body = Array(#"{"pick":"\#(pick)"}"#.utf8)
        try await change([path], .resolve) { machine in
            (try await machine.request("POST", "/sync/conflicts\(path)", body, contentType: "application/json").status, [], path)
        }
    }

    private mutating func makeSnapshot() async throws {
        let name = "s-\(world.nextNumber())"
        let status = try await machine.request("POST", "/versions/snapshots", Array(#"{"name":"\#(name)"}"#.utf8), contentType: "application/json").status
        world.note("user at node \(machine.index): snapshot \(name) gave \(status)")
        if status == 201 { world.add(snapshot: name) }
    }

    /// Puts a path back to what it was in a snapshot, which may not have come here yet.
    private mutating func restore() async throws {
        let names = world.snapshots
        if names.isEmpty { return }
        let (name, path) = (random.pick(names), somePath())
        try await change([path], .write) { machine in
            let body = Array(#"{"path":"\#(path)","at":"\#(name)"}"#.utf8)
            return (try await machine.request("POST", "/versions/restore", body, contentType: "application/json").status, [], path)
        }
    }

    private mutating func care() async throws {
        let kind = random.pick(["gc", "gc", "scrub"])
        let status = try await machine.request("POST", "/system/\(kind)").status
        world.note("user at node \(machine.index): \(kind) gave \(status)")
    }

    /// Does something to paths that nobody else at this node works on meanwhile, and checks the answer.
    private func change(
        _ paths: [String], _ intent: Model.Intent,
        _ body: @Sendable (Machine) async throws -> (status: Int, body: [UInt8], path: String)
    ) async throws {
        let node = machine.index
        guard world.take(paths, on: node) else { return }
        defer { world.giveBack(paths, on: node) }
        if intent == .resolve { world.withModel { for path in paths { $0.begin(intent, at: path, on: node) } } }
        var isCertain = false
        defer { world.withModel { for path in paths { $0.end(at: path, on: node, isCertain: isCertain) } } }
        let answer = try await body(machine)
        isCertain = answer.status < 500
        world.note("user at node \(node): \(intent) \(paths.joined(separator: " ")) gave \(answer.status)")
        // A full disk and a node that closes may say so; nothing else is the node's fault.
        if answer.status >= 500, answer.status != 503, answer.status != 507, machine.isRunning, !machine.isBroken {
            world.fail("a request on \(paths[0]) at node \(node) gave \(answer.status)")
        }
        guard !answer.body.isEmpty,
            let item = try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any], let version = item["version"] as? String
        else { return }
        if let reason = world.withModel({ $0.acknowledge(version, at: answer.path, by: node) }) { world.fail(reason) }
    }
}

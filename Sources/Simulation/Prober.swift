import Content
import Foundation
import Node
import Platform

/// Somebody with a key for a part of the files, who tries at every node what else it opens, until it is revoked.
struct Prober {
    let world: World
    let machines: [Machine]
    var random: SplitMix64

    private static let probes = 40

    mutating func work() async {
        do {
            guard let key = try await makeKey() else { return }
            for _ in 0..<Prober.probes where world.failure == nil {
                try await world.scheduler.wait(UInt64(random.below(2_000 * world.features.pause)))
                try? await probe(random.pick(machines), key.text)
            }
            try await revoke(key)
        } catch {
            world.note("the prober: \(error)")
        }
    }

    private mutating func makeKey() async throws -> (id: String, text: String)? {
        let body = Array(#"{"label":"prober","rules":[{"path":"\#(Leaks.visible)/**","allow":["read","list"]}]}"#.utf8)
        let answer = try await machines[0].request("POST", "/auth/keys", body, contentType: "application/json")
        guard answer.status == 201, let made = try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any],
            let id = made["id"] as? String, let text = made["api_key"] as? String
        else { return nil }
        return (id, text)
    }

    private mutating func probe(_ machine: Machine, _ key: String) async throws {
        guard let token = try await machine.node?.grant(apiKey: key, client: "prober").token else { return }
        let (method, target, body, type) = someRequest()
        let answer = try await machine.request(method, target, body, contentType: type, token: token)
        world.note("the prober at node \(machine.index): \(method) \(target) gave \(answer.status)")
        world.inspect(answer.body, asked: Array(target.utf8) + body, to: "a key for \(Leaks.visible), by \(method) \(target) at node \(machine.index),")
        if answer.status >= 500, answer.status != 503, machine.isRunning, !machine.isBroken {
            world.fail("\(method) \(target) at node \(machine.index) gave \(answer.status)")
        }
        if answer.status < 300, ["/files/hot.txt", "/sync/chunks", "/sync/nodes", "/sync/changes"].contains(target) {
            world.fail("\(method) \(target) at node \(machine.index) is open to a key for \(Leaks.visible)")
        }
    }

    private mutating func someRequest() -> (method: String, target: String, body: [UInt8], type: String) {
        let bytes = "application/octet-stream", json = "application/json"
        let secret = world.someSecret
        func body(of hash: ContentHash?) -> [UInt8] { (hash ?? .zero).withBytes { Array($0) } }
        switch random.below(14) {
        case 0: return ("GET", "/files/hot.txt", [], bytes)
        case 1: return ("GET", "/files/?recursive=true", [], bytes)
        case 2: return ("GET", "/files/?recursive=true&glob=**", [], bytes)
        case 3: return ("GET", "/files/", [], bytes)
        case 4: return ("GET", "/sync/conflicts?limit=1000", [], bytes)
        case 5: return ("GET", "/files/.conflicts/?recursive=true", [], bytes)
        case 6: return ("POST", "/sync/diff", Array(#"{"since":null,"paths":["/**"]}"#.utf8), json)
        case 7: return ("GET", "/versions/history/hot.txt", [], bytes)
        case 8: return ("GET", "/sync/status", [], bytes)
        case 9: return ("POST", "/sync/nodes", body(of: secret?.root), bytes)
        case 10: return ("POST", "/sync/changes", body(of: secret?.root) + [0], bytes)
        case 11: return ("PUT", "/files/d/probe.txt", [1], bytes)
        case 12: return ("POST", "/files/copy", Array(#"{"from":"/hot.txt","to":"/d/probe.txt"}"#.utf8), json)
        default: return ("POST", "/sync/chunks", body(of: secret?.chunk), bytes)
        }
    }

    /// Ends the key at the node that made it; from then on nothing may be open there to tokens that it got.
    private func revoke(_ key: (id: String, text: String)) async throws {
        guard let token = try await machines[0].node?.grant(apiKey: key.text, client: "prober").token else { return }
        guard try await machines[0].request("GET", "/sync/status", token: token).status == 200 else { return }
        let status = try await machines[0].request("DELETE", "/auth/keys/\(key.id)").status
        world.note("the prober's key is revoked: \(status)")
        guard status == 204 else { return }
        world.revokedToken = token
        if try await machines[0].request("GET", "/sync/status", token: token).status != 401 {
            world.fail("a token of a revoked key still opens something where the key was revoked")
        }
    }
}

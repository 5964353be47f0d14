import Access
import Foundation
import Logging
import Node
import Platform

/// Finding out who holds a token, which every request asks: of tokens that are seen for the first time, and of one that was checked
/// before.
struct TokenBenchmark {
    let settings: Settings

    func run(_ report: inout Report) async throws {
        var first: [Double] = []
        var again: [Double] = []
        let count = settings.scaled(2000)
        for run in 0...settings.runs {
            let scratch = try Scratch(in: settings.scratch)
            var logger = Logger(label: "benchmark")
            logger.logLevel = .error
            let node = try Node(Node.Options(directory: scratch.path, transport: Unreachable(), logger: logger))
            _ = try await node.foundCluster()
            let key = try NodeKey.load(directory: scratch.path)
            var tokens: [String] = []
            for _ in 0..<count { tokens.append(try await Tokens.owner(key, directory: scratch.path)) }
            let unknown = try await seconds { for token in tokens { keep(try await node.authenticate(token)) } }
            let known = try await seconds { for token in tokens { keep(try await node.authenticate(token)) } }
            node.close()
            if run > 0 {
                first.append(unknown / Double(count) * 1e6)
                again.append(known / Double(count) * 1e6)
            }
        }
        report.add("token/seen for the first time", first, "µs", goal: .atMost(100))
        report.add("token/checked before", again, "µs")
    }
}

/// A network without anybody in it.
private struct Unreachable: Transport {
    func send(_ request: TransportRequest) async throws(TransportError) -> TransportResponse {
        throw TransportError("nobody is there", isUnreachable: true)
    }
}

import Foundation
import HTTPServer
import NIOEmbedded
import Platform
import Replication
import Synchronization

/// The network between simulated nodes: slow, lossy, cut in one or both directions, and never reliable about what was heard
/// before the line broke.
final class Network: Sendable {
    /// How bad it is. Chances are one in so many messages; 0 is never.
    struct Weather: Sendable {
        /// Microseconds that a message takes, at least and at most: a wide span is what reorders messages.
        var delay: ClosedRange<UInt64>
        /// Microseconds that messages to machines of higher numbers take more, which no clock can tell from an offset.
        var lag: UInt64 = 0
        var losesOneIn = 0
        /// A request that arrives twice.
        var doublesOneIn = 0
        /// An answer that breaks off in the middle.
        var cutsOneIn = 0
    }

    /// A closure that a mutex holds by itself is wrapped once more at each look at it.
    private struct Watcher {
        var receiver: Int
        /// Takes the bytes, and the path of the request that they belong to.
        var inspect: @Sendable ([UInt8], String) -> Void
    }

    struct Direction: Hashable {
        var from: Int
        var to: Int
    }

    private struct State {
        var servers: [String: (index: Int, server: InProcessServer)] = [:]
        var blocked: Set<Direction> = []
        /// Ways that stay blocked whatever else is healed.
        var cutForLong: Set<Direction> = []
        /// When a machine last came, went, or was cut off.
        var disturbed: [Int: UInt64] = [:]
        /// When the network last became whole.
        var healed: UInt64 = 0
        /// When the last message that was lost is waited for no more: so long a link may tell nobody anything, also where the network is whole again.
        var silentUntil: UInt64 = 0
        var weather: Weather
        var random: SplitMix64
        var messages: UInt64 = 0
        var requests: UInt64 = 0
        var bytes: UInt64 = 0
    }

    /// How long after a cut two machines may take to try each other again, in microseconds.
    private static let patience = UInt64(Backoff.maximum * 1_000_000)

    let scheduler: Scheduler
    private let watcher = Mutex<Watcher?>(nil)
    /// When all is well.
    private let fair: Weather
    private let state: Mutex<State>

    init(scheduler: Scheduler, seed: UInt64) {
        self.scheduler = scheduler
        var random = SplitMix64(seed: seed)
        // Clocks settle the sooner the less the delays differ.
        fair = Weather(delay: 200...random.pick([300, 600, 2_000]))
        state = Mutex(State(weather: fair, random: random))
    }

    /// Shows whatever is sent to a machine from now on to `inspect`, too.
    func watch(_ receiver: Int, _ inspect: @escaping @Sendable ([UInt8], String) -> Void) {
        watcher.withLock { $0 = Watcher(receiver: receiver, inspect: inspect) }
    }

    static func address(of index: Int) -> String { "http://node-\(index):6830" }

    func set(_ weather: Weather) {
        let now = scheduler.now
        state.withLock { state in
            if state.weather.losesOneIn > 0, weather.losesOneIn == 0 { state.healed = now }
            state.weather = weather
        }
    }

    func connect(_ index: Int, _ server: InProcessServer) {
        disturb(index)
        state.withLock { $0.servers[Network.address(of: index)] = (index, server) }
    }

    func disconnect(_ index: Int) {
        disturb(index)
        state.withLock { $0.servers[Network.address(of: index)] = nil }
    }

    /// Ends bad weather.
    func clearUp() {
        let now = scheduler.now
        state.withLock { state in
            if state.weather.losesOneIn > 0 { state.healed = now }
            state.weather = fair
        }
    }

    /// Cuts a machine off from some others, or ends that.
    func setCut(_ isCut: Bool, between index: Int, and others: [Int]) {
        let now = scheduler.now
        let directions = others.flatMap { [Direction(from: index, to: $0), Direction(from: $0, to: index)] }
        state.withLock { state in
            if isCut { state.blocked.formUnion(directions) } else { state.blocked.subtract(directions) }
            state.healed = now
        }
    }

    /// Cuts a site off from all others, until that is ended.
    func cutForLong(_ site: [Int], from others: [Int]) {
        let directions = site.flatMap { index in others.flatMap { [Direction(from: index, to: $0), Direction(from: $0, to: index)] } }
        state.withLock { $0.cutForLong.formUnion(directions) }
    }

    func isCutForLong(_ index: Int) -> Bool { state.withLock { $0.cutForLong.contains { $0.from == index } } }

    func endLongCut() {
        let now = scheduler.now
        state.withLock { state in
            state.cutForLong = []
            state.healed = now
        }
    }

    func block(_ direction: Direction) { state.withLock { _ = $0.blocked.insert(direction) } }

    /// - Parameter span: microseconds for which it stays so.
    func disturb(_ index: Int, for span: UInt64 = 0) {
        let now = scheduler.now
        state.withLock { $0.disturbed[index] = max($0.disturbed[index] ?? 0, now + span) }
    }

    /// Whether a machine could not be reached from everywhere at some time of a span that ends now. In microseconds.
    func wasDisturbed(_ index: Int, within span: UInt64) -> Bool {
        let now = scheduler.now
        return state.withLock { state in
            state.servers[Network.address(of: index)] == nil || !state.blocked.isEmpty || !state.cutForLong.isEmpty || state.weather.losesOneIn > 0
                || now <= (state.disturbed[index] ?? 0) + span || now <= state.healed + Network.patience + span || now <= state.silentUntil + span
        }
    }

    /// Ends all bad weather, and all cuts but those for long.
    func heal() {
        let now = scheduler.now
        state.withLock { state in
            if !state.blocked.isEmpty || state.weather.losesOneIn > 0 { state.healed = now }
            state.blocked = []
            state.weather = fair
        }
    }

    /// Requests besides heartbeats.
    var requests: UInt64 { state.withLock { $0.requests } }
    var traffic: (messages: UInt64, bytes: UInt64) { state.withLock { ($0.messages, $0.bytes) } }

    // MARK: One exchange

    private func watcher(of receiver: Int) -> Watcher? {
        watcher.withLock { $0?.receiver == receiver ? $0 : nil }
    }

    private func chance(oneIn count: Int) -> Bool {
        count > 0 && state.withLock { $0.random.once(in: count) }
    }

    /// Takes a message's time.
    /// - Returns: whether it arrives.
    private func carry(_ direction: Direction) async throws -> Bool {
        let (delay, isLost) = state.withLock { state in
            state.messages += 1
            let weather = state.weather
            let delay = UInt64.random(in: weather.delay, using: &state.random) + (direction.from < direction.to ? weather.lag : 0)
            return (delay, weather.losesOneIn > 0 && state.random.once(in: weather.losesOneIn))
        }
        try await scheduler.wait(delay)
        return !isLost && !state.withLock { $0.blocked.contains(direction) || $0.cutForLong.contains(direction) }
    }

    private func server(at address: String) -> (index: Int, server: InProcessServer)? {
        state.withLock { $0.servers[address] }
    }

    fileprivate func exchange(_ request: TransportRequest, from: Int) async throws -> TransportResponse {
        let body = try await request.body.collect()
        guard let (to, server) = server(at: request.address) else {
            try await scheduler.wait(500)
            throw TransportError("nothing listens at \(request.address)", isUnreachable: true)
        }
        if request.path != "/sync/heartbeat" { state.withLock { $0.requests += 1 } }
        guard try await carry(Direction(from: from, to: to)) else { throw try await silence(request) }
        let message = InProcessServer.Request(
            request.method.rawValue, request.path, token: request.token, contentType: request.contentType, body: body)
        state.withLock { $0.bytes += UInt64(body.count) }
        if let watcher = watcher(of: to) { watcher.inspect(Array(request.path.utf8) + body, request.path) }
        if chance(oneIn: state.withLock { $0.weather.doublesOneIn }) {
            // Its answer goes nowhere.
            Task { _ = await server.respond(to: message) }
        }
        let response = await server.respond(to: message)
        guard try await carry(Direction(from: to, to: from)) else { throw try await silence(request) }
        let isCut = chance(oneIn: state.withLock { $0.weather.cutsOneIn })
        let reading = Reading(piecesLeft: isCut ? state.withLock { $0.random.below(3) } : nil)
        let timeout = UInt64(request.timeoutSeconds) * 1_000_000
        return TransportResponse(status: response.status, body: TransportBody { () async throws(TransportError) in
            try await self.next(of: response.body, to: request.path, reading, Direction(from: to, to: from), of: server, timeout: timeout)
        })
    }

    private final class Reading: Sendable {
        let piecesLeft: Mutex<Int?>

        init(piecesLeft: Int?) {
            self.piecesLeft = Mutex(piecesLeft)
        }

        func takeOne() -> Bool {
            piecesLeft.withLock { left in
                guard let count = left else { return true }
                left = count - 1
                return count > 0
            }
        }
    }

    private func next(
        of body: TransportBody, to path: String, _ reading: Reading, _ direction: Direction, of server: InProcessServer, timeout: UInt64
    ) async throws(TransportError) -> [UInt8]? {
        let broken = TransportError("the connection broke", isUnreachable: false)
        guard reading.takeOne() else { throw broken }
        guard let piece = try await body.next() else { return nil }
        do {
            guard try await carry(direction) else {
                // What a real connection does is retransmit; what is seen of a cut is silence, and then an end.
                try await waitInVain(timeout)
                throw broken
            }
        } catch let error as TransportError {
            throw error
        } catch {
            throw TransportError("the wait was cancelled", isUnreachable: false)
        }
        state.withLock { $0.bytes += UInt64(piece.count) }
        watcher(of: direction.to)?.inspect(piece, path)
        // A machine that has died since has taken its connections along.
        guard self.server(at: Network.address(of: direction.from)) != nil else { throw broken }
        return piece
    }

    private func waitInVain(_ timeout: UInt64) async throws {
        // No request holds up the next ones for longer.
        let end = scheduler.now + min(timeout, 300_000_000)
        state.withLock { $0.silentUntil = max($0.silentUntil, end) }
        try await scheduler.wait(timeout)
    }

    /// What a request without an answer comes to.
    private func silence(_ request: TransportRequest) async throws -> TransportError {
        try await waitInVain(UInt64(request.timeoutSeconds) * 1_000_000)
        return TransportError("no answer from \(request.address)", isUnreachable: true)
    }
}

/// One node's side of the network.
struct NetworkTransport: Transport {
    let network: Network
    let index: Int

    func send(_ request: TransportRequest) async throws(TransportError) -> TransportResponse {
        do {
            return try await network.exchange(request, from: index)
        } catch let error as TransportError {
            throw error
        } catch {
            throw TransportError("the request was cancelled", isUnreachable: false)
        }
    }
}

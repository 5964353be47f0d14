import Logging

/// Puts what a node logs into the run's trace. It is no part of the digest, so that a run can be held against one without.
struct TraceLog: LogHandler {
    let world: World
    let node: Int
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.debug

    init(world: World, node: Int) {
        self.world = world
        self.node = node
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        // How long something took is real time, in which no run is like another.
        let details = (event.metadata ?? [:]).filter { $0.key != "microseconds" }.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        world.logged("node \(node) logs \(event.level): \(event.message)\(details)")
    }

    /// A logger for a node: one that does nothing where nobody reads the trace.
    static func logger(world: World, node: Int) -> Logger {
        Logger(label: "simulation") { _ in
            if world.keepsTrace { return TraceLog(world: world, node: node) }
            return SwiftLogNoOpLogHandler()
        }
    }
}

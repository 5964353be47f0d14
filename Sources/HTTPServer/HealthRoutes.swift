import Hummingbird
import Node

/// For orchestrators.
func addHealthRoutes(to routes: inout Routes) {
    routes.on(.get, "/health/live", access: .open) { _ in
        .json { $0.object { $0.field("status", "live") } }
    }
    routes.on(.get, "/health/ready", access: .open) { call in
        guard call.node.isReady else { throw Problem(.serviceUnavailable, "the node belongs to no cluster yet") }
        return .json { $0.object { $0.field("status", "ready") } }
    }
}

import HTTPTypes
import Hummingbird

/// Who may call a route.
enum RouteAccess: Sendable {
    /// Anyone.
    case open
    /// Whoever shows a good token; the rules of the key are the handler's to check.
    case token
    /// The same, and browsers by the cookie of their session.
    case tokenOrSession
}

/// What is served where. Hummingbird's own router decodes paths before it matches them and does not tell a wrong method from
/// an unknown path; here names may hold anything, and the difference matters.
struct Routes: Sendable {
    typealias Handler = @Sendable (Call) async throws -> Response

    struct Endpoint: Sendable {
        /// As it was added.
        var pattern: String
        var access: RouteAccess
        var handler: Handler
    }

    struct Match {
        var endpoint: Endpoint
        /// What stands in the place of each `{name}`, still percent-encoded.
        var captures: [Substring]
        /// What stands in the place of `{name...}`: nothing, or a path with its first slash.
        var tail: Substring
    }

    enum Lookup {
        case found(Match)
        /// The path is served, with these methods only.
        case otherMethods([HTTPRequest.Method])
        case unknown
    }

    private enum Part: Equatable {
        case name(String)
        case capture
    }

    private struct Route {
        var parts: [Part]
        var hasTail: Bool
        var endpoints: [(method: HTTPRequest.Method, endpoint: Endpoint)]
    }

    /// Every method and pattern that is served.
    var patterns: [(method: HTTPRequest.Method, pattern: String)] { all.map { ($0.method, $0.endpoint.pattern) } }
    /// By the first name, with those first that were added first.
    private var routes: [String: [Route]] = [:]

    /// Adds a route. `{name}` in the pattern stands for one name, `{name...}` at its end for any number of them. Of two
    /// patterns that match, the one that was added first is taken.
    mutating func on(
        _ method: HTTPRequest.Method, _ pattern: String, access: RouteAccess = .token, _ handler: @escaping Handler
    ) {
        var names = pattern == "/" ? [""] : pattern.split(separator: "/")
        let hasTail = names.last?.hasSuffix("...}") == true
        if hasTail { names.removeLast() }
        let parts = names.map { $0.hasPrefix("{") ? Part.capture : .name(String($0)) }
        guard case .name(let first)? = parts.first else { preconditionFailure("a route begins with a name") }
        let endpoint = (method, Endpoint(pattern: pattern, access: access, handler: handler))
        if let index = routes[first]?.firstIndex(where: { $0.parts == parts && $0.hasTail == hasTail }) {
            routes[first]?[index].endpoints.append(endpoint)
        } else {
            routes[first, default: []].append(Route(parts: parts, hasTail: hasTail, endpoints: [endpoint]))
        }
    }

    /// Everything that is served.
    var all: [(method: HTTPRequest.Method, endpoint: Endpoint)] { routes.values.flatMap { $0.flatMap(\.endpoints) } }

    /// - Parameter path: percent-encoded, with the first slash.
    func lookUp(_ method: HTTPRequest.Method, _ path: Substring) -> Lookup {
        let bytes = path.utf8
        guard bytes.first == UInt8(ascii: "/") else { return .unknown }
        let start = bytes.index(after: bytes.startIndex)
        let end = bytes[start...].firstIndex(of: UInt8(ascii: "/")) ?? bytes.endIndex
        guard let candidates = routes[String(path[start..<end])] else { return .unknown }
        // A HEAD is answered like a GET, without the body.
        let served = method == .head ? .get : method
        var others: [HTTPRequest.Method] = []
        for route in candidates {
            guard let (captures, tail) = match(route, path[end...]) else { continue }
            if let (_, endpoint) = route.endpoints.first(where: { $0.method == served }) {
                return .found(Match(endpoint: endpoint, captures: captures, tail: tail))
            }
            for (method, _) in route.endpoints {
                others.append(method)
                if method == .get { others.append(.head) }
            }
        }
        return others.isEmpty ? .unknown : .otherMethods(others)
    }

    /// Matches what follows the first name.
    private func match(_ route: Route, _ path: Substring) -> (captures: [Substring], tail: Substring)? {
        var rest = path
        var captures: [Substring] = []
        for part in route.parts.dropFirst() {
            guard rest.utf8.first == UInt8(ascii: "/") else { return nil }
            let from = rest.utf8.index(after: rest.startIndex)
            let to = rest.utf8[from...].firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
            let name = rest[from..<to]
            switch part {
            case .name(let wanted):
                // As bytes: names of routes are ASCII, and comparing text as text costs more than all the rest.
                if !name.utf8.elementsEqual(wanted.utf8) { return nil }
            case .capture:
                if name.isEmpty { return nil }
                captures.append(name)
            }
            rest = rest[to...]
        }
        guard route.hasTail || rest.isEmpty else { return nil }
        return (captures, rest)
    }
}

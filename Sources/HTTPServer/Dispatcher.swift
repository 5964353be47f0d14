import Access
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Node

/// What Hummingbird passes along with a request.
struct ConnectionContext: InitializableFromSource, Sendable {
    let channel: any Channel
    let logger: Logger

    init(source: ApplicationRequestContextSource) {
        channel = source.channel
        logger = source.logger
    }
}

/// Takes a request to its route: finds the route, finds out who asks, turns errors into answers and writes the access log.
struct Dispatcher: HTTPResponder {
    typealias Context = ConnectionContext

    let node: Node
    let sessions: BrowserSessions
    let routes: Routes
    let figures: NodeFigures

    /// - Parameter isEncrypted: whether the server speaks TLS.
    init(node: Node, isEncrypted: Bool) {
        self.node = node
        sessions = BrowserSessions(of: node, isEncrypted: isEncrypted)
        figures = NodeFigures(of: node)
        routes = .all(of: node, sessions, figures)
    }

    func respond(to request: Request, context: ConnectionContext) async throws -> Response {
        let start = ContinuousClock.now
        var response: Response
        var route: String?
        do {
            response = try await answer(request, context, &route)
        } catch {
            response = Dispatcher.response(for: error, context.logger)
        }
        if request.method == .head { response = response.createHeadResponse() }
        let duration = (ContinuousClock.now - start).components
        let seconds = Double(duration.seconds) + Double(duration.attoseconds) / 1e18
        figures.requests.add(request.method, route: route, status: response.status.code, seconds: seconds)
        if context.logger.logLevel <= .debug { log(request, response, seconds, context) }
        return response
    }

    /// - Parameter route: is set to the route's pattern as soon as it is known.
    private func answer(_ request: Request, _ context: ConnectionContext, _ route: inout String?) async throws -> Response {
        let target = (request.head.path ?? "")[...]
        let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) ?? target.endIndex
        let path = target[..<mark]
        switch routes.lookUp(request.method, path) {
        case .unknown:
            throw Problem(.notFound, "there is no route '\(path.prefix(200))'; files are under /files/")
        case .otherMethods(let methods):
            let names = methods.map(\.rawValue).joined(separator: ", ")
            throw Problem.methodNotAllowed(methods, "\(request.method.rawValue) is not served here; \(names) is")
        case .found(let match):
            route = match.endpoint.pattern
            if let expectation = request.headers[.expect], expectation.lowercased() != "100-continue" {
                throw Problem(.expectationFailed, "the expectation '\(expectation.prefix(80))' is not known")
            }
            return try await mending(request.method) {
                let principal = switch match.endpoint.access {
                case .open: Principal.nobody
                case .token: try await Call.authenticate(request, node)
                case .tokenOrSession: try await authenticateByTokenOrSession(request)
                }
                return try await match.endpoint.handler(Call(
                    node: node, request: request, channel: context.channel, logger: context.logger, principal: principal,
                    captures: match.captures, tail: match.tail, rawQuery: target[mark...].dropFirst()))
            }
        }
    }

    /// Answers a request; again where it has met something damaged that a peer had.
    private func mending(_ method: HTTPRequest.Method, _ answer: () async throws -> Response) async throws -> Response {
        // Each time an object more has come back; a walk may need many.
        for _ in 0..<ServerLimits.mendedObjects {
            do {
                return try await answer()
            } catch {
                guard await node.mend(after: (error as? Problem)?.cause ?? error) else { throw error }
                guard method == .get || method == .head else {
                    var problem = Problem(.serviceUnavailable, "a damaged object was brought back from a peer; send the request again")
                    problem.headers[.retryAfter] = "1"
                    throw problem
                }
            }
        }
        return try await answer()
    }

    private func authenticateByTokenOrSession(_ request: Request) async throws -> Principal {
        if request.headers[.authorization] == nil, let secret = sessions.secret(of: request), let holder = try node.principal(ofSession: secret) {
            return holder
        }
        return try await Call.authenticate(request, node)
    }

    // MARK: Errors

    static func response(for error: any Error, _ logger: Logger) -> Response {
        var problem: Problem
        if let known = Problem(error) {
            problem = known
        } else {
            problem = Problem(.internalServerError, "the node has failed at this; its log has more under this request's id")
        }
        if problem.status.code >= 500, problem.status != .serviceUnavailable {
            logger.error("request failed", metadata: ["error": "\(error)"])
        }
        // Whoever asks what went wrong can name the line of the log.
        problem.headers[.requestID] = logger[metadataKey: "hb.request.id"]?.description
        return problem.response
    }

    // MARK: Access log

    /// The path without its query, and no headers: neither the log nor its readers should hold secrets.
    private func log(_ request: Request, _ response: Response, _ seconds: Double, _ context: ConnectionContext) {
        let path = (request.head.path ?? "").prefix { $0 != "?" }.prefix(300)
        context.logger.debug("\(request.method.rawValue) \(path) \(response.status.code)", metadata: [
            "client": "\(context.channel.remoteAddress?.ipAddress ?? "local")", "microseconds": "\(Int(seconds * 1e6))",
        ])
    }
}

extension Principal {
    /// Who calls an open route.
    static let nobody = Principal(identity: .key(""), rules: RuleSet([]))
}

extension Call {
    /// Whose token a request shows.
    static func authenticate(_ request: Request, _ node: Node) async throws -> Principal {
        try await node.authenticate(bearerToken(of: request))
    }

    /// The token that a request shows, whatever it is worth.
    static func bearerToken(of request: Request) throws(Problem) -> String {
        guard let header = request.headers[.authorization] else {
            throw Problem.unauthorized("a token is needed: 'Authorization: Bearer TOKEN'", isTokenWrong: false)
        }
        let words = header.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
        guard words.count == 2, words[0].lowercased() == "bearer" else {
            throw Problem.unauthorized("only bearer tokens are known: 'Authorization: Bearer TOKEN'", isTokenWrong: false)
        }
        return String(words[1])
    }
}

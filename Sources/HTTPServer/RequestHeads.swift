import HTTPTypes
import NIOCore
import NIOHTTP1

/// Looks at requests' heads where everything of them is still there: what comes behind knows neither the version nor all Host fields.
///
/// Answers to HTTP/1.0 end with their connection, and their bodies, which such a client would not know to read in chunks, by it.
final class RequestHeads: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// A head that is HTTP and is refused; nothing behind it is read.
    struct Refused: Error {
        var problem: Problem
    }

    /// Whether requests that wait for their answers are of HTTP/1.0, in their order.
    private var waiting: [Bool] = []
    /// Nothing is read any more.
    private var isOver = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isOver { return }
        guard case .head(var head) = unwrapInboundIn(data) else {
            // An older client's connection takes no second request.
            if case .end = unwrapInboundIn(data), waiting.last == true { isOver = true }
            return context.fireChannelRead(data)
        }
        if let problem = RequestHeads.fault(in: head) {
            isOver = true
            return context.fireErrorCaught(Refused(problem: problem))
        }
        waiting.append(RequestHeads.isOld(head))
        if RequestHeads.isOld(head) {
            head.headers.replaceOrAdd(name: "Connection", value: "close")
            // It knows nothing of an answer before the answer (RFC 9110, section 10.1.1).
            head.headers.remove(name: "Expect")
        }
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let part = unwrapOutboundIn(data)
        let isOld = waiting.first == true
        if case .end = part, !waiting.isEmpty { waiting.removeFirst() }
        guard isOld, case .head(var head) = part else { return context.write(data, promise: promise) }
        head.version = .http1_0
        head.headers.replaceOrAdd(name: "Connection", value: "close")
        context.write(wrapOutboundOut(.head(head)), promise: promise)
    }

    private static func isOld(_ head: HTTPRequestHead) -> Bool { head.version.major == 1 && head.version.minor == 0 }

    private static func fault(in head: HTTPRequestHead) -> Problem? {
        // RFC 9112, section 3.2.
        let hosts = head.headers["Host"].count
        guard hosts == 1 || hosts == 0 && isOld(head) else {
            return Problem(.badRequest, hosts == 0 ? "the request has no Host field" : "the request has \(hosts) Host fields; one is allowed")
        }
        // What is coded otherwise would be stored as it comes. Not 501, as section 6.1 has it: it is the request that is at fault.
        let codings = head.headers[canonicalForm: "Transfer-Encoding"]
        guard codings.allSatisfy({ $0.lowercased() == "chunked" }) else {
            return Problem(.unsupportedMediaType, "of transfer codings only 'chunked' is known; send the bytes as they are")
        }
        return nil
    }
}

@available(*, unavailable)
extension RequestHeads: Sendable {}

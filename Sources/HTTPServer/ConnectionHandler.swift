import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// Asks for a body whose sender waits for `100 Continue`.
struct BodyWanted: Sendable {}

/// Watches over a connection: asks for bodies that wait to be asked for, throws away bodies that were refused, answers what
/// is no HTTP, and closes connections on which nothing moves.
final class ConnectionHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let connections: Connections
    /// Requests whose answer has not ended.
    private var unanswered = 0
    /// The last request's body is still coming.
    private var isReadingBody = false
    /// Its sender waits to be asked for it.
    private var isWaitingForContinue = false
    /// What is left of the body is thrown away.
    private var isDiscarding = false
    private var discarded = 0
    /// What came is no HTTP, so nothing that follows can be read.
    private var isBroken = false
    private var isClosing = false

    // Progress.
    private var isReadWanted = false
    private var received = 0
    private var sent = 0
    private var receivedBefore = 0
    private var flushedBefore = 0
    private var stalledReads = 0
    private var stalledWrites = 0
    private var tick: Scheduled<Void>?

    init(_ connections: Connections) {
        self.connections = connections
    }

    func handlerAdded(context: ChannelHandlerContext) {
        connections.add(context.channel)
        scheduleTick(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        tick?.cancel()
        tick = nil
        connections.remove(context.channel)
    }

    func channelInactive(context: ChannelHandlerContext) {
        tick?.cancel()
        tick = nil
        connections.remove(context.channel)
        // A body that just stops must not look like one that ended.
        if isReadingBody, !isDiscarding { context.fireErrorCaught(HTTPParserError.invalidEOFState) }
        context.fireChannelInactive()
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isClosing { return }
        let part = unwrapInboundIn(data)
        switch part {
        case .head(let head):
            unanswered += 1
            isReadingBody = true
            isWaitingForContinue = head.headerFields[.expect]?.lowercased() == "100-continue"
        case .body(let bytes):
            isWaitingForContinue = false
            received += bytes.readableBytes
            if isDiscarding {
                discarded += bytes.readableBytes
                if discarded > ServerLimits.discardedBody { context.close(promise: nil) }
                return
            }
        case .end:
            isReadingBody = false
            isWaitingForContinue = false
            isDiscarding = false
        }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReadWanted = false
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        isReadWanted = true
        context.read()
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard event is BodyWanted else { return context.triggerUserOutboundEvent(event, promise: promise) }
        if isWaitingForContinue, unanswered == 1 {
            isWaitingForContinue = false
            context.writeAndFlush(wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
        }
        promise?.succeed()
    }

    /// What cannot be read as HTTP gets an answer too, if none is under way.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        isBroken = isBroken || error is HTTPParserError || error is RequestHeads.Refused
        guard unanswered == 0, !isClosing, isBroken else { return context.fireErrorCaught(error) }
        if case HTTPParserError.invalidEOFState? = error as? HTTPParserError {
            // The client has gone in the middle of a head.
            context.close(promise: nil)
            return
        }
        let isOverflow = if case HTTPParserError.headerOverflow? = error as? HTTPParserError { true } else { false }
        var response = ((error as? RequestHeads.Refused)?.problem ?? (isOverflow
            ? Problem(
                .requestHeaderFieldsTooLarge, "the header has more than \(ServerLimits.headerBytes) bytes, or than \(ServerLimits.headerFields) fields")
            : Problem(.badRequest, "this is not an HTTP/1.1 request: \(error)"))).document
        response.head.headerFields[.connection] = "close"
        context.write(wrapOutboundOut(.head(response.head)), promise: nil)
        context.write(wrapOutboundOut(.body(response.body)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        endConnection(context)
    }

    // MARK: Answers

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(var head) where mustClose:
            head.headerFields[.connection] = "close"
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body(let bytes):
            sent += bytes.readableBytes
            context.write(data, promise: promise)
        case .end:
            let isLast = mustClose
            if isEarly {
                isDiscarding = true
                discarded = 0
            }
            unanswered -= 1
            if isLast {
                context.writeAndFlush(data, promise: promise)
                endConnection(context)
            } else {
                context.write(data, promise: promise)
            }
        case .head:
            context.write(data, promise: promise)
        }
    }

    /// Whether what is being written answers a request whose body has not all come.
    private var isEarly: Bool { unanswered == 1 && isReadingBody }

    /// Whether the connection cannot go on after the answer: of a body that waits to be asked for, and is not, nobody knows
    /// whether it will still be sent.
    private var mustClose: Bool { unanswered == 1 && isBroken || isEarly && isWaitingForContinue }

    /// Closes when the client has had time to read the answer: closing with unread input would take it away.
    private func endConnection(_ context: ChannelHandlerContext) {
        isClosing = true
        isReadingBody = false
        context.close(mode: .output, promise: nil)
        let channel = context.channel
        context.eventLoop.assumeIsolated().scheduleTask(in: ServerLimits.linger) { channel.close(promise: nil) }
    }

    // MARK: Progress

    private func scheduleTick(_ context: ChannelHandlerContext) {
        tick = context.eventLoop.assumeIsolated().scheduleTask(in: ServerLimits.progressInterval) { self.checkProgress(context) }
    }

    private func checkProgress(_ context: ChannelHandlerContext) {
        // While nobody here wants to read, it is not the client that is slow.
        let isStalledRead = isReadingBody && isReadWanted && received - receivedBefore < ServerLimits.progressBytes
        stalledReads = isStalledRead ? stalledReads + 1 : 0
        receivedBefore = received
        let buffered = (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        let flushed = sent - buffered
        stalledWrites = buffered > 0 && flushed - flushedBefore < ServerLimits.progressBytes ? stalledWrites + 1 : 0
        flushedBefore = flushed
        if max(stalledReads, stalledWrites) >= ServerLimits.stalledIntervals {
            context.close(promise: nil)
        } else {
            scheduleTick(context)
        }
    }
}

@available(*, unavailable)
extension ConnectionHandler: Sendable {}

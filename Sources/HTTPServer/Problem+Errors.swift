import Content
import FileDatabase
import HTTPTypes
import Hummingbird
import Merkle
import Node
import Objects
import Platform
import Replication

extension Problem {
    /// Puts what the modules below throw into HTTP's words; nil for what nobody foresaw.
    init?(_ error: any Error) {
        switch error {
        case let error as Problem: self = error
        case let error as DatabaseError: self.init(database: error)
        case let error as NodeError: self.init(node: error)
        case let error as StoreError:
            switch error.code {
            case .full: self.init(.diskFull, "the disk is full; nothing was changed")
            case .missing, .damaged: self.init(.internalServerError, "a stored object is missing or damaged; run 'pando verify'")
            case .disk, .failed, .index, .format: self.init(.serviceUnavailable, error.description)
            }
        case let error as DiskError:
            self = error.code == .full
                ? Problem(.diskFull, "the disk is full; nothing was changed") : Problem(.serviceUnavailable, "the disk fails: \(error.reason)")
        case let error as InvalidPath: self.init(.badRequest, "the \(error.isPattern ? "pattern" : "path") \(error.reason)", path: error.path)
        case let error as MalformedBytes: self.init(.badRequest, "the body is malformed: \(error)")
        case is PrefixMismatch: self.init(.preconditionFailed, "the records are packed after what is not here any more, or not for the caller; send them without a prefix")
        case let error as MissingNode: self.init(.internalServerError, "\(error); run 'pando verify'")
        case let error as HTTPError: self.init(error.status, error.body ?? error.status.reasonPhrase)
        case let error as TransportError: self.init(.conflict, "another node could not be reached: \(error)")
        case let error as PullError: self.init(.conflict, "another node's answer was refused: \(error)")
        case is DecodingError: self.init(.conflict, "what answered is not a Pando node of this version")
        case is CancellationError: self.init(.serviceUnavailable, "the node is shutting down; try another one or again later")
        default: return nil
        }
    }

    private init(database error: DatabaseError) {
        let status: HTTPResponse.Status = switch error.code {
        case .invalid: .badRequest
        case .notFound: .notFound
        case .gone: .gone
        case .conflict: .conflict
        case .preconditionFailed: .preconditionFailed
        case .full: .diskFull
        case .damaged: .internalServerError
        case .unavailable: .serviceUnavailable
        }
        self.init(status, error.reason, path: error.path)
        // Of what was to be sent first; damage is no affair of the caller's.
        if error.code != .damaged { missing = error.missing }
    }

    private init(node error: NodeError) {
        switch error.code {
        case .unauthorized: self = .unauthorized(error.reason, isTokenWrong: true)
        case .invalid: self.init(.badRequest, error.reason)
        case .forbidden: self.init(.forbidden, error.reason)
        case .notFound: self.init(.notFound, error.reason)
        case .conflict: self.init(.conflict, error.reason)
        case .gone: self.init(.gone, error.reason)
        case .tooManyRequests: self.init(.tooManyRequests, error.reason)
        case .unavailable: self.init(.serviceUnavailable, error.reason)
        }
        if let seconds = error.retryAfter { headers[.retryAfter] = String(seconds) }
    }
}

import Causality
import Content
import FileDatabase
import HTTPTypes
import Hummingbird
import Merkle

extension Query {
    /// A moment of the past: a snapshot's name, a commit's hash, an RFC 3339 time, or `now`.
    mutating func moment(_ name: String) throws -> Moment? {
        guard let text = text(name) else { return nil }
        return try Moment(text, fault: HTTPTime.fault(inRFC3339:), time: HTTPTime.nanoseconds(rfc3339:))
    }
}

extension JSONFields {
    mutating func moment(_ name: String) throws -> Moment? {
        guard let text = try text(name) else { return nil }
        return try Moment(text, fault: HTTPTime.fault(inRFC3339:), time: HTTPTime.nanoseconds(rfc3339:))
    }
}

/// An answer from an earlier state, which says of which. Blocks.
///
/// - Throws: 404, 410, or 503 where there is no such state; 410 where a part of it is gone.
func answer(
    at moment: Moment, for path: TreePath, _ database: FileDatabase, _ body: (TreeView) throws -> Response
) throws -> Response {
    let past = try database.view(at: moment, for: path)
    do {
        var response = try body(past.view)
        if let commit = past.commit { response.headers[.pandoCommit] = commit.description }
        response.headers[.pandoCommitTime] = HTTPTime.rfc3339(Int64(clamping: past.time) * 1000)
        return response
    } catch let error as DatabaseError where error.code == .damaged && moment != .now {
        throw Problem.collected(path, error)
    }
}

extension Problem {
    static func collected(_ path: TreePath, _ cause: any Error) -> Problem {
        var problem = Problem(.gone, "a part of that state is not here: it was let go, or is still being fetched", path: path)
        problem.cause = cause
        return problem
    }
}

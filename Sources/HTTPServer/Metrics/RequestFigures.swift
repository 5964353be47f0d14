import HTTPTypes
import Synchronization

/// How many requests came, how they were answered, and how long it took until an answer began.
final class RequestFigures: Sendable {
    struct Name: Hashable, Comparable {
        var route: String
        var method: String

        static func < (left: Name, right: Name) -> Bool { (left.route, left.method) < (right.route, right.method) }
    }

    struct Figures {
        /// By status.
        var counts: [Int: Int] = [:]
        /// Of each bound of `bounds`, those that took at most so long and longer than the one before; the last took longer.
        var buckets = [Int](repeating: 0, count: RequestFigures.bounds.count + 1)
        var seconds = 0.0
    }

    /// Seconds.
    static let bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]

    private let figures = Mutex<[Name: Figures]>([:])

    /// - Parameter route: as it was added, so that there are never more figures than routes; nil where there is none.
    func add(_ method: HTTPRequest.Method, route: String?, status: Int, seconds: Double) {
        // Methods are anybody's words, and are told only where there is a route for them.
        let name = Name(route: route ?? "none", method: route == nil ? "any" : method.rawValue)
        let bucket = RequestFigures.bounds.firstIndex { seconds <= $0 } ?? RequestFigures.bounds.count
        figures.withLock { figures in
            figures[name, default: Figures()].counts[status, default: 0] += 1
            figures[name]?.buckets[bucket] += 1
            figures[name]?.seconds += seconds
        }
    }

    func write(to exposition: inout Exposition) {
        let all = figures.withLock { $0 }.sorted { $0.key < $1.key }
        func labels(_ name: Name) -> [(String, String)] { [("method", name.method), ("route", name.route)] }
        exposition.add("pando_http_requests_total", .counter, "Requests that were answered.", all.flatMap { name, figures in
            figures.counts.sorted { $0.key < $1.key }.map { (labels(name) + [("status", "\($0.key)")], Double($0.value)) }
        })
        guard !all.isEmpty else { return }
        let name = "pando_http_request_duration_seconds"
        exposition.begin(name, .histogram, "Time until an answer began.")
        for (request, figures) in all {
            var total = 0
            for (index, count) in figures.buckets.enumerated() {
                total += count
                let bound = index < RequestFigures.bounds.count ? Exposition.number(RequestFigures.bounds[index]) : "+Inf"
                exposition.line(name + "_bucket", labels(request) + [("le", bound)], Double(total))
            }
            exposition.line(name + "_sum", labels(request), figures.seconds)
            exposition.line(name + "_count", labels(request), Double(total))
        }
    }
}

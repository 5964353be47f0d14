import HTTPTypes

/// The parameters of a query, taken one after another; what is left at the end is an error.
struct Query {
    private var parameters: [(name: String, value: String)] = []

    init(_ raw: Substring) throws(Problem) {
        for part in raw.split(separator: "&") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = PercentDecoding.decode(pair[0], plusIsSpace: true),
                let value = PercentDecoding.decode(pair.count > 1 ? pair[1] : "", plusIsSpace: true)
            else { throw Problem(.badRequest, "the query parameter '\(part.prefix(80))' is not percent-encoded UTF-8") }
            guard !parameters.contains(where: { $0.name == name }) else {
                throw Problem(.badRequest, "the query parameter '\(name.prefix(80))' comes twice")
            }
            parameters.append((name, value))
        }
    }

    mutating func text(_ name: String) -> String? {
        guard let index = parameters.firstIndex(where: { $0.name == name }) else { return nil }
        return parameters.remove(at: index).value
    }

    mutating func flag(_ name: String) throws(Problem) -> Bool? {
        switch text(name) {
        case nil: nil
        case "true": true
        case "false": false
        default: throw Problem(.badRequest, "'\(name)' must be true or false")
        }
    }

    mutating func integer(_ name: String, in range: ClosedRange<Int>) throws(Problem) -> Int? {
        guard let text = text(name) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw Problem(.badRequest, "'\(name)' must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// The `limit` of a listing.
    mutating func limit() throws(Problem) -> Int {
        try integer("limit", in: 1...ServerLimits.maximumListing) ?? ServerLimits.listing
    }

    /// The bytes of the cursor in `after`.
    mutating func cursor() throws(Problem) -> [UInt8]? {
        guard let text = text("after") else { return nil }
        return try Cursor.decode(text)
    }

    /// Refuses parameters that nobody took.
    func finish() throws(Problem) {
        if let parameter = parameters.first {
            throw Problem(.badRequest, "the query parameter '\(parameter.name.prefix(80))' is not known here")
        }
    }
}

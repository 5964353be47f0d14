import HTTPTypes

/// The fields of a JSON body, taken one after another; what is left at the end is an error, since a misspelt field that is
/// passed over does something else than its writer wanted.
struct JSONFields {
    private var fields: [(name: String, value: JSONValue)]
    /// Where in the body these fields are, for errors.
    private let place: String

    init(_ value: JSONValue, place: String = "") throws(Problem) {
        guard case .object(let fields) = value else {
            throw Problem(.badRequest, place.isEmpty ? "the body must be a JSON object" : "'\(place)' must be a JSON object")
        }
        self.fields = fields
        self.place = place
    }

    private func name(_ name: String) -> String { place.isEmpty ? name : "\(place).\(name)" }

    /// Takes a field; nil where it is absent or null.
    mutating func take(_ name: String) -> JSONValue? {
        guard let index = fields.firstIndex(where: { $0.name == name }) else { return nil }
        let value = fields.remove(at: index).value
        return value == .null ? nil : value
    }

    /// Whether a field is there, be it null.
    func contains(_ name: String) -> Bool { fields.contains { $0.name == name } }

    mutating func text(_ name: String) throws(Problem) -> String? {
        guard let value = take(name) else { return nil }
        guard case .string(let text) = value else { throw Problem(.badRequest, "'\(self.name(name))' must be a string") }
        return text
    }

    mutating func requiredText(_ name: String) throws(Problem) -> String {
        guard let text = try text(name) else { throw Problem(.badRequest, "the field '\(self.name(name))' is missing") }
        return text
    }

    mutating func flag(_ name: String) throws(Problem) -> Bool? {
        guard let value = take(name) else { return nil }
        guard case .bool(let flag) = value else { throw Problem(.badRequest, "'\(self.name(name))' must be true or false") }
        return flag
    }

    mutating func integer(_ name: String, in range: ClosedRange<Int>) throws(Problem) -> Int? {
        guard let value = take(name) else { return nil }
        guard case .number(let digits) = value, let number = Int(digits), range.contains(number) else {
            throw Problem(.badRequest, "'\(self.name(name))' must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    mutating func requiredInteger(_ name: String, in range: ClosedRange<Int>) throws(Problem) -> Int {
        guard let number = try integer(name, in: range) else { throw Problem(.badRequest, "the field '\(self.name(name))' is missing") }
        return number
    }

    mutating func array(_ name: String) throws(Problem) -> [JSONValue]? {
        guard let value = take(name) else { return nil }
        guard case .array(let values) = value else { throw Problem(.badRequest, "'\(self.name(name))' must be a list") }
        return values
    }

    mutating func texts(_ name: String) throws(Problem) -> [String]? {
        guard let values = try array(name) else { return nil }
        var texts: [String] = []
        for value in values {
            guard case .string(let text) = value else { throw Problem(.badRequest, "'\(self.name(name))' must be a list of strings") }
            texts.append(text)
        }
        return texts
    }

    /// An object of whole numbers.
    mutating func integers(_ name: String, in range: ClosedRange<Int>) throws(Problem) -> [String: Int]? {
        guard let value = take(name) else { return nil }
        var fields = try JSONFields(value, place: self.name(name))
        var numbers: [String: Int] = [:]
        for field in fields.fields { numbers[field.name] = try fields.integer(field.name, in: range) }
        return numbers
    }

    /// Refuses fields that nobody took.
    func finish() throws(Problem) {
        if let field = fields.first { throw Problem(.badRequest, "the field '\(name(String(field.name.prefix(80))))' is not known here") }
    }
}

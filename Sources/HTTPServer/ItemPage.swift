/// A page of a listing that is in memory as a whole: few enough items that finding the place costs nothing.
struct ItemPage<Item: Sendable>: Sendable {
    var items: [Item]
    /// Where the next page goes on; nil on the last one.
    var next: String?

    /// - Parameters:
    ///   - isDescending: whether the greatest key stands first.
    ///   - key: what the items are in order of, other for each; a page goes on behind the last one's, also where that has gone since.
    /// - Throws: 400 for a query that is not that of a page.
    init(_ all: [Item], _ call: Call, isDescending: Bool = false, key: (Item) -> String) throws(Problem) {
        var query = try call.query()
        let limit = try query.limit()
        let cursor = try query.cursor()
        try query.finish()
        var place: String?
        if let cursor {
            guard let text = String(validating: cursor, as: UTF8.self) else { throw Cursor.malformed }
            place = text
        }
        var rest = all.map { (key: key($0), item: $0) }.sorted { isDescending ? $0.key > $1.key : $0.key < $1.key }[...]
        if let place { rest = rest.drop { isDescending ? $0.key >= place : $0.key <= place } }
        let page = rest.prefix(limit)
        items = page.map(\.item)
        next = page.count < rest.count ? page.last.map { Cursor.encode(Array($0.key.utf8)) } : nil
    }
}

extension ItemPage: Encodable where Item: Encodable {
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(items, forKey: .items)
        try container.encode(next, forKey: .next)
    }

    private enum CodingKeys: String, CodingKey { case items, next }
}

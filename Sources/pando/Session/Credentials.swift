import Foundation

/// The nodes that `pando login` has stored, with their keys.
struct Credentials: Codable {
    struct Login: Codable {
        var url: String
        var key: String
        /// The id of the node that answered over TLS when the login was stored: nobody else is told anything from then on.
        var node: String?
    }

    /// The node that commands use when none is named.
    var current: String?
    var logins: [Login] = []

    func login(for url: String) -> Login? {
        logins.first { $0.url == url }
    }

    mutating func store(_ login: Login) {
        logins.removeAll { $0.url == login.url }
        logins.append(login)
        current = login.url
    }

    // MARK: File

    static var path: String {
        UserDirectory.configuration + "/credentials.json"
    }

    /// The stored logins; none where nothing is stored.
    static func load() throws -> Credentials {
        guard let data = FileManager.default.contents(atPath: path) else { return Credentials() }
        do {
            return try JSONDecoder().decode(Credentials.self, from: data)
        } catch {
            throw Failure("\(path) is damaged; remove it and log in again")
        }
    }

    func save() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try UserDirectory.write(Array(try encoder.encode(self)), to: Credentials.path)
    }
}

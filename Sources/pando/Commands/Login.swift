import ArgumentParser
import HTTPClient

struct Login: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Remember a node and a key for later commands.",
        discussion: "The key is kept in ~/.config/pando/credentials.json, which only you can read.")

    @Argument(help: "The node's address, as http://localhost:6830.")
    var url: String

    @Option(help: "The API key; '-' reads it from standard input, where no list of processes shows it.")
    var key: String

    @Flag(help: "Print JSON.")
    var json = false

    func run() async throws {
        let url = try Connection.normalise(url)
        var key = key
        if key == "-" { key = readLine(strippingNewline: true) ?? "" }
        key = key.trimmingWhitespace()
        guard !key.isEmpty else { throw ValidationError("the key is empty") }
        let client = PandoClient(url: url, credential: .none)
        do {
            try await client.checkKey(key)
        } catch {
            await client.shutdown()
            throw error
        }
        await client.shutdown()
        var credentials = try Credentials.load()
        credentials.store(Credentials.Login(url: url, key: key))
        try credentials.save()
        if json {
            try Output.json(["url": url, "credentials": Credentials.path])
        } else {
            Output.line("logged in to \(url)")
        }
    }
}

extension String {
    /// Without blanks and line ends around it.
    fileprivate func trimmingWhitespace() -> String {
        var text = Substring(self)
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}

import ArgumentParser
import Content
import HTTPClient

struct Login: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "login", abstract: "Remember a node and a key for later commands.",
        discussion: """
            The key is kept in ~/.config/pando/credentials.json, which only you can read. Over TLS the node is remembered too, \
            by its own key, and from then on no other is believed at that address. Compare the id that is printed with the one \
            that 'pando status' shows on the node's machine.
            """)

    @Argument(help: "The node's address, as http://localhost:6830.")
    var url: String

    @Option(help: "The API key; '-' reads it from standard input, where no list of processes shows it.")
    var key: String

    @Flag(help: "Believe another node than the one that was remembered for this address.")
    var replace = false

    @Flag(help: "Print JSON.")
    var json = false

    func run() async throws {
        let url = try Connection.normalise(url)
        var key = key
        if key == "-" { key = readLine(strippingNewline: true) ?? "" }
        key = key.trimmingWhitespace()
        guard !key.isEmpty else { throw ValidationError("the key is empty") }
        var credentials = try Credentials.load()
        let known = replace ? nil : credentials.login(for: url)?.node
        let introduction = try await check(key, at: url, known: known)
        credentials.store(Credentials.Login(url: url, key: key, node: introduction.node?.description))
        try credentials.save()
        let node = introduction.node?.description
        if json {
            try Output.json(["url": url, "credentials": Credentials.path, "node_id": node, "certificate": introduction.fingerprint])
            return
        }
        Output.line("logged in to \(url)")
        if let node {
            Output.line("node         \(node)")
            if let fingerprint = introduction.fingerprint { Output.line("certificate  SHA-256 \(fingerprint)") }
            Output.note(known == nil
                ? "this node is remembered now; no other is believed at this address from now on"
                : "the same node as at the login before")
        } else if url.hasPrefix("http://") {
            Output.note("without TLS: whoever is on the way can read the key and everything else")
        }
    }

    /// Finds out who answers, and that the key is good there. Whoever is not the node that was known gets no key.
    private func check(_ key: String, at url: String, known: String?) async throws -> NodeIntroduction {
        let trust = known.flatMap { NodeID($0) }.map { Trust.node($0) } ?? .firstNode
        let client = PandoClient(url: url, credential: .none, trust: trust)
        do {
            let introduction = try await client.introduce()
            try await client.checkKey(key)
            await client.shutdown()
            return introduction
        } catch {
            await client.shutdown()
            guard known != nil, var fault = error as? ClientError, fault.title == ClientError.distrust else { throw error }
            fault.detail += "; if the node was replaced, 'pando login' with --replace believes the new one"
            throw fault
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

import ArgumentParser
import HTTPClient

struct Diff: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Show what differs between two moments.",
        discussion: """
            A moment is a snapshot's name, a commit's hash, a time (RFC 3339) or 'now'. With a path that is a text file, its \
            lines are compared; otherwise the files that were added (A), modified (M) and deleted (D) are listed.
            """)

    @OptionGroup var options: GlobalOptions

    @Argument(help: "The earlier moment.")
    var from: String

    @Argument(help: "The later moment.")
    var to = "now"

    @Option(help: "Only this path and what is below it.", transform: { try RemotePath($0) })
    var path: RemotePath?

    @Flag(help: "List files only; compare no lines.")
    var nameOnly = false

    func run() async throws {
        try await options.withClient { client in
            if !options.json, !nameOnly, let path, try await isFile(path, client) {
                do {
                    Output.write(try await client.textDifference(from: from, to: to, path: path.path))
                    return
                } catch let error as ClientError where error.status == 400 {
                    Output.note("\(Output.shown(path.path)) \(error.detail)")
                }
            }
            var cursor: String?
            repeat {
                if options.json {
                    let page = try await client.difference(from: from, to: to, path: path?.path, after: cursor, as: JSONValue.self)
                    try Output.json(page)
                    cursor = if case .object(let fields) = page, case .string(let next)? = fields["next"] { next } else { nil }
                } else {
                    let page = try await client.difference(from: from, to: to, path: path?.path, after: cursor)
                    show(page)
                    cursor = page.next
                }
            } while cursor != nil
        }
    }

    private func isFile(_ path: RemotePath, _ client: PandoClient) async throws -> Bool {
        let kinds = [try await client.kind(of: path.path, at: from), try await client.kind(of: path.path, at: to)].compactMap(\.self)
        return !kinds.isEmpty && !kinds.contains(.directory)
    }

    private func show(_ page: MomentDifference) {
        let lines = page.added.map { ("A", $0) } + page.modified.map { ("M", $0) } + page.deleted.map { ("D", $0) }
        for (mark, item) in lines.sorted(by: { $0.1.path < $1.1.path }) { Output.line("\(mark)  \(Output.shown(item.path))") }
    }
}

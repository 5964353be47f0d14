import Access
import HTTPTypes
import Hummingbird
import NIOCore
import Platform

/// The web console: one page at `/`, and its files.
func addConsoleRoutes(to routes: inout Routes) {
    routes.on(.get, "/", access: .open) { _ in consolePage(.all) }
    routes.on(.get, "/console/{version}/{name}", access: .open) { call in try consoleFile(call, .all) }
}

/// The page names a nonce that scripts and styles must have, so that nothing else can run in it: not what a name of a file
/// may smuggle into the page, and not a script that someone has put among the files, though it has the page's origin.
private func consolePage(_ files: ConsoleFiles) -> Response {
    let nonce = SystemRandomness().bytes(16).hex
    let policy = [
        "default-src 'none'", "script-src 'nonce-\(nonce)'", "style-src 'nonce-\(nonce)'", "img-src 'self' blob:", "media-src 'self'",
        "connect-src 'self'", "frame-src 'self'", "form-action 'none'", "base-uri 'none'", "frame-ancestors 'none'",
        "require-trusted-types-for 'script'", "trusted-types 'none'",
    ]
    var headers = ConsoleRoute.headers
    headers[.contentType] = "text/html; charset=utf-8"
    headers[.contentSecurityPolicy] = policy.joined(separator: "; ")
    // Each page has another nonce.
    headers[.cacheControl] = "no-store"
    return Response(
        status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: files.page.replacing("{nonce}", with: nonce))))
}

private func consoleFile(_ call: Call, _ files: ConsoleFiles) throws -> Response {
    try call.refuseQuery()
    let (version, name) = (try call.capture(0), try call.capture(1))
    guard version == files.version, let file = files[name] else {
        throw Problem(.notFound, "the console of this release has no such file; load the page anew")
    }
    var headers = ConsoleRoute.headers
    headers[.contentType] = file.mediaType
    headers[.contentSecurityPolicy] = "default-src 'none'; frame-ancestors 'none'"
    // The name changes with the content.
    headers[.cacheControl] = "public, max-age=31536000, immutable"
    headers[.vary] = "Accept-Encoding"
    let accepted = call.request.headers[.acceptEncoding]?.split(separator: ",").map { $0.trimmingPrefix(while: \.isWhitespace) } ?? []
    guard let compressed = file.compressed, accepted.contains("zstd") else {
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: file.bytes)))
    }
    headers[.contentEncoding] = "zstd"
    return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: compressed)))
}

private enum ConsoleRoute {
    /// Nobody may frame, embed or sniff the console's files, and where a user goes from here tells nobody where they were.
    static let headers: HTTPFields = [
        .xContentTypeOptions: "nosniff", name("Referrer-Policy"): "no-referrer", name("Cross-Origin-Resource-Policy"): "same-origin",
        name("Cross-Origin-Opener-Policy"): "same-origin",
    ]

    private static func name(_ text: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(text) else { preconditionFailure("a valid name") }
        return name
    }
}

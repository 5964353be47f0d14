import HTTPTypes

/// What keeps a browser from running what somebody has put among the files.
enum BrowserSafety {
    /// Adds to a file's headers, by its media type. The file is other people's: a browser must take it for what it says that it is
    /// and run nothing in it, though it comes from the console's own origin.
    static func mark(_ headers: inout HTTPFields) {
        headers[.xContentTypeOptions] = "nosniff"
        headers[.resourcePolicy] = "same-origin"
        var type = (headers[.contentType] ?? "").prefix { $0 != ";" }.lowercased()
        while type.last == " " { type.removeLast() }
        if type == "application/pdf" {
            // Browsers show it with a viewer of their own, which a sandbox keeps from starting. It cannot run anything in this origin.
            headers[.contentSecurityPolicy] = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
            return
        }
        headers[.contentSecurityPolicy] =
            "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; media-src 'self'; frame-ancestors 'none'"
        if isActive(type) { headers[.contentDisposition] = "attachment" }
    }

    /// Whether browsers run scripts in documents of this type, were it not for the sandbox.
    private static func isActive(_ type: String) -> Bool {
        type == "text/html" || type.hasSuffix("xml") || type.contains("javascript") || type.contains("xsl")
    }
}

extension HTTPField.Name {
    static let resourcePolicy = HTTPField.Name("Cross-Origin-Resource-Policy")!
}

import Foundation
import HTTPTypes
import Merkle

/// Where a listing goes on: bytes that only this server reads, as base64url (RFC 4648, section 5) without padding.
enum Cursor {
    static func encode(_ bytes: [UInt8]) -> String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    static func encode(_ path: TreePath) -> String { encode(Array(path.description.utf8)) }

    static func decode(_ text: String) throws(Problem) -> [UInt8] {
        let padding = String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        guard let data = Data(base64Encoded: text.replacing("-", with: "+").replacing("_", with: "/") + padding) else {
            throw malformed
        }
        return Array(data)
    }

    static func path(_ bytes: some Collection<UInt8>) throws(Problem) -> TreePath {
        guard let text = String(validating: Array(bytes), as: UTF8.self), let path = try? TreePath(text) else { throw malformed }
        return path
    }

    static let malformed = Problem(.badRequest, "'after' is not a cursor that a listing has given out")
}

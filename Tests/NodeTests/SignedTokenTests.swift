import Access
import Content
import Foundation
@testable import Node
import TestSupport
import Testing

@Suite("Tokens taken apart")
struct SignedTokenTests {
    private func claims(_ key: NodeKey, node: String? = nil) -> TokenClaims {
        TokenClaims(iss: key.id.description, sub: "owner", aud: "somebody", kind: .user, iat: 1_700_000_000, exp: 1_700_003_600, jti: "x/é\"", node: node)
    }

    private func key(_ random: inout SplitMix64) throws -> NodeKey {
        try #require(NodeKey(rawBytes: (0..<NodeKey.byteCount).map { _ in UInt8(truncatingIfNeeded: random.next()) }))
    }

    private func verify(_ text: String, _ key: NodeKey) -> TokenClaims? {
        SignedToken(text).flatMap { Tokens.verify($0) { $0 == key.id ? key.publicKey : nil } }
    }

    @Test("What is signed is verified; with any character changed, cut off or added it is not", arguments: Seed.several(2))
    func tampering(seed: Seed) async throws {
        var random = seed.generator
        let key = try key(&random)
        let token = try await Tokens.sign(claims(key, node: key.id.description), with: key)
        #expect(verify(token, key) == claims(key, node: key.id.description))
        #expect(verify(token, try self.key(&random)) == nil)
        let characters = Array(token)
        for index in characters.indices {
            var changed = characters
            repeat { changed[index] = random.pick(Array("ABCabc012-_.=é")) } while changed[index] == characters[index]
            #expect(verify(String(changed), key) == nil, "\(index)")
            if index % 20 == 0 { #expect(verify(String(characters[..<index]), key) == nil, "\(index)") }
        }
        for tail in ["A", "=", ".", " ", "\n"] { #expect(verify(token + tail, key) == nil, "\(tail)") }
    }

    @Test("Another algorithm, or a header that asks for more, is refused, whoever signed it")
    func headers() throws {
        var random = SplitMix64(seed: 3)
        let key = try key(&random)
        func coded(_ bytes: some Sequence<UInt8>) -> String {
            Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
        }
        func token(_ header: String, payload: [UInt8]? = nil) throws -> String {
            let text = coded(header.utf8) + "." + coded(try payload ?? Array(JSONEncoder().encode(claims(key))))
            return text + "." + coded(try key.signature(for: Array(text.utf8)))
        }
        for good in [#"{"alg":"EdDSA","typ":"JWT"}"#, #"{"typ": "JWT", "alg": "EdDSA", "kid": "1"}"#] { #expect(try verify(token(good), key) != nil, "\(good)") }
        for bad in [
            #"{"alg":"none"}"#, #"{"alg":"HS256","typ":"JWT"}"#, #"{"alg":"eddsa"}"#, #"{"alg":"EdDSA","crit":["exp"]}"#, "{}", "", "[]", #"{"alg":["EdDSA"]}"#,
        ] { #expect(try verify(token(bad), key) == nil, "\(bad)") }
        #expect(try verify(token(#"{"alg":"EdDSA","typ":"JWT"}"#, payload: Array(#"{"iss": 1}"#.utf8)), key) == nil)
        #expect(try verify(token(#"{"alg":"EdDSA","typ":"JWT"}"#, payload: []), key) == nil)
        #expect(SignedToken(String(repeating: "a", count: 5000)) == nil)
        #expect(SignedToken("..") == nil)
    }

    @Test("The text of bytes has one form", arguments: Seed.several(5))
    func base64URL(seed: Seed) {
        var random = seed.generator
        for count in 0..<20 {
            let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let text = Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
            #expect([UInt8](base64URL: Array(text.utf8)[...]) == bytes)
        }
        for bad in ["A", "AB", "AAB", "AA=", "A+AA", "A/AA", "AA AA"] { #expect([UInt8](base64URL: Array(bad.utf8)[...]) == nil, "\(bad)") }
    }
}

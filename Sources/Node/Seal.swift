import Access
import Content
import Crypto
import Foundation
import Platform

/// Seals what a scoped caller is given to bring back later: where it stands, which names states that it may not see. Sealed, it
/// tells nothing, cannot be made up or changed, and looks different each time. Only this node can open it, also after a restart.
public struct Seal: Sendable {
    /// What it is for; one cannot be used in the place of another.
    public enum Purpose: String, Sendable {
        case cursor
        case ticket
        case event
        case difference
    }

    private let key: SymmetricKey
    private let randomness: any Randomness

    init(of node: NodeKey, randomness: any Randomness) {
        key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: node.rawBytes), info: Array("pando seal 1".utf8), outputByteCount: 32)
        self.randomness = randomness
    }

    /// The bytes, for one holder. 28 bytes longer.
    public func close(_ bytes: [UInt8], _ purpose: Purpose, for holder: Principal) -> [UInt8] {
        // A key and a nonce of the right length cannot fail.
        guard let nonce = try? AES.GCM.Nonce(data: randomness.bytes(12)),
            let box = try? AES.GCM.seal(bytes, using: key, nonce: nonce, authenticating: Seal.name(purpose, holder)),
            let sealed = box.combined
        else { preconditionFailure("sealing needs nothing that can be wrong") }
        return Array(sealed)
    }

    /// What was sealed for this holder; nil for anything else.
    public func open(_ sealed: [UInt8], _ purpose: Purpose, for holder: Principal) -> [UInt8]? {
        guard let box = try? AES.GCM.SealedBox(combined: sealed),
            let bytes = try? AES.GCM.open(box, using: key, authenticating: Seal.name(purpose, holder))
        else { return nil }
        return Array(bytes)
    }

    private static func name(_ purpose: Purpose, _ holder: Principal) -> [UInt8] {
        let identity = switch holder.identity {
        case .owner: "owner"
        case .key(let id): "key \(id)"
        case .node(let id): "node \(id)"
        }
        return Array("\(purpose.rawValue)\n\(identity)".utf8)
    }
}

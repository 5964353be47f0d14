import Content
import Foundation
import Merkle
import Platform

/// How names of the tree stand in the folder, where the file system cannot hold them as they are.
struct LocalNames: Sendable {
    let traits: FileSystemTraits

    /// Why the file system cannot hold a name by itself; nil if it can.
    func fault(_ name: String) -> String? {
        if name.utf8.count > traits.maximumNameLength { return "is longer than the \(traits.maximumNameLength) bytes that a name may have here" }
        if traits.reservesWindowsNames, LocalNames.isReservedByWindows(name) { return "is reserved on this file system" }
        return nil
    }

    /// What two names have in common if the file system takes them for one.
    func fold(_ name: String) -> [UInt8] {
        var folded = name
        if traits.ignoresCase { folded = folded.lowercased() }
        if traits.ignoresCase || traits.ignoresForm { folded = folded.precomposedStringWithCanonicalMapping }
        return Array(folded.utf8)
    }

    var foldsNames: Bool { traits.ignoresCase || traits.ignoresForm }

    /// The name in the folder for a name of the tree.
    ///
    /// The same on every desk with such a file system, whatever came first: of names that are one here, the first in the order
    /// of bytes keeps its own.
    /// - Parameter siblings: the names beside it in the tree; looked at only where the file system takes some for one.
    /// - Returns: nil if the name stands for itself.
    func alias(for name: String, among siblings: @autoclosure () throws -> [String]) rethrows -> String? {
        if fault(name) != nil { return alias(name) }
        guard foldsNames else { return nil }
        let folded = fold(name)
        let isFirst = try !siblings().contains { $0.sortsBefore(name) && fold($0) == folded }
        return isFirst ? nil : alias(name)
    }

    /// `STEM~DIGITS.ENDING`: enough of the name to be recognised, and eight digits of its hash to be told apart.
    private func alias(_ name: String) -> String {
        let digits = ContentHash(sha256: name.utf8).description.prefix(8)
        var stem = Substring(name)
        var ending = ""
        if let dot = name.lastIndex(of: "."), dot != name.startIndex, name[dot...].utf8.count <= 16 {
            stem = name[..<dot]
            ending = String(name[dot...])
        }
        if traits.reservesWindowsNames {
            stem = Substring(LocalNames.withoutReservedCharacters(stem))
            ending = LocalNames.withoutReservedCharacters(Substring(ending))
        }
        let room = traits.maximumNameLength - ending.utf8.count - digits.count - 1
        while stem.utf8.count > room, !stem.isEmpty { stem.removeLast() }
        return (stem + "~" + digits + ending).precomposedStringWithCanonicalMapping
    }

    /// Device names, which no ending makes usable, and what stands for something else in a path.
    private static func isReservedByWindows(_ name: String) -> Bool {
        if name.last == "." || name.last == " " { return true }
        if name.unicodeScalars.contains(where: isReservedCharacter) { return true }
        let stem = name.prefix { $0 != "." }.uppercased()
        if ["CON", "PRN", "AUX", "NUL"].contains(stem) { return true }
        return stem.utf8.count == 4 && (stem.hasPrefix("COM") || stem.hasPrefix("LPT")) && stem.last.map { "123456789".contains($0) } == true
    }

    private static func isReservedCharacter(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || "<>:\"\\|?*".unicodeScalars.contains(scalar)
    }

    private static func withoutReservedCharacters(_ text: Substring) -> String {
        var result = ""
        for scalar in text.unicodeScalars { result.unicodeScalars.append(isReservedCharacter(scalar) ? "_" : scalar) }
        while result.last == " " { result.removeLast() }
        return result == "." ? "" : result
    }
}

/// What the tree can take of a name that stands in the folder.
enum TreeName {
    case name(String)
    /// Why it cannot.
    case fault(String)

    init(of local: some Collection<UInt8>) {
        guard let text = String(validating: local, as: UTF8.self) else {
            self = .fault("its name is not UTF-8; rename it")
            return
        }
        let name = local.allSatisfy { $0 < 0x80 } ? text : text.precomposedStringWithCanonicalMapping
        self = TreePath.fault(inName: name).map { .fault($0) } ?? .name(name)
    }
}

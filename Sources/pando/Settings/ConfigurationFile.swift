import Foundation
import Yams

/// A node's settings in a file: YAML, one setting a line, by the names of `serve`'s flags with `_` for `-`.
struct ConfigurationFile {
    var path: String
    private(set) var values: [Setting: SettingValue] = [:]

    /// Where it is looked for when no flag and no variable names it.
    static func defaultPaths() -> [String] { [UserDirectory.configuration + "/pando.yaml", "/etc/pando/pando.yaml"] }

    /// The file that is named, or else the first that there is; nil where there is none.
    /// - Throws: `Failure` for a file that cannot be read or says what no setting is, with the line.
    static func find(_ named: String?) throws -> ConfigurationFile? {
        if let named { return try ConfigurationFile(path: named) }
        guard let path = defaultPaths().first(where: { FileManager.default.fileExists(atPath: $0) }) else { return nil }
        return try ConfigurationFile(path: path)
    }

    init(path: String) throws {
        guard let data = FileManager.default.contents(atPath: path), let text = String(bytes: data, encoding: .utf8) else {
            throw Failure("cannot read the configuration file \(path)")
        }
        try self.init(text: text, path: path)
        if values[.joinToken] != nil, try ConfigurationFile.isReadableByOthers(path) {
            throw Failure("\(path) holds a join_token and others may read it; 'chmod 600 \(path)' mends that")
        }
    }

    init(text: String, path: String) throws {
        self.path = path
        let root: Yams.Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            throw Failure("\(path): \(ConfigurationFile.words(error))")
        }
        guard let root else { return }
        if case .scalar(let scalar) = root, scalar.string.isEmpty { return }
        guard case .mapping(let mapping) = root else { throw Failure("\(path): settings stand as 'name: value', one a line") }
        for (key, node) in mapping {
            let place = "\(path):\(key.mark?.line ?? 0)"
            let name = key.string ?? ""
            guard let setting = Setting(rawValue: name) else {
                let known = Suggestion.nearest(to: name, in: Setting.allCases.map(\.rawValue))
                throw Failure("\(place): there is no setting '\(name)'" + (known.map { "; did you mean '\($0)'?" } ?? ""))
            }
            values[setting] = try ConfigurationFile.value(of: node, for: setting, place: place)
        }
    }

    private static func value(of node: Yams.Node, for setting: Setting, place: String) throws -> SettingValue {
        let value: SettingValue? = switch setting.kind {
        case .text: node.scalar.map { .text($0.string) }
        case .number: node.int.map { .number($0) }
        case .flag: node.bool.map { .flag($0) }
        case .list:
            if let sequence = node.sequence, sequence.allSatisfy({ $0.scalar != nil }) { .list(sequence.compactMap(\.scalar?.string)) } else { nil }
        }
        guard let value else { throw Failure("\(place): '\(setting.rawValue)' has to be \(setting.kind.words)") }
        return value
    }

    private static func isReadableByOthers(_ path: String) throws -> Bool {
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int ?? 0
        return mode & 0o077 != 0
    }

    private static func words(_ error: any Error) -> String {
        switch error {
        case YamlError.duplicatedKeysInMapping(let keys, _): "the setting '\(keys.first ?? "")' stands there twice"
        case YamlError.scanner(_, let problem, let mark, _), YamlError.parser(_, let problem, let mark, _): "line \(mark.line): \(problem)"
        default: "this is no YAML: \(error)"
        }
    }
}

/// What somebody may have meant.
enum Suggestion {
    /// The known word that is nearest; nil where none is near.
    static func nearest(to word: String, in known: [String]) -> String? {
        let word = Array(word.lowercased().replacing("-", with: "_"))
        let best = known.map { (word: $0, distance: distance(word, Array($0))) }.min { $0.distance < $1.distance }
        guard let best, best.distance <= max(2, word.count / 3) else { return nil }
        return best.word
    }

    /// Letters to add, drop or change (Levenshtein).
    private static func distance(_ left: [Character], _ right: [Character]) -> Int {
        var row = Array(0...right.count)
        for (index, letter) in left.enumerated() {
            var corner = row[0]
            row[0] = index + 1
            for (column, other) in right.enumerated() {
                let change = corner + (letter == other ? 0 : 1)
                corner = row[column + 1]
                row[column + 1] = min(change, row[column] + 1, corner + 1)
            }
        }
        return row[right.count]
    }
}

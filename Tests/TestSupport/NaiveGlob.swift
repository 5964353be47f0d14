import Merkle

/// What patterns mean.
public enum NaiveGlob {
    /// The definition, word by word: tries everything.
    private static func matches(_ pattern: ArraySlice<String>, _ names: ArraySlice<String>) -> Bool {
        guard let part = pattern.first else { return names.isEmpty }
        let rest = pattern.dropFirst()
        if part == "**" {
            return matches(rest, names) || !names.isEmpty && matches(pattern, names.dropFirst())
        }
        guard let name = names.first else { return false }
        return matches(Substring(part), Substring(name)) && matches(rest, names.dropFirst())
    }

    private static func matches(_ pattern: Substring, _ name: Substring) -> Bool {
        guard let first = pattern.first else { return name.isEmpty }
        if first == "*" {
            return matches(pattern.dropFirst(), name) || !name.isEmpty && matches(pattern, name.dropFirst())
        }
        guard let character = name.first else { return false }
        return (first == "?" || first == character) && matches(pattern.dropFirst(), name.dropFirst())
    }

    public static func matches(_ pattern: String, _ path: TreePath) -> Bool {
        let parts = pattern.split(separator: "/").map(String.init)
        return matches((pattern.hasPrefix("/") ? parts : ["**"] + parts)[...], path.names[...])
    }
}

import Merkle

/// Names whose hashes cut several levels. Without them, a tree of three levels would take some hundred thousand names.
public enum CuttingNames {
    static func numbered(_ numbers: [Int]) -> [String] { numbers.map { "n\($0)" } }

    public static let oneLevel = numbered([
        1, 82, 141, 260, 282, 284, 332, 420, 494, 573, 591, 667, 684, 722, 802, 822, 845, 1018, 1049, 1238, 1298, 1583, 1599,
        1619, 1682, 1746, 1764, 1797, 2274, 2381, 2811, 2832, 2866, 3213, 3378, 3416, 3656, 3663, 3787, 4071,
    ])
    public static let twoLevels = numbered([
        22_579, 33_214, 56_942, 71_338, 89_161, 93_748, 135_017, 186_482, 209_357, 212_718, 215_261, 223_973, 239_665, 292_339,
        301_018, 301_337,
    ])
    public static let threeLevels = numbered([2_777_438, 5_204_253, 5_238_224, 6_434_884, 8_484_775])
}

/// A valid name from a few hundred, many of which cut, so that small directories have tall trees.
public func randomName(_ random: inout SplitMix64) -> String {
    switch random.below(20) {
    case 0...5: random.pick(CuttingNames.oneLevel)
    case 6...8: random.pick(CuttingNames.twoLevels)
    case 9: random.pick(CuttingNames.threeLevels)
    case 10: random.pick(["é", "日本", "🌳", "q\u{323}\u{301}", "A b", "n1.", "ﬀ", "\u{10ffff}", "~"])
    default: "n\(5000 + random.below(300))"
    }
}

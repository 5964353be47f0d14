/// The lines that differ between two texts, as `diff -u` writes them.
///
/// Finds a shortest script (Myers, "An O(ND) Difference Algorithm and Its Variations", Algorithmica 1986), unless the texts
/// have too little in common: then all lines between the first and the last that differ are replaced.
struct UnifiedDiff {
    /// Insertions and deletions up to which a shortest script is looked for: about 16 MB of trace at the most.
    private static let maximumEdits = 2000
    private static let context = 3

    private enum Step {
        case same, deleted, inserted
    }

    // Lines with the line feed at their end, but for a last line without one. By bytes, since strings that are equal may not be.
    private let old: [Substring.UTF8View]
    private let new: [Substring.UTF8View]
    private var steps: [Step] = []

    init(from old: String, to new: String) {
        self.old = UnifiedDiff.lines(old)
        self.new = UnifiedDiff.lines(new)
        compare()
    }

    private static func lines(_ text: String) -> [Substring.UTF8View] {
        var lines: [Substring.UTF8View] = []
        var rest = text.utf8[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            let next = rest.index(after: end)
            lines.append(rest[..<next])
            rest = rest[next...]
        }
        if !rest.isEmpty { lines.append(rest) }
        return lines
    }

    private func isSame(_ left: Int, _ right: Int) -> Bool { old[left].elementsEqual(new[right]) }

    private mutating func compare() {
        var start = 0
        while start < old.count, start < new.count, isSame(start, start) { start += 1 }
        var (oldEnd, newEnd) = (old.count, new.count)
        while oldEnd > start, newEnd > start, isSame(oldEnd - 1, newEnd - 1) {
            oldEnd -= 1
            newEnd -= 1
        }
        let middle = script(start..<oldEnd, start..<newEnd)
            ?? [Step](repeating: .deleted, count: oldEnd - start) + [Step](repeating: .inserted, count: newEnd - start)
        steps = [Step](repeating: .same, count: start) + middle + [Step](repeating: .same, count: old.count - oldEnd)
    }

    /// Nil if it takes too many edits.
    private func script(_ left: Range<Int>, _ right: Range<Int>) -> [Step]? {
        let limit = min(left.count + right.count, UnifiedDiff.maximumEdits)
        // How far each diagonal reaches, by its number and `offset`; one row for each count of edits.
        let offset = limit + 1
        var reach = [Int32](repeating: 0, count: 2 * limit + 3)
        var trace: [[Int32]] = []
        for edits in 0...limit {
            trace.append(Array(reach[(offset - edits - (edits > 0 ? 1 : 0))...(offset + edits + 1)]))
            for diagonal in stride(from: -edits, through: edits, by: 2) {
                let isDown = diagonal == -edits || diagonal != edits && reach[offset + diagonal - 1] < reach[offset + diagonal + 1]
                var x = Int(isDown ? reach[offset + diagonal + 1] : reach[offset + diagonal - 1] + 1)
                while x < left.count, x - diagonal < right.count, isSame(left.lowerBound + x, right.lowerBound + x - diagonal) { x += 1 }
                reach[offset + diagonal] = Int32(x)
                if x >= left.count, x - diagonal >= right.count { return walkBack(trace, left.count, right.count) }
            }
        }
        return nil
    }

    private func walkBack(_ trace: [[Int32]], _ oldCount: Int, _ newCount: Int) -> [Step] {
        var (x, y) = (oldCount, newCount)
        var steps: [Step] = []
        for edits in (0..<trace.count).reversed() where edits > 0 {
            func reach(_ diagonal: Int) -> Int { Int(trace[edits][diagonal + edits + 1]) }
            let diagonal = x - y
            let isDown = diagonal == -edits || diagonal != edits && reach(diagonal - 1) < reach(diagonal + 1)
            let before = isDown ? diagonal + 1 : diagonal - 1
            let (fromX, fromY) = (reach(before), reach(before) - before)
            while x > fromX, y > fromY {
                steps.append(.same)
                x -= 1
                y -= 1
            }
            steps.append(isDown ? .inserted : .deleted)
            (x, y) = (fromX, fromY)
        }
        steps += [Step](repeating: .same, count: x)
        return steps.reversed()
    }

    /// The diff with three lines of context; empty where nothing differs.
    func text(from oldName: String, to newName: String) -> String {
        var hunks: [Range<Int>] = []
        for index in steps.indices where steps[index] != .same {
            let range = max(0, index - UnifiedDiff.context)..<min(steps.count, index + UnifiedDiff.context + 1)
            if let last = hunks.last, last.upperBound >= range.lowerBound {
                hunks[hunks.count - 1] = last.lowerBound..<range.upperBound
            } else {
                hunks.append(range)
            }
        }
        guard !hunks.isEmpty else { return "" }
        var text = "--- \(oldName)\n+++ \(newName)\n"
        var (index, left, right) = (0, 0, 0)
        for hunk in hunks {
            while index < hunk.lowerBound {
                left += steps[index] == .inserted ? 0 : 1
                right += steps[index] == .deleted ? 0 : 1
                index += 1
            }
            var lines = ""
            let start = (left, right)
            for step in steps[hunk] {
                switch step {
                case .same:
                    UnifiedDiff.write(" ", old[left], to: &lines)
                    left += 1
                    right += 1
                case .deleted:
                    UnifiedDiff.write("-", old[left], to: &lines)
                    left += 1
                case .inserted:
                    UnifiedDiff.write("+", new[right], to: &lines)
                    right += 1
                }
            }
            index = hunk.upperBound
            text += "@@ -\(UnifiedDiff.span(start.0, left)) +\(UnifiedDiff.span(start.1, right)) @@\n" + lines
        }
        return text
    }

    private static func write(_ mark: String, _ line: Substring.UTF8View, to text: inout String) {
        text += mark
        text += String(Substring(line))
        if line.last != UInt8(ascii: "\n") { text += "\n\\ No newline at end of file\n" }
    }

    /// As POSIX has it: an empty range is named by the line before it, and a count of one is left out.
    private static func span(_ start: Int, _ end: Int) -> String {
        let count = end - start
        return count == 1 ? "\(start + 1)" : "\(count == 0 ? start : start + 1),\(count)"
    }
}

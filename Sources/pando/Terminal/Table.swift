/// Rows with aligned columns.
struct Table {
    enum Alignment {
        case left, right
    }

    private let alignments: [Alignment]
    private var rows: [[String]] = []

    /// - Parameter header: the first row, if there is one.
    init(_ alignments: [Alignment], header: [String]? = nil) {
        self.alignments = alignments
        if let header { rows.append(header) }
    }

    mutating func add(_ cells: String...) {
        rows.append(cells)
    }

    func print() {
        for line in lines { Output.line(line) }
    }

    /// The rows as they are printed.
    var lines: [String] {
        var widths = [Int](repeating: 0, count: alignments.count)
        for row in rows {
            for (column, cell) in row.enumerated() { widths[column] = max(widths[column], cell.count) }
        }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                if column > 0 { line += "  " }
                line += alignments[column] == .left ? cell + padding : padding + cell
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}

import Foundation

/// The least, the middle and the greatest of several readings.
struct Spread: Encodable {
    var median: Double
    var min: Double
    var max: Double

    init(_ values: [Double]) {
        precondition(!values.isEmpty, "nothing was measured")
        let sorted = values.sorted()
        median = sorted.count % 2 == 1
            ? sorted[sorted.count / 2] : (sorted[sorted.count / 2 - 1] + sorted[sorted.count / 2]) / 2
        min = sorted[0]
        max = sorted[sorted.count - 1]
    }
}

/// What a figure ought to be.
enum Goal {
    case atLeast(Double)
    case atMost(Double)
    /// The figure over its limit.
    case ratioAtLeast(Double)
}

/// One figure.
struct Row: Encodable {
    var name: String
    var value: Spread
    var unit: String
    /// Readings that the spread is made of.
    var readings: Int
    /// What the figure is compared with, measured in the same run: its name and its median.
    var limit: String?
    var limitValue: Double?
    /// The figure's median over the limit's.
    var ratio: Double?
    var goal: String?
    var isMet: Bool?
    /// Resident memory of the process when the figure was taken.
    var residentBytes: Int
    var note: String?
}

/// Collects figures, prints each as it comes, and writes all of them as JSON.
struct Report {
    private(set) var rows: [Row] = []

    /// - Parameter limit: the name, and the readings in the same unit.
    mutating func add(
        _ name: String, _ values: [Double], _ unit: String, limit: (name: String, values: [Double])? = nil, goal: Goal? = nil,
        note: String? = nil
    ) {
        var row = Row(
            name: name, value: Spread(values), unit: unit, readings: values.count, residentBytes: Process.resident().total, note: note)
        if let limit {
            row.limit = limit.name
            row.limitValue = Spread(limit.values).median
            row.ratio = row.value.median / Spread(limit.values).median
        }
        switch goal {
        case .atLeast(let least):
            row.goal = "at least \(Report.short(least))"
            row.isMet = row.value.median >= least
        case .atMost(let most):
            row.goal = "at most \(Report.short(most))"
            row.isMet = row.value.median <= most
        case .ratioAtLeast(let least):
            row.goal = "ratio at least \(Report.short(least))"
            row.isMet = row.ratio.map { $0 >= least }
        case nil: break
        }
        rows.append(row)
        // Not print, which holds lines back where the output is a file.
        FileHandle.standardOutput.write(Data((Report.line(row) + "\n").utf8))
    }

    private static func line(_ row: Row) -> String {
        var text = pad(row.name, 44) + " " + pad("\(short(row.value.median)) \(row.unit)", 16)
            + " (\(short(row.value.min)) to \(short(row.value.max)), n=\(row.readings))"
        if let limit = row.limit, let value = row.limitValue, let ratio = row.ratio {
            text += "; \(limit): \(short(value)), ratio \(String(format: "%.2f", ratio))"
        }
        if let goal = row.goal, let isMet = row.isMet { text += "; goal \(goal): \(isMet ? "met" : "MISSED")" }
        if let note = row.note { text += "; \(note)" }
        return text
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    static func short(_ value: Double) -> String {
        switch abs(value) {
        case 100...: String(format: "%.0f", value)
        case 10..<100: String(format: "%.1f", value)
        default: String(format: "%.2f", value)
        }
    }

    private struct Document: Encodable {
        var date: String
        var processor: String
        var cores: Int
        var scale: Double
        var rows: [Row]
    }

    func write(to path: String, scale: Double) throws {
        let models = ((try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? "").split(separator: "\n")
        let model = models.first { $0.hasPrefix("model name") }?.split(separator: ":").last.map(String.init) ?? ""
        let document = Document(
            date: ISO8601DateFormatter().string(from: Date()), processor: model.trimmingCharacters(in: .whitespaces),
            cores: ProcessInfo.processInfo.activeProcessorCount, scale: scale, rows: rows)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        try (encoder.encode(document) + Data("\n".utf8)).write(to: URL(fileURLWithPath: path))
    }
}

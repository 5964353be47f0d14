import Foundation
import Merkle

/// How long versions are kept. The first rule whose pattern matches a path decides.
public struct RetentionPolicy: Codable, Hashable, Sendable {
    /// All states for so many days, then the last of each day, then the last of each week, in UTC; weeks begin on Monday.
    public struct Rule: Codable, Hashable, Sendable {
        /// A glob.
        public var path: String
        /// Nil: for ever.
        public var allDays: Int?
        public var dailyDays: Int?
        public var weeklyDays: Int?

        public init(path: String, allDays: Int?, dailyDays: Int?, weeklyDays: Int?) {
            self.path = path
            self.allDays = allDays
            self.dailyDays = dailyDays
            self.weeklyDays = weeklyDays
        }
    }

    public var rules: [Rule]

    public init(rules: [Rule]) {
        self.rules = rules
    }

    public static let maximumRules = 100
    public static let maximumDays = 36_500

    /// Everything for a month, each day for a year, each week for ever.
    public static let standard = RetentionPolicy(rules: [Rule(path: "/**", allDays: 30, dailyDays: 365, weeklyDays: nil)])

    /// No past at all.
    public static let newestOnly = RetentionPolicy(rules: [Rule(path: "/**", allDays: 0, dailyDays: 0, weeklyDays: 0)])

    /// The rule that it breaks, or nil.
    public var fault: String? {
        if rules.isEmpty || rules.count > RetentionPolicy.maximumRules { return "a policy has between 1 and \(RetentionPolicy.maximumRules) rules" }
        for rule in rules {
            do { _ = try Glob(rule.path) } catch { return error.description }
            for days in [rule.allDays, rule.dailyDays, rule.weeklyDays].compactMap(\.self)
            where !(0...RetentionPolicy.maximumDays).contains(days) {
                return "days are between 0 and \(RetentionPolicy.maximumDays), or null for ever"
            }
        }
        guard let last = rules.last, (try? Glob(last.path))?.matchesAll(below: .root) == true else {
            return "the last rule must be for '/**', so that every path has one"
        }
        return nil
    }
}

/// Why a state is kept.
public enum KeptReason: String, Sendable, Hashable {
    case recent
    case daily
    case weekly
    case newest
    case snapshot
}

/// A rule as it is applied. Times are microseconds since 1970.
struct RetentionRule: Sendable {
    private static let day: UInt64 = 86_400_000_000
    private static let week = 7 * day
    /// The first Monday after 1970 began, on a Thursday.
    private static let monday = 4 * day

    let glob: Glob
    private let all: UInt64?
    private let daily: UInt64?
    private let weekly: UInt64?

    init(_ rule: RetentionPolicy.Rule) throws(InvalidPath) {
        glob = try Glob(rule.path)
        func span(_ days: Int?) -> UInt64? { days.map { UInt64($0) * RetentionRule.day } }
        (all, daily, weekly) = (span(rule.allDays), span(rule.dailyDays), span(rule.weeklyDays))
    }

    /// Where the times begin for which all states, one a day and one a week are kept.
    private func starts(_ now: UInt64) -> (all: UInt64, daily: UInt64, weekly: UInt64) {
        func before(_ time: UInt64, _ span: UInt64?) -> UInt64 { span.map { time > $0 ? time - $0 : 0 } ?? 0 }
        let allStart = before(now, all)
        let dailyStart = before(allStart, daily)
        return (allStart, dailyStart, before(dailyStart, weekly))
    }

    /// Why a state that came at `from` and was followed by another at `until` (nil: by none) is kept; nil if it is not. It is
    /// kept if it was the newest at a moment that matters: any of late, and midnights before.
    func reason(from: UInt64, until: UInt64?, now: UInt64) -> KeptReason? {
        guard let until else { return .newest }
        let starts = starts(now)
        if until > starts.all || all == nil { return .recent }
        let midnight = RetentionRule.midnight(notAfter: until)
        if midnight > from, midnight > starts.daily { return .daily }
        if let monday = RetentionRule.monday(notAfter: until), monday > from, monday > starts.weekly { return .weekly }
        return nil
    }

    /// The last moment not after this one whose state is kept for certain; nil if there is none.
    func keptMoment(notAfter time: UInt64, now: UInt64) -> UInt64? {
        let starts = starts(now)
        if time >= starts.all { return time }
        var moments: [UInt64] = []
        let midnight = RetentionRule.midnight(notAfter: time)
        if midnight > starts.daily { moments.append(midnight) }
        if let monday = RetentionRule.monday(notAfter: time), monday > starts.weekly { moments.append(monday) }
        // What was the newest at midnight came before it.
        return moments.max().map { $0 - 1 }
    }

    private static func midnight(notAfter time: UInt64) -> UInt64 { time / day * day }

    private static func monday(notAfter time: UInt64) -> UInt64? {
        time < monday ? nil : (time - monday) / week * week + monday
    }
}

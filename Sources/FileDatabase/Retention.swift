import Causality
import Content
import Foundation
import Merkle
import Objects
import Platform
import Synchronization

/// The retention policy as the cluster has it, and those that were set elsewhere at the same time.
public struct RetentionSettings: Sendable {
    public struct Setting: Sendable {
        public var policy: RetentionPolicy
        /// Nil for the standard policy, which nobody set.
        public var version: Version?
    }

    /// The one in force: by the rules that decide between versions of a file.
    public var current: Setting
    /// Set on another node without knowing of the current one. Until somebody sets a policy anew, what one of them keeps is
    /// kept, so that none of them deletes what its rival was to save.
    public var rivals: [Setting]
    /// Rules of each setting.
    private var rules: [[RetentionRule]]

    init(current: Setting, rivals: [Setting]) {
        self.current = current
        self.rivals = rivals
        // One that cannot be read keeps everything.
        rules = ([current] + rivals).map { setting in (try? setting.policy.rules.map { try RetentionRule($0) }) ?? [] }
    }

    /// Why a state of a path is kept, if it was there from `from` until `until`; nil if it is not.
    public func reason(for path: TreePath, from: Timestamp, until: Timestamp?, now: UInt64) -> KeptReason? {
        for rules in rules {
            guard let rule = rules.first(where: { $0.glob.matches(path) }) else { return .recent }
            if let reason = rule.reason(from: from.microseconds, until: until?.microseconds, now: now) { return reason }
        }
        return nil
    }

    /// The last moment, in microseconds, not after this one whose state of the path is kept for certain.
    func keptMoment(for path: TreePath, notAfter time: UInt64, now: UInt64) -> UInt64? {
        var latest: UInt64?
        for rules in rules {
            guard let rule = rules.first(where: { $0.glob.matches(path) }) else { return time }
            if let moment = rule.keptMoment(notAfter: time, now: now) { latest = max(latest ?? 0, moment) }
        }
        return latest
    }

    /// For which paths a state is kept; nil for none.
    func scope(from: Timestamp, until: Timestamp?, now: UInt64) -> KeptScope? {
        var reason: KeptReason?
        var kept: [[KeptScope.Decision]] = []
        var keepsAll = false
        for rules in rules {
            let reasons = rules.map { $0.reason(from: from.microseconds, until: until?.microseconds, now: now) }
            if reasons.allSatisfy({ $0 != nil }) { keepsAll = true }
            reason = reason ?? reasons.compactMap(\.self).first ?? (rules.isEmpty ? .recent : nil)
            kept.append(zip(rules, reasons).map { KeptScope.Decision(glob: $0.glob, isKept: $1 != nil) })
        }
        return reason.map { KeptScope(reason: $0, decisions: keepsAll ? nil : kept) }
    }
}

extension FileDatabase {
    /// Where the policy is in the system tree.
    static let retentionPath = TreePath.root.appending("retention")

    /// The retention policy in force.
    public func retention() throws -> RetentionSettings {
        let view = self.view
        guard let register = try view.entry(at: FileDatabase.retentionPath, in: .system)?.register else {
            let policy = keepsPast.load(ordering: .relaxed) ? RetentionPolicy.standard : .newestOnly
            return RetentionSettings(current: RetentionSettings.Setting(policy: policy, version: nil), rivals: [])
        }
        let winner = register.winner
        return RetentionSettings(
            current: try setting(winner), rivals: try register.losers.filter { !$0.value.isTombstone }.map { try setting($0) })
    }

    /// Where no policy is set, nothing but the newest state is kept from now on: for a replica whose past others keep.
    public func keepNoPast() { keepsPast.store(false, ordering: .relaxed) }

    private func setting(_ version: Version) throws -> RetentionSettings.Setting {
        guard case .file(let file) = version.value else { return RetentionSettings.Setting(policy: .standard, version: version) }
        let bytes = try asDatabaseErrors { try store.read(file.content.root, .chunk) }
        let policy = try? JSONDecoder().decode(RetentionPolicy.self, from: Data(bytes))
        // One that this program cannot read must not cost anybody a version.
        let everything = RetentionPolicy(rules: [RetentionPolicy.Rule(path: "/**", allDays: nil, dailyDays: nil, weeklyDays: nil)])
        return RetentionSettings.Setting(policy: policy.flatMap { $0.fault == nil ? $0 : nil } ?? everything, version: version)
    }

    /// Sets the retention policy for the whole cluster. Rivals are settled by it.
    ///
    /// - Throws: `DatabaseError`: `invalid` for a policy that is none.
    public func setRetention(_ policy: RetentionPolicy) async throws {
        if let fault = policy.fault { throw DatabaseError(.invalid, fault) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let bytes = Array(try encoder.encode(policy))
        guard bytes.count <= Limits.maximumDocumentSize else {
            throw DatabaseError(.invalid, "the policy has \(bytes.count) bytes; \(Limits.maximumDocumentSize) are allowed: use fewer rules")
        }
        try await write { draft in
            let old = try draft.entry(at: FileDatabase.retentionPath, in: .system)?.register
            let value = draft.document(bytes)
            let dot = draft.nextDot()
            let register = old?.resolving(to: value, at: dot) ?? Register(Version(dot: dot, past: VersionVector(), value: value))
            draft.set(FileDatabase.retentionPath, to: register, in: .system)
            draft.note(cause: "set retention")
        }
    }
}

extension Draft {
    /// The value of a document of the system tree, whose bytes go along with the commit.
    mutating func document(_ bytes: [UInt8]) -> Value {
        let object = PreparedObject(.chunk, bytes)
        add([object])
        return .file(FileValue(
            content: FileContent(root: object.hash, height: 0, size: UInt64(bytes.count)), mediaType: "application/json",
            modifiedAt: Int64(clamping: time.wallMicroseconds()) * 1000))
    }
}

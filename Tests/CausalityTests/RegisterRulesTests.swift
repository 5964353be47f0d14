import Causality
import Content
import TestSupport
import Testing

/// The rules of what users see, one by one, as the design states them.
@Suite("What users see of a register")
struct RegisterRulesTests {
    static func dot(_ microseconds: UInt64, _ actor: Int) -> Dot {
        Dot(timestamp: Timestamp(microseconds: microseconds), actor: .numbered(actor))
    }

    static func written(_ value: Value, _ microseconds: UInt64, by actor: Int) -> Register {
        .written(value, by: actor, microseconds: microseconds)
    }

    @Test func modificationBeatsDeletion() {
        let first = Self.written(.file("old"), 1, by: 0)
        let edited = first.writing(.file("new"), at: Self.dot(2, 1))
        let deleted = first.writing(.tombstone, at: Self.dot(9, 2))
        let joined = edited.joined(with: deleted)
        #expect(joined.winner.value == .file("new"))
        #expect(joined.losers.map(\.value) == [.tombstone])
        #expect(joined == deleted.joined(with: edited))
    }

    @Test("The later write wins; at the same time the higher node")
    func lastWriteWins() {
        let early = Self.written(.file("early"), 1, by: 0)
        let late = Self.written(.file("late"), 2, by: 1)
        #expect(early.joined(with: late).winner.value == .file("late"))
        let twin = Self.written(.file("twin"), 1, by: 1)
        let higher = max(Actor.numbered(0), Actor.numbered(1))
        #expect(early.joined(with: twin).winner.dot.actor == higher)
    }

    @Test("A directory stands before a later file, which stays as a loser")
    func directoryBeatsFile() {
        let joined = Self.written(.directory, 1, by: 0).joined(with: Self.written(.file("x"), 2, by: 1))
        #expect(joined.winner.value == .directory)
        #expect(joined.losers.map(\.value) == [.file("x")])
    }

    @Test("A deletion beside a directory is no conflict")
    func directoryAndDeletion() {
        let joined = Self.written(.directory, 1, by: 0).joined(with: Self.written(.tombstone, 2, by: 1))
        #expect(joined.winner.value == .directory)
        #expect(!joined.isConflicted)
    }

    @Test("Two people who saved the same bytes have no conflict, whenever they did")
    func sameContent() {
        let joined = Self.written(.file("same", modifiedAt: 1), 1, by: 0).joined(with: Self.written(.file("same", modifiedAt: 2), 2, by: 1))
        #expect(joined.versions.count == 2)
        #expect(!joined.isConflicted)
        #expect(joined.losers.isEmpty)
    }

    @Test("The executable bit and the attributes are content")
    func otherContent() {
        let plain = Self.written(.file("same"), 1, by: 0)
        #expect(plain.joined(with: Self.written(.file("same", isExecutable: true), 2, by: 1)).isConflicted)
        guard case .file(var file) = Value.file("same") else { return }
        file.attributes = .zero
        #expect(plain.joined(with: Self.written(.file(file), 2, by: 1)).isConflicted)
    }

    @Test("Symbolic links to the same letters in other bytes are other links")
    func linkTargetsAreBytes() {
        let composed = Self.written(.symlink(target: "\u{e9}"), 1, by: 0)
        let decomposed = Self.written(.symlink(target: "e\u{301}"), 2, by: 1)
        #expect(composed.joined(with: decomposed).isConflicted)
    }

    /// A winner "c", and losers "a" and "b".
    static let conflicted = written(.file("a"), 1, by: 0).joined(with: written(.file("b"), 2, by: 1)).joined(with: written(.file("c"), 3, by: 2))

    @Test("A plain write or delete replaces the winner and keeps the losers", arguments: [Value.file("new"), .tombstone])
    func plainWriteKeepsLosers(value: Value) {
        let after = Self.conflicted.writing(value, at: Self.dot(4, 0))
        #expect(after.versions.map(\.value) == [.file("a"), .file("b"), value])
        // The losers are in its past, so even a deletion, which everything else would beat, is current.
        #expect(after.winner.value == value)
        #expect(after.losers.map(\.value) == [.file("a"), .file("b")])
    }

    @Test("A plain write replaces whatever has the winner's content or its own")
    func plainWriteReplacesTwins() {
        let twins = Self.conflicted.joined(with: Self.written(.file("c", modifiedAt: 7), 2, by: 3))
        #expect(twins.versions.count == 4)
        #expect(twins.writing(.file("new"), at: Self.dot(4, 0)).versions.map(\.value) == [.file("a"), .file("b"), .file("new")])
        #expect(twins.writing(.file("a"), at: Self.dot(4, 0)).versions.map(\.value) == [.file("b"), .file("a")])
    }

    @Test func resolvingDropsAll() {
        let resolved = Self.conflicted.resolving(to: .file("b"), at: Self.dot(4, 0))
        #expect(resolved.versions.map(\.value) == [.file("b")])
        #expect(!resolved.isConflicted)
        // It spreads: nobody who still has the losers brings them back.
        #expect(Self.conflicted.joined(with: resolved) == resolved)
    }

    @Test("A resolution that races an edit is decided as two edits are")
    func resolutionRacesEdit() {
        let resolved = Self.conflicted.resolving(to: .file("b"), at: Self.dot(5, 0))
        let edited = Self.conflicted.writing(.file("d"), at: Self.dot(4, 1))
        let joined = resolved.joined(with: edited)
        #expect(joined.versions.map(\.value) == [.file("d"), .file("b")])
        #expect(joined.winner.value == .file("b"))
        #expect(joined.losers.map(\.value) == [.file("d")])
    }
}

/// A set of writes, by their numbers. A bit for each: sets of all that was ever written are joined and compared at every commit.
struct WriteSet: Sequence, Sendable {
    private var words: [UInt64] = []

    init() {}

    init(_ numbers: some Sequence<Int>) {
        for number in numbers { insert(number) }
    }

    var isEmpty: Bool { words.allSatisfy { $0 == 0 } }

    func contains(_ number: Int) -> Bool {
        let (word, bit) = number.quotientAndRemainder(dividingBy: 64)
        return word < words.count && words[word] & 1 << UInt64(bit) != 0
    }

    mutating func insert(_ number: Int) {
        let (word, bit) = number.quotientAndRemainder(dividingBy: 64)
        while words.count <= word { words.append(0) }
        words[word] |= 1 << UInt64(bit)
    }

    mutating func formUnion(_ other: WriteSet) {
        while words.count < other.words.count { words.append(0) }
        for (index, word) in other.words.enumerated() { words[index] |= word }
    }

    mutating func subtract(_ other: WriteSet) {
        for index in 0..<Swift.min(words.count, other.words.count) { words[index] &= ~other.words[index] }
    }

    func union(_ other: WriteSet) -> WriteSet {
        var result = self
        result.formUnion(other)
        return result
    }

    func subtracting(_ other: WriteSet) -> WriteSet {
        var result = self
        result.subtract(other)
        return result
    }

    func intersection(_ other: WriteSet) -> WriteSet { subtracting(subtracting(other)) }

    func filter(_ isIncluded: (Int) -> Bool) -> WriteSet { WriteSet(lazy.filter(isIncluded)) }

    struct Iterator: IteratorProtocol {
        fileprivate let words: [UInt64]
        fileprivate var index = 0
        /// What is left of the word at `index`.
        fileprivate var rest: UInt64

        /// In rising order.
        mutating func next() -> Int? {
            while rest == 0 {
                index += 1
                guard index < words.count else { return nil }
                rest = words[index]
            }
            let bit = rest.trailingZeroBitCount
            rest &= rest - 1
            return index * 64 + bit
        }
    }

    func makeIterator() -> Iterator { Iterator(words: words, rest: words.first ?? 0) }
}

import Causality
import Content
import FileDatabase
import Merkle
import Node
import Objects

/// What a machine holds by itself, whatever its peers would help out with.
extension Machine {
    /// The contents of all versions that the node shows, of losers too.
    private func contents(of database: FileDatabase) throws -> [(path: TreePath, content: FileContent)] {
        var result: [(path: TreePath, content: FileContent)] = []
        var diff = try TreeDiff(from: .empty, to: database.head.commit.files, in: database.view.reader)
        while let difference = try diff.next() {
            for version in difference.after?.versions ?? [] {
                if case .file(let file) = version.value { result.append((difference.path, file.content)) }
            }
        }
        return result
    }

    /// What the node shows and could not read from its own log; nil if it has everything.
    func lacks() -> String? {
        guard let database = node?.database else { return nil }
        var path: TreePath?
        do {
            var known: Set<ContentHash> = []
            for (place, content) in try contents(of: database) where known.insert(content.root).inserted {
                path = place
                // Not by what was found right a moment ago: whoever reads it afterwards shall look again.
                for chunk in try database.chunks(of: content, limit: .max) { _ = try database.store.read(chunk.hash, .chunk) }
            }
            return nil
        } catch {
            return "node \(index) has let go of something that it shows\(path.map { " at \($0)" } ?? ""): \(error)"
        }
    }

    /// Flips some bits of what is durable: each other one in a content that the node shows, the rest anywhere in its log.
    func flipBits(_ count: Int, _ random: inout SplitMix64) {
        let files = disk.durableSizes
        guard !files.isEmpty, let database = node?.database else { return }
        let contents = (try? contents(of: database)) ?? []
        for number in 0..<count {
            var file = random.pick(files)
            var place = random.below(file.size)
            if number % 2 == 0, !contents.isEmpty, let location = try? database.store.locations(of: [random.pick(contents).content.root])[0],
                location.storedLength > 0, let log = files.first(where: { UInt32($0.name.prefix { $0 != "." }) == location.position.segment })
            {
                (file, place) = (log, Int(location.position.offset) + random.below(Int(location.storedLength)))
            }
            if place < file.size { disk.flip(file.name, at: place, bit: UInt8(random.below(8))) }
        }
    }
}

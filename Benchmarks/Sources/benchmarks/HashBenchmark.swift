import Content
import Crypto

/// Objects' names against SHA-256 alone, over the same bytes.
struct HashBenchmark {
    let settings: Settings

    func run(_ report: inout Report) {
        let payload = Payload.random(settings.scaled(1 << 30), seed: 1)
        let megabytes = Double(payload.bytes.count) / 1e6
        for (name, size) in [("4 KiB", 4 << 10), ("256 KiB", 256 << 10)] {
            let pieces = payload.pieces(of: size)
            var bare: [Double] = []
            var ours: [Double] = []
            for run in 0...settings.runs {
                let plain = seconds {
                    var hasher = SHA256()
                    hasher.update(bufferPointer: payload.bytes)
                    keep(hasher.finalize())
                }
                let named = seconds {
                    for piece in pieces { keep(ContentHash(of: .chunk, piece)) }
                }
                if run > 0 {
                    bare.append(megabytes / plain)
                    ours.append(megabytes / named)
                }
            }
            report.add("hash/objects of \(name)", ours, "MB/s", limit: ("one SHA-256 of all", bare))
        }
    }
}

/// Cutting alone.
struct ChunkerBenchmark {
    let settings: Settings

    func run(_ report: inout Report) {
        let payload = Payload.random(settings.scaled(1 << 30), seed: 2)
        var rates: [Double] = []
        var count = 0
        for run in 0...settings.runs {
            count = 0
            let time = seconds {
                var chunker = Chunker()
                var rest = payload.bytes
                while let end = chunker.cut(rest) {
                    rest = UnsafeRawBufferPointer(rebasing: rest[end...])
                    count += 1
                }
            }
            if run > 0 { rates.append(Double(payload.bytes.count) / time / 1e9) }
        }
        report.add("chunker/cut", rates, "GB/s", note: "\(payload.bytes.count / max(count, 1) / 1024) KiB a chunk")
    }
}

import Foundation
import Testing

/// Waits until something holds, which it must within half a minute.
func eventually(_ what: String, _ location: SourceLocation = #_sourceLocation, _ condition: () throws -> Bool) throws {
    for _ in 0..<1500 {
        if try condition() { return }
        usleep(20_000)
    }
    Issue.record("never: \(what)", sourceLocation: location)
}

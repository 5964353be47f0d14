import Content

/// What a collection is about to remove: everything in the log before a place that is not marked.
///
/// Marks may still be added, which saves what they name.
struct Condemnation: Sendable {
    let before: LogPosition
    let marks: Marks

    func condemns(_ hash: ContentHash, at location: Location) -> Bool {
        !location.isHeld && location.position < before && !marks.contains(hash)
    }
}

import HTTPTypes
import Node

extension Routes {
    /// Everything that the server serves.
    static func all(of node: Node) -> Routes {
        var routes = Routes()
        addHealthRoutes(to: &routes)
        addAuthRoutes(to: &routes)
        addKeyRoutes(to: &routes)
        addFileRoutes(to: &routes)
        addBulkRoutes(to: &routes)
        addConflictRoutes(to: &routes)
        addDiffRoutes(to: &routes)
        addEventRoutes(to: &routes)
        addReplicationRoutes(to: &routes)
        addBackupRoutes(to: &routes)
        addCopyRoutes(to: &routes)
        return routes
    }
}

import HTTPTypes
import Node

extension Routes {
    /// Everything that the server serves.
    static func all(of node: Node, _ sessions: BrowserSessions, _ figures: NodeFigures) -> Routes {
        var routes = Routes()
        addConsoleRoutes(to: &routes)
        addSessionRoutes(to: &routes, sessions)
        addArchiveRoutes(to: &routes)
        addCommitRoutes(to: &routes)
        addHealthRoutes(to: &routes)
        addMetricRoutes(to: &routes, figures)
        addDescriptionRoutes(to: &routes)
        addAuthRoutes(to: &routes)
        addKeyRoutes(to: &routes)
        addFileRoutes(to: &routes)
        addBulkRoutes(to: &routes)
        addConflictRoutes(to: &routes)
        addDiffRoutes(to: &routes)
        addVersionRoutes(to: &routes)
        addEventRoutes(to: &routes)
        addReplicationRoutes(to: &routes)
        addBackupRoutes(to: &routes)
        addCareRoutes(to: &routes)
        addCopyRoutes(to: &routes)
        return routes
    }
}

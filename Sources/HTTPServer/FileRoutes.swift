import HTTPTypes

/// Files and directories.
func addFileRoutes(to routes: inout Routes) {
    routes.on(.post, "/files/copy") { try await copyFile($0) }
    routes.on(.get, "/files/{path...}", access: .tokenOrSession) { try await getFile($0) }
    routes.on(.put, "/files/{path...}") { try await putFile($0) }
    routes.on(.delete, "/files/{path...}") { try await deleteFile($0) }
    routes.on(.patch, "/files/{path...}") { try await moveFile($0) }
}

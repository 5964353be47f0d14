import HTTPTypes

// One line a call, in the order of the API page.

extension OpenAPI {
    static let fileOperations: [Operation] = [
        Operation(
            method: .put, pattern: "/files/{path...}", summary: "Write a file; with a slash at the end and no body, make a directory.", tag: "Files",
            parameters: [
                .flag("chunks", "The body is the hashes of the file's chunks, which are here."),
                .header("If-Match", "Only if the file has this content: its ETag."), .header("If-None-Match", "'*': only where nothing is."),
            ],
            body: .bytes, answers: [(200, .json("Written")), (201, .json("Written"))], refusals: [409, 412, 507]),
        Operation(
            method: .get, pattern: "/files/{path...}", summary: "A file's bytes, or a directory's listing.", tag: "Files",
            parameters: [
                .flag("recursive", "List everything below, too."), .text("glob", "Only what the pattern matches."),
                .flag("chunks", "Of a file, the list of its chunks."), .limit, .after, .header("Range", "Some of the bytes."),
                .header("If-None-Match", "304 where the file still has this content."),
            ],
            answers: [(200, .bytes), (206, .bytes), (304, .none)], refusals: [410, 412, 416]),
        Operation(
            method: .delete, pattern: "/files/{path...}", summary: "Delete a file, or a directory.", tag: "Files",
            parameters: [.flag("recursive", "With everything below."), .header("If-Match", "Only if the file has this content: its ETag.")], answers: [(204, .none)], refusals: [409, 412, 507]),
        Operation(
            method: .patch, pattern: "/files/{path...}", summary: "Move a file or a whole directory.", tag: "Files",
            parameters: [.header("If-Match", "Only if the file has this content: its ETag.")], body: .json("Move"),
            answers: [(200, .json("Done"))], refusals: [409, 412, 507]),
        Operation(
            method: .post, pattern: "/files/copy", summary: "Copy a file or a whole directory, by reference.", tag: "Files",
            parameters: [
                .header("If-Match", "Only if the file to copy has this content: its ETag."),
                .header("If-None-Match", "'*': only where nothing is at the target."),
            ],
            body: .json("Copy"), answers: [(201, .json("Done"))], refusals: [404, 409, 412, 507]),
        Operation(
            method: .post, pattern: "/bulk/missing", summary: "Which of these objects the node lacks.", tag: "Files", body: .bytes, answers: [(200, .bytes)]),
        Operation(
            method: .post, pattern: "/bulk/objects", summary: "Send objects, as frames.", tag: "Files", body: .bytes, answers: [(200, .json("Done"))],
            refusals: [409, 507]),
        Operation(
            method: .post, pattern: "/bulk/commit", summary: "Make files of objects that were sent, all or none.", tag: "Files", body: .bytes,
            answers: [(200, .json("Done"))], refusals: [409, 412, 507]),
    ]

    static let versionOperations: [Operation] = [
        Operation(
            method: .get, pattern: "/versions/commits", summary: "The states that this node has had, the newest first.", tag: "Versions",
            parameters: [.limit, .after], answers: [(200, .json("Done"))], refusals: [410]),
        Operation(
            method: .get, pattern: "/versions/history", summary: "The kept versions of all files, the latest arrival first.", tag: "Versions",
            parameters: [.limit, .after], answers: [(200, .json("Done"))], refusals: [404, 410]),
        Operation(
            method: .get, pattern: "/versions/history/{path...}", summary: "The kept versions of a path, or of what is below it.", tag: "Versions",
            parameters: [.limit, .after], answers: [(200, .json("Done"))], refusals: [410]),
        Operation(
            method: .get, pattern: "/versions/diff", summary: "What changed between two moments.", tag: "Versions",
            parameters: [
                .text("from", "A snapshot, a commit or a time."), .text("to", "The same; now, if it is left away."), .text("path", "Only what is at or below it."),
                .text("format", "json, or text for the lines of one file."), .limit, .after,
            ],
            answers: [(200, .json("Done"))], refusals: [404, 409, 410]),
        Operation(
            method: .post, pattern: "/versions/restore", summary: "Write what was anew, in one commit.", tag: "Versions", body: .json("Restore"),
            answers: [(200, .json("Done"))], refusals: [404, 409, 410, 507]),
        Operation(
            method: .post, pattern: "/versions/snapshots", summary: "Name the present state, to be kept.", tag: "Versions", body: .json("NewSnapshot"),
            answers: [(201, .json("Done"))], refusals: [409, 507]),
        Operation(
            method: .get, pattern: "/versions/snapshots", summary: "The named states.", tag: "Versions", parameters: [.limit, .after],
            answers: [(200, .json("Done"))]),
        Operation(method: .get, pattern: "/versions/snapshots/{name}", summary: "One of them.", tag: "Versions", answers: [(200, .json("Done"))], refusals: [409]),
        Operation(
            method: .delete, pattern: "/versions/snapshots/{name}", summary: "Let it go.", tag: "Versions", answers: [(204, .none)], refusals: [409, 507]),
        Operation(method: .get, pattern: "/versions/retention", summary: "How long versions are kept.", tag: "Versions", answers: [(200, .json("Done"))]),
        Operation(
            method: .put, pattern: "/versions/retention", summary: "Say how long versions are kept.", tag: "Versions", body: .json("Retention"),
            answers: [(200, .json("Done"))], refusals: [409, 507]),
        Operation(
            method: .get, pattern: "/sync/copies", summary: "Which members hold a path's content, and have looked.", tag: "Versions",
            parameters: [.text("path", "Of what."), .flag("verify", "Have each member read and hash all of it now.")], answers: [(200, .json("Done"))],
            refusals: [404, 409]),
        Operation(
            method: .post, pattern: "/sync/copies", summary: "Whether this node holds it; nodes call it.", tag: "Versions", body: .json("CopyQuestion"),
            answers: [(200, .json("Done"))], refusals: [404, 409]),
        Operation(
            method: .get, pattern: "/system/export", summary: "A backup, as one stream.", tag: "Care",
            parameters: [
                .text("state", "Of a snapshot or a commit; the newest, if it is left away."), .text("since", "What that state already had is left out."),
                .text("commit", "To go on with one that broke off: its commit."), .text("offset", "And the bytes that have come."),
            ],
            answers: [(200, .bytes)], refusals: [404, 409, 410]),
        Operation(
            method: .post, pattern: "/system/gc", summary: "Let go of what nothing needs any more, as a task; or tell what would go.", tag: "Care",
            body: .json("Collect"), answers: [(202, .json("Task"))], refusals: [409]),
        Operation(
            method: .post, pattern: "/system/scrub", summary: "Read everything, compare it with its hashes and mend it from the peers, as a task.", tag: "Care",
            body: .json("Scrub"), answers: [(202, .json("Task"))], refusals: [409]),
        Operation(
            method: .post, pattern: "/system/verify", summary: "Check all that the kept states need and mend it from the peers, as a task.", tag: "Care",
            body: .json("Nothing"), answers: [(202, .json("Task"))], refusals: [409]),
        Operation(
            method: .get, pattern: "/system/tasks", summary: "The tasks that run and those that ended lately.", tag: "Care", parameters: [.limit, .after],
            answers: [(200, .json("Tasks"))]),
        Operation(method: .get, pattern: "/system/tasks/{id}", summary: "How far one has come.", tag: "Care", answers: [(200, .json("Task"))]),
        Operation(method: .delete, pattern: "/system/tasks/{id}", summary: "End it.", tag: "Care", answers: [(202, .none)], refusals: [409]),
        Operation(
            method: .post, pattern: "/archives", summary: "Order many files as one download.", tag: "Files", body: .json("Order"),
            answers: [(201, .json("Done"))], refusals: [404, 409]),
        Operation(
            method: .get, pattern: "/archives/{id}/{name}", summary: "Fetch what was ordered.", tag: "Files", answers: [(200, .bytes)], refusals: [410]),
    ]

    static let clusterOperations: [Operation] = [
        Operation(method: .get, pattern: "/sync/status", summary: "How the node is.", tag: "Cluster", answers: [(200, .json("Status"))]),
        Operation(method: .get, pattern: "/sync/peers", summary: "The nodes that this one exchanges changes with.", tag: "Cluster", parameters: [.limit, .after],
            answers: [(200, .json("Peers"))]),
        Operation(
            method: .post, pattern: "/sync/peers", summary: "Add a peer.", tag: "Cluster", body: .json("NewPeer"), answers: [(201, .json("Peer"))],
            refusals: [409, 507]),
        Operation(
            method: .patch, pattern: "/sync/peers/{node_id}", summary: "Change a peer's label or paths; one whose id is not known yet goes by its address.", tag: "Cluster", body: .json("PeerChange"),
            answers: [(200, .json("Peer"))], refusals: [409, 507]),
        Operation(method: .delete, pattern: "/sync/peers/{node_id}", summary: "Forget a peer; one whose id is not known yet goes by its address.", tag: "Cluster",
            answers: [(204, .none)], refusals: [507]),
        Operation(
            method: .post, pattern: "/sync/invitations", summary: "Make an invitation for one node.", tag: "Cluster", body: .json("NewInvitation"),
            answers: [(201, .json("Invitation"))], refusals: [409, 507]),
        Operation(
            method: .post, pattern: "/sync/join", summary: "Let a node in; nodes call it themselves.", tag: "Cluster", isOpen: true,
            body: .json("JoinRequest"), answers: [(200, .json("Done"))], refusals: [403, 409, 507]),
        Operation(
            method: .post, pattern: "/sync/join-cluster", summary: "Have this node join the cluster of another.", tag: "Cluster", body: .json("Join"),
            answers: [(200, .json("Status"))], refusals: [409, 507]),
        Operation(method: .get, pattern: "/sync/members", summary: "The cluster's members.", tag: "Cluster", parameters: [.limit, .after],
            answers: [(200, .json("Members"))]),
        Operation(
            method: .patch, pattern: "/sync/members/{node_id}", summary: "Change what a member may have.", tag: "Cluster", body: .json("MemberChange"),
            answers: [(200, .json("Done"))], refusals: [409, 507]),
        Operation(
            method: .delete, pattern: "/sync/members/{node_id}", summary: "Remove a member for good.", tag: "Cluster", answers: [(204, .none)],
            refusals: [409, 507]),
        Operation(
            method: .post, pattern: "/sync/trigger", summary: "Sync with the peers now, and wait.", tag: "Cluster", body: .json("Trigger"),
            answers: [(200, .json("Outcomes"))], refusals: [404, 409]),
        Operation(
            method: .post, pattern: "/sync/drop", summary: "Drop what is here outside of what is exchanged with the peers.", tag: "Cluster",
            body: .json("Drop"), answers: [(200, .json("Dropped"))], refusals: [409, 507]),
        Operation(
            method: .post, pattern: "/sync/diff", summary: "What changed since a root.", tag: "Cluster", body: .json("DiffRequest"),
            answers: [(200, .json("Diff"))], refusals: [404, 410]),
        Operation(
            method: .get, pattern: "/sync/conflicts", summary: "The conflicts.", tag: "Cluster",
            parameters: [.text("prefix", "Only those at or below a path."), .limit, .after], answers: [(200, .json("Conflicts"))]),
        Operation(
            method: .post, pattern: "/sync/conflicts/{path...}", summary: "Decide a conflict.", tag: "Cluster", body: .json("Pick"),
            answers: [(200, .json("Done"))], refusals: [409, 507]),
        Operation(
            method: .get, pattern: "/events", summary: "What happens, as server-sent events.", tag: "Cluster",
            parameters: [
                .text("events", "Only these: ready, commit, conflict, resolved, peer, progress, heartbeat."), .text("prefix", "Only what is at or below a path."),
                .flag("paths", "Whether commits tell what changed."), .text("last_event_id", "Where to go on, as Last-Event-ID."),
            ],
            answers: [(200, .events)]),
        Operation(method: .get, pattern: "/health/live", summary: "Whether the node runs.", tag: "Care", isOpen: true, answers: [(200, .json("Done"))]),
        Operation(method: .get, pattern: "/health/ready", summary: "Whether it belongs to a cluster.", tag: "Care", isOpen: true, answers: [(200, .json("Done"))]),
        Operation(
            method: .get, pattern: "/metrics", summary: "Figures for Prometheus; an API key will do in a token's place.", tag: "Care", answers: [(200, .text)]),
        Operation(method: .get, pattern: "/openapi.json", summary: "This.", tag: "Care", isOpen: true, answers: [(200, .json("Done"))]),
    ]

    /// What replicas say to each other: JSON here, the rest in `docs/protocol.md`.
    static let replicaOperations: [Operation] = [
        Operation(
            method: .get, pattern: "/sync/identity", summary: "Who answers, and the node's word for its certificate.", tag: "Replicas", isOpen: true,
            answers: [(200, .json("Identity"))]),
        Operation(method: .get, pattern: "/sync/scope", summary: "What the caller may have.", tag: "Replicas", answers: [(200, .json("Done"))]),
        Operation(
            method: .post, pattern: "/sync/heartbeat", summary: "Compare clocks.", tag: "Replicas", body: .json("Heartbeat"),
            answers: [(200, .json("Heartbeat"))]),
        Operation(
            method: .post, pattern: "/sync/acknowledge", summary: "Tell what a full member has that has pushed everything.", tag: "Replicas",
            body: .json("Acknowledgement"), answers: [(200, .json("Done"))], refusals: [403, 409]),
    ]

    private static let binaryCalls: [(name: String, summary: String)] = [
        ("nodes", "Tree nodes by hash."), ("chunks", "Chunks by hash."), ("changes", "What changed since a root."), ("pull", "Pull from the caller."),
        ("push", "Take versions from the caller."), ("push/missing", "What of a push is missing here."), ("push/objects", "Take a push's objects."),
        ("scoped/changes", "What changed within the caller's scope."), ("scoped/objects", "Content by its place."),
    ]

    static let binaryOperations: [Operation] = binaryCalls.map { name, summary in
        Operation(
            method: .post, pattern: "/sync/" + name, summary: summary, tag: "Replicas", parameters: name == "changes" ? [.text("tree", "files or system.")] : [],
            body: .bytes, answers: [(200, .bytes)], refusals: [404, 409, 410, 507])
    }

    static let accessOperations: [Operation] = [
        Operation(
            method: .post, pattern: "/auth/token", summary: "Exchange an API key for a token.", tag: "Access", isOpen: true, body: .json("TokenRequest"),
            answers: [(200, .json("Grant"))], refusals: [401, 507]),
        Operation(
            method: .post, pattern: "/auth/refresh", summary: "Exchange a refresh token for a new pair.", tag: "Access", isOpen: true,
            body: .json("RefreshRequest"), answers: [(200, .json("Grant"))], refusals: [401, 507]),
        Operation(
            method: .post, pattern: "/auth/keys", summary: "Make an API key, which is shown once.", tag: "Access", body: .json("NewKey"),
            answers: [(201, .json("MadeKey"))], refusals: [409, 507]),
        Operation(method: .get, pattern: "/auth/keys", summary: "The API keys, without their secrets.", tag: "Access", parameters: [.limit, .after],
            answers: [(200, .json("Keys"))]),
        Operation(method: .delete, pattern: "/auth/keys/{id}", summary: "Revoke a key.", tag: "Access", answers: [(204, .none)], refusals: [507]),
    ]
}

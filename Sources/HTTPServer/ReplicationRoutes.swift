/// The routes between nodes, and those that look after peers and members.
func addReplicationRoutes(to routes: inout Routes) {}

"""One peer: a session over a connection, the line that keeps a session up, the door of a gate."""

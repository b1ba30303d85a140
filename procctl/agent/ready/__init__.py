"""When is a process ready? One file per kind of check."""

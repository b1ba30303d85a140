"""One file for a group of commands that belong together."""

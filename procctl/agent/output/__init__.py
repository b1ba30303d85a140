"""What children write: read in chunks, kept in a ring and in files, split into lines only for who reads lines."""

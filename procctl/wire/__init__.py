"""What is said, as frames: JSON objects, strictly typed. No I/O."""

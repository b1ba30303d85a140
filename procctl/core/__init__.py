"""What procctl decides. No await, no clock, no I/O, no ambient randomness; attrs and the standard library only."""

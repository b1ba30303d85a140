"""One machine's processes: the pure core given hands, a clock and somebody to ask."""

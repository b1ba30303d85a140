"""The fleet's view: agents join it, it routes commands, decides who may run, and shows what is known."""

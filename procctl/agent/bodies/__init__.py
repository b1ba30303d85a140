"""How one process is acted on. The machine that decides does not know which of them it has."""

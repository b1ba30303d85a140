"""How frames travel. Each module is loaded when its scheme is used."""

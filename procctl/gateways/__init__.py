"""Ways to serve a service other than by sessions alone. Each is loaded when its scheme is used."""

"""Declared state: procctl.toml, Procfile, and where they are looked for."""

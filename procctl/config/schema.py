"""The JSON Schema of procctl.toml, for editors and other programs."""

from __future__ import annotations

from typing import Any

from .keys import CONFIG

__all__ = ["schema"]


def schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "procctl.toml",
        "description": "Processes that procctl runs, and the agent that runs them",
        **CONFIG.schema,
    }

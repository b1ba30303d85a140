"""Files of NAME=value lines, by python-dotenv."""

from __future__ import annotations

from pathlib import Path

from ..errors import BadConfig, Unsupported

__all__ = ["read_env"]


def read_env(path: Path) -> dict[str, str]:
    """The variables of a file.

    Raises:
        BadConfig: It cannot be read.
        Unsupported: python-dotenv is not installed.
    """
    try:
        import dotenv
    except ImportError:
        raise Unsupported(f"reading {path} needs python-dotenv", "pip install 'procctl[cli]'") from None
    try:
        with path.open(encoding="utf-8") as file:
            values = dotenv.dotenv_values(stream=file)
    except OSError as error:
        raise BadConfig(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise BadConfig(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from None
    return {key: value or "" for key, value in values.items()}

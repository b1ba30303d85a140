"""REST, Server-Sent Events and links over HTTP. `asgi` and what belongs to it are loaded when they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .mounting import Links as Links
    from .mounting import Mounted as Mounted
    from .mounting import asgi as asgi
    from .mounting import lifespan as lifespan

__all__ = ["Links", "Mounted", "asgi", "lifespan"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from . import mounting
    except ImportError as error:
        from ...errors import Unsupported

        text = f"the gateway needs {error.name or error}"
        raise Unsupported(text, "pip install 'procctl[http]'") from error
    return getattr(mounting, name)

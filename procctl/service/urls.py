"""A URL and what it stands for. Schemes are entry points of the group ``procctl.schemes``, loaded when used."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from ..abc import Store, Traits, Transport
from ..core.auth import Auth
from ..core.matching import did_you_mean
from ..errors import BadConfig, Unsupported

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = [
    "GROUP",
    "is_local",
    "options_for",
    "options_of",
    "redacted",
    "scheme_for",
    "scheme_of",
    "store_for",
    "transport_for",
]

GROUP = "procctl.schemes"
ENCRYPTED = ("https", "amqps")
BROKERS = ("amqp", "amqps")


def scheme_of(url: str) -> str:
    """The scheme of a URL.

    Raises:
        BadConfig: It has none.
    """
    scheme, colon, _ = url.partition(":")
    if not colon or not scheme or not scheme[0].isalpha():
        raise BadConfig(f"{redacted(url)!r} is no URL", "for example unix:///run/procctl/agent.sock")
    return scheme.lower()


def options_of(url: str) -> dict[str, str]:
    """The query parameters of a URL.

    Raises:
        BadConfig: One is there twice; or it is a token, which would be shown with the URL.
    """
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    options = dict(pairs)
    if len(options) != len(pairs):
        raise BadConfig(f"an option is there twice in {redacted(url)!r}")
    if "token" in options:
        raise BadConfig("a token is no part of a URL", "pass it as token=, or by --token-file")
    return options


def options_for(url: str, auth: Auth | None) -> dict[str, str]:
    """What a transport is told: the options of the URL, and the certificates or the password that its scheme is for."""
    options = options_of(url)
    options.pop("as", None)  # the door's business
    if auth is not None:
        scheme = scheme_of(url).rpartition("+")[2]
        options = auth.options(encrypted=scheme in ENCRYPTED, broker=scheme in BROKERS) | options
    return options


def is_local(url: str) -> bool:
    """Whether nobody but programs of this machine can be at the other end."""
    traits: Traits = getattr(scheme_for(url), "traits", Traits())
    if traits.owner or scheme_of(url).endswith("+ipc"):
        return True
    host = urlsplit(url).hostname or ""
    if traits.broker or not host:
        return False
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def redacted(url: str) -> str:
    """The URL without its password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(a URL that cannot be read)"
    user, at, rest = parts.netloc.rpartition("@")
    if not at or ":" not in user:
        return url
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:***@{rest}"))


@lru_cache(maxsize=1)
def _schemes() -> dict[str, list[EntryPoint]]:
    from importlib.metadata import entry_points  # a third of what importing an agent would cost

    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name.lower(), []).append(point)
    return found


def scheme_for(url: str) -> Any:
    """What stands for a URL's scheme: a `procctl.abc.Transport`, a `procctl.abc.Gateway`, or something that is both.

    Raises:
        BadConfig: The scheme is unknown; lists those there are. Or two distributions claim it.
        Unsupported: It needs something that is not installed; names the extra.
    """
    scheme = scheme_of(url)
    points = _schemes().get(scheme, [])
    if not points:
        known = sorted(_schemes())
        hint = did_you_mean(scheme, known) or "there are " + ", ".join(known)
        raise BadConfig(f"no transport for the scheme {scheme!r} is installed", hint)
    if len({point.value for point in points}) > 1:
        who = ", ".join(sorted(point.dist.name if point.dist else point.value for point in points))
        raise BadConfig(f"the scheme {scheme!r} is claimed by {who}", "uninstall all but one of them")
    try:
        made: Any = points[0].load()
    except ImportError as error:
        extra = f"pip install 'procctl[{scheme.partition('+')[0].removesuffix('s')}]'"  # amqps is amqp's
        raise Unsupported(f"the scheme {scheme!r} needs {error.name or error}", extra) from error
    return made() if isinstance(made, type) else made


def transport_for(url: str) -> Transport:
    """The transport to connect with. Raises as `scheme_for` does, and `BadConfig` for what can only be listened on."""
    found = scheme_for(url)
    if not hasattr(found, "connect"):
        raise BadConfig(f"the scheme {scheme_of(url)!r} is only for listening", "connect by another")
    transport: Transport = found
    return transport


def store_for(url: str) -> Store:
    """An opened store. Raises as `scheme_for` and `procctl.abc.Store.open` do."""
    store: Store = scheme_for(url)
    if not hasattr(store, "put"):
        raise BadConfig(f"the scheme {scheme_of(url)!r} stores nothing", "for example sqlite:///var/lib/procctl/state")
    store.open(url)
    return store

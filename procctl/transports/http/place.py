"""A URL of HTTP: where it is, and its options. No I/O."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from attrs import frozen

from ...core.matching import did_you_mean
from ...errors import BadConfig
from ...service.urls import redacted
from ..unix import path_of

__all__ = ["CONNECT", "LISTEN", "Place", "checked", "place_of"]

LISTEN = frozenset({"as", "insecure", "host", "cert", "key", "ca", "max_frame", "connections"})
"""Options of a listener. `as` and `insecure` are for its door."""
CONNECT = frozenset({"cert", "key", "ca", "token"})
"""Options of who connects."""
_PORTS = {"http": 80, "https": 443}


@frozen(kw_only=True)
class Place:
    """Where a listener is.

    Attributes:
        scheme: http, https or http+unix.
        host: A name or an address; empty for a unix socket.
        port: 0: any that is free.
        unix: The path of a unix socket, or empty.
        prefix: The path below which procctl is, without a slash at its end.
    """

    scheme: str
    host: str = ""
    port: int = 0
    unix: str = ""
    prefix: str = ""

    @property
    def secure(self) -> bool:
        """Whether TLS is spoken there."""
        return self.scheme == "https"

    def url(self, port: int | None = None) -> str:
        """As people write it, with the port as it has become."""
        if self.unix:
            return f"http+unix://{self.unix}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port if port is None else port}{self.prefix}"


def place_of(url: str) -> Place:
    """The place in a URL.

    Raises:
        BadConfig: It cannot be used.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadConfig(f"{redacted(url)!r} is no URL: {error}") from None
    scheme = parts.scheme.lower()
    if scheme == "http+unix":
        return Place(scheme=scheme, unix=path_of(url))
    if parts.username is not None:
        raise BadConfig("a name and a password are no part of an HTTP URL here", "a token says who you are")
    if not parts.hostname:
        raise BadConfig(f"{url!r} names no host", f"for example {scheme}://127.0.0.1:7000")
    if parts.fragment:
        raise BadConfig(f"{url!r} has a fragment (#…), which means nothing here")
    port = _PORTS[scheme] if port is None else port
    return Place(scheme=scheme, host=parts.hostname, port=port, prefix=unquote(parts.path).rstrip("/"))


def checked(url: str, given: Mapping[str, str], known: frozenset[str]) -> dict[str, str]:
    """The options that count. ``tls_cert``, ``tls_key`` and ``tls_ca`` come from the program and not from the URL:
    they stand in for those that the URL does not have.

    Raises:
        BadConfig: Nobody knows one of them, or a file is not there.
    """
    options = {name: value for name, value in given.items() if not name.startswith("tls_")}
    if "cert" not in options and "key" not in options:
        options |= {name: given[f"tls_{name}"] for name in ("cert", "key") if f"tls_{name}" in given}
    if "ca" not in options and "tls_ca" in given:
        options["trust"] = given["tls_ca"]
    for name in options.keys() - {"trust"}:
        if name not in known:
            hint = did_you_mean(name, known) or "there are " + ", ".join(sorted(known - {"token"}))
            raise BadConfig(f"the option {name!r} in {url!r} is unknown", hint)
    for name in ("cert", "key", "ca", "trust"):
        if name in options and not os.path.isfile(options[name]):
            raise BadConfig(f"{name}={options[name]} in {url!r}: there is no such file")
    if ("cert" in options) != ("key" in options):
        raise BadConfig(f"{url!r} has one of cert and key", "both are needed: the certificate and its private key")
    return options

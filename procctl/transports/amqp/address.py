"""Where a broker is and how it is to be used, read from a URL."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import SplitResult, unquote, urlsplit

from attrs import field, frozen

from ...errors import BadConfig
from ...service.urls import redacted

__all__ = ["MAX_FRAME", "PASSWORD", "PATIENCE", "Address"]

PASSWORD = "PROCCTL_AMQP_PASSWORD"
"""The environment variable that is asked for a password which neither the URL nor a file has."""
MAX_FRAME = 1 << 20
"""Bytes of a frame that a listener takes, unless ``max_frame=`` says otherwise."""
LARGEST = 128 << 20
"""Bytes of the longest message that RabbitMQ takes as it comes."""
PATIENCE = 60.0
"""Seconds that an outage of the broker may last, unless ``patience=`` says otherwise."""
HEARTBEAT = 10
"""Seconds between signs of life with the broker, unless ``heartbeat=`` says otherwise or the broker wants more."""

_NAME = re.compile(r"[A-Za-z0-9@:_-]+(\.[A-Za-z0-9@:_-]+)*", re.ASCII)
_BOOLEAN = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


@frozen(kw_only=True)
class Address:
    """A broker, a user, an exchange and a name on it.

    Attributes:
        host, port, vhost, user, password: Of the broker.
        tls: Whether over TLS (``amqps``).
        ca, cert, key: Files in PEM for TLS: whom to trust instead of the system's authorities, and who we are.
        exchange: Name of the topic exchange.
        durable, auto_delete: How the exchange is declared.
        name: The well-known name of the listener on the exchange.
        heartbeat: Seconds between signs of life with the broker.
        patience: Seconds that an outage may last.
        max_frame: Bytes of a frame that a listener takes.
    """

    host: str
    port: int
    vhost: str = "/"
    user: str = "guest"
    password: str = field(default="", repr=False)
    tls: bool = False
    ca: str = ""
    cert: str = ""
    key: str = ""
    exchange: str = "procctl"
    durable: bool = False
    auto_delete: bool = False
    name: str = "controller"
    heartbeat: int = HEARTBEAT
    patience: float = PATIENCE
    max_frame: int = MAX_FRAME

    @classmethod
    def read(cls, url: str, options: Mapping[str, str]) -> Address:
        """Read a URL and its options.

        Raises:
            BadConfig: Something in it cannot be used; says what. Never shows the password.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise BadConfig(f"{redacted(url)!r} cannot be read: {error}") from None
        if not host:
            raise BadConfig(f"{redacted(url)!r} names no broker", "for example amqp://web-01@broker.example.com/")
        tls = parts.scheme == "amqps"
        user = unquote(parts.username or "") or "guest"
        where = _Options(url, options)
        if user == "guest" and not _is_loopback(host) and not where.flag("insecure", False):
            text = f"the user guest is for brokers on this machine, and {host} is none"
            raise BadConfig(text, "name a user of one's own, or say insecure=yes")
        return cls(
            host=host,
            port=port if port is not None else (5671 if tls else 5672),
            vhost=_vhost(parts, url),
            user=user,
            password=_password(parts, user, where),
            tls=tls,
            ca=where.text("tls_ca"),
            cert=where.text("tls_cert"),
            key=where.text("tls_key"),
            exchange=where.name("exchange", "procctl"),
            durable=where.flag("durable", False),
            auto_delete=where.flag("auto_delete", False),
            name=where.name("name", "controller"),
            heartbeat=int(where.number("heartbeat", HEARTBEAT, 1, 3600)),
            patience=where.number("patience", PATIENCE, 0, 1e6),
            max_frame=int(where.number("max_frame", MAX_FRAME, 1024, LARGEST)),
        )

    @property
    def broker(self) -> str:
        """The broker, for people."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def tls_context(self) -> ssl.SSLContext:
        """What TLS is to be like. Raises `BadConfig` if a file cannot be used."""
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
            if self.cert:
                context.load_cert_chain(self.cert, self.key or None)
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(name for name in (self.ca, self.cert, self.key) if name)
            raise BadConfig(f"TLS with {files} cannot be: {error}") from None
        return context


class _Options:
    """Those of a URL, read strictly."""

    def __init__(self, url: str, options: Mapping[str, str]) -> None:
        self._url = redacted(url)
        self._options = options

    def text(self, name: str) -> str:
        return self._options.get(name, "")

    def name(self, name: str, default: str) -> str:
        text = self._options.get(name, default)
        if len(text) > 100 or not _NAME.fullmatch(text):
            raise self._bad(name, text, "letters, digits and @:_-, in words with dots between")
        return text

    def flag(self, name: str, default: bool) -> bool:
        text = self._options.get(name)
        if text is None:
            return default
        if text.lower() not in _BOOLEAN:
            raise self._bad(name, text, "yes or no")
        return _BOOLEAN[text.lower()]

    def number(self, name: str, default: float, least: float, most: float) -> float:
        text = self._options.get(name)
        if text is None:
            return default
        try:
            number = float(text)
        except ValueError:
            number = -1.0
        if not least <= number <= most:
            raise self._bad(name, text, f"a number from {least:g} to {most:g}")
        return number

    def _bad(self, name: str, text: str, expected: str) -> BadConfig:
        return BadConfig(f"{name}={text[:100]} in {self._url!r}", f"expected {expected}")


def _vhost(parts: SplitResult, url: str) -> str:
    """The virtual host: the path, split before it is unquoted; none and an empty one are the broker's default."""
    path = parts.path.removeprefix("/")
    if "/" in path:
        raise BadConfig(f"the virtual host in {redacted(url)!r} has a slash", "write it as %2F")
    return unquote(path) or "/"


def _password(parts: SplitResult, user: str, options: _Options) -> str:
    if parts.password is not None:
        return unquote(parts.password)
    file = options.text("password_file")
    if file:
        try:
            with open(file, encoding="utf-8") as opened:
                return opened.read().rstrip("\r\n")
        except (OSError, ValueError) as error:
            raise BadConfig(f"the password file {file!r} cannot be read: {error}") from None
    if PASSWORD in os.environ:
        return os.environ[PASSWORD]
    if user == "guest":
        return "guest"
    raise BadConfig(f"there is no password for {user}", f"password_file=FILE in the URL, or ${PASSWORD}")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

"""Where credentials are: what an agent, a controller or a client knows itself by. A value; nothing is read here."""

from __future__ import annotations

from typing import Protocol

from attrs import field, frozen

from .value import Value

__all__ = ["Auth"]


class _PathLike(Protocol):
    def __fspath__(self) -> str: ...


def _path(value: str | _PathLike) -> str:
    return value if isinstance(value, str) else value.__fspath__()


@frozen(kw_only=True, eq=False, repr=False)
class Auth(Value):
    """Credentials, by the files that have them. They are read when they are needed, and again when they change.

    Attributes:
        token_file: Tokens and identities, see `procctl.core.credentials`. A listener knows all that are in it; who
            connects or joins shows its first token. Empty: the user's own (``$XDG_CONFIG_HOME/procctl/token``), which
            is made on first use and shown to this machine only.
        cert: The certificate chain to show, PEM, where the scheme is an encrypted one (``https``, ``amqps``).
        key: Its private key, PEM.
        ca: The certificates to trust, PEM; empty: the system's.
        password_file: A file whose only line is the password at a broker, for ``amqp`` and ``amqps`` URLs that have
            none of their own.
    """

    token_file: str = field(default="", converter=_path)
    cert: str = field(default="", converter=_path)
    key: str = field(default="", converter=_path)
    ca: str = field(default="", converter=_path)
    password_file: str = field(default="", converter=_path)

    def options(self, encrypted: bool, broker: bool) -> dict[str, str]:
        """What a transport is told beside the options of the URL: the certificates where its scheme is an encrypted
        one, the password where it is a broker's."""
        found: dict[str, str] = {}
        if encrypted:
            found |= {"tls_cert": self.cert, "tls_key": self.key, "tls_ca": self.ca}
        if broker:
            found["password_file"] = self.password_file
        return {name: value for name, value in found.items() if value}

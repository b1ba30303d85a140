"""A file of credentials: tokens and proven identities, what each may, and until when. Text only, and pure.

    # who                                       what
    token     Zk0m…                             for=ann can=operator expires=2026-12-24T17:00:00Z
    token     sha256:9f86d0…                    for=web-01 can=agent
    identity  curve:rq:rM>}U?@Lns47E1%kR…       for=web-02 can=agent

One a line. A token stands there itself, as whoever shows it needs it, or as its SHA-256, which is enough for whoever
checks it. A line of one word is a token alone: it can be shown, and gives nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime

from attrs import field, frozen

from ..errors import BadConfig
from .matching import did_you_mean
from .messages import REQUESTS
from .rights import ROLES
from .value import Value

__all__ = ["Credential", "digest", "line_of", "read_credentials", "read_roles"]

_SHORTEST = 16
_DIGEST = "sha256:"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
_IDENTITY = re.compile(r"[a-z][a-z0-9]*:\S+")
_HEX = re.compile(r"[0-9a-f]{64}")
_PLAIN = "role:"


@frozen(kw_only=True, eq=False, repr=False)
class Credential(Value):
    """One line.

    Attributes:
        line: Its number in the file.
        token: The token; empty where only its digest is there, or it is an identity.
        digest: SHA-256 of the token in hexadecimal digits, or empty.
        identity: What a transport proves (``curve:…``, ``amqp:web-01``), or empty.
        name: Whose it is.
        roles: What it gives, see `procctl.core.rights`.
        expires: When it ends, seconds since the epoch; None: never.
    """

    line: int = 0
    token: str = field(default="", hash=False)
    digest: str = ""
    identity: str = ""
    name: str = ""
    roles: frozenset[str] = frozenset()
    expires: float | None = None

    def __repr__(self) -> str:
        return f"Credential(name={self.name!r}, roles={sorted(self.roles)!r})"


def digest(token: str) -> str:
    """What a token is known by: looking for it in a table takes the same time for every wrong one."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def read_credentials(text: str, file: str) -> tuple[Credential, ...]:
    """The credentials in a text.

    Raises:
        BadConfig: A line that is none; says which, and never what a token is.
    """
    found: list[Credential] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        one = _read(words, number, f"{file}:{number}")
        before = seen.setdefault(one.digest or one.identity, number)
        if before != number:
            raise BadConfig(f"{file}:{number}: the same credential stands in line {before} already", "take one away")
        found.append(one)
    return tuple(found)


def _read(words: list[str], number: int, where: str) -> Credential:
    kind, *rest = words
    if not rest and kind not in ("token", "identity"):
        return _token(kind, {}, number, where)
    if kind not in ("token", "identity"):
        raise BadConfig(f"{where}: a line begins with token or identity", "procctl token new writes such lines")
    if not rest or rest[0].startswith(("for=", "can=", "expires=")):
        raise BadConfig(f"{where}: the {kind} itself is missing behind the word {kind}")
    secret, *pairs = rest
    fields = _fields(pairs, where)
    return _token(secret, fields, number, where) if kind == "token" else _identity(secret, fields, number, where)


def _fields(pairs: Iterable[str], where: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if key not in ("for", "can", "expires") or not equals:
            hint = did_you_mean(key, ("for", "can", "expires")) if equals else ""
            raise BadConfig(f"{where}: expected for=, can= or expires= behind the credential", hint)
        if key in fields:
            raise BadConfig(f"{where}: {key}= is there twice")
        fields[key] = value
    return fields


def _token(secret: str, fields: dict[str, str], number: int, where: str) -> Credential:
    if secret.startswith(_DIGEST):
        known, token = secret.removeprefix(_DIGEST), ""
        if not _HEX.fullmatch(known):
            raise BadConfig(f"{where}: behind {_DIGEST} there are 64 hexadecimal digits")
    elif len(secret) < _SHORTEST or not secret.isascii():
        text = f"{where}: a token has at least {_SHORTEST} characters, all of them ASCII"
        raise BadConfig(text, "procctl token new makes one")
    else:
        known, token = digest(secret), secret
    return _made(fields, where, line=number, token=token, digest=known, name=known[:8])


def _identity(identity: str, fields: dict[str, str], number: int, where: str) -> Credential:
    if not _IDENTITY.fullmatch(identity):
        raise BadConfig(f"{where}: {identity[:60]!r} is no identity", "for example curve:KEY, amqp:USER or cert:NAME")
    return _made(fields, where, line=number, identity=identity, name=identity)


def _made(fields: dict[str, str], where: str, *, name: str, **proof: object) -> Credential:
    name = fields.get("for", name)
    if "for" in fields and not _NAME.fullmatch(name):
        raise BadConfig(f"{where}: {name[:60]!r} is no name at for=", "letters, digits and ._@+-")
    roles = read_roles(fields["can"], f"{where}: ") if "can" in fields else frozenset[str]()
    expires = _time(fields["expires"], where) if "expires" in fields else None
    return Credential(name=name, roles=roles, expires=expires, **proof)  # type: ignore[arg-type]


def read_roles(text: str, where: str = "") -> frozenset[str]:
    """Roles and verbs, separated by commas; ``role:NAME`` is a name for policies to ask for, and gives nothing.

    Raises:
        BadConfig: There are none, or one is unknown.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise BadConfig(f"{where}can= names nothing", "for example can=viewer or can=start,stop")
    return frozenset(_role(word, where) for word in words)


def _role(word: str, where: str) -> str:
    known = ("owner", *ROLES, *REQUESTS)
    if word.startswith(_PLAIN):
        name = word.removeprefix(_PLAIN)
        if not _NAME.fullmatch(name) or name in known:
            raise BadConfig(f"{where}{word[:60]!r} names no role of one's own", f"{_PLAIN}NAME, where NAME is no verb")
        return name
    if word not in known:
        hint = did_you_mean(word, known) or f"roles are owner, {', '.join(ROLES)}; {_PLAIN}NAME is one for policies"
        raise BadConfig(f"{where}{word[:60]!r} is no role and no verb", hint)
    return word


def _time(text: str, where: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError
        return moment.timestamp()
    except (ValueError, OverflowError):
        raise BadConfig(f"{where}: {text[:40]!r} is no time at expires=", "for example 2026-12-24T17:00:00Z") from None


def line_of(one: Credential, hashed: bool = False) -> str:
    """The line of a credential; with `hashed` it cannot be shown, only checked."""
    token = f"{_DIGEST}{one.digest}" if hashed else one.token
    words = ["identity", one.identity] if one.identity else ["token", token]
    words.append(f"for={one.name}")
    if one.roles:
        known = {"owner", *ROLES, *REQUESTS}
        words.append("can=" + ",".join(role if role in known else f"{_PLAIN}{role}" for role in sorted(one.roles)))
    if one.expires is not None:
        words.append("expires=" + datetime.fromtimestamp(one.expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    return " ".join(words)

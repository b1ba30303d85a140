"""What the peers of one listener may be: the owner, whoever a credential names, or what the listener says of all."""

from __future__ import annotations

from typing import Protocol

from attrs import frozen

from ..abc import Caller, Peer
from ..core.rights import OWNER
from ..errors import Denied

__all__ = ["Credentials", "Door", "Grant"]


@frozen(kw_only=True)
class Grant:
    """What a credential gives.

    Attributes:
        name: Whose it is.
        roles: See `procctl.core.rights`.
        expires: When it ends, seconds since the epoch; None: never.
    """

    name: str
    roles: frozenset[str]
    expires: float | None = None


class Credentials(Protocol):
    """Those that a listener knows."""

    def by_token(self, token: str) -> Grant | None:
        """What a bearer's token gives; None: it is unknown, or has expired."""
        ...

    def by_identity(self, identity: str) -> Grant | None:
        """What somebody gets whom the transport has proven (``curve:…``)."""
        ...


@frozen(kw_only=True)
class Door:
    """See `procctl.abc.Door`.

    Attributes:
        owner: Whoever gets here is the owner: the trait of the transport.
        default: Roles of those who show no credential; empty: they are refused.
        credentials: Those that are known here, or None.
    """

    owner: bool = False
    default: frozenset[str] = frozenset()
    credentials: Credentials | None = None

    def admit(self, peer: Peer) -> Caller:
        identity = peer.identity or ""
        name = peer.name or identity or peer.address
        if self.owner:
            return Caller(name=name, identity=identity, roles=OWNER)
        granted = self._grant(peer)
        if granted is not None:
            grant, by = granted  # who gets in by a token is whose token it is, whatever else is proven
            return Caller(name=_known_as(grant.name, peer.name), identity=by, roles=grant.roles, until=grant.expires)
        if peer.token:
            raise Denied("unauthorized", "the token is not known here, or has expired", "procctl token new makes one")
        if not self.default:
            raise Denied("unauthorized", "this listener wants a credential", "--token-file FILE shows one")
        return Caller(name=name, identity=identity, roles=self.default)

    def _grant(self, peer: Peer) -> tuple[Grant, str] | None:
        if self.credentials is None:
            return None
        grant = self.credentials.by_token(peer.token) if peer.token else None
        if grant is not None:
            return grant, f"token:{grant.name}"
        grant = self.credentials.by_identity(peer.identity) if peer.identity else None
        return None if grant is None else (grant, peer.identity or "")


def _known_as(proven: str, claimed: str) -> str:
    """For records and keys: whose credential it is cannot be made up; what they call themselves tells apart."""
    return f"{proven}/{claimed}" if claimed and claimed != proven else proven

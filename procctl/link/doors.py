"""Which door a listener gets: by its transport, by the options of its URL, by the credentials that are known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..abc import Listener, Traits
from ..core.auth import Auth
from ..core.matching import did_you_mean
from ..errors import BadConfig
from ..service.urls import is_local, options_of, redacted, scheme_for
from .door import Credentials, Door

__all__ = ["AS", "Doors"]

AS: dict[str, frozenset[str]] = {
    "nobody": frozenset(),
    "viewer": frozenset({"viewer"}),
    "operator": frozenset({"operator"}),
    "owner": frozenset({"owner"}),
}
"""Values of ``?as=``: what those may be who show no credential."""


class Doors:
    """Doors for listeners.

    Whoever gets to a transport with the trait ``owner`` is the owner, unless the URL says ``?as=``. On every other
    one, loopback too, nobody gets in without a credential, unless the URL says ``?as=``.

    Args:
        auth: Where credentials are; None: none are known.
    """

    def __init__(self, auth: Auth | None = None) -> None:
        self._auth = auth
        self._credentials: Credentials | None = None

    def __call__(self, place: str, listener: Listener | None) -> Door:
        """The door of a URL, or of a listener that was ready.

        Raises:
            BadConfig: An option has no such value, gives too much for where it listens, or nobody could get in.
        """
        if listener is not None:
            return self._door(listener.traits, {}, ", ".join(listener.urls))
        traits: Traits = getattr(scheme_for(place), "traits", Traits())
        options = options_of(place)
        if AS[_as(options, place)] & {"operator", "owner"} and not is_local(place) and not _insecure(options, place):
            text = f"as={options['as']} gives that to everybody who reaches {redacted(place)}"
            raise BadConfig(text, "make tokens (procctl token new), or add &insecure=yes to the URL")
        return self._door(traits, options, redacted(place))

    def _door(self, traits: Traits, options: Mapping[str, str], place: str) -> Door:
        if traits.owner and "as" not in options:
            return Door(owner=True)
        door = Door(default=AS[options.get("as", "nobody")], credentials=self._known())
        if not door.default and door.credentials is None:
            text = f"{place} lets nobody in: it wants credentials, and none are known"
            raise BadConfig(text, "pass auth=procctl.Auth(token_file=…), or add ?as=viewer to the URL")
        return door

    def _known(self) -> Credentials | None:
        if self._auth is not None and self._credentials is None:
            from .tokens import TokenFile, own_token

            file = Path(self._auth.token_file) if self._auth.token_file else own_token()
            known = TokenFile(file)
            known.read()  # what is wrong with it is said here, and not to the first who comes
            self._credentials = known
        return self._credentials


def _as(options: Mapping[str, str], place: str) -> str:
    given = options.get("as", "nobody")
    _insecure(options, place)
    if given not in AS:
        hint = did_you_mean(given, AS) or "there are " + ", ".join(AS)
        raise BadConfig(f"as={given} of {redacted(place)} is none of what a caller can be", hint)
    return given


def _insecure(options: Mapping[str, str], place: str) -> bool:
    given = options.get("insecure", "no")
    if given not in ("yes", "no"):
        raise BadConfig(f"insecure={given} of {redacted(place)} is neither yes nor no")
    return given == "yes"

"""The agent: processes of this machine, as a block in somebody's program. What it is made of is loaded when the block
is entered."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from ..abc import Call, Caller, Items, Joinable, Listener, Pending
from ..core.messages import AnyStream, Failure
from ..core.rights import refused
from ..errors import BadConfig, Closed, refusal
from ..service.arguments import expect, folder, host_name, places, policies
from ..service.fleet import Fleet

if TYPE_CHECKING:
    from ..core.approval import Policy
    from ..core.auth import Auth
    from ..core.specs import Level, Mode, ProcessSpec, Scope
    from .engine import Engine
    from .ground import Ground
    from .permit import Permit

__all__ = ["Agent", "OnExit", "default_name"]

OnExit = Literal["stop", "keep"]


def default_name() -> str:
    """This host's name for an agent: ``$B0_HOST_ID``, or what the system calls it."""
    return os.environ.get("B0_HOST_ID") or socket.gethostname()


class Agent(Fleet):
    """Supervises processes for as long as its block lasts.

    The body begins when it listens and has joined. However the block is left, by an exception or by cancellation too,
    everything that it runs is stopped first, dependants before what they depend on, each with its own grace, and
    verified empty. What the body raises leaves as itself.

    It lives on the caller's loop, asyncio or trio. It installs no signal handlers, changes no global state, and reaps
    no child but its own.

    Args:
        name: Of this host; default: `default_name`.
        listen: URLs, or listeners, on which others may control it. None: it listens nowhere.
        join: A controller to be part of: its URL, or a `procctl.Controller` of this program.
        await_join: Whether the block begins only when it has joined. False: at once, and where the controller is not
            there yet it is joined as soon as it is; until then what starts waits for its permission.
        token: A bearer's credential for the controller, where it wants one.
        auth: The files of the credentials that its listeners know, and of the one that it shows where no token is
            given. None: there are none, so nobody gets in where a transport proves nothing.
        approval: Policies that decide here who may run; not together with `join`, where the controller decides.
        config: The file that declares its processes, for its own information.
        on_exit: What the agent's end means for what it runs. ``stop``: it ends with the agent, however that ends.
            ``keep``: it lives on, and the next agent on the same state folder takes it over; leaving the block then
            stops nothing (`stop_all` and `Fleet.shutdown` do).
        state_dir: A folder where everything is recorded that the next agent has to know; needed for ``keep``.

    Raises (when entered):
        BadConfig: A URL, a policy or a token file cannot be used, or another agent listens there.
        Denied: The controller does not let it in.
        PeerGone: The controller cannot be reached, and is awaited.

    Raises (when left):
        InternalError: A defect of procctl ended the block; its children were killed.
    """

    def __init__(
        self,
        name: str = "",
        *,
        listen: str | Sequence[str | Listener] = (),
        join: str | Joinable | None = None,
        await_join: bool = True,
        token: str = "",
        auth: Auth | None = None,
        approval: Sequence[Policy] = (),
        config: str = "",
        on_exit: OnExit = "stop",
        state_dir: str | os.PathLike[str] | None = None,
        _ground: Ground | None = None,
    ) -> None:
        super().__init__(self)
        self.name = host_name(default_name() if name == "" else name)
        self._listen = places(listen)
        if join is not None and not isinstance(join, str) and not hasattr(join, "dial"):
            raise BadConfig(f"expected a URL or a Controller at join, got {join!r}")
        expect("token", token, str)
        if auth is not None:
            from ..core.auth import Auth

            expect("auth", auth, Auth)
        expect("config", config, str)
        folder(state_dir)
        self._join = join
        self._await_join = await_join
        self._token = token
        self._auth = auth
        self._approval = policies(approval) if approval != () else ()
        if join is not None and approval:
            text = "an agent that joins a controller has no approval policies of its own"
            raise BadConfig(text, "give them to the controller: Controller(approval=…)")
        if on_exit not in ("stop", "keep"):
            raise BadConfig(f"expected on_exit to be 'stop' or 'keep', got {on_exit!r}")
        if on_exit == "keep" and state_dir is None:
            raise BadConfig("on_exit = keep needs a state folder", "state_dir= (--state-dir) names one")
        self._on_exit = on_exit
        self._state_dir = state_dir
        self._config = config
        self._ground = _ground
        self._engine: Engine | None = None

    async def __aenter__(self) -> Self:
        if self._engine is not None:
            raise Closed("an agent is entered once", "make another Agent()")
        from .engine import Engine, Setup
        from .ground import Ground
        from .links import Above, Places

        ground = self._ground or Ground()
        above = None if self._join is None else Above(self._join, self._token, self._auth, self._await_join)
        setup = Setup(
            name=self.name,
            listen=Places(self._listen, self._auth),
            join=above,
            approval=self._approval,
            config=self._config,
            on_exit=self._on_exit,
            state_dir=None if self._state_dir is None else Path(self._state_dir).absolute(),
        )
        self._engine = Engine(setup, ground, self)
        await self._engine.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._engine is not None
        await self._engine.block.__aexit__(kind, error, trace)

    def submit(self, call: Call) -> Pending:
        """See `procctl.abc.Service.submit`."""
        if self._engine is None or self._engine.leaving:
            text = f"the agent {self.name} has {'not been entered' if self._engine is None else 'ended'}"
            return Pending.of(Failure(code="closed", message=text, hint="use it inside of its async with block"))
        forbidden = refused(call.caller, call.request.command)
        return self._engine.submit(call) if forbidden is None else Pending.of(forbidden)

    def stream(self, request: AnyStream, caller: Caller) -> Items:
        """See `procctl.abc.Service.stream`."""
        if self._engine is None or self._engine.leaving:
            raise Closed(f"the agent {self.name} is not entered, or has ended")
        forbidden = refused(caller, request.command)
        if forbidden is not None:
            raise refusal(forbidden.code, forbidden.message, forbidden.hint)
        return self._engine.inner.stream(request, caller)

    def permit(
        self,
        name: str,
        *,
        mode: Mode = "many",
        scope: Scope = "fleet",
        level: Level = "lease",
        standby: bool = False,
        group: str = "",
        grace: float = 10.0,
        timeout: float = 10.0,
    ) -> Permit:
        """This program as a process of its own: an ``async with`` whose body runs by permission.

        See `procctl.agent.permit.Permit` for what can be done in it, and how it ends.

        Args:
            name: Of the process, and of its slot. Not that of another process of this agent.
            mode: How many of the slot may run, see `Mode`.
            scope: Where the others are looked for.
            level: What becomes of the slot when this host is lost.
            standby: Wait for the holder of the slot to end, instead of being refused.
            group: For the target ``group:NAME``.
            grace: Seconds that it takes to leave the block: so long before its deadline it is told.
            timeout: Seconds for each answer to a request to start or to stop.

        Raises (when entered):
            Denied: It may not run; the message names the holder.
            Refused: It was stopped before it was permitted, or the name is taken (``exists``) or none (``bad-spec``).
            Closed: The agent is not entered, or has ended.
        """
        from .permit import Permit, itself

        spec = itself(name, grace, timeout, mode=mode, scope=scope, level=level, standby=standby, group=group)
        return Permit(lambda: self._entered, spec)

    async def stop_all(self) -> None:
        """Stop everything, dependants before what they depend on, and return when nothing is left.

        Cancellation: gives up the wait; what was asked to stop goes on stopping.
        """
        await self._entered.stop_all()

    async def declare(self, specs: Sequence[ProcessSpec]) -> None:
        """What a file declares, from now on: what is new is registered and started, what has changed is restarted as it
        is now, what the file had declared before and does so no more is stopped and forgotten.

        What was added otherwise, and what has not changed, is left as it is.
        """
        from .declaring import declare

        await declare(self, self._entered.inner, specs)

    async def asked_to_stop(self) -> None:
        """Wait until somebody has asked this agent to end (`Fleet.shutdown`). It ends when its block is left."""
        await self._entered.asked_to_stop.wait()

    @property
    def keeps(self) -> bool:
        """Whether what it runs would live on if the block were left now."""
        return self._on_exit == "keep" and not (self._engine is not None and self._engine.stopping)

    @property
    def urls(self) -> tuple[str, ...]:
        """Where it listens."""
        return () if self._engine is None else self._engine.urls

    @property
    def _entered(self) -> Engine:
        if self._engine is None:
            raise Closed(f"the agent {self.name} has not been entered", "use it inside of its async with block")
        return self._engine

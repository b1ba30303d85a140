"""One process: everything that decides about it. What happens to it is decided in `process` and `hooks`."""

from __future__ import annotations

from attrs import frozen

from .events import Effect, Now
from .records import ExitRecord, Ident, Stray, Why
from .specs import ProcessSpec
from .states import Phase
from .value import Value, evolve

__all__ = ["Process", "Step", "left_by_another", "why"]

P = Phase


@frozen(kw_only=True, eq=False, repr=False)
class Process(Value):
    """Everything that decides about one process.

    Attributes:
        uuid: Its identity, over restarts.
        name: Its slot.
        spec: What is wanted.
        phase: Where in its life it is.
        wanted: Whether it is to run, that is, whether an end leads to the restart policy.
        by: Who asked last.
        stopper: Who asked for the end of this run, else empty.
        force: Whether the open start displaces other holders.
        standby: Whether it waits for them to end.
        pid: Of the running program, else 0.
        adopts: Which running program its next start takes over instead of spawning one, or None.
        own: Whether it is the program that the agent is part of: it is asked, and never ended or begun from here.
        token: Of the lease that it runs on, else 0.
        epoch: Of the gate that gave it.
        unleased: Whether it is being stopped because its lease runs out: it asks again when it is gone.
        rid: Of the open question for permission, else empty.
        asked: How many questions there have been.
        again: Whether nobody has asked for the start that the open question is about.
        timer: Serial of the only valid timer.
        runs: How many spawns there have been.
        checks: How many readiness checks there have been; the serial of the last.
        ready: Whether it is ready; None where it has no pid.
        started: `Now.boot` of the last spawn.
        plan: Signals and waits that are still to come in this stop.
        kill_at: `Now.boot` from which on SIGKILL is due.
        looks: How many looks found something, in this end.
        strays: What they found.
        ended: The exit of this run, not yet verified empty.
        cause: A reason of our own for stopping it, else empty.
        tries: Restarts since it was last healthy.
        history: `Now.boot` of the restarts within the limit's window.
        restarts: All restarts.
        exits: How many runs are over, verified empty.
        exit: The last complete exit record.
        past: The last few, the newest first.
        why: The reason for the present phase.
        since: `Now.wall` of the last change of phase.
        starts: Keys of the commands that wait for it to run.
        stops: Keys of the commands that wait for it to be verified empty, or idle.
        said: What the program says of itself.
        metrics: Its own numbers, by name.
        asked_it: How many questions of somebody's it has had.
        questions: The open ones: the number of each and the key of its command.
        trouble: Of its files; see `Item.trouble`.
        watch: How many watches there have been; the serial of the last.
        armed: `Now.boot` of the beginning of the present wait for a word of it.
        spoke: `Now.boot` of what it said last.
        mute: Since when it has been silent for too long (`Now.wall`), or None.
    """

    uuid: str
    name: str
    spec: ProcessSpec
    phase: Phase = P.REGISTERED
    wanted: bool = False
    by: str = ""
    stopper: str = ""
    force: bool = False
    standby: bool = False
    pid: int = 0
    adopts: Ident | None = None
    own: bool = False
    token: int = 0
    epoch: int = 0
    unleased: bool = False
    rid: str = ""
    asked: int = 0
    again: bool = False
    timer: int = 0
    runs: int = 0
    checks: int = 0
    ready: bool | None = None
    started: float = 0.0
    plan: tuple[tuple[str, float], ...] = ()
    kill_at: float = 0.0
    looks: int = 0
    strays: tuple[Stray, ...] = ()
    ended: ExitRecord | None = None
    cause: str = ""
    tries: int = 0
    history: tuple[float, ...] = ()
    restarts: int = 0
    exits: int = 0
    exit: ExitRecord | None = None
    past: tuple[ExitRecord, ...] = ()
    why: Why = Why(code="registered", text="never started")
    since: float = 0.0
    starts: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()
    said: str = ""
    metrics: tuple[tuple[str, float], ...] = ()
    asked_it: int = 0
    questions: tuple[tuple[int, str], ...] = ()
    trouble: str = ""
    watch: int = 0
    armed: float = 0.0
    spoke: float = 0.0
    mute: float | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing of it runs, nor is about to."""
        return not (self.pid or self.token or self.phase in (P.STARTING, P.EMPTYING))


def left_by_another(p: Process) -> Process:
    """As an earlier agent has recorded it: who waited for answers then does so no more."""
    return evolve(p, starts=("",) if p.starts else (), stops=("",) if p.stops else (), questions=())


Step = tuple[Process, list[Effect]]


def why(code: str, text: str, p: Process, now: Now) -> Why:
    """The reason for a phase that begins now, on the word of who asked last."""
    return Why(code=code, text=text, by=p.by, since=now.wall)

"""One seed: a fleet, faults of every kind, then calm; and what has to hold all the time, and then."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from ...abc import Call
from ...core.messages import Add, AnyReply, AnyRequest, Batch, Failure, Kill, Restart, Start, Stop
from ...core.specs import ProcessSpec, RestartSpec, StopSpec
from ...core.terms import Terms
from ..outcome import Outcome
from .child import Script
from .fleet import VirtualFleet
from .outcome import outcome_of, quietly
from .rules import decided, empty
from .time import Backend, run_virtual
from .trace import Violation

__all__ = ["tell"]

HOSTS = ("a", "b", "c")
SLOTS = ("web", "db", "job")
CHAOS = 90.0
"""Seconds of faults."""
TERMS = Terms(ttl=12.0, drift=0.01, wake=1.0, kill=1.0, renew=2.0)


def tell(seed: int, backend: Backend = "asyncio", chaos: float = CHAOS) -> Outcome:
    """Tell one story to its end, or to the first rule that does not hold. The same seed tells the same one."""
    with quietly():
        return run_virtual(Story(seed, chaos).tell, backend=backend, seed=seed)


class Story:
    """See `tell`."""

    def __init__(self, seed: int, chaos: float) -> None:
        self._seed = seed
        self._chaos = chaos
        self.fleet = VirtualFleet(HOSTS, seed=seed, terms=TERMS, drift=TERMS.drift)
        dice = self.dice = self.fleet.dice
        fleet = self.fleet
        fleet._on_exit = dice.choice(("stop", "keep"))
        fleet._remembers = fleet._on_exit == "keep" or dice.random() < 0.7
        for slot in SLOTS:
            fleet.scripts[slot] = self._script()
        self._back: dict[str, float] = {}
        self._numbers = 0

    def _script(self) -> Script:
        dice = self.dice
        return Script(
            lasts=dice.choice((None, None, 5.0, 40.0)),
            code=dice.choice((0, 1)),
            obeys=dice.choice((0.0, 0.5, 3.0, None)),
            leaves=dice.choice((0, 0, 0, 1)),
            ready=dice.choice((0.0, 2.0)),
        )

    def _spec(self, slot: str) -> ProcessSpec:
        dice = self.dice
        return ProcessSpec(
            name=slot,
            command=(slot,),
            mode="many" if slot == "job" else dice.choice(("one", "one", "force")),
            level=dice.choice(("lease", "lease", "strict")),
            standby=dice.random() < 0.5,
            restart=RestartSpec(policy="always", delay=(0.5, 4.0), limit=None),
            stop=StopSpec(steps=(("SIGTERM", dice.choice((0.5, 3.0))),)),
        )

    # the plot -----------------------------------------------------------------------------------------------------

    async def tell(self) -> Outcome:
        """Faults, then calm, and what has to have come of it."""
        broken = ""
        fleet = self.fleet
        try:
            async with fleet:
                fleet.network.slowly = self.dice.choice((0.0, 0.05))
                fleet.network.slow = self.dice.choice((0.5, 3.0))
                while fleet.time < self._chaos:
                    self._come_back()
                    await fleet.run(self.dice.expovariate(1.0))
                    self._happen()
                await self._calm()
                decided(fleet)
            empty(fleet)
        except Violation as error:
            broken = str(error)
        return outcome_of(fleet, self._seed, broken)

    def _come_back(self) -> None:
        """Who was killed comes back after a while, and knows what it is to run, or is told."""
        fleet = self.fleet
        for name in (*HOSTS, "controller"):
            if not fleet.runs(name):
                due = self._back.setdefault(name, fleet.time + self.dice.choice((0.5, 3.0, 20.0)))
                if fleet.time >= due and fleet.begin(name):
                    del self._back[name]
            elif name != "controller" and fleet._life(name).entered.is_set():
                here = {p.name for p in fleet.agent(name)._entered.inner.host.processes.values()}
                for slot in SLOTS:
                    if slot not in here:
                        uuid = str(UUID(int=self.dice.getrandbits(128), version=4))
                        self._say(name, Add(spec=self._spec(slot), start=self.dice.random() < 0.7, uuid=uuid))

    def _happen(self) -> None:
        """The next fault, or the next command."""
        dice, host = self.dice, self.dice.choice(HOSTS)
        kinds: tuple[Callable[[str], None], ...] = (
            *(self._command,) * 5,
            *(self._cut,) * 3,
            *(self._program,) * 2,
            self.fleet.sever,
            self._crash,
            self._controller,
            self._disk,
            self._drift,
            self._reboot,
        )
        dice.choice(kinds)(host)

    def _say(self, host: str, request: AnyRequest) -> None:
        self._numbers += 1
        call = Call(request=request, key=f"story-{self._numbers}", until="accepted")
        if self.fleet.runs(host) and self.fleet._any(host).entered.is_set():
            target = self.fleet.controller if host == "controller" else self.fleet.agent(host)
            self.fleet.trace.note(f"{host} {type(request).__name__} {getattr(request, 'name', '')}")
            target.submit(call).then(lambda reply: self._answered(host, request, reply))

    def _answered(self, host: str, request: AnyRequest, reply: AnyReply) -> None:
        codes: list[str] = []
        if isinstance(reply, Failure):
            codes = [reply.code]
        elif isinstance(reply, Batch):
            codes = sorted(miss.code for miss in reply.misses)
        if self.fleet.runs(host):
            text = " ".join(codes) or "ok"
            self.fleet.trace.note(f"{host} {type(request).__name__} {getattr(request, 'name', '')}: {text}")

    def _command(self, host: str) -> None:
        name = self.dice.choice(SLOTS)
        kinds: tuple[AnyRequest, ...] = (
            Start(name=name),
            Start(name=name, standby=True),
            Start(name=name, force=True),
            Stop(name=name),
            Kill(name=name),
            Restart(name=name),
        )
        request = self.dice.choice(kinds)
        self._say(self.dice.choice((host, "controller")), request)

    def _cut(self, host: str) -> None:
        if self.fleet.network.reaches(host, "controller") and self.dice.random() < 0.6:
            self.fleet.partition(host)
        else:
            self.fleet.heal(host)

    def _program(self, host: str) -> None:
        running = self.fleet.children(host=host)
        if running:
            child = self.dice.choice(running)
            child.exit() if self.dice.random() < 0.5 else child.crash()

    def _crash(self, host: str) -> None:
        self.fleet.crash(host, after=self.dice.choice((0, self.dice.randrange(1, 60))))

    def _controller(self, host: str) -> None:
        self.fleet.crash_controller(after=self.dice.choice((0, self.dice.randrange(1, 60))))

    def _disk(self, host: str) -> None:
        self.fleet.fail_disk(self.dice.choice((host, "controller")), self.dice.choice((0.0, 0.1, 0.5)))

    def _drift(self, host: str) -> None:
        rate = 1 + TERMS.drift * self.dice.uniform(-1, 1)
        self.fleet.drift(self.dice.choice((host, "controller")), rate)

    def _reboot(self, host: str) -> None:
        if self.dice.random() < 0.3:
            self.fleet.reboot(host)

    async def _calm(self) -> None:
        """No more faults: all come back, and there is time for everything that was begun."""
        fleet = self.fleet
        fleet.trace.note("calm")
        fleet.heal()
        fleet.network.slowly = 0.0
        for name in (*HOSTS, "controller"):
            fleet.fail_disk(name, 0.0)
            power = fleet._any(name).power
            if power is not None:
                power.fuse = None
        for slot in SLOTS:
            fleet.scripts[slot] = Script()
        end = fleet.time + 3 * TERMS.ttl + 40
        while fleet.time < end:
            self._back = dict.fromkeys(self._back, 0.0)
            self._come_back()
            await fleet.run(2.0)

"""The agent's own program as a process: it is asked and told, and begins only by itself."""

import pytest

from procctl.core import events as ev
from procctl.core.specs import HooksSpec
from procctl.core.states import Phase
from procctl.core.value import evolve

from .making import BEGUN, CLEAN, EMPTY, GRANTED, KILL, PAUSED, SPAWNED, START, STOP, TOKEN, after, at, process, told

P = Phase


def own(*events):
    """A program of its own after these events."""
    return after(evolve(process(hooks=HooksSpec()), own=True), START, *events)


RUNS = own(GRANTED, SPAWNED, BEGUN)
IDLE = after(RUNS, STOP, PAUSED)
STOPPING = after(RUNS, KILL)


def settled(effects):
    return [(effect.key, effect.code) for effect in effects if isinstance(effect, ev.Settle)]


@pytest.mark.parametrize("p", [RUNS, IDLE, STOPPING, own()], ids=lambda p: p.phase.name)
@pytest.mark.parametrize(
    "event", [ev.RestartAsked("k", "eve"), ev.DetachAsked("k", "eve"), ev.SignalAsked("k", "eve", "SIGKILL")], ids=repr
)
def test_what_only_it_can_do_is_refused_and_changes_nothing(p, event):
    q, effects = told(p, event)
    assert settled(effects) == [("k", "own-program")]
    assert (q, len(effects)) == (p, 1)


def test_it_waits_for_a_person_by_itself():
    p, effects = told(own(), ev.Held("u#1", "ask ann"))
    assert (p.phase, settled(effects), p.starts) == (P.HELD, [], ("k-start",))
    p, effects = told(p, ev.Granted("u#1", TOKEN), SPAWNED, BEGUN)
    assert (p.phase, settled(effects)) == (P.UP, [("k-start", "")])
    assert settled(told(own(ev.Held("u#1", "ask ann")), ev.Denied("u#1", "no"))[1]) == [("k-start", "denied")]


@pytest.mark.parametrize("p", [RUNS, IDLE], ids=["runs", "idle"])
def test_when_its_lease_ends_it_does_not_ask_again(p):
    p, effects = told(p, ev.LeaseEnds(TOKEN, at(3).boot, "not heard"))
    assert (p.phase, p.unleased, p.why.text) == (
        P.STOPPING,
        True,
        "not heard; it has to leave its block within 3 s",
    )
    p, effects = told(p, CLEAN, EMPTY)
    assert p.phase in (P.EXITED, P.FAILED)
    assert [type(effect) for effect in effects if isinstance(effect, ev.AskPermission | ev.ReleaseLease)] == [
        ev.ReleaseLease
    ]


def test_a_start_while_it_leaves_is_no_start():
    p, effects = told(STOPPING, ev.StartAsked("k-again", "eve"), CLEAN, EMPTY)
    assert p.phase is P.EXITED
    assert settled(effects) == [("k-again", "not-running"), ("k-kill", "")]


@pytest.mark.parametrize(("code", "how"), [(0, "left its block"), (1, "left its block with 1")])
def test_its_end_is_that_of_a_block(code, how):
    p = after(STOPPING, ev.Exited(code, None), EMPTY)
    assert f"stopped by cid; {how}" == p.why.text

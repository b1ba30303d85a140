"""Virtual time jumps when there is nothing to do, and not before."""

import time

import anyio
import anyio.to_thread
import pytest

from procctl.aio.timers import Timers
from procctl.testing import run_virtual, virtual_backend
from procctl.testing.virtual.clock import HostClock, PacedTimers

BACKENDS = ("asyncio", "trio")


@pytest.mark.parametrize("backend", BACKENDS)
def test_hours_pass_in_moments_and_in_their_order(backend):
    async def main():
        seen = []

        async def wait(seconds):
            await anyio.sleep(seconds)
            seen.append((seconds, anyio.current_time() - begun))

        begun = anyio.current_time()
        async with anyio.create_task_group() as group:
            for seconds in (7200, 60, 3600 * 48):
                group.start_soon(wait, seconds)
        return seen

    before = time.monotonic()
    seen = run_virtual(main, backend=backend)
    assert [60, 7200, 172800] == [asked for asked, _ in seen]
    assert all(asked == pytest.approx(took, abs=0.01) for asked, took in seen)
    assert time.monotonic() - before < 5


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_thread_is_waited_for_by_the_cushion(backend):
    async def main():
        with anyio.move_on_after(10) as scope:
            await anyio.to_thread.run_sync(time.sleep, 0.05)
        return scope.cancelled_caught

    assert not run_virtual(main, backend=backend, cushion=1.0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_deadline_is_met_where_nothing_happens(backend):
    async def main():
        with anyio.fail_after(3600):
            await anyio.Event().wait()

    with pytest.raises(TimeoutError):
        run_virtual(main, backend=backend)


def test_each_run_has_a_clock_of_its_own():
    assert virtual_backend("trio")[1]["clock"] is not virtual_backend("trio")[1]["clock"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_timers_go_by_the_clock_of_their_host(backend):
    async def main():
        clock = HostClock(anyio.current_time(), shown=5.0, rate=2.0)
        called = []
        async with anyio.create_task_group() as group:
            for timers in (PacedTimers(clock), Timers()):
                group.start_soon(timers.run)
                timers.after(10, lambda: called.append(anyio.current_time()))
            begun = anyio.current_time()
            await anyio.sleep(20)
            group.cancel_scope.cancel()
        assert [5, 10] == [round(at - begun, 2) for at in called]
        assert 45 == pytest.approx(clock.boot(), abs=0.1)
        clock.change(1.0)
        before = clock.boot()
        await anyio.sleep(1)
        assert 1 == pytest.approx(clock.boot() - before)

    run_virtual(main, backend=backend)

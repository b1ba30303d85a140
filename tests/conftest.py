"""Every asynchronous test on asyncio and on trio; nothing of a test outlives it."""

import functools
import gc
import inspect
import os
import signal
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import anyio
import pytest
from helpers import DEADLINE, MARK, PATIENCE, children, descriptors, marked

BACKENDS = ("asyncio", "trio")


@pytest.fixture(params=BACKENDS)
def anyio_backend(request):
    return request.param


@pytest.fixture(autouse=True)
def nothing_left(monkeypatch):
    """Afterwards there is no child, no zombie, no descendant and no descriptor that was not there before."""
    mark = str(uuid4())
    monkeypatch.setenv(MARK, mark)
    before = children(), descriptors()
    yield
    left = leftovers(before, mark)
    if any(left):
        gc.collect()
    limit = time.monotonic() + PATIENCE
    while any(left := leftovers(before, mark)) and time.monotonic() < limit:
        time.sleep(0.02)
    for pid in left[2]:  # so that one test does not fail the next
        os.kill(pid, 9)
    assert left == (set(), set(), [])


def leftovers(before, mark):
    """Children, descriptors and descendants that are there now and were not before."""
    return children() - before[0], descriptors().items() - before[1].items(), marked(mark)


@pytest.fixture
def place():
    """A folder with a short path: that of a unix socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="p", dir="/tmp") as folder:
        yield Path(folder)


def pytest_configure(config):
    """What runs in the background or under nohup has signals ignored, and so would all that a test starts."""
    config.addinivalue_line("markers", "seconds(limit): a test that may take longer than others")
    config.addinivalue_line(
        "markers", "in_turn: a test that starts many programs: on one backend, but for `nox -s backends`"
    )
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def pytest_collection_modifyitems(config, items):
    """No asynchronous test waits for ever; those that go in turn go on one backend each, the next on the other."""
    if os.environ.get("PROCCTL_BACKENDS") != "all":
        left_out = in_turn(items)
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
    for item in items:
        if inspect.iscoroutinefunction(getattr(item, "obj", None)):
            longer = item.get_closest_marker("seconds")
            item.obj = limited(item.obj, longer.args[0] if longer else 2 * DEADLINE)


def in_turn(items):
    """The tests that have their turn on the other backend."""
    found = {}
    for item in items:
        if item.get_closest_marker("in_turn") and "anyio_backend" in item.fixturenames:
            found.setdefault((item.path, item.originalname), []).append(item)
    return [
        item
        for number, same in enumerate(found.values())
        for item in same
        if item.callspec.params.get("anyio_backend") != BACKENDS[number % 2]
    ]


def limited(test, seconds):
    """A test that fails when it is not over in time."""

    @functools.wraps(test)
    async def within(*args, **kwargs):
        with anyio.fail_after(seconds):
            await test(*args, **kwargs)

    return within

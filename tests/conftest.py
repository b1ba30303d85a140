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


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


@pytest.fixture(autouse=True)
def nothing_left(monkeypatch):
    """Afterwards there is no child, no zombie, no descendant and no descriptor that was not there before."""
    mark = str(uuid4())
    monkeypatch.setenv(MARK, mark)
    before = children(), descriptors()
    yield
    gc.collect()
    limit = time.monotonic() + PATIENCE
    while True:
        left = children() - before[0], descriptors().items() - before[1].items(), marked(mark)
        if not any(left) or time.monotonic() > limit:
            break
        time.sleep(0.02)
    for pid in left[2]:  # so that one test does not fail the next
        os.kill(pid, 9)
    assert left == (set(), set(), [])


@pytest.fixture
def place():
    """A folder with a short path: that of a unix socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="p", dir="/tmp") as folder:
        yield Path(folder)


def pytest_configure(config):
    """A shell starts what it puts into the background with SIGINT ignored, and so would all that a test starts."""
    config.addinivalue_line("markers", "seconds(limit): a test that may take longer than others")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """No asynchronous test waits for ever."""
    for item in items:
        if inspect.iscoroutinefunction(getattr(item, "obj", None)):
            longer = item.get_closest_marker("seconds")
            item.obj = limited(item.obj, longer.args[0] if longer else 2 * DEADLINE)


def limited(test, seconds):
    """A test that fails when it is not over in time."""

    @functools.wraps(test)
    async def within(*args, **kwargs):
        with anyio.fail_after(seconds):
            await test(*args, **kwargs)

    return within

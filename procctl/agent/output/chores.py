"""Work on files that takes long: compressing, deleting, copying. In one worker thread, one after the other."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

import anyio

from ...aio.thread import in_thread
from ...aio.wake import Wake

__all__ = ["Chores"]

logger = logging.getLogger("procctl.agent.output")


class Chores:
    """Does what is submitted; what is not begun when the agent ends is left for the next."""

    def __init__(self) -> None:
        self._jobs: deque[tuple[str, Callable[[], object], Callable[[], None] | None]] = deque()
        self._wake = Wake()
        self._stopping = False

    def submit(self, what: str, job: Callable[[], object], then: Callable[[], None] | None = None) -> None:
        """Do this in the thread, then that on the loop. An OSError of the job is logged, and `then` is called too.

        Args:
            what: For the message.
            job: Can be ended at any moment, and be done again.
            then: Never fails.
        """
        self._jobs.append((what, job, then))
        self._wake.set()

    def stopping(self) -> bool:
        """Whether a job is to come to its end early."""
        return self._stopping

    def stop(self) -> None:
        """The agent ends: nothing more is begun."""
        self._stopping = True
        self._jobs.clear()

    async def run(self) -> None:
        """Never returns; cancelled to end it. A job that has begun is finished first."""
        limiter = anyio.CapacityLimiter(1)
        while True:
            await self._wake.wait()
            while self._jobs:
                what, job, then = self._jobs.popleft()
                try:
                    await in_thread(job, limiter=limiter)
                except OSError as error:
                    logger.warning("%s: %s", what, error)
                if then is not None and not self._stopping:
                    then()

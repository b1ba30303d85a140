"""A tenant from outside: started, given orders, ended."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

from interpreter import environment

__all__ = ["Tenancy"]

PROGRAM = Path(__file__).with_name("tenant.py")


class Tenancy:
    """One process that embeds an agent, see `tenant`.

    Args:
        backend: asyncio or trio.
        folder: Where it runs.
        urls: Where its agent listens.
    """

    def __init__(self, backend: str, folder: Path, urls: tuple[str, ...] = ()) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM), backend, *urls],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
            env=environment(),
        )
        self.pid = self._process.pid
        try:
            self._answer(60.0)
        except BaseException:
            self.end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def __call__(self, do: str, timeout: float = 120.0, **order: Any) -> dict[str, Any]:
        """Give an order and wait for its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **order}).encode() + b"\n")
        self._process.stdin.flush()
        return self._answer(timeout)

    def _answer(self, timeout: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        fd = self._process.stdout.fileno()
        end = time.monotonic() + timeout
        text = b""
        while not text.endswith(b"\n"):  # one answer to an order: nothing comes behind it
            left = end - time.monotonic()
            if left <= 0 or not select.select([fd], [], [], left)[0]:
                raise TimeoutError(f"no answer within {timeout:g} s")
            data = os.read(fd, 1 << 16)
            if not data:
                raise ChildProcessError("the tenant has ended")
            text += data
        return json.loads(text)

    def end(self, patience: float = 30.0) -> None:
        """Its input ends, so it leaves its agent's block; by force if it does not."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.close()
            self._process.wait(patience)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        finally:
            self._process.stdout.close()

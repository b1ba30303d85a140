"""The promises of a transport, on asyncio and on trio."""

import os
import socket
from uuid import uuid4

import pytest
from procctl_abstract import AbstractTransport, name_of

from procctl.testing import check_transport


def stranger(url: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(f"\0{name_of(url)}")
    return sock


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_it_keeps_its_promises() -> None:
    url = f"abstract:procctl-{uuid4()}"
    report = await check_transport(AbstractTransport(), url, identity=f"uid:{os.getuid()}", stranger=stranger)
    assert [promise.name for promise in report.skipped] == ["SUSPENDS"]

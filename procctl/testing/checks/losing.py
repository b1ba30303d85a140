"""Peers that die, hang, or send what is no protocol, seen through sessions."""

from __future__ import annotations

import socket
from collections.abc import Callable
from random import Random
from urllib.parse import unquote, urlsplit

import anyio
import anyio.to_thread

from ...core.messages import Hello
from ...link.session import Session
from ..grouping import tasks, together
from ..peers import Far
from ..promises import BrokenPromise, Promise
from ..serving import Bounded, Serving, refuse
from ..stage import Stage
from ..tally import Tally

__all__ = ["check_clients", "check_firewall", "check_server"]


async def check_clients(stage: Stage) -> None:
    """Two clients of a service here: one is killed, the other hangs."""
    if stage.alone:
        for promise in (Promise.DIES, Promise.HANGS):
            stage.skipped[promise] = "both ends are in one program"
        return
    async with stage.process() as one, stage.process() as two, stage.listener() as listener, tasks() as group:
        serving = Serving(listener, Tally(group), group, stage.patience)
        await group.start(serving.run)
        for peer, name in ((one, "one"), (two, "two")):
            await _called(stage, peer, name)
        sessions = {session.peer: session for session in serving.sessions}
        if sessions.keys() != {"one", "two"}:
            raise BrokenPromise(Promise.APART, f"two clients, one and two, arrive as {sorted(sessions)}")
        await one.kill()
        two.stop()
        await together(
            lambda: _noticed(stage, Promise.DIES, sessions["one"], "a client that was killed"),
            lambda: _noticed(stage, Promise.HANGS, sessions["two"], "a client that was stopped"),
        )
        await _left(stage, serving)


async def check_server(stage: Stage) -> None:
    """The service is over there: it hangs, goes on, and is killed."""
    if stage.alone:
        return
    async with stage.process() as peer:
        await served(stage, peer)
        async with tasks() as group:
            session, connection = await _session(stage, group)
            peer.stop()
            await _noticed(stage, Promise.HANGS, session, "a server that was stopped")
            peer.go_on()
            _freed(connection)
            session, connection = await _session(stage, group)
            await peer.kill()
            await _noticed(stage, Promise.DIES, session, "a server that was killed")
            _freed(connection)


async def served(stage: Stage, peer: Far) -> None:
    """Have a peer serve at the URL."""
    with stage.expect(Promise.REACHED, f"listening on {stage.url}, which is free again", 3 * stage.patience):
        urls = await peer.do("serve", url=stage.url, options=dict(stage.listening))
        stage.moved(urls)


async def _called(stage: Stage, peer: Far, name: str) -> int:
    with stage.expect(Promise.REACHED, f"a session from {name}", 3 * stage.patience):
        number: int = await peer.do(
            "call", url=stage.url, name=name, options=dict(stage.connecting), heartbeat=stage.heartbeat
        )
    return number


async def _session(stage: Stage, group: anyio.abc.TaskGroup) -> tuple[Session, Bounded]:
    with stage.expect(Promise.REACHED, "a session to the peer", 3 * stage.patience):
        connection = Bounded(await stage.connect(), stage.patience)
        session = Session(connection, refuse)
        await group.start(session.run)
        await session.greet(Hello(name="kit", heartbeat=stage.heartbeat))
    return session, connection


async def _noticed(stage: Stage, promise: Promise, session: Session, what: str) -> None:
    begun = anyio.current_time()
    with stage.expect(promise, f"the session to {what} ends", stage.silence):
        await session.gone.wait()
    took = anyio.current_time() - begun
    figure = "death" if promise is Promise.DIES else "hang"
    stage.figures[figure] = max(stage.figures.get(figure, 0.0), took)


def _freed(connection: Bounded) -> None:
    if connection.stuck:
        raise BrokenPromise(Promise.CLOSES, "closing the connection to a peer that does not answer takes for ever")


async def _left(stage: Stage, serving: Serving) -> None:
    await serving.aclose()
    for connection in serving.connections:
        _freed(connection)


async def check_firewall(stage: Stage, far: Far) -> None:
    """Strangers speak nonsense to the listener, while a peer is served."""
    if stage.alone or stage.transport.traits.broker:
        stage.skipped[Promise.FIREWALL] = "no stranger can reach the listener itself"
        return
    async with stage.listener() as listener, tasks() as group:
        serving = Serving(listener, Tally(group), group, stage.patience)
        await group.start(serving.run)
        number = await _called(stage, far, "friend")
        with stage.expect(Promise.FIREWALL, "strangers that speak nonsense", 12 * stage.patience):
            reached = 0
            for nonsense in _nonsense():
                reached += await anyio.to_thread.run_sync(_speak, stage.stranger or _plain, stage.url, nonsense)
                if serving.failed is not None:
                    raise BrokenPromise(Promise.FIREWALL, f"accept raised {serving.failed!r}")
                name = f"after {nonsense[:12]!r}"
                if not await far.do("ask", number=number, name=name):
                    raise BrokenPromise(Promise.FIREWALL, f"{name} a peer's own link was dead")
            late = await _called(stage, far, "late")
            if not await far.do("ask", number=late, name="late"):
                raise BrokenPromise(Promise.FIREWALL, "a peer that came behind strangers is not served")
        for known in (number, late):
            await far.do("hang_up", number=known)
        await _left(stage, serving)
    if not reached:
        stage.kept.remove(Promise.FIREWALL)
        stage.skipped[Promise.FIREWALL] = f"a plain socket does not reach {stage.url}"


def _nonsense() -> tuple[bytes, ...]:
    rng = Random(1)
    return (
        b"",
        b"\n",
        b"\0" * 1000,
        b"hello\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"\xff" * 100,
        b"{" * 5000 + b"\n",
        rng.randbytes(1 << 16),
    )


def _speak(stranger: Callable[[str], socket.socket], url: str, nonsense: bytes) -> bool:
    """Say something to whoever listens there, wait a moment for an answer, and leave. False: nobody can be reached."""
    try:
        sock = stranger(url)
    except OSError:
        return False
    with sock:
        sock.settimeout(1.0)
        try:
            sock.sendall(nonsense)
            sock.shutdown(socket.SHUT_WR)
            sock.settimeout(0.05)
            sock.recv(1 << 16)
        except OSError:
            pass  # it was shown the door, or nothing was said
    return True


def _plain(url: str) -> socket.socket:
    """A socket to the host and port of a URL, or to the unix socket that its path names."""
    parts = urlsplit(url)
    if parts.port is not None:
        return socket.create_connection((parts.hostname or "127.0.0.1", parts.port), timeout=1.0)
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.connect(unquote(parts.netloc + parts.path))
    except OSError:
        sock.close()
        raise
    return sock

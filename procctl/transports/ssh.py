"""``ssh://[user@]host[:port][/path]``: the agent of a user on another machine, by ``ssh host procctl stdio``.

Who one is there, ssh decides: keys, configuration, agents and questions are its own. With a terminal it may ask for a
password or about a host's key; without one (BatchMode) it fails instead.

Whatever a login shell over there prints comes before the relay's first line, `MARK`, and is thrown away.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO
from urllib.parse import SplitResult, unquote, urlsplit

import anyio
import anyio.to_thread

from ..abc import Listener, Peer, Traits
from ..errors import BadConfig, BadMessage, PeerGone, Unsupported
from .lines import MAX_ANSWER
from .unix import UnixConnection

__all__ = ["MARK", "SshConnection", "SshTransport", "command_of"]

MARK = b"procctl stdio"
"""How the first line of a relay begins that was told to say so."""
ANSWERING = 30.0
"""Seconds for the other machine, where nobody is asked anything."""
_OPTIONS = frozenset({"command", "config", "token"})
_LEAVING, _ENDING = 1.0, 2.0


class SshConnection(UnixConnection):
    """Frames over the stdin and stdout of an ssh that runs here."""

    def __init__(self, sock: socket.socket, process: subprocess.Popen[bytes], said: IO[bytes], host: str) -> None:
        super().__init__(sock, Peer(address=f"ssh://{host}"), MAX_ANSWER)
        self._process = process
        self._said = said

    async def begin(self) -> None:
        """Wait for the relay over there. Raises `PeerGone` with what ssh, or the other side, had to say."""
        try:
            while not (await self._line()).startswith(MARK):
                pass
        except PeerGone:
            await self._over(_LEAVING)
            raise self._why() from None

    async def _line(self) -> bytes:
        try:
            return await self.receive()
        except BadMessage:
            return b""

    async def receive(self) -> bytes:
        try:
            return await super().receive()
        except PeerGone as error:
            if self._socket.fileno() < 0:
                raise
            said = self.said()
            raise PeerGone(f"{error.message}: {said}" if said else error.message) from None

    async def aclose(self) -> None:
        """End ssh: it leaves when its stdin has ended, else it is made to."""
        await super().aclose()
        with anyio.CancelScope(shield=True):
            if not await self._over(_LEAVING):
                self._process.terminate()
                if not await self._over(_ENDING):
                    self._process.kill()
                    await self._over(float("inf"))
        self._said.close()

    async def _over(self, seconds: float) -> bool:
        with anyio.move_on_after(seconds):
            while self._process.poll() is None:
                await anyio.sleep(0.01)
        return self._process.returncode is not None

    def said(self) -> str:
        """The last lines of ssh's stderr."""
        if self._said.closed:
            return ""
        self._said.seek(max(0, os.fstat(self._said.fileno()).st_size - 2000))
        lines = self._said.read().decode(errors="replace").split("\n")
        return "; ".join(line.strip() for line in lines if line.strip())[-500:]

    def _why(self) -> PeerGone:
        """Why it has not begun: ssh's own failure (255), no such program (127), or whatever the relay says."""
        code, said, where = self._process.returncode, self.said(), self.peer.address
        if code == 127:
            return PeerGone(f"{where} has no procctl: {said}", "install it there, or say where it is: ?command=PATH")
        if code == 255:
            return PeerGone(f"cannot reach {where}: {said or 'ssh failed'}", "try the same with ssh itself")
        return PeerGone(f"{where}: {said or 'procctl stdio ended without a word'}", "run procctl doctor there")


class SshTransport:
    """Other machines, as ssh reaches them. Nothing can be listened on."""

    schemes = ("ssh",)
    traits = Traits(owner=True)

    async def listen(self, url: str, options: Mapping[str, str]) -> Listener:
        """Raises `BadConfig`: ssh brings others to where an agent listens already."""
        raise BadConfig("the scheme 'ssh' is only for connecting", "listen on unix:, which ssh:// reaches")

    async def connect(self, url: str, name: str, options: Mapping[str, str]) -> SshConnection:
        """Run ssh and wait for the relay over there.

        Options: ``command``, how procctl is called there, for that user's shell (``procctl``); ``config``, a
        configuration file for ssh instead of the user's.

        Raises:
            PeerGone: The host does not answer or let us in, or has no procctl; with what ssh says.
            Unsupported: There is no ssh here.
        """
        asks = _terminal()
        command = command_of(url, options, asks=asks)
        connection = await _started(command, urlsplit(url).netloc, asks)
        try:
            with anyio.fail_after(None if asks else ANSWERING):
                await connection.begin()
        except TimeoutError:
            await connection.aclose()
            raise PeerGone(f"{connection.peer.address} has not answered within {ANSWERING:g} s") from None
        except BaseException:
            await connection.aclose()
            raise
        return connection


def command_of(url: str, options: Mapping[str, str], *, asks: bool) -> list[str]:
    """How ssh is called for a URL. Nothing in it can pass for an option of ssh's, or for a command of the far shell.

    Args:
        url: With the host.
        options: See `SshTransport.connect`.
        asks: Whether ssh may ask somebody at a terminal.

    Raises:
        BadConfig: The URL cannot be used.
    """
    parts = urlsplit(url)
    unknown = sorted(options.keys() - _OPTIONS)
    if unknown:
        raise BadConfig(f"ssh:// has no option {unknown[0]!r}", "it has command and config")
    command = ["ssh", "-T", "-x", "-a", "-o", "ConnectTimeout=10", "-o", f"BatchMode={'no' if asks else 'yes'}"]
    if "config" in options:
        command += ["-F", options["config"]]
    port = _port(parts, url)
    if port is not None:
        command += ["-p", str(port)]
    user = unquote(parts.username or "")
    if parts.password is not None:
        raise BadConfig("a password is no part of an ssh URL", "ssh asks for it, or takes a key")
    if user:
        command += ["-l", _word(user, "user")]
    relay = f"{options.get('command', 'procctl')} stdio --mark"
    path = unquote(parts.path)
    if path not in ("", "/"):
        relay += f" --url {shlex.quote('unix://' + path)}"
    return [*command, "--", _word(parts.hostname or "", "host"), relay]


def _port(parts: SplitResult, url: str) -> int | None:
    try:
        return parts.port
    except ValueError:
        raise BadConfig(f"{url!r} has no port that can be used") from None


def _word(text: str, what: str) -> str:
    if not re.fullmatch(r"[\w.@%:][\w.@%:\-+]*", text):
        raise BadConfig(f"{text!r} is no {what} for ssh://", "for example ssh://ann@web-01.example.com:22")
    return text


def _terminal() -> bool:
    """Whether somebody is there to be asked: ssh does so on the controlling terminal, whatever stdin is."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


async def _started(command: Sequence[str], host: str, asks: bool) -> SshConnection:
    if shutil.which(command[0]) is None:
        raise Unsupported("there is no ssh here", "install openssh-client")
    said = tempfile.TemporaryFile()  # noqa: SIM115
    ours, theirs = socket.socketpair()

    def spawn() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=said, start_new_session=not asks
        )

    try:
        with anyio.CancelScope(shield=True):  # a cancelled spawn would leave a process that nobody knows
            process = await anyio.to_thread.run_sync(spawn)
    except BaseException:
        ours.close()
        said.close()
        raise
    finally:
        theirs.close()
    ours.setblocking(False)
    return SshConnection(ours, process, said, host)

"""The keeper: a tiny process beside an agent, that outlives it. A program of its own, started by its path.

It holds what must not end with the agent: a pidfd for each child, the agent's ends of their channels, the pipes of
those that were detached, the deadlines of those that run on a lease. When the agent dies, it ends everything that the
agent ran (``stop``), or goes on holding it for the next agent on the same state folder (``keep``): until all of it has
ended, and how stands in a file there, or until the folder is gone, and with it every way to be found. The pipes of the
detached are drained in any case. When a deadline has passed, it ends what runs on it, whether the agent lives or not.

It must never fail, so it does little: no threads, no loop but one epoll, nothing but the standard library, and nothing
of procctl. ``python -S -I keeper.py EPOCH stop|keep``; descriptor 0 is a SOCK_SEQPACKET socket to the agent, 1 one
that listens for the next agent (or /dev/null), 2 takes what it has to say.

A message is text: a verb, then a line for each thing, in the order of the descriptors that come with it (SCM_RIGHTS,
unix(7)). A thing is ``KIND KEY PID START FDS``: FDS says how many of the descriptors are its own. Of a ``lease`` KEY
is the process's uuid, PID 0, and START the deadline in milliseconds of CLOCK_BOOTTIME.

    hello EPOCH stop|keep     whose children these are from now on, and what its death means
    put, drop                 things; a put replaces what has the same kind and key
    spare                     things (of kind pid) that are not the agent's any more: nothing is done to them
    get                       answered by ``have`` messages, and by ``end``
    bye                       the agent leaves in an orderly way: only what has to be held is held on to
"""

from __future__ import annotations

import array
import errno
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress

LIMIT = 250
"""Descriptors in one message: SCM_MAX_FD is 253."""
MARK = b"\0PROCCTL_AGENT="
LINEAGE = b"\0PROCCTL_LINEAGE="
QUIET = 0.3
"""Seconds without finding anything, after which nothing is left: a child may be between fork and exec, where it does
not carry its mark yet."""
GIVE_UP = 10.0
"""Seconds after which it reports what it could not end."""
LEAST = 0.02
"""Seconds between two passes over /proc, at least; they take at most half of a processor."""
IDLE = 1.0
"""Seconds between two looks, without an agent, whether there is anything left to hold."""
ENDED = "ended"
"""File beside the log: how all that was held has ended."""
PIDFD_GET_INFO, INFO_EXIT = 0xC040FF0B, 8
DEAF = ("TERM", "INT", "HUP", "QUIT", "PIPE", "ALRM", "USR1", "USR2", "TSTP", "TTIN", "TTOU")


def look(pid: int) -> tuple[bytes, int, int] | None:
    """State, session and start (ticks since the boot) of a process, by /proc/PID/stat (proc(5)); None: it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            parts = file.read().rpartition(b")")[2].split()
        return parts[0], int(parts[3]), int(parts[19])
    except (OSError, IndexError, ValueError):
        return None


def boot() -> float:
    """The clock of deadlines: it goes on in suspend."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def lives(pid: int, start: int) -> bool:
    """Whether that process runs, and is no zombie; a start of 0 fits all."""
    found = look(pid)
    return found is not None and found[0] not in b"ZX" and start in (0, found[2])


def marks_of(pid: int, mark: bytes) -> list[str]:
    """The runs of agents, or the uuids, that a process is below."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            _, found, rest = (b"\0" + file.read(1 << 18)).partition(mark)
    except OSError:
        return []
    return rest.partition(b"\0")[0].decode("ascii", "replace").split("/") if found else []


def kill(pid: int, fd: int | None) -> bool:
    """SIGKILL, by descriptor where there is one. What is not ours to end is still there at the end, and reported.

    Whether it was there.
    """
    try:
        if fd is None:
            os.kill(pid, signal.SIGKILL)
        else:
            signal.pidfd_send_signal(fd, signal.SIGKILL)
    except OSError as error:
        return error.errno != errno.ESRCH
    return True


class Thing:
    """What is held: its descriptors, and whose they are."""

    def __init__(self, pid: int, start: int, fds: list[int]) -> None:
        self.pid = pid
        self.start = start
        self.fds = fds

    def kill(self) -> bool:
        """Whether it was there. What is known by its number alone may be another by now, and is let be."""
        there = lives(self.pid, self.start) if self.start else bool(self.fds)
        return there and kill(self.pid, self.fds[0] if self.fds else None)

    def status(self) -> str:
        """Its wait status when it has ended: a number, or ``-`` if nobody can tell; empty while it runs or may still be
        told."""
        state = look(self.pid)
        if state is not None and state[2] == self.start and state[0] not in b"ZX":
            return ""
        told = info(self.fds[0]) if self.fds else None
        if told is None and state is not None and state[2] == self.start:
            return ""  # nobody has reaped it yet
        return "-" if told is None else str(told)


def info(fd: int) -> int | None:
    """The wait status of what was reaped, by its pidfd (linux/pidfd.h, 6.15); None where the kernel does not tell."""
    with suppress(ImportError, OSError):
        import fcntl

        buffer = bytearray(64)
        buffer[0] = INFO_EXIT
        fcntl.ioctl(fd, PIDFD_GET_INFO, buffer)
        if buffer[0] & INFO_EXIT:
            return int.from_bytes(buffer[60:64], sys.byteorder, signed=True)
    return None


class Keeper:
    """Everything that is held."""

    def __init__(self, agent: socket.socket, listener: socket.socket | None, epoch: str, policy: str) -> None:
        self.agent: socket.socket | None = agent
        self.listener = listener
        self.epochs = {epoch}
        self.policy = policy
        self.things: dict[tuple[str, str], Thing] = {}
        self.spared: dict[int, int] = {}
        self.turns = 0
        self.pause = 1.0
        self.room = 64
        self.epoll = select.epoll()
        for sock in (agent, listener):
            if sock is not None:
                self.epoll.register(sock.fileno(), select.EPOLLIN)

    def run(self) -> None:
        """Until nothing is left to do."""
        while self.agent is not None or self.holding():
            found = self.epoll.poll(self.patience()) or self.epoll.poll(0)  # a wait that SIGCONT ends does not look
            self.turns += 1
            if not found or self.turns > 256:  # what the agent has said comes first: it may be a later deadline
                self.turns = 0
                self.enforce()
            for fd, _ in found:
                if self.agent is not None and fd == self.agent.fileno():
                    self.hear(self.agent)
                elif self.listener is not None and fd == self.listener.fileno():
                    self.accept(self.listener)
                else:
                    self.drain(fd)

    def holding(self) -> bool:
        """Whether there is a reason to go on without an agent."""
        if any(kind == "pipe" for kind, _ in self.things):
            return True
        if self.policy != "keep" or self.listener is None or not self.things:
            return False
        try:
            return os.fstat(2).st_nlink > 0 and not self.all_over()
        except OSError:
            return True  # the disk is full, for example: later

    def all_over(self) -> bool:
        """Whether all that is held has ended; then how has been put down, and no agent has come meanwhile."""
        lines = []
        for (kind, key), thing in self.things.items():
            if kind == "lease":
                return False  # until it is over: what it has started may go on
            if kind != "pid":
                continue
            status = thing.status()
            if status == "":
                return False
            lines.append(f"{key} {thing.pid} {thing.start} {status}\n")
        path = os.path.join(os.path.dirname(os.readlink("/proc/self/fd/2")), ENDED)
        fd = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, "".join(lines).encode())
        finally:
            os.close(fd)
        os.rename(path + ".new", path)
        return self.listener is None or not select.select([self.listener], [], [], 0)[0]

    def accept(self, listener: socket.socket) -> None:
        """The next agent. That it may come at all says that there is no other: it has the folder's lock."""
        sock, _ = listener.accept()
        uid = int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[4:8], sys.byteorder)
        if uid not in (os.geteuid(), 0):
            sock.close()
            return
        while self.agent is not None:
            self.hear(self.agent)  # to its end, which has to be acted upon
        self.agent = sock
        self.epoll.register(sock.fileno(), select.EPOLLIN)

    def lose(self, agent: socket.socket) -> None:
        """No agent any more."""
        self.epoll.unregister(agent.fileno())
        agent.close()
        self.agent = None

    # what the agent says

    def hear(self, agent: socket.socket) -> None:
        """One message, or the agent's end."""
        fds = array.array("i")
        try:
            data, control, _, _ = agent.recvmsg(1 << 17, socket.CMSG_SPACE(4 * LIMIT), socket.MSG_CMSG_CLOEXEC)
        except OSError:
            data, control = b"", []
        for level, kind, payload in control:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
        if not data:
            self.lose(agent)
            if self.policy == "stop":
                self.end_all()
            return
        words, *lines = data.decode().split("\n")
        match words.split():
            case ["hello", epoch, policy]:
                self.epochs.add(epoch)
                self.policy = policy
            case ["put"]:
                self.put(lines, list(fds))
            case ["drop" | "spare" as verb]:
                self.drop(lines, verb == "spare")
            case ["get"]:
                self.have(agent)
            case ["bye"]:
                self.lose(agent)

    def put(self, lines: list[str], fds: list[int]) -> None:
        """Hold these. A descriptor that could not be had (this process has too many) is missing at the end."""
        for line in lines:
            kind, key, pid, start, count = line.split(" ")
            mine, fds = fds[: int(count)], fds[int(count) :]
            self.take((kind, key))
            self.spared.pop(int(pid), None)
            self.things[kind, key] = Thing(int(pid), int(start), mine)
            if kind == "pipe" and len(mine) == 2:
                os.set_blocking(mine[0], False)
                self.epoll.register(mine[0], select.EPOLLIN)
        if self.policy == "stop" and len(self.things) > self.room:  # what has ended, no later agent asks for
            for name, thing in list(self.things.items()):
                if name[0] == "pid" and not lives(thing.pid, thing.start):
                    self.take(name)
            self.room = 64 + 2 * len(self.things)

    def drop(self, lines: list[str], spare: bool) -> None:
        """Hold these no more, if they still are what is meant."""
        for line in lines:
            kind, key, pid, start, _ = line.split(" ")
            if spare:
                self.spared[int(pid)] = int(start)
            thing = self.things.get((kind, key))
            if thing is not None and thing.pid == int(pid):
                self.take((kind, key))

    def take(self, name: tuple[str, str]) -> None:
        """Do not hold this any more."""
        thing = self.things.pop(name, None)
        for fd in () if thing is None else thing.fds:
            os.close(fd)

    def have(self, agent: socket.socket) -> None:
        """Tell the agent everything. Pipes are told too, and go on being drained here."""
        lines, fds = ["have"], array.array("i")
        with suppress(OSError):  # it died; its end is heard next
            for (kind, key), thing in (*self.things.items(), (("", ""), None)):
                if thing is None or len(fds) + len(thing.fds) > LIMIT:
                    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if fds else []
                    agent.sendmsg(["\n".join(lines).encode()], rights)
                    lines, fds = ["have"], array.array("i")
                if thing is not None:
                    lines.append(f"{kind} {key} {thing.pid} {thing.start} {len(thing.fds)}")
                    fds.extend(thing.fds)
            agent.sendall(b"end")

    # what is done without the agent

    def drain(self, fd: int) -> None:
        """A detached child has written: into its file with it. A full disk loses it, the child is not held up."""
        name = next((name for name, thing in self.things.items() if name[0] == "pipe" and fd in thing.fds), None)
        try:
            data = os.read(fd, 1 << 16) if name is not None else b""
        except BlockingIOError:
            return
        if name is None or not data:
            with suppress(OSError):  # closed in this very round
                self.epoll.unregister(fd)
            self.take(name or ("", ""))
            return
        with suppress(OSError):
            while data:
                data = data[os.write(self.things[name].fds[1], data) :]

    def patience(self) -> float | None:
        """Seconds until a deadline; at most one, since a wait does not see that the machine has slept."""
        now = boot()
        left = [thing.start / 1000 - now for (kind, _), thing in self.things.items() if kind == "lease"]
        if not left:
            return None if self.agent is not None else IDLE
        return 0.0 if min(left) <= 0 and self.turns else min([self.pause, *(wait for wait in left if wait > 0)])

    def enforce(self) -> None:
        """End what runs on a lease that is over; again and again, since a fork may have been under way."""
        late = {key for (kind, key), thing in self.things.items() if kind == "lease" and thing.start <= boot() * 1000}
        found = self.kill_marked(late, LINEAGE) if late else set()
        for (kind, key), thing in self.things.items():
            if kind == "pid" and key.partition(".")[0] in late and thing.kill():
                found.add(thing.pid)
        self.pause = (min(1.0, 2 * self.pause) if self.pause < 1 else LEAST) if found else 1.0
        for key in late if self.agent is None and not found else ():
            self.take(("lease", key))

    def end_all(self) -> None:
        """Nothing that the agent ran goes on: by descriptor, by mark, again until nothing was there for a while."""
        begun = quiet = time.monotonic()
        alive: set[int] = set()
        while (before := time.monotonic()) < begun + GIVE_UP:
            alive = {thing.pid for name, thing in self.things.items() if name[0] == "pid" and thing.kill()}
            alive |= self.kill_marked(self.epochs, MARK)
            now = time.monotonic()
            if alive:
                quiet = now
            elif now - quiet >= QUIET:
                break
            time.sleep(max(LEAST, now - before))
        if alive:
            pids = ", ".join(map(str, sorted(alive)))
            with suppress(OSError):
                os.write(2, f"procctl keeper: the agent died, and these could not be ended: {pids}\n".encode())
        for name in [name for name in self.things if name[0] != "pipe"]:
            self.take(name)
        null = os.open(os.devnull, os.O_WRONLY)  # nobody's terminal or pipe is held open by what goes on draining
        os.dup2(null, 2)
        os.close(null)

    def kill_marked(self, wanted: set[str], mark: bytes) -> set[int]:
        """One pass over /proc: everything below these. Who was alive."""
        found = set()
        for entry in os.listdir("/proc"):
            if not entry.isdecimal() or wanted.isdisjoint(marks_of(int(entry), mark)) or self.is_spared(int(entry)):
                continue
            pid, fd = int(entry), None
            try:
                fd = os.pidfd_open(pid)
            except AttributeError:
                pass
            except OSError:
                continue
            if not wanted.isdisjoint(marks_of(pid, mark)):  # again: the number may have had a new owner
                if lives(pid, 0):
                    found.add(pid)
                kill(pid, fd)
            if fd is not None:
                os.close(fd)
        return found

    def is_spared(self, pid: int) -> bool:
        """Whether it is one that was detached, or is in its session."""
        found = look(pid)
        return found is not None and (self.spared.get(pid) == found[2] or found[1] in self.spared)


def main(epoch: str, policy: str) -> None:
    """Become nobody's child, in a session of its own, that nothing but SIGKILL ends; and hold."""
    for name in DEAF:
        signal.signal(getattr(signal, f"SIG{name}"), signal.SIG_IGN)
    if os.fork():
        os._exit(0)
    os.setsid()
    with suppress(ImportError, OSError, ValueError):
        import resource

        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    listener = None
    with suppress(OSError):  # else there will be no next agent
        listener = socket.socket(fileno=1)
    Keeper(socket.socket(fileno=0), listener, epoch, policy).run()


if __name__ == "__main__":
    main(*sys.argv[1:3])

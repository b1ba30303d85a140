"""Transports that are broken, each in one way, and the promise that each breaks."""

import contextlib
import os
from functools import partial

import anyio
from attrs import evolve

from procctl.abc import Peer, Traits
from procctl.errors import BadMessage, PeerGone
from procctl.testing import Promise
from procctl.transports import unix

from .wrapping import Unix, Wrapped, WrappedListener, Wrapper, until_shut

MUTANTS = {}
"""Classes, and the promise that each breaks."""
LEFT = []
"""Descriptors that one of them leaves open."""


def by_name(name):
    """One of them."""
    return next(kind for kind in MUTANTS if kind.__name__ == name)()


def breaks(promise):
    """A transport whose connections are of this class breaks that promise."""

    def note(kind):
        if issubclass(kind, Wrapped):
            kind = type(kind.__name__, (Wrapper,), {"connection": kind, "__module__": __name__})
        elif issubclass(kind, WrappedListener):
            kind = type(kind.__name__, (Wrapper,), {"listener": kind, "__module__": __name__})
        MUTANTS[kind] = promise
        return kind

    return note


class Altering(Wrapped):
    """One whose frames arrive otherwise."""

    def __init__(self, inner, name=""):
        super().__init__(inner, name)
        self.count = 0
        self.ready = []

    async def receive(self):
        while not self.ready:
            self.count += 1
            await self.alter(await super().receive())
        return self.ready.pop(0)


@breaks(Promise.KEPT)
class Drops(Altering):
    async def alter(self, frame):
        self.ready = [] if self.count % 100 == 99 else [frame]


@breaks(Promise.ORDERED)
class Swaps(Altering):
    async def alter(self, frame):
        self.ready = [await self.inner.receive(), frame] if self.count == 50 else [frame]


class Prompt(Wrapped):
    """One that takes frames at once."""

    def send_nowait(self, frame):
        return self.inner.send_nowait(frame)


@breaks(Promise.CANCELS)
class SaysThatItHasTaken(Prompt):
    """Now and then, and has not. That is seen first where a peer is flooded."""

    taken = 0

    def send_nowait(self, frame):
        self.taken += 1
        return self.taken % 5 == 0 or super().send_nowait(frame)


@breaks(Promise.WHOLE)
class Splits(Altering):
    async def alter(self, frame):
        self.ready = [frame[:60_000], frame[60_000:]] if len(frame) > 60_000 else [frame]


@breaks(Promise.WHOLE)
class Glues(Altering):
    async def alter(self, frame):
        self.ready = [frame + await self.inner.receive()] if self.count == 50 else [frame]


@breaks(Promise.WHOLE)
class Flips(Altering):
    async def alter(self, frame):
        self.ready = [frame[:-2] + b"!" + frame[-1:] if self.count == 250 else frame]


@breaks(Promise.ONCE)
class Doubles(Altering):
    async def alter(self, frame):
        self.ready = [frame, frame] if self.count == 250 else [frame]


@breaks(Promise.CLOSES)
class ClosesNever(Wrapped):
    async def aclose(self):
        await self.inner.aclose()
        await anyio.sleep_forever()


@breaks(Promise.CLOSES)
class ClosesOnce(Wrapped):
    async def aclose(self):
        if self.shut:
            raise RuntimeError("closed already")
        await super().aclose()


@breaks(Promise.CLOSES)
class ReceivesAfterItsEnd(Wrapped):
    async def receive(self):
        try:
            return await super().receive()
        except PeerGone:
            return b""


@breaks(Promise.CLOSES)
class WaitsOnWhenClosed(Wrapped):
    async def receive(self):
        try:
            return await super().receive()
        except PeerGone:
            if not self.shut:
                raise
            await anyio.sleep_forever()


@breaks(Promise.CLOSES)
class AcceptsForEver(WrappedListener):
    async def accept(self):
        from procctl.errors import Closed

        try:
            return await super().accept()
        except Closed:
            await anyio.sleep_forever()


@breaks(Promise.ENDS)
class NeverNoticesAnEnd(Wrapped):
    async def receive(self):
        try:
            return await super().receive()
        except PeerGone:
            await until_shut(self)


@breaks(Promise.PROVEN)
class BelievesAName(Wrapped):
    @property
    def peer(self):
        return evolve(self.inner.peer, identity=f"user:{self.inner.peer.name}")


@breaks(Promise.PROVEN)
class ProvesNothing(Wrapped):
    @property
    def peer(self):
        return Peer(name=self.inner.peer.name)


@breaks(Promise.PROVEN)
class ProvesWithoutSayingSo(WrappedListener):
    def __init__(self, inner, connection):
        super().__init__(inner, connection)
        self.traits = Traits(owner=True, in_process=True)


@breaks(Promise.APART)
class MixesPeersUp(WrappedListener):
    def __init__(self, inner, connection):
        super().__init__(inner, partial(Mixed, {}))


class Mixed(Altering):
    """Each tenth frame of the peer called two arrives as one's."""

    def __init__(self, others, inner):
        super().__init__(inner)
        self.others = others
        others[inner.peer.name] = self

    async def alter(self, frame):
        mixed = self.peer.name == "two" and self.count % 10 == 0
        (self.others["one"] if mixed else self).ready.append(frame)


@breaks(Promise.REACHED)
class FindsNobodyByAnotherName(Wrapper):
    async def connect(self, url, name, options):
        try:
            return await super().connect(url, name, options)
        except PeerGone:
            raise ConnectionRefusedError("nobody is there") from None


@breaks(Promise.REACHED)
class ConnectsToNobody(Wrapper):
    async def connect(self, url, name, options):
        try:
            return await super().connect(url, name, options)
        except PeerGone:
            from procctl.link.pair import pair

            here, there = pair("nobody", "nobody")
            await there.aclose()
            return here


@breaks(Promise.CLEAN)
class LeavesADescriptor(Wrapped):
    async def aclose(self):
        if not self.shut:
            LEFT.append(os.open("/dev/null", os.O_RDONLY))
        await super().aclose()


@breaks(Promise.RESUMES)
class LosesWhenItComesAgain(Wrapper):
    lines = 0

    async def connect(self, url, name, options):
        made = await self.inner.connect(url, name, options)
        self.lines += name == "line"
        return LosesItems(made) if self.lines > 1 else made


class LosesItems(Altering):
    """Each twentieth item of a stream does not arrive."""

    async def alter(self, frame):
        self.ready = [] if b'"item"' in frame and self.count % 20 == 0 else [frame]


@breaks(Promise.LIMITED)
class CutsLongFramesOff(Unix):
    class connection(Wrapped):
        async def receive(self):
            try:
                return await super().receive()
            except BadMessage:
                return b'"the rest was too long"'


@breaks(Promise.LIMITED)
class EndsWithLongFrames(Unix):
    class connection(Wrapped):
        async def receive(self):
            try:
                return await super().receive()
            except BadMessage as error:
                raise PeerGone(str(error)) from None


@breaks(Promise.CANCELS)
class GivesHalfFrames(Unix):
    class connection(Wrapped):
        async def receive(self):
            try:
                return await super().receive()
            except PeerGone:
                if not self.inner._lines.within:
                    raise
                self.inner._lines.feed(b"\n")
                return self.inner._lines.next()


@breaks(Promise.FIREWALL)
class DiesOfNonsense(Unix):
    class listener(WrappedListener):
        async def accept(self):
            connection = await super().accept()
            with anyio.move_on_after(0.02):
                await anyio.wait_readable(connection.inner._socket)
                if connection.inner._socket.recv(1, unix.socket.MSG_PEEK) not in (b"{", b'"', b"7"):
                    await connection.aclose()
                    raise ValueError("this is no protocol")
            return connection


class SaysGoodbye(Wrapped):
    """Ends with a word; a peer that ends without it counts as suspended."""

    lost = False

    @property
    def suspended(self):
        return self.lost

    async def receive(self):
        try:
            frame = await super().receive()
        except PeerGone as error:
            if "in the middle" in str(error):
                raise
            self.lost = True
            await until_shut(self)
        if frame == b"bye":
            raise PeerGone("the peer said goodbye")
        return frame

    async def send(self, frame):
        try:
            await super().send(frame)
        except PeerGone:
            if not self.lost:
                raise
            await until_shut(self)

    async def aclose(self):
        if not self.shut:
            self.shut = True
            with anyio.move_on_after(0.5, shield=True), contextlib.suppress(PeerGone, anyio.BusyResourceError):
                await self.inner.send(b"bye")
        await self.inner.aclose()


@breaks(Promise.DIES)
class WaitsForAGoodbye(Unix):
    connection = SaysGoodbye


@breaks(Promise.HANGS)
class IsAlwaysSuspended(Unix):
    class connection(Wrapped):
        suspended = True

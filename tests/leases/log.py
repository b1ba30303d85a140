"""What the witness has written, read line by line as it grows; what must never stand there is an error."""

from typing import NamedTuple


class Seen(NamedTuple):
    """One line of the witness."""

    token: int
    epoch: int
    pid: int
    time: float
    host: str
    taken: bool


class Log:
    """Args: path: Of the file. overlap: Whether two at once are to be expected, since both guards are stopped."""

    def __init__(self, path, overlap=False):
        self.overlap = overlap
        self.last = None
        self.tokens = set()
        self.refused = 0
        self.twos = 0
        self._path = path
        self._over = set()
        self._offset = 0

    def read(self):
        """All that is new; gives the last line there is, or None."""
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._offset += len(whole)
            for line in whole.decode().splitlines():
                self._take(line)
        return self.last

    def _take(self, line):
        if line == "two":
            self.twos += 1
            assert self.overlap, "the lock was held by another"
            return
        token, epoch, pid, at, host, taken = line.split()
        seen = Seen(int(token), int(epoch), int(pid), float(at), host, taken == "yes")
        last = self.last
        if not seen.taken:
            self.refused += 1
            assert self.overlap, f"{seen} was refused after {last}"
            assert seen.token < last.token
            return  # of no effect
        if last is not None:
            assert last.time <= seen.time
            if last.pid != seen.pid:
                assert last.token < seen.token, f"{seen} after {last}"
                self._over.add(last.pid)
        assert seen.pid not in self._over, f"{seen} writes on, after {last}"
        self.last = seen
        self.tokens.add(seen.token)

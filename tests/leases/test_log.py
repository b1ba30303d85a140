"""What must never stand in the witness's log is noticed."""

import pytest

from .log import Log

LINES = {
    "alone": (["1 1 10 0.1 a yes", "1 1 10 0.2 a yes", "3 1 12 0.3 b yes"], True, True),
    "the lock was taken": (["1 1 10 0.1 a yes", "two"], False, True),
    "the older one writes on": (["1 1 10 0.1 a yes", "2 1 11 0.2 b yes", "1 1 10 0.3 a no"], False, True),
    "and the store takes it": (["1 1 10 0.1 a yes", "2 1 11 0.2 b yes", "1 1 10 0.3 a yes"], False, False),
    "the next has the same number": (["1 1 10 0.1 a yes", "1 1 11 0.2 b yes"], False, False),
    "the clock goes back": (["1 1 10 0.2 a yes", "1 1 10 0.1 a yes"], False, False),
}
"""Lines, whether they may be there, and whether they may where two are to be expected."""


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("name", LINES)
def test_lines(tmp_path, name, overlap):
    lines, *may = LINES[name]
    path = tmp_path / "log"
    log = Log(path, overlap)
    assert log.read() is None
    path.write_text("\n".join(lines) + "\n9 9 9")  # the last is still being written
    if may[overlap]:
        assert log.read().taken
        assert len(log.tokens) == len({line.split()[0] for line in lines if line.endswith("yes")})
    else:
        with pytest.raises(AssertionError):
            log.read()

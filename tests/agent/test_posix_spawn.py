"""Starting programs by the C library: what the system says of a failure, and what is found along PATH."""

import errno
import os

import pytest

from procctl.agent import posix_spawn

pytestmark = pytest.mark.skipif(not posix_spawn.available(), reason="this C library lacks what is needed")

ENV = {b"PATH": b"/usr/bin:/bin"}


@pytest.fixture
def ends():
    """stdin, and a pipe as stdout and stderr; what it reads."""
    reading, writing = os.pipe()
    null = os.open(os.devnull, os.O_RDWR)
    yield null, writing, reading
    for fd in (null, reading, writing):
        os.close(fd)


def run(ends, command, cwd=None, env=ENV):
    null, writing, reading = ends
    pid = posix_spawn.spawn(command, cwd, env, (null, writing, writing))
    _, status = os.waitpid(pid, 0)
    os.set_blocking(reading, False)
    try:
        text = os.read(reading, 65536)
    except BlockingIOError:
        text = b""
    return os.waitstatus_to_exitcode(status), text


def test_it_has_its_arguments_folder_and_environment(ends, tmp_path):
    script = 'printf "<%s>" "$1" "$X" "$(pwd)"; exit 3'
    code, text = run(ends, ["sh", "-c", script, "sh", "a b"], str(tmp_path), ENV | {b"X": b"\xff"})
    assert (code, text) == (3, b"<a b><\xff><" + os.fsencode(tmp_path) + b">")


def test_it_is_the_first_of_a_session_and_has_no_other_descriptor(ends):
    other = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(other, True)
    try:
        code, text = run(ends, ["sh", "-c", "ls /proc/self/fd; ps -o sid= -p $$; echo $$"])
    finally:
        os.close(other)
    *found, session, pid = map(int, text.split())
    assert (code, found, session) == (0, [0, 1, 2, 3], pid)  # the last is that of the folder that ls reads


def test_a_program_is_looked_for_along_path(ends, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, mode, said in ((first, 0o644, "no"), (second, 0o755, "yes")):
        folder.mkdir()
        (folder / "tool").write_text(f"#!/bin/sh\necho {said}\n")
        (folder / "tool").chmod(mode)
    path = os.fsencode(f"{tmp_path}/none:{first}:{second}")
    assert run(ends, ["tool"], env={b"PATH": path}) == (0, b"yes\n")  # what cannot be run is passed over
    (second / "tool").unlink()
    with pytest.raises(PermissionError):
        run(ends, ["tool"], env={b"PATH": path})


def test_a_relative_path_is_meant_from_its_folder(ends, tmp_path):
    (tmp_path / "tool").write_text("#!/bin/sh\necho here\n")
    (tmp_path / "tool").chmod(0o755)
    assert run(ends, ["./tool"], str(tmp_path)) == (0, b"here\n")
    assert run(ends, ["tool"], str(tmp_path), {b"PATH": b"."}) == (0, b"here\n")


@pytest.mark.parametrize(
    ("command", "cwd", "code", "name"),
    [
        (["no-such-program"], None, errno.ENOENT, "no-such-program"),
        (["/no/such/file"], None, errno.ENOENT, "/no/such/file"),
        (["/etc/passwd"], None, errno.EACCES, "/etc/passwd"),
        (["/etc/passwd/x"], None, errno.ENOTDIR, "/etc/passwd/x"),
        (["true"], "/no/such/folder", errno.ENOENT, "/no/such/folder"),
        (["true"], "/etc/passwd", errno.ENOTDIR, "/etc/passwd"),
        (["/no/such/file"], "/", errno.ENOENT, "/no/such/file"),
    ],
)
def test_an_error_names_what_it_is_about(ends, command, cwd, code, name):
    with pytest.raises(OSError) as caught:
        run(ends, command, cwd)
    assert (caught.value.errno, caught.value.filename) == (code, name)


def test_a_nul_character_is_refused(ends):
    with pytest.raises(ValueError, match="null byte"):
        run(ends, ["echo", "a\0b"])

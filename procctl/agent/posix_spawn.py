"""posix_spawn(3) of the C library, so that other threads run while a program is started.

CPython holds its lock from vfork to the child's new image, in `subprocess` and in `os.posix_spawn` alike: with many
descriptors open that is half a millisecond for each start in which the loop stands still. A call by ctypes gives the
lock up. What is needed beyond POSIX (a session, a folder, closing all other descriptors) glibc has since 2.34; where
it is not there, `available` says so and `subprocess` is used.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import stat
from collections.abc import Mapping, Sequence
from functools import lru_cache

__all__ = ["available", "spawn"]

_SETSIGDEF, _SETSID = 0x04, 0x80
"""POSIX_SPAWN_SETSIGDEF and POSIX_SPAWN_SETSID of spawn.h."""
_SIZE = 1024
"""Bytes for a posix_spawnattr_t, a posix_spawn_file_actions_t or a sigset_t: more than any has."""
_NEEDED = ("posix_spawn", "posix_spawn_file_actions_addchdir_np", "posix_spawn_file_actions_addclosefrom_np")
_NEXT = {errno.ENOENT, errno.ENOTDIR, errno.EACCES}
"""What makes a search go on to the next folder, as execvp(3) does."""


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(None)
    library.posix_spawnattr_setflags.argtypes = (ctypes.c_void_p, ctypes.c_short)
    return library


def available() -> bool:
    """Whether the C library has all that is needed."""
    try:
        return all(hasattr(_library(), name) for name in _NEEDED)
    except (OSError, AttributeError, TypeError):
        return False


def spawn(
    command: Sequence[str],
    cwd: str | None,
    env: Mapping[bytes, bytes],
    ends: Sequence[int],
) -> int:
    """Start a program in a session of its own, with no descriptor but these.

    Args:
        command: The program and its arguments; without a slash it is looked for in the PATH of `env`.
        cwd: Its folder, or None.
        env: Its whole environment.
        ends: Descriptors that become its 0, 1, 2, and so on; all of them above the last of these numbers.

    Returns:
        Its pid.

    Raises:
        OSError: As exec(3), or chdir(2) with `cwd` as its file name, says.
        ValueError: A word has a NUL character.
    """
    words = [os.fsencode(word) for word in command]
    pairs = [key + b"=" + value for key, value in env.items()]
    if any(b"\0" in text for text in (*words, *pairs)):
        raise ValueError("embedded null byte")
    argv = (ctypes.c_char_p * (len(words) + 1))(*words, None)
    envp = (ctypes.c_char_p * (len(pairs) + 1))(*pairs, None)
    library = _library()
    actions = _actions(library, cwd, ends)
    try:
        return _first(library, _candidates(words[0], cwd, env), actions, argv, envp)
    except OSError as error:
        folder = _unusable(cwd) if cwd is not None else 0
        code = folder or error.errno or 0
        raise OSError(code, os.strerror(code), cwd if folder else command[0]) from None
    finally:
        library.posix_spawn_file_actions_destroy(actions)


def _first(
    library: ctypes.CDLL,
    paths: Sequence[bytes],
    actions: ctypes.Array[ctypes.c_char],
    argv: ctypes.Array[ctypes.c_char_p],
    envp: ctypes.Array[ctypes.c_char_p],
) -> int:
    """Start the first of these programs that can be."""
    pid = ctypes.c_int()
    failed = errno.ENOENT
    for path in paths:
        code = library.posix_spawn(ctypes.byref(pid), path, actions, _attributes(), argv, envp)
        if not code:
            return pid.value
        if code not in _NEXT:
            raise OSError(code, "")
        failed = code if code == errno.EACCES or len(paths) == 1 else failed
    raise OSError(failed, "")


def _unusable(cwd: str) -> int:
    """Why nobody can enter a folder, as chdir(2) says it; 0: there is no reason."""
    try:
        if not stat.S_ISDIR(os.stat(cwd).st_mode):
            return errno.ENOTDIR
    except OSError as error:
        return error.errno or 0
    return 0 if os.access(cwd, os.X_OK) else errno.EACCES


def _candidates(program: bytes, cwd: str | None, env: Mapping[bytes, bytes]) -> list[bytes]:
    if b"/" in program:
        return [program]
    folders = env.get(b"PATH", os.fsencode(os.defpath)).split(b":")
    paths = [os.path.join(folder, program) for folder in folders]
    base = os.fsencode(cwd or "")
    return [path for path in paths if os.access(os.path.join(base, path), os.F_OK)]


def _actions(library: ctypes.CDLL, cwd: str | None, ends: Sequence[int]) -> ctypes.Array[ctypes.c_char]:
    actions = ctypes.create_string_buffer(_SIZE)
    codes = [library.posix_spawn_file_actions_init(actions)]
    if cwd is not None:
        codes.append(library.posix_spawn_file_actions_addchdir_np(actions, os.fsencode(cwd)))
    for number, end in enumerate(ends):
        codes.append(library.posix_spawn_file_actions_adddup2(actions, end, number))
    codes.append(library.posix_spawn_file_actions_addclosefrom_np(actions, len(ends)))
    for code in codes:
        if code:
            library.posix_spawn_file_actions_destroy(actions)
            raise OSError(code, os.strerror(code))
    return actions


@lru_cache(maxsize=1)
def _attributes() -> ctypes.Array[ctypes.c_char]:
    """A session of its own; and the signals that Python ignores are not ignored there, as `subprocess` does."""
    library = _library()
    attributes, signals = ctypes.create_string_buffer(_SIZE), ctypes.create_string_buffer(_SIZE)
    library.sigemptyset(signals)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        library.sigaddset(signals, int(number))
    library.posix_spawnattr_init(attributes)
    library.posix_spawnattr_setsigdefault(attributes, signals)
    library.posix_spawnattr_setflags(attributes, _SETSIGDEF | _SETSID)
    return attributes

"""Every key of procctl.toml: one table, from which files are read and the JSON Schema is made."""

from __future__ import annotations

from typing import Any

from ..core.check import signal_name
from ..core.specs import SHUTDOWN
from .kinds import (
    BOOL,
    COMMAND,
    DURATION,
    INT,
    NUMBER,
    SIZE,
    TEXT,
    TEXTS,
    Key,
    Kind,
    Place,
    either,
    list_of,
    map_of,
    one_of,
    table,
    wrong,
)
from .units import duration

__all__ = ["CONFIG", "PROCESS"]


def _signal(value: Any, place: Place) -> str:
    if value == SHUTDOWN:
        return SHUTDOWN
    name = signal_name(TEXT.read(value, place))
    if name is None:
        raise wrong(place, f"{value!r} is no signal", "for example TERM, INT or HUP; or the message shutdown")
    return name


def _backoff(value: Any, place: Place) -> tuple[float, float]:
    if not isinstance(value, str):
        seconds = float(DURATION.read(value, place))
        return seconds, seconds
    low, dots, high = value.partition("..")
    try:
        return (duration(low), duration(high)) if dots else (duration(low), duration(low))
    except ValueError as error:
        raise wrong(place, str(error), "for example 1s..60s") from None


def _limit(value: Any, place: Place) -> int | None:
    if value == "none":
        return None
    return int(INT.read(value, place))


def _step(value: Any, place: Place) -> tuple[str, float]:
    if type(value) is not list or len(value) != 2:
        raise wrong(place, "expected a signal and a duration", 'for example ["INT", "5s"]')
    return SIGNAL.read(value[0], place.at(0)), DURATION.read(value[1], place.at(1))


def _port(value: Any, place: Place) -> tuple[str, int]:
    if type(value) is int:
        return "127.0.0.1", value
    host, colon, port = TEXT.read(value, place).rpartition(":")
    if not colon or not port.isdecimal():
        raise wrong(place, f"expected a port or host:port, got {value!r}")
    return host.strip("[]") or "127.0.0.1", int(port)


def _ready_text(value: Any, place: Place) -> str:
    if value is True:
        return "ready"
    return str(TEXT.read(value, place))


SIGNAL = Kind(_signal, {"type": "string"})
_TEXT_OR_TEXTS = either(lambda v: TEXT if isinstance(v, str) else TEXTS, (TEXT, TEXTS), "a text or an array of texts")
_POLICY = one_of("always", "on-failure", "never")
_MODE = one_of("many", "one", "force")

RESTART = table(
    {
        "policy": Key(_POLICY, "after an end that nobody asked for; default: never"),
        "backoff": Key(
            Kind(_backoff, {"type": ["string", "number"]}), "delay before the first and at most: 1s..60s (default)"
        ),
        "jitter": Key(NUMBER, "share of the delay that is random, 0 to 1; default: 0.5"),
        "limit": Key(
            Kind(_limit, {"anyOf": [{"type": "integer", "minimum": 0}, {"const": "none"}]}),
            'restarts within the window; "none": for ever; default: 10',
        ),
        "window": Key(DURATION, "what the limit counts in; default: 5m"),
        "min_uptime": Key(DURATION, "a shorter run is not restarted; default: 0s"),
        "reset": Key(DURATION, "after a longer run the delay begins again at its low end; default: 30s"),
    }
)
STOP = table(
    {
        "signal": Key(SIGNAL, "the first signal, or shutdown, which is a message on the channel; default: TERM"),
        "grace": Key(DURATION, "time until KILL; default: 10s"),
        "steps": Key(
            list_of(Kind(_step, {"type": "array", "minItems": 2, "maxItems": 2})),
            'several signals with their waits: [["INT", "5s"], ["TERM", "5s"]]; KILL always ends it',
        ),
    }
)
READY = table(
    {
        "tcp": Key(Kind(_port, {"type": ["integer", "string"]}), "a port, or host:port, that accepts a connection"),
        "log": Key(TEXT, "a regular expression that a line of its output matches"),
        "command": Key(COMMAND, "a program that exits with 0"),
        "message": Key(
            Kind(_ready_text, {"anyOf": [{"const": True}, {"type": "string"}]}),
            "a text that it sends on its channel; true: ready",
        ),
        "every": Key(DURATION, "time between tries; default: 100ms for tcp, 500ms for command"),
        "timeout": Key(DURATION, "time after which it is stopped as a failure; default: 30s"),
    }
)
WATCHDOG = table(
    {
        "every": Key(DURATION, "the time in which it says something on its channel; default: 30s"),
        "on_silence": Key(one_of("show", "end", "kill"), "what follows if it does not; default: show"),
    }
)
HOOKS = table(
    {
        "timeout": Key(DURATION, "time for each of its answers; default: 10s"),
        "on_timeout": Key(one_of("end", "kill", "fail"), "what follows if it does not answer; default: end"),
    }
)
LOGS = table(
    {
        "file": Key(TEXT, "also append its output to this file, relative to its folder"),
        "stderr": Key(TEXT, "another file for stderr; default: together with stdout"),
        "max_size": Key(SIZE, "a file that would be larger is rotated; default: never"),
        "max_age": Key(DURATION, "a file whose first byte is older is rotated; default: never"),
        "keep": Key(INT, "how many rotated files are kept; default: 5"),
        "compress": Key(BOOL, "whether rotated files are compressed with gzip; default: false"),
        "format": Key(one_of("raw", "text", "json"), "as it came, behind time and stream, or JSON; default: raw"),
        "ring": Key(SIZE, "how much of the last output stays in memory; default: 1MiB"),
    }
)
DEPENDS_ON = either(
    lambda v: TEXTS if isinstance(v, list) else map_of(one_of("started", "ready", "completed", "succeeded")),
    (TEXTS, map_of(one_of("started", "ready", "completed", "succeeded"))),
    "names",
)

PROCESS: dict[str, Key] = {
    "command": Key(COMMAND, "the program and its arguments; a text is split as a shell would"),
    "shell": Key(BOOL, "run the command, a text, by /bin/sh; default: false"),
    "cwd": Key(TEXT, "its folder, relative to this file; default: this file's folder"),
    "env": Key(map_of(TEXT), "added to the environment"),
    "env_file": Key(_TEXT_OR_TEXTS, "files of NAME=value lines; env beats them"),
    "group": Key(TEXT, "for the target group:NAME"),
    "instances": Key(INT, "how many; slots NAME.1, NAME.2, …; default: 1"),
    "mode": Key(_MODE, "how many of a slot may run in the fleet; default: many"),
    "scope": Key(one_of("fleet", "host"), "where other holders of the slot count; default: fleet"),
    "level": Key(
        one_of("lease", "strict"),
        "what becomes of a slot for one whose host is lost: free after a time, or kept; default: lease",
    ),
    "standby": Key(BOOL, "whether it waits for the holder of its slot to end; default: false, it is refused"),
    "admission": Key(BOOL, "whether to ask for permission; default: yes"),
    "restart": Key(
        either(lambda v: _POLICY if isinstance(v, str) else RESTART, (_POLICY, RESTART), "a policy"),
        "after an end that nobody asked for",
    ),
    "stop": Key(STOP, "how it is asked to end"),
    "depends_on": Key(DEPENDS_ON, "what it waits for: started, ready, completed or succeeded; an array means started"),
    "ready": Key(READY, "when it counts as ready; default: as soon as it runs"),
    "logs": Key(LOGS, "where its output is kept"),
    "hooks": Key(
        either(lambda v: BOOL if isinstance(v, bool) else HOOKS, (BOOL, HOOKS), "true or a table"),
        "whether it is asked to begin and to pause its work; default: false",
    ),
    "watchdog": Key(WATCHDOG, "how often it has to say something; default: never"),
}
AGENT = table(
    {
        "name": Key(TEXT, "default: $B0_HOST_ID, then the host's name"),
        "listen": Key(_TEXT_OR_TEXTS, "URLs to be controlled on; default: the user's private unix socket"),
        "join": Key(_TEXT_OR_TEXTS, "URL of a controller to be part of, or a list with it"),
        "state_dir": Key(TEXT, "folder of what the next agent has to know, relative to this file; default: none"),
        "on_exit": Key(one_of("stop", "keep"), "whether what it runs ends with it, or lives on; default: stop"),
    }
)
AUTH = table(
    {
        "token_file": Key(TEXT, "the credentials that listeners know, and that is shown when joining"),
        "tls": Key(
            table(
                {
                    "cert": Key(TEXT, "the certificate chain to show, PEM"),
                    "key": Key(TEXT, "its private key, PEM"),
                    "ca": Key(TEXT, "the certificates to trust, PEM; default: the system's"),
                }
            ),
            "for https and amqps",
        ),
        "amqp": Key(
            table({"password_file": Key(TEXT, "a file whose only line is the password at the broker")}),
            "for amqp and amqps",
        ),
    }
)
POLICY = table(
    {
        "match": Key(TEXT, "names it is for, a glob; default: all"),
        "hosts": Key(TEXTS, "where they may run, globs; default: everywhere"),
        "mode": Key(_MODE, "the mode they run in; a process may ask for a stricter one"),
        "approve": Key(one_of("auto", "ask", "deny"), "ask: a person decides; default: auto"),
        "within": Key(DURATION, "how long a person has; default: for ever"),
    }
)
CONFIG = table(
    {
        "version": Key(INT, "of this format: 1"),
        "include": Key(TEXTS, "more files, globs, relative to this one; they declare processes"),
        "agent": Key(AGENT, "the agent itself"),
        "auth": Key(AUTH, "who may come in, and who to be elsewhere"),
        "policy": Key(list_of(POLICY), "who may run; the first that matches counts"),
        "process": Key(map_of(table(PROCESS, required=("command",))), "processes by name"),
    }
)

"""procctl.toml: read strictly; an unknown key is an error that names its path and the nearest known key."""

from __future__ import annotations

import shlex
import tomllib
from pathlib import Path
from typing import Any

from ..core.approval import Policy, rule
from ..core.auth import Auth
from ..core.specs import (
    AnyReady,
    HooksSpec,
    LogSpec,
    ProcessSpec,
    ReadyCommand,
    ReadyLog,
    ReadyMessage,
    ReadyTcp,
    RestartSpec,
    StopSpec,
    WatchdogSpec,
)
from ..errors import BadConfig
from .declared import Declared
from .dotenv import read_env
from .keys import CONFIG
from .kinds import Place, wrong

__all__ = ["read_document", "read_toml"]


def read_toml(path: Path, table: str = "") -> Declared:
    """The declarations of a file.

    Args:
        path: The file.
        table: Dotted name of the table that has them (``tool.procctl`` in a pyproject.toml); empty: the whole file.

    Raises:
        BadConfig: It cannot be read, or something in it cannot be used; says where.
    """
    document = _load(path)
    for name in table.split(".") if table else ():
        document = document.get(name, {})
    return read_document(document, path)


def read_document(document: dict[str, Any], path: Path) -> Declared:
    """The declarations of a document that stands in a file."""
    place = Place(str(path))
    values = CONFIG.read(document, place)
    if values.get("version", 1) != 1:
        raise wrong(place.at("version"), f"version {values['version']} is not known", "this procctl reads version 1")
    agent = values.get("agent", {})
    listen = agent.get("listen", ())
    specs = _processes(values, path)
    for pattern in values.get("include", ()):
        for other in sorted(path.parent.glob(pattern)):
            _include(specs, other)
    return Declared(
        file=str(path),
        name=agent.get("name", ""),
        listen=(listen,) if isinstance(listen, str) else tuple(listen),
        join=_one(agent.get("join", ()), place.at("agent").at("join")),
        state_dir=str(path.parent / Path(agent["state_dir"]).expanduser()) if agent.get("state_dir") else "",
        on_exit=agent.get("on_exit", "stop"),
        auth=_auth(values.get("auth", {}), path),
        policies=tuple(_policy(policy, place.at("policy").at(i)) for i, policy in enumerate(values.get("policy", ()))),
        processes=tuple(spec for spec, _ in specs.values()),
    )


def _one(urls: str | tuple[str, ...], place: Place) -> str:
    if isinstance(urls, str):
        return urls
    if len(urls) > 1:
        raise wrong(place, f"an agent joins one controller, and there are {len(urls)}")
    return urls[0] if urls else ""


def _load(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadConfig(f"there is no {path}") from None
    except OSError as error:
        raise BadConfig(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise BadConfig(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        raise BadConfig(f"{path}: {error}") from None


def _auth(keys: dict[str, Any], path: Path) -> Auth:
    """Its files are relative to the file that names them."""
    found = {"token_file": keys.get("token_file", ""), **keys.get("tls", {}), **keys.get("amqp", {})}
    folder = path.resolve().parent
    return Auth(**{key: str(folder / Path(file).expanduser()) for key, file in found.items() if file})


def _include(specs: dict[str, tuple[ProcessSpec, Path]], path: Path) -> None:
    values = CONFIG.read(_load(path), Place(str(path)))
    for key in values:
        if key not in ("process", "version"):
            raise wrong(Place(str(path), key), "an included file declares processes and nothing else")
    for name, (spec, _) in _processes(values, path).items():
        if name in specs:
            raise wrong(Place(str(path), f"process.{name}"), f"{name!r} is declared in {specs[name][1]} already")
        specs[name] = (spec, path)


def _processes(values: dict[str, Any], path: Path) -> dict[str, tuple[ProcessSpec, Path]]:
    folder = path.resolve().parent
    return {
        name: (_process(name, keys, folder, Place(str(path), f"process.{name}")), path)
        for name, keys in values.get("process", {}).items()
    }


def _process(name: str, keys: dict[str, Any], folder: Path, place: Place) -> ProcessSpec:
    command = keys["command"]
    if keys.get("shell"):
        if not isinstance(command, str):
            raise wrong(place.at("command"), "with shell = true the command is a text")
        command = ("/bin/sh", "-c", command)
    elif isinstance(command, str):
        command = tuple(shlex.split(command))
    env: dict[str, str | None] = {}
    files = keys.get("env_file", ())
    for file in (files,) if isinstance(files, str) else files:
        env.update(read_env(folder / file))
    env.update(keys.get("env", {}))
    depends_on = keys.get("depends_on", {})
    if isinstance(depends_on, tuple):
        depends_on = dict.fromkeys(depends_on, "started")
    plain = {
        key: keys[key]
        for key in ("group", "instances", "mode", "scope", "level", "standby", "admission")
        if key in keys
    }
    return ProcessSpec(
        name=name,
        command=command,
        cwd=str(folder / Path(keys.get("cwd", ".")).expanduser()),
        env=env,
        depends_on=depends_on,
        restart=_restart(keys.get("restart", {})),
        stop=_stop(keys.get("stop", {}), place.at("stop")),
        ready=_ready(keys.get("ready"), place.at("ready")),
        logs=LogSpec(**keys.get("logs", {})),
        hooks=_hooks(keys.get("hooks")),
        watchdog=WatchdogSpec(**keys["watchdog"]) if "watchdog" in keys else None,
        **plain,
    )


def _restart(keys: str | dict[str, Any]) -> RestartSpec:
    if isinstance(keys, str):
        return RestartSpec(policy=keys)  # type: ignore[arg-type]
    return RestartSpec(**{"delay" if key == "backoff" else key: value for key, value in keys.items()})


def _stop(keys: dict[str, Any], place: Place) -> StopSpec:
    if "steps" in keys:
        if len(keys) > 1:
            raise wrong(place, "steps say everything: signal and grace do not go with them")
        return StopSpec(steps=keys["steps"])
    return StopSpec(steps=((keys.get("signal", "SIGTERM"), keys.get("grace", 10.0)),))


def _ready(keys: dict[str, Any] | None, place: Place) -> AnyReady | None:
    if keys is None:
        return None
    kinds = [key for key in ("tcp", "log", "command", "message") if key in keys]
    if len(kinds) != 1:
        raise wrong(place, "expected one of tcp, log, command and message")
    times = {key: keys[key] for key in ("every", "timeout") if key in keys}
    match kinds[0]:
        case "tcp":
            host, port = keys["tcp"]
            return ReadyTcp(host=host, port=port, **times)
        case "log" | "message" as kind:
            if "every" in times:
                raise wrong(place.at("every"), f"with {kind} there is nothing to try every so often")
            if kind == "log":
                return ReadyLog(pattern=keys["log"], **times)
            return ReadyMessage(message=keys["message"], **times)
    command = keys["command"]
    return ReadyCommand(command=tuple(shlex.split(command)) if isinstance(command, str) else command, **times)


def _hooks(keys: bool | dict[str, Any] | None) -> HooksSpec | None:
    if isinstance(keys, dict):
        return HooksSpec(**keys)
    return HooksSpec() if keys else None


def _policy(keys: dict[str, Any], place: Place) -> Policy:
    if not keys.keys() & {"hosts", "mode", "approve"}:
        raise wrong(place, "a policy that says nothing", "it needs hosts, mode or approve")
    if keys.get("hosts") == ():
        raise wrong(place.at("hosts"), "no host is named, so it would refuse them all")
    if "within" in keys and keys.get("approve") != "ask":
        raise wrong(place.at("within"), "nobody is asked, so nobody needs time", 'it goes with approve = "ask"')
    return rule(**keys)

"""doctor."""

from __future__ import annotations

import time
from pathlib import Path

import click
from attrs import asdict

from ...agent.doctor import Finding, examine
from ...agent.features import probe
from ...core.credentials import read_credentials
from ...errors import BadConfig, PeerGone, ProcctlError
from ...link.connect import connect
from ...link.tokens import own_file, read_private
from .. import exits
from ..places import runtime_folder
from ..run_async import document, run
from ..settings import Settings, common, settings

__all__ = ["doctor"]


@click.command()
@common
def doctor() -> None:
    """What this kernel, user and installation can and cannot do, and what follows."""
    found = settings()

    async def work() -> int:
        findings = [*examine(probe()), _folder(), _token(found), await _agent(found)]
        bad = [finding for finding in findings if finding.good is False]
        if found.json:
            errors = [{"target": f.name, "code": "bad", "message": f.text, "hint": ""} for f in bad]
            click.echo(document([asdict(finding) for finding in findings], errors))
        else:
            for finding in findings:
                mark = {True: "ok", False: "--", None: "  "}[finding.good]
                click.echo(f"{mark}  {finding.name:<12} {finding.text}")
        return exits.FAILED if bad else exits.OK

    run(work)


def _folder() -> Finding:
    try:
        return Finding(name="folder", good=True, text=f"{runtime_folder(make=True)} is this user's alone")
    except ProcctlError as error:
        return Finding(name="folder", good=False, text=str(error))


def _token(found: Settings) -> Finding:
    """A file of credentials that others can read is as good as public."""
    given = found.auth().token_file
    try:
        file = Path(given) if given else own_file()
        if not given and not file.exists():
            return Finding(name="token", good=None, text=f"{file} is not there yet; it is made when something needs it")
        text, _ = read_private(file)
        known = read_credentials(text, str(file))
    except BadConfig as error:
        return Finding(name="token", good=False, text=str(error))
    over = sum(1 for one in known if one.expires is not None and one.expires <= time.time())
    expired = f", {over} of them expired" if over else ""
    return Finding(name="token", good=not over, text=f"{file}: {len(known)} credentials{expired}, this user's alone")


async def _agent(found: Settings) -> Finding:
    url = found.target_url()
    try:
        async with connect(url, auth=found.auth(), patience=0.0) as fleet:
            info = await fleet.info()
    except PeerGone as error:
        return Finding(name="agent", good=None, text=error.message)
    except ProcctlError as error:
        return Finding(name="agent", good=False, text=f"{url}: {error}")
    who = f"{info.role} {info.name} (pid {info.pid}, procctl {info.version})"
    return Finding(name="agent", good=True, text=f"{who} on {url}: {info.running} of {info.processes} run")

"""A controller that wants credentials, an agent with a token of its own, and somebody who may only look.

python fleet.py [asyncio|trio]
"""

import os
import secrets
import sys
import tempfile
from pathlib import Path

import anyio

import procctl

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def token(folder: Path, name: str, can: str) -> procctl.Auth:
    """What ``procctl token new --for NAME --can VERBS --add-to known`` does, and where the new token is."""
    line = f"token {secrets.token_urlsafe()} for={name} can={can}\n"
    for file in (folder / f"{name}.token", folder / "known"):
        with open(file, "a", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
            out.write(line)
    return procctl.Auth(token_file=folder / f"{name}.token")


async def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        north, ann = token(folder, "north", "agent"), token(folder, "ann", "viewer")
        url = f"unix://{folder}/fleet.sock?as=nobody"
        known = procctl.Auth(token_file=folder / "known")
        async with procctl.Controller(listen=url, auth=known) as controller:
            async with procctl.Agent("north", join=url, auth=north), procctl.connect(url, auth=ann) as fleet:
                await controller.start("web", SLEEP, hostname="north")
                for host in await fleet.hosts():
                    print(f"{host.name} is {host.state}: {host.identity}, {host.running} of {host.processes} run")
                try:
                    await fleet.stop("web")
                except procctl.Denied as refusal:
                    print(f"{refusal.code}: {refusal.message.partition(' may ')[2]}")
            try:
                async with procctl.Agent("north", join=url, auth=ann):
                    pass
            except procctl.Denied as refusal:
                print(refusal.code)


if __name__ == "__main__":
    anyio.run(main, backend=sys.argv[1] if len(sys.argv) > 1 else "asyncio")

"""The example shop from end to end: an order is placed, packed, survives a killed web, and all of it ends."""

import json
import os
import shutil
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
from cli.running import Cli, settled
from helpers import alive, free_port

pytestmark = pytest.mark.in_turn

SHOP = Path(__file__).parents[2] / "examples" / "shop"


@pytest.fixture
def shop(place, anyio_backend):
    """A copy of the shop, with a command line in it."""
    cli = Cli(place, anyio_backend)
    for file in [*SHOP.glob("*.py"), SHOP / "Procfile", SHOP / "procctl.toml"]:
        shutil.copy(file, place)
    cli.port = free_port()
    cli.env["SHOP_EVERY"] = "0.2"
    toml = (place / "procctl.toml").read_text().replace("5000", str(cli.port))
    cli.write("procctl.toml", toml)
    return cli


def ask(port, path, document=None):
    body = None if document is None else json.dumps(document).encode()
    with urlopen(Request(f"http://127.0.0.1:{port}{path}", data=body), timeout=5) as answer:
        return json.load(answer)


def is_open(port):
    try:
        return ask(port, "/health") == {"ok": True}
    except (URLError, OSError):
        return False


def packed(port):
    return [order["item"] for order in ask(port, "/orders") if order["state"] == "packed"]


def counted(folder):
    with closing(sqlite3.connect(folder / "data" / "shop.db", timeout=10)) as db:
        return db.execute("SELECT count(*) FROM takings WHERE orders > 0").fetchone()[0]


def test_by_procfile(shop):
    (shop.folder / "procctl.toml").unlink()
    with shop.begin("run", env={"PORT": str(shop.port)}) as going:
        going.until("the database is up to date", "waiting for orders", "open on http")
        settled(lambda: is_open(shop.port))
        assert ask(shop.port, "/orders", {"item": "tea", "cents": 250}) == {"id": 1}
        going.until("packed order 1: tea", "1 orders, 2.50 taken")
        assert packed(shop.port) == ["tea"]
        going.signal()
        assert "going home" in going.end(130)
    assert is_open(shop.port) is False


def test_by_toml(shop):
    shop("up", "--wait")
    try:
        assert ask(shop.port, "/orders", {"item": "tea", "cents": 250}) == {"id": 1}
        settled(lambda: packed(shop.port) == ["tea"])
        settled(lambda: counted(shop.folder))
        first = shop.item("web")["pid"]
        os.kill(first, signal.SIGKILL)
        settled(lambda: shop.item("web")["restarts"] == 1 and is_open(shop.port))
        assert ask(shop.port, "/orders", {"item": "milk", "cents": 100}) == {"id": 2}
        settled(lambda: packed(shop.port) == ["tea", "milk"])
        pids = {item["name"]: item["pid"] for item in shop.json("ps")["items"]}
        assert (pids["migrate"], pids["web"] not in (0, first)) == (0, True)
    finally:
        shop("down")
    assert [pid for pid in pids.values() if pid and alive(pid)] == []
    time.sleep(0)

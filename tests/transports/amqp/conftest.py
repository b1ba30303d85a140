"""A broker for all tests that leave it alone, shared by all workers; and ways to break what is between."""

import contextlib
import fcntl
import json
import os
from urllib.parse import quote

import pytest
from helpers import program

from .rabbit import HOME, PASSWORD, Rabbit


@contextlib.contextmanager
def shared(folder):
    """One broker for all who are within at the same time; the last to leave ends it."""
    folder.mkdir(exist_ok=True)
    users = folder / "users"

    @contextlib.contextmanager
    def counting():
        with open(folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = set(json.loads(users.read_text())) if users.exists() else set()
            found = {pid for pid in found if os.path.exists(f"/proc/{pid}")}
            yield found
            users.write_text(json.dumps(sorted(found)))

    rabbit = Rabbit(folder / "broker")
    try:
        with counting() as found:
            found.add(os.getpid())
            if len(found) == 1:
                rabbit.make().start()
        yield rabbit
    finally:
        with counting() as found:
            found.discard(os.getpid())
            if not found:
                rabbit.stop()


def needed():
    """Skip without RabbitMQ."""
    program("rabbitmq-server")
    program("setsid")
    program("openssl")
    if not (HOME / "rabbitmq-server").exists():
        missing = f"RabbitMQ is not in {HOME}, where Debian's package has it"
        if os.environ.get("PROCCTL_NEED_SERVICES") == "1":
            pytest.fail(missing)
        pytest.skip(missing)


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    """A broker that tests leave alone."""
    needed()
    base = tmp_path_factory.getbasetemp()
    with shared((base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "amqp") as rabbit:
        yield rabbit


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """A broker of the module's own, to be killed."""
    needed()
    rabbit = Rabbit(tmp_path_factory.mktemp("broken")).make()
    try:
        yield rabbit.start()
    finally:
        rabbit.stop()


def address(port, user="guest", path="", **options):
    """A URL; with a password, guest's excepted, which is known."""
    who = user if user == "guest" else f"{user}:{quote(PASSWORD, safe='')}"
    query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in options.items())
    return f"amqp://{who}@127.0.0.1:{port}/{path}" + (f"?{query}" if query else "")


WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
"""A virtual host of that name is this worker's own."""


@pytest.fixture
def url(broker):
    """Makes URLs in the virtual host of this worker."""

    def make(user="guest", path=WORKER, **options):
        return address(broker.port, user, path, **options)

    return make

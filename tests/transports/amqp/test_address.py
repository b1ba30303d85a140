"""URLs of brokers: what they mean, and that no password is ever shown."""

import pytest

from procctl.errors import BadConfig
from procctl.service.urls import options_of
from procctl.transports.amqp.address import PASSWORD, Address
from procctl.transports.amqp.listener import AmqpListener


def read(url):
    return Address.read(url, options_of(url))


def test_what_is_not_said():
    address = read("amqp://localhost")
    assert (address.host, address.port, address.vhost, address.tls) == ("localhost", 5672, "/", False)
    assert (address.user, address.password) == ("guest", "guest")
    assert (address.exchange, address.durable, address.auto_delete, address.name) == (
        "procctl",
        False,
        False,
        "controller",
    )


def test_everything_said():
    address = read(
        "amqps://a%40b:s%40%24%26%2F@[::1]:1234/v%2Fw?exchange=x&durable=yes&auto_delete=true&name=web.north"
        "&heartbeat=5&patience=7.5&max_frame=2048&tls_ca=c&tls_cert=d&tls_key=e"
    )
    assert (address.host, address.port, address.vhost, address.tls) == ("::1", 1234, "v/w", True)
    assert (address.user, address.password) == ("a@b", "s@$&/")
    assert (address.exchange, address.durable, address.auto_delete, address.name) == ("x", True, True, "web.north")
    assert (address.heartbeat, address.patience, address.max_frame) == (5, 7.5, 2048)
    assert (address.ca, address.cert, address.key) == ("c", "d", "e")


@pytest.mark.parametrize(
    ("path", "vhost"), [("", "/"), ("/", "/"), ("/%2F", "/"), ("/a", "a"), ("/a%2Fb", "a/b"), ("/%61", "a")]
)
def test_virtual_hosts(path, vhost):
    assert vhost == read(f"amqp://me:x@h{path}").vhost


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("amqp:///x", "names no broker"),
        ("amqp://me:secret@h:port/", "cannot be read"),
        ("amqp://me:secret@h:99999/", "cannot be read"),
        ("amqp://me:secret@h/a/b", "has a slash"),
        ("amqp://me:secret@h/?durable=maybe", "expected yes or no"),
        ("amqp://me:secret@h/?name=a%23", "expected letters"),
        ("amqp://me:secret@h/?name=a..b", "expected letters"),
        ("amqp://me:secret@h/?exchange=", "expected letters"),
        ("amqp://me:secret@h/?heartbeat=0", "expected a number"),
        ("amqp://me:secret@h/?patience=nan", "expected a number"),
        ("amqp://me:secret@h/?max_frame=x", "expected a number"),
        ("amqp://me@h/", "no password for me"),
        ("amqp://me@h/?password_file=/no/such/file", "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_said(url, text, monkeypatch):
    monkeypatch.delenv(PASSWORD, raising=False)
    with pytest.raises(BadConfig, match=text) as caught:
        read(url)
    assert "secret" not in str(caught.value)


def test_where_a_password_comes_from(tmp_path, monkeypatch):
    file = tmp_path / "password"
    file.write_text("from the file\n")
    monkeypatch.setenv(PASSWORD, "from the environment")
    assert read("amqp://me@h").password == "from the environment"
    assert read(f"amqp://me@h/?password_file={file}").password == "from the file"
    assert read(f"amqp://me:from%20the%20URL@h/?password_file={file}").password == "from the URL"
    assert read("amqp://me:@h").password == ""


def test_guest_is_for_this_machine():
    for host in ("localhost", "127.0.0.1", "127.1.2.3", "[::1]"):
        assert read(f"amqp://{host}").user == "guest"
    for url in ("amqp://broker.example.com", "amqp://guest:guest@192.0.2.1", "amqps://guest:x@127.0.0.1.example.com"):
        with pytest.raises(BadConfig, match="guest is for brokers on this machine"):
            read(url)
        assert read(f"{url}/?insecure=yes").user == "guest"


def test_a_password_is_never_shown():
    address = read("amqp://me:secret@h/v%2Fw?exchange=x&name=y")
    listener = AmqpListener(None, address, None)
    assert "secret" not in repr(address)
    assert listener.urls == ("amqp://me@h:5672/v%2Fw?name=y&exchange=x",)


def test_files_for_tls(tmp_path):
    address = read(f"amqps://me:secret@h/?tls_ca={tmp_path}/none")
    with pytest.raises(BadConfig, match="none cannot be") as caught:
        address.tls_context()
    assert "secret" not in str(caught.value)

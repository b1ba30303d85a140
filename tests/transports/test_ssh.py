"""``ssh://``, with a real sshd on the loopback."""

import subprocess
import sys

import anyio
import anyio.to_thread
import pytest
from helpers import SLEEP, alive, children, deadline, free_port, sh, until

from procctl import Agent, PeerGone, connect
from procctl.errors import BadConfig, Unsupported
from procctl.transports.ssh import command_of

from .sshd import PROCCTL, ready, sshd

pytestmark = [pytest.mark.anyio, pytest.mark.seconds(60), pytest.mark.in_turn]


@pytest.fixture(autouse=True)
def nobody_is_asked(monkeypatch):
    """Tests are the same with and without a terminal."""
    monkeypatch.setattr("procctl.transports.ssh._terminal", lambda: False)


@pytest.fixture
async def server(place):
    with sshd(place) as server:
        await ready(server)
        yield server


@pytest.fixture
async def agent(place):
    async with Agent("there", listen=f"unix://{place}/s") as agent:
        yield agent


async def refused(url):
    """What is said when one cannot get there."""
    with deadline(40), pytest.raises(PeerGone) as caught:
        async with connect(url):
            pass
    return caught.value


async def test_commands_and_streams(server, agent, place):
    with deadline(40):
        async with connect(server.url(f"{place}/s")) as fleet:
            web = await fleet.start("web", sh("echo hello; exec sleep 1000"))
            assert (await agent.process("web")).pid == web.pid
            async with fleet.logs("web", follow=True) as lines:
                assert (await anext(lines)).text == "hello"
            await web.kill()


async def test_what_a_login_shell_prints_is_no_frame(server, agent, place):
    url = server.url(f"{place}/s", command=f"echo 'welcome to this machine'; echo; {PROCCTL}")
    with deadline(40):
        async with connect(url) as fleet:
            assert (await fleet.info()).name == "there"


async def test_nothing_is_left_of_ssh(server, agent, place):
    before = children()
    with deadline(40):
        async with connect(server.url(f"{place}/s")):
            assert len(children() - before) == 1
    assert children() == before


async def test_an_ssh_that_dies_is_replaced(server, agent, place):
    before = children()
    with deadline(40):
        async with connect(server.url(f"{place}/s")) as fleet:
            (ssh,) = children() - before
            subprocess.run(["kill", "-9", ssh], check=True)
            await until(lambda: not alive(ssh), "ssh")
            assert (await fleet.start("web", SLEEP)).item.state == "running"
    await agent.kill(all=True)


async def test_nobody_listens_there(server, place):
    error = await refused(server.url(f"{place}/nobody"))
    assert f"nobody listens on {place}/nobody" in error.message


async def test_there_is_no_procctl(server):
    error = await refused(server.url(command="/no/such/procctl"))
    assert "has no procctl" in error.message
    assert "?command=" in error.hint


async def test_no_sshd(server):
    error = await refused(server.url(port=free_port()))
    assert "Connection refused" in error.message


async def test_a_host_that_is_not_known_is_not_trusted(server, place):
    error = await refused(server.url(f"{place}/s", config="stranger_config"))
    assert "Host key verification failed" in error.message


async def test_a_key_that_is_not_let_in(server, place):
    (place / "authorized").write_text("")
    error = await refused(server.url(f"{place}/s"))
    assert "Permission denied" in error.message


async def test_a_host_that_does_not_answer(monkeypatch, place):
    monkeypatch.setattr("procctl.transports.ssh.ANSWERING", 0.3)
    mute = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with mute:
        port = mute.extra(anyio.abc.SocketAttribute.local_port)
        (place / "config").write_text("")
        error = await refused(f"ssh://127.0.0.1:{port}?config={place}/config")
    assert "has not answered within 0.3 s" in error.message


async def test_giving_up_leaves_nothing(place):
    mute = await anyio.create_tcp_listener(local_host="127.0.0.1")
    before = children()
    async with mute:
        port = mute.extra(anyio.abc.SocketAttribute.local_port)
        (place / "config").write_text("")
        with anyio.move_on_after(0.3):
            async with connect(f"ssh://127.0.0.1:{port}?config={place}/config"):
                pass
    assert children() == before


async def test_without_ssh(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Unsupported, match="no ssh"):
        async with connect("ssh://there"):
            pass


async def test_one_cannot_listen_on_it():
    with pytest.raises(BadConfig, match="only for connecting"):
        async with Agent(listen="ssh://there"):
            pass


async def test_the_command_line_reaches_it_and_starts_the_agent(server, place):
    def procctl(*words):
        command = [sys.executable, "-m", "procctl.cli", "--url", server.url(), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)

    added = await anyio.to_thread.run_sync(procctl, "add", "web", "--", "sleep", "1000")
    try:
        assert (added.returncode, "web is running" in added.stderr) == (0, True), added.stderr
        listed = await anyio.to_thread.run_sync(procctl, "ps")
        assert "web" in listed.stdout
        async with connect(f"unix://{place}/run/procctl/agent.sock") as fleet:
            assert [process.name for process in await fleet.processes()] == ["web"]
    finally:
        down = await anyio.to_thread.run_sync(procctl, "down")
    assert "is down" in down.stderr


SSH = ["ssh", "-T", "-x", "-a", "-o", "ConnectTimeout=10", "-o", "BatchMode=yes"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ssh://web-01", ["--", "web-01", "procctl stdio --mark"]),
        ("ssh://ann@web-01:2222", ["-p", "2222", "-l", "ann", "--", "web-01", "procctl stdio --mark"]),
        ("ssh://h/run/a%20b;c", ["--", "h", "procctl stdio --mark --url 'unix:///run/a b;c'"]),
        ("ssh://[::1]:22/", ["-p", "22", "--", "::1", "procctl stdio --mark"]),
    ],
)
def test_how_ssh_is_called(url, words):
    assert command_of(url, {}, asks=False) == SSH + words


def test_options_of_a_url():
    made = command_of("ssh://h", {"command": "/opt/p", "config": "/c", "token": "t"}, asks=True)
    assert made == [*SSH[:-1], "BatchMode=no", "-F", "/c", "--", "h", "/opt/p stdio --mark"]


@pytest.mark.parametrize(
    "url",
    ["ssh://", "ssh:///path", "ssh://-oProxyCommand=x", "ssh://-l@h", "ssh://a b", "ssh://u:secret@h", "ssh://h:port"],
)
def test_a_url_that_cannot_be_used(url):
    with pytest.raises(BadConfig) as caught:
        command_of(url, {}, asks=False)
    assert "secret" not in str(caught.value)


def test_an_option_that_there_is_not():
    with pytest.raises(BadConfig, match="has no option 'shell'"):
        command_of("ssh://h", {"shell": "x"}, asks=False)

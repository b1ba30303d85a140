"""One run through the main parts, for Pythons on which not everything is tested."""

import subprocess
import sys

import anyio
import pytest

import procctl

SHELL = ["sh", "-c", "echo up; exec sleep 1000"]


@pytest.mark.anyio
async def test_an_agent_its_output_and_its_end():
    with anyio.fail_after(30):
        async with procctl.Agent() as agent:
            web = await agent.start("web", SHELL, ready=procctl.ready.log("up"))
            async with web.logs() as lines:
                assert ["up"] == [line.text async for line in lines]
            record = await web.stop()
    assert record is not None
    assert (None, "SIGTERM", ("up",)) == (record.code, record.signal, record.last_lines)


@pytest.mark.anyio
async def test_a_controller_and_a_client_on_a_socket(place):
    with anyio.fail_after(30):
        async with (
            procctl.Controller(listen=[f"unix://{place}/c"]) as controller,
            procctl.Agent("a", join=controller),
            procctl.connect(f"unix://{place}/c") as fleet,
        ):
            web = await fleet.start("web", SHELL, mode="one")
            assert "a" == web.hostname
            assert ["running"] == [process.item.state for process in await fleet.processes("w*")]
            await web.kill()


def test_blocking():
    with procctl.sync.Agent() as agent:
        record = agent.start("brief", ["sh", "-c", "exit 3"], until="exit").exit
    assert record is not None
    assert 3 == record.code


def test_the_command_line(place):
    (place / "Procfile").write_text("release: echo first\nweb: sh -c 'echo second; exit 4'\n")
    command = [sys.executable, "-m", "procctl.cli", "run"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=60, check=False)
    assert 4 == done.returncode
    assert ["first", "second"] == [line.partition("| ")[2] for line in done.stdout.splitlines()]

"""procctl run: a declared set in the foreground."""

import signal
import socket

import pytest

pytestmark = pytest.mark.in_turn

WAIT = "sleep 1000"


def test_a_procfile(cli):
    cli.write(
        "Procfile", "web: echo hello from web; exec sleep 1000\nworker: echo hello from worker; exec sleep 1000\n"
    )
    with cli.begin("run") as going:
        seen = going.until("hello from web", "hello from worker", "web started", "worker started")
        assert next(line for line in seen.splitlines() if line.endswith("hello from web")).split()[1:3] == ["web", "|"]
        going.signal()
        assert "SIGINT: stopping; once more kills" in going.end(130)


def test_a_toml(cli):
    cli.write(
        "procctl.toml", '[process.web]\ncommand = ["sh", "-c", "echo $KEY; exec sleep 1000"]\nenv = { KEY = "value" }\n'
    )
    with cli.begin("run") as going:
        going.until("value")
        going.signal(signal.SIGTERM)
        going.end(143)


@pytest.mark.parametrize(("command", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 137)])
def test_it_ends_with_the_code_of_the_first_that_ends(cli, command, code):
    cli.write("Procfile", f"web: sleep 0.3; {command}\nother: {WAIT}\n")
    done = cli("run", code=code)
    assert ("other" in done.stderr, "web" in done.stderr) == (True, True)


def test_keep_going(cli):
    cli.write("Procfile", "a: true; exit 3\nb: sleep 0.5; echo still here\n")
    assert "still here" in cli("run", "--keep-going", code=3).stdout


def test_exit_code_from(cli):
    cli.write("Procfile", "a: sleep 0.2; exit 3\nb: sleep 0.1; exit 0\n")
    cli("run", "--exit-code-from", "a", "--keep-going", code=3)
    assert "declares no such process" in cli("run", "--exit-code-from", "c", code=2).stderr


def test_chosen_names(cli):
    cli.write("Procfile", "a: echo from a\nb: echo from b\n")
    done = cli("run", "a")
    assert ("from a" in done.stdout, "from b" in done.stdout) == (True, False)
    assert "did you mean 'a'" in cli("run", "aa", code=2).stderr


def test_a_second_interrupt_kills(cli):
    cli.write("Procfile", "deaf: trap '' TERM INT; echo up; while :; do sleep 0.1; done\n")
    with cli.begin("run") as going:
        going.until("| up")
        going.signal()
        going.until("stopping")
        going.signal()
        assert "killed" in going.end(130)


def test_an_interrupt_reaches_what_was_started_once(cli):
    """A terminal sends it to the whole foreground group; ours have their own."""
    cli.write(
        "Procfile",
        "web: trap 'echo got int; exit' INT; trap 'echo got term; exit' TERM; echo up; while :; do sleep 0.05; done\n",
    )
    with cli.begin("run", start_new_session=True) as going:
        going.until("| up")
        import os

        os.killpg(going.popen.pid, signal.SIGINT)
        seen = going.end(130)
        assert ("got term" in seen, "got int" in seen) == (True, False)


def test_the_release_line_runs_first(cli):
    cli.write("Procfile", "web: cat made; exit 0\nrelease: sleep 0.2; echo released > made\n")
    assert "released" in cli("run").stdout


def test_a_release_line_that_fails_ends_all(cli):
    cli.write("Procfile", "web: echo never\nrelease: true; exit 4\n")
    assert "never" not in cli("run", code=4).stdout


def test_an_empty_folder(cli):
    done = cli("run", code=2)
    assert ("there is no configuration in" in done.stderr, "./Procfile" in done.stderr, done.stdout) == (True, True, "")


def test_a_broken_procfile_names_the_line(cli):
    cli.write("Procfile", "web: sleep 1\n\nthis is nothing\n")
    assert "Line 3" in cli("run", code=2).stderr


def test_a_broken_toml_names_the_key(cli):
    cli.write("procctl.toml", '[process.web]\ncommnad = "sleep 1"\n')
    stderr = cli("run", code=2).stderr
    assert ("process.web.commnad" in stderr, "did you mean 'command'" in stderr) == (True, True)


def test_a_program_that_does_not_exist(cli):
    cli.write("Procfile", f"web: no-such-program-here\nother: {WAIT}\n")
    assert "cannot run 'no-such-program-here': not found in PATH" in cli("run", code=127).stderr


def test_a_port_in_use_names_who_has_it(cli):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]
        cli.write("Procfile", "web: true; exit 1\n")
        stderr = cli("run", code=1, env={"PORT": str(port)}).stderr
        assert f"port {port} is in use by " in stderr


def test_ports_are_given_in_steps(cli):
    cli.write("Procfile", "a: echo a $PORT; sleep 0.3\nb: echo b $PORT; sleep 0.3\n")
    stdout = cli("run", "--keep-going", env={"PORT": "7000"}).stdout
    assert ("a 7000" in stdout, "b 7100" in stdout) == (True, True)


def test_dry_run(cli):
    cli.write("Procfile", "web: touch made\n")
    assert ("would run web" in cli("run", "--dry-run").stderr, (cli.folder / "made").exists()) == (True, False)


@pytest.mark.parametrize(
    ("env", "colored"), [({}, False), ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False), ({"FORCE_COLOR": "1"}, True)]
)
def test_colours(cli, env, colored):
    cli.write("Procfile", "web: echo hello\n")
    assert ("\033[" in cli("run", env=env).stdout) == colored


def test_output_is_data_and_prose_is_not(cli):
    cli.write("Procfile", "web: echo hello\n")
    done = cli("run")
    assert ([line.split()[1:] for line in done.stdout.splitlines()], "started" in done.stderr) == (
        [["web", "|", "hello"]],
        True,
    )
    assert cli("run", "-q").stderr == ""


def test_a_hangup_that_is_ignored_stays_ignored(cli):
    cli.write("Procfile", f"web: echo up; {WAIT}\n")
    with cli.begin("run", before=["nohup"]) as going:
        going.until("| up")
        going.signal(signal.SIGHUP)
        import time

        time.sleep(0.3)
        assert going.popen.poll() is None
        going.signal(signal.SIGTERM)
        going.end(143)


def test_a_hangup_ends_it(cli):
    cli.write("Procfile", f"web: echo up; {WAIT}\n")
    with cli.begin("run") as going:
        going.until("| up")
        going.signal(signal.SIGHUP)
        going.end(129)


def test_a_reader_that_leaves(cli):
    import subprocess
    import sys

    cli.write("Procfile", "web: yes | head -n 100000\n")
    pipe = f"{sys.executable} -m procctl.cli run 2>/dev/null | head -n 2"
    done = subprocess.run(
        ["sh", "-c", pipe], cwd=cli.folder, env=cli.env, capture_output=True, text=True, timeout=30, check=False
    )
    assert (len(done.stdout.splitlines()), done.stderr) == (2, "")

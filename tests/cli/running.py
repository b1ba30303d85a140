"""The command line as a person has it: a program of its own, in folders of its own."""

import json
import os
import signal
import subprocess
import sys
import time

from helpers import DEADLINE


class Cli:
    """Runs ``procctl`` in a folder.

    Args:
        folder: Where it runs, with a short path.
        backend: asyncio or trio.
    """

    def __init__(self, folder, backend):
        self.folder = folder
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("PROCCTL_URL", "NO_COLOR", "FORCE_COLOR"))}
        self.env.update(
            XDG_RUNTIME_DIR=str(folder / "run"), HOME=str(folder), PROCCTL_BACKEND=backend, B0_HOST_ID="here"
        )
        self.env.pop("PORT", None)
        (folder / "run").mkdir(mode=0o700)
        self.socket = folder / "run" / "procctl" / "agent.sock"

    def __call__(self, *words, code=0, env=None, timeout=DEADLINE * 3):
        """Run it to its end, which must have this exit code."""
        done = subprocess.run(
            [sys.executable, "-m", "procctl.cli", *words],
            cwd=self.folder,
            env={**self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stdout + done.stderr
        return done

    def json(self, *words, code=0):
        """What it prints with ``--json``."""
        return json.loads(self(*words, "--json", code=code).stdout)

    def item(self, name):
        """One process."""
        (item,) = self.json("ps", name)["items"]
        return item

    def write(self, name, text):
        """A file in its folder."""
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)

    def begin(self, *words, env=None, **options):
        """Begin one that goes on."""
        return Going(
            subprocess.Popen(
                [*options.pop("before", ()), sys.executable, "-m", "procctl.cli", *words],
                cwd=self.folder,
                env={**self.env, "PYTHONUNBUFFERED": "1", **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                **options,
            )
        )


class Going:
    """A ``procctl`` that runs; everything that it prints is kept."""

    def __init__(self, popen):
        self.popen = popen
        self.seen = ""
        os.set_blocking(popen.stdout.fileno(), False)

    def until(self, *texts):
        """Wait until it has printed all of these."""
        limit = time.monotonic() + DEADLINE
        while not all(text in self.seen for text in texts):
            assert time.monotonic() < limit, f"no {texts} in:\n{self.seen}"
            assert self.popen.poll() is None or self._read(), f"ended without {texts}:\n{self.seen}"
            if not self._read():
                time.sleep(0.02)
        return self.seen

    def signal(self, number=signal.SIGINT):
        self.popen.send_signal(number)

    def end(self, code=0):
        """Wait for its end, which must have this exit code; all that it printed."""
        limit = time.monotonic() + DEADLINE
        while self.popen.poll() is None:
            self._read()
            assert time.monotonic() < limit, f"does not end:\n{self.seen}"
            time.sleep(0.02)
        self._read()
        assert self.popen.returncode == code, self.seen
        return self.seen

    def close(self):
        """Whatever happens, it is over."""
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        self.popen.stdout.close()

    def _read(self):
        try:
            data = os.read(self.popen.stdout.fileno(), 1 << 20)
        except BlockingIOError:
            return False
        self.seen += data.decode()
        return bool(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def settled(look):
    """Wait until this is so, and give what it gives."""
    limit = time.monotonic() + DEADLINE
    while not (value := look()):
        assert time.monotonic() < limit
        time.sleep(0.05)
    return value

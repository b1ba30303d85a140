"""A real sshd of this user's, with keys and settings of its own."""

import os
import pwd
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from helpers import free_port, program, until

PROCCTL = f"{sys.executable} -m procctl.cli"


class Sshd:
    """Attributes: folder: Of its keys and files. port: Where it listens."""

    def __init__(self, folder, port):
        self.folder = folder
        self.port = port
        self.user = pwd.getpwuid(os.getuid()).pw_name

    def url(self, path="", command=PROCCTL, port=None, user=None, config="ssh_config"):
        """Of an agent that it leads to."""
        options = f"config={quote(str(self.folder / config))}" + (f"&command={quote(command)}" if command else "")
        return f"ssh://{user or self.user}@127.0.0.1:{port or self.port}{path}?{options}"

    def is_up(self):
        """Whether it takes connections."""
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0


def _key(path):
    subprocess.run([program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


def _written(folder, port):
    """Its files: keys, who may come in, and the settings of both sides."""
    _key(folder / "host")
    _key(folder / "key")
    (folder / "authorized").write_text((folder / "key.pub").read_text())
    (folder / "known").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    (folder / "run").mkdir(mode=0o700)
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile {folder}/pid\n"
        f"AuthorizedKeysFile {folder}/authorized\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
        f"SetEnv XDG_RUNTIME_DIR={folder}/run\n"
    )
    settings = f"IdentityFile {folder}/key\nIdentitiesOnly yes\nStrictHostKeyChecking yes\nConnectTimeout 5\n"
    (folder / "ssh_config").write_text(f"{settings}UserKnownHostsFile {folder}/known\n")
    (folder / "stranger_config").write_text(f"{settings}UserKnownHostsFile {folder}/nobody\n")


@contextmanager
def sshd(folder):
    """One that runs for as long as the block lasts."""
    server = Sshd(folder, free_port())
    _written(folder, server.port)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # it wants an empty folder for its unprivileged part
    command = [program("sshd"), "-D", "-f", str(folder / "sshd_config"), "-E", str(folder / "log")]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        yield server
    finally:
        process.terminate()
        process.wait()


async def ready(server):
    """Wait until it takes connections."""
    await until(server.is_up, "sshd")

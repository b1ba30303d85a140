"""A RabbitMQ of one's own: everything of it in one folder, on free ports, with an epmd of its own."""

import base64
import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from helpers import MARK, alive, free_port, marked

HOME = Path("/usr/lib/rabbitmq/bin")
START = 240.0
PASSWORD = "s@$&/:3cret"
EVERYTHING = {"configure": ".*", "write": ".*", "read": ".*"}
AGENT = {
    "configure": r"^procctl\.peer\.web-01\..*",
    "write": r"^(procctl|procctl\.peer\.web-01\..*)$",
    "read": r"^(procctl|procctl\.peer\.web-01\..*)$",
}
"""What stands in the guide for an agent that is called web-01."""
AGENT_KEYS = {"exchange": "procctl", "write": r"^listen\.controller$", "read": r"^peer\.web-01\..*"}
CONTROLLER = dict.fromkeys(("configure", "write", "read"), r"^procctl(\.listen\.controller)?$")
CONTROLLER_KEYS = {"exchange": "procctl", "write": r"^peer\..*", "read": r"^listen\.controller$"}
USERS = {
    "guest": (EVERYTHING, None),
    "controller": (CONTROLLER, CONTROLLER_KEYS),
    "web-01": (AGENT, AGENT_KEYS),
    "mute": ({**EVERYTHING, "write": r"^procctl\.peer\.mute\..*"}, None),
    "nowhere": (None, None),
}
"""Users, what each may, and with which routing keys."""
VHOSTS = ("/", "gw0", "gw1", "gw2", "gw3", "other/one")
"""One for each worker, so that they do not meet."""


def _hashed(password):
    """As RabbitMQ keeps it: a salt, and SHA-256 over both."""
    salt = os.urandom(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def _definitions():
    users = [
        {"name": name, "password_hash": _hashed("guest" if name == "guest" else PASSWORD), "tags": ""} for name in USERS
    ]
    permissions, topics = [], []
    for vhost in VHOSTS:
        for name, (what, keys) in USERS.items():
            permissions += [{"user": name, "vhost": vhost, **what}] if what else []
            topics += [{"user": name, "vhost": vhost, **keys}] if keys else []
    hosts = [{"name": vhost} for vhost in VHOSTS]
    return {"users": users, "vhosts": hosts, "permissions": permissions, "topic_permissions": topics}


def make_certificates(folder):
    """An authority that signs for localhost, and the broker's certificate and key."""
    new = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    names = ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([*new, *names, *files], check=True, capture_output=True)


class Rabbit:
    """One broker, whose whole being is in a folder: whoever knows the folder can use it."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def make(self):
        """The folder, with free ports."""
        self.folder.mkdir(parents=True, exist_ok=True)
        ports = {name: free_port() for name in ("port", "tls", "epmd", "dist")}
        make_certificates(self.folder)
        (self.folder / "ports.json").write_text(json.dumps(ports))
        (self.folder / "plugins").write_text("[].")
        (self.folder / "definitions.json").write_text(json.dumps(_definitions()))
        conf = [
            f"listeners.tcp.local = 127.0.0.1:{ports['port']}",
            f"listeners.ssl.local = 127.0.0.1:{ports['tls']}",
            f"ssl_options.cacertfile = {self.folder}/cert.pem",
            f"ssl_options.certfile = {self.folder}/cert.pem",
            f"ssl_options.keyfile = {self.folder}/key.pem",
            f"load_definitions = {self.folder}/definitions.json",
            "disk_free_limit.absolute = 1MB",
            "vm_memory_high_watermark.absolute = 4GB",
            "loopback_users = none",
            "log.file.level = warning",
        ]
        (self.folder / "rabbitmq.conf").write_text("\n".join(conf) + "\n")
        return self

    @property
    def ports(self):
        return json.loads((self.folder / "ports.json").read_text())

    @property
    def port(self):
        return self.ports["port"]

    @property
    def pid(self):
        return int((self.folder / "pid").read_text())

    def env(self):
        ports = self.ports
        own = {
            "HOME": str(self.folder),
            "RABBITMQ_NODENAME": f"p{ports['port']}@localhost",
            "RABBITMQ_DIST_PORT": str(ports["dist"]),
            "RABBITMQ_MNESIA_BASE": f"{self.folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{self.folder}/log",
            "RABBITMQ_CONFIG_FILE": f"{self.folder}/rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{self.folder}/plugins",
            "RABBITMQ_PID_FILE": f"{self.folder}/pid",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +A 2 -kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_PORT": str(ports["epmd"]),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        return {**{k: v for k, v in os.environ.items() if k != MARK and "RABBITMQ" not in k}, **own}

    def start(self):
        """Start it, as nobody's child, and wait until it takes connections."""
        with contextlib.suppress(FileNotFoundError):
            (self.folder / "pid").unlink()
        with open(self.folder / "out", "ab") as out:
            command = ["setsid", "--fork", str(HOME / "rabbitmq-server")]
            subprocess.run(command, env=self.env(), stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=True)
        limit = time.monotonic() + START
        while not (self._listens() and (self.folder / "pid").exists()):
            if time.monotonic() > limit:
                raise TimeoutError((self.folder / "out").read_text()[-2000:])
            time.sleep(0.05)
        return self

    def kill(self):
        """SIGKILL; it is dead when this returns."""
        os.kill(self.pid, signal.SIGKILL)
        self._gone()

    def stop(self):
        """End all of it, its epmd too; also what has not come up."""
        limit = time.monotonic() + 10
        while left := marked(str(self.folder), "HOME"):
            assert time.monotonic() < limit, left
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)

    def ctl(self, *args):
        """rabbitmqctl; what it prints."""
        done = subprocess.run(
            [str(HOME / "rabbitmqctl"), "-q", *args], env=self.env(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _gone(self):
        limit = time.monotonic() + 10
        while self._listens() or alive(self.pid):
            assert time.monotonic() < limit, "the broker does not end"
            time.sleep(0.01)

    def _listens(self):
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

"""The shop: tests on every Python found, types, lint, layers, docs, package. ``nox`` runs what CI runs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox
import nox.command

nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["services", "lint", "types", "layers", "package", "tests", "smoke", "docs"]

HERE = Path(__file__).parent
MAIN = "3.11"
"""The Python on which everything is tested; on the others the core and a smoke run."""
OTHERS = ("3.12", "3.13")


def choose_pythons() -> None:
    """Have pyenv, where it is what provides Pythons, offer all that are used here, the first for plain ``python3``."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = [sorted(root.glob(f"versions/{version}.*")) for version in (MAIN, *OTHERS)]
    if found[0]:
        os.environ["PYENV_VERSION"] = ":".join(versions[-1].name for versions in found if versions)


choose_pythons()
SMOKE = ["pytest>=8", "pytest-xdist>=3.5", "hypothesis>=6.100"]
TEST = [
    *SMOKE,
    *("honcho>=2", "jsonschema>=4.20", "trio>=0.27", "trustme>=1.2"),
    *("openapi-spec-validator>=0.7", "schemathesis>=4", "msgspec>=0.19", "uvicorn>=0.30"),
    *("aio-pika>=9.5", "pika>=1.3"),
    "hatchling",  # a test builds a plug-in
]
PROGRAMS = {
    "redis-server": "redis-server",
    "nginx": "nginx-light",
    "curl": "curl",
    "rabbitmq-server": "rabbitmq-server",
    "openssl": "openssl",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "ip": "iproute2",
    "node": "nodejs",
    "coffee": "coffeescript",
}
"""Programs that tests use, and Debian's packages of them."""


def wheel(session: nox.Session) -> str:
    """The built wheel: what is tested is what is installed."""
    built = sorted((HERE / "dist").glob("procctl-*.whl"), key=lambda path: path.stat().st_mtime)
    if not built:
        session.error("there is no wheel in dist: nox -s package builds it")
    return str(built[-1])


def install(session: nox.Session, *more: str) -> None:
    """The wheel with its extras, anew each time: its version does not change with its content."""
    session.install(f"{wheel(session)}[all]", *more)
    session.install("--force-reinstall", "--no-deps", wheel(session))


def pytest(session: nox.Session, *words: str, at_a_time: int = 4) -> None:
    """Run tests from another folder, so that the package in the checkout is not what is imported.

    Four at a time, unless said: most of a test's time is waiting for processes. What fails then is run once more by
    itself, on a machine that does nothing else: a test that fails twice has failed.
    """
    session.chdir(session.create_tmp())
    common = ("pytest", "-c", str(HERE / "pyproject.toml"), "--rootdir", str(HERE), *session.posargs)
    tests = [str(HERE / word) if word.startswith("tests") else word for word in words]
    try:
        session.run(*common, "-n", str(at_a_time), "--dist", "worksteal", *tests)
    except nox.command.CommandFailed:
        session.run(*common, "--last-failed", "--last-failed-no-failures", "none", *tests)


@nox.session(venv_backend="none")
def services(session: nox.Session) -> None:
    """Install the programs that tests use, where they are missing and this user may."""
    missing = [package for program, package in PROGRAMS.items() if not shutil.which(program, path=path_of_root())]
    if not missing:
        session.log("all programs are there")
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        session.warn(
            f"tests that need {', '.join(missing)} are skipped: install them with the system's package manager"
        )
        return
    env = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    session.run("apt-get", "update", "-qq", external=True, success_codes=[0, 100])
    session.run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing, external=True, env=env)


def path_of_root() -> str:
    """The search path with the folders of system programs."""
    return os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"


@nox.session(python=MAIN)
def lint(session: nox.Session) -> None:
    """Ruff: errors, style, format."""
    session.install("ruff>=0.9")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(python=MAIN)
def types(session: nox.Session) -> None:
    """Mypy, strict: the package, the examples and a program that uses every public name."""
    session.install("-e", ".[all]", "mypy>=1.14", "types-psutil", "trio>=0.27", "pytest>=8")
    session.run("mypy")


@nox.session(python=MAIN)
def layers(session: nox.Session) -> None:
    """The rings: who may import whom."""
    session.install("--no-deps", "-e", ".")
    session.install("import-linter>=2.1")
    session.run("lint-imports", "--no-logo", silent=False)


@nox.session(python=MAIN)
def package(session: nox.Session) -> None:
    """Build the wheel and the source distribution, and look at them."""
    shutil.rmtree(HERE / "dist", ignore_errors=True)
    session.install("build", "twine")
    session.run("python", "-m", "build", "--outdir", "dist", silent=True)
    session.run("twine", "check", "--strict", *map(str, (HERE / "dist").iterdir()))


@nox.session(python=MAIN)
def tests(session: nox.Session) -> None:
    """All tests, on both backends, against the wheel."""
    install(session, *TEST)
    pytest(session, "tests")


@nox.session(python=OTHERS)
def smoke(session: nox.Session) -> None:
    """On the other Pythons: the core, the protocol, and one run of the main parts."""
    install(session, *SMOKE)
    pytest(session, "tests/core", "tests/wire", "tests/test_public.py", "tests/smoke", "--ignore-glob=*_properties.py")


@nox.session(python=MAIN)
def docs(session: nox.Session) -> None:
    """The documentation, with warnings as errors."""
    session.install("-e", ".[all]", "sphinx>=8", "furo>=2024.8", "myst-parser>=4")
    session.run("sphinx-build", "-W", "-b", "html", "docs", "docs/_build/html")


@nox.session(python=MAIN)
def backends(session: nox.Session) -> None:
    """The tests that start many programs, on both backends each: about eight minutes."""
    install(session, *TEST)
    session.env["PROCCTL_BACKENDS"] = "all"
    pytest(session, "tests", "-m", "in_turn")


@nox.session(python=MAIN)
def chaos(session: nox.Session) -> None:
    """A thousand random sequences on real processes: about ten minutes."""
    install(session, *TEST)
    session.env["PROCCTL_CHAOS"] = "1000"
    pytest(session, "tests/agent/test_chaos.py")


@nox.session(python=MAIN)
def kills(session: nox.Session) -> None:
    """Agents that are killed at random moments, a thousand times in each way: about an hour."""
    install(session, *TEST)
    session.env["PROCCTL_KILLS"] = os.environ.get("PROCCTL_KILLS", "1000")
    pytest(session, "tests/agent/test_kills.py", "-s")


@nox.session(python=MAIN)
def witness(session: nox.Session) -> None:
    """Controllers, agents and keepers that are killed and stopped, cables that are cut, 500 times each, with a witness:
    about half an hour, as root."""
    install(session, *TEST)
    session.env["PROCCTL_WITNESS"] = os.environ.get("PROCCTL_WITNESS", "500")
    pytest(session, "tests/leases", "-rP", at_a_time=8)


@nox.session(python=MAIN)
def simulate(session: nox.Session) -> None:
    """Leases under every fault, 100,000 stories: about two hours on two processors. Before a release a million:
    ``nox -s simulate -- --seeds 1000000``."""
    install(session)
    session.chdir(session.create_tmp())
    seeds = session.posargs or ("--seeds", "100000")
    session.run("python", "-m", "procctl.testing.simulate", "--jobs", str(os.cpu_count() or 1), *seeds)


@nox.session(python=MAIN)
def stories(session: nox.Session) -> None:
    """Whole fleets: 500 stories under every fault on each backend, and a kill between any two steps of each scene:
    about fifteen minutes on two processors."""
    install(session, "trio>=0.27")
    session.chdir(session.create_tmp())
    seeds = session.posargs or ("--seeds", "500")
    for backend in ("asyncio", "trio"):
        jobs = str(os.cpu_count() or 1)
        session.run("python", "-m", "procctl.testing.stories", "--jobs", jobs, "--backend", backend, *seeds)
        session.run("python", "-m", "procctl.testing.crashes", "--jobs", jobs, "--backend", backend)


@nox.session(python=MAIN)
def kit(session: nox.Session) -> None:
    """The promises of transports, the slow ones too, over TLS and unix sockets too: about five minutes."""
    install(session, *TEST)
    session.env["PROCCTL_KIT"] = "all"
    pytest(session, "tests/kit", "tests/plugin", "tests/gateways/test_kit.py")


@nox.session(python=MAIN)
def fuzz(session: nox.Session) -> None:
    """Generated requests to the REST interface, twenty for each operation: some minutes."""
    install(session, *TEST)
    session.env["PROCCTL_FUZZ"] = "1"
    pytest(session, "tests/gateways/test_openapi.py")


@nox.session(python=MAIN)
def outages(session: nox.Session) -> None:
    """A broker that is killed, and a cable that is cut, a hundred times each, as root: about 40 minutes."""
    install(session, *TEST)
    session.env["PROCCTL_OUTAGES"] = "100"
    pytest(session, "tests/transports/amqp/test_outages.py", "tests/networks")


@nox.session(python=MAIN)
def bench(session: nox.Session) -> None:
    """The figures of the house, against the machine's limits in the same run: about a minute."""
    install(session)
    session.run("python", "benchmarks/house.py", *session.posargs)

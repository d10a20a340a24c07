"""Gets a RabbitMQ server without asking anyone to set one up: an installed one, else apt.

No package index ships a broker, so on Debian and Ubuntu it comes from the distribution: root installs the package (without
starting its system service), everybody else unpacks the same packages into a cache folder of their own. Elsewhere the user is
told what to do.
"""

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

INSTALLED = (
    "/usr/lib/rabbitmq/lib/rabbitmq_server-*",
    "/opt/rabbitmq",
    "/opt/homebrew/opt/rabbitmq",
    "/usr/local/opt/rabbitmq",
)
POLICY = Path("/usr/sbin/policy-rc.d")


class NoRabbitMQ(Exception):
    """There is no RabbitMQ here and it could not be installed; the message says what to do."""


@dataclass(frozen=True)
class Installation:
    """A server's folder, and what its processes need in their environment besides."""

    home: Path
    environment: dict[str, str]

    @property
    def server(self) -> Path:
        return self.home / "sbin" / "rabbitmq-server"


def default_cache() -> Path:
    """Where unpacked packages live: downloaded once for each user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "runyard" / "rabbitmq"


def installation(cache: Path | None = None) -> Installation:
    """An installed server; else an unpacked one; else installs one (58 MB). Raises `NoRabbitMQ`."""
    cache = cache or default_cache()
    found = _installed() or _unpacked(cache)
    if found is not None:
        return found
    if shutil.which("apt-get") is None:
        raise NoRabbitMQ("no RabbitMQ server found: install one (macOS: brew install rabbitmq) or set RUNYARD_AMQP_URL")
    if os.geteuid() == 0:
        install()
        found = _installed()
    else:
        unpack(cache)
        found = _unpacked(cache)
    if found is None:
        raise NoRabbitMQ("the packages came without a rabbitmq-server: install RabbitMQ yourself or set RUNYARD_AMQP_URL")
    return found


def install() -> None:
    """Install the distribution's package as root; its service is not started."""
    # another package may be being installed at the same time
    command = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "install", "-y", "--no-install-recommends", "rabbitmq-server"]
    environment = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    with _no_service_starts():
        try:
            _run(command, environment=environment)
        except NoRabbitMQ:
            _run(["apt-get", "update"])
            _run(command, environment=environment)


def unpack(cache: Path) -> None:
    """Download the distribution's packages and unpack them into `cache`; needs no privileges."""
    work = cache.with_name(f"{cache.name}.{os.getpid()}")
    packages = work / "packages"
    packages.mkdir(parents=True)
    try:
        _run(["apt-get", "download", *_needed_packages()], cwd=packages)
        for package in sorted(packages.glob("*.deb")):
            _run(["dpkg", "-x", str(package), str(work)])
        shutil.rmtree(packages)
        erl = work / "usr/lib/erlang/bin/erl"
        erl.write_text(erl.read_text().replace("ROOTDIR=/usr/lib/erlang", f"ROOTDIR={cache / 'usr/lib/erlang'}"))
        if not cache.exists():
            work.rename(cache)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _installed() -> Installation | None:
    for pattern in INSTALLED:
        for home in sorted(Path("/").glob(pattern.lstrip("/")), reverse=True):
            if (home / "sbin" / "rabbitmq-server").exists():
                return Installation(home, {})
    return None


def _unpacked(root: Path) -> Installation | None:
    homes = sorted((root / "usr/lib/rabbitmq/lib").glob("rabbitmq_server-*"))
    if not homes:
        return None
    libraries = {str(path.parent) for path in (root / "usr/lib").glob("*/lib*.so*")}
    return Installation(
        homes[-1],
        {
            "PATH": f"{root / 'usr/lib/erlang/bin'}:{os.environ.get('PATH', os.defpath)}",
            "LD_LIBRARY_PATH": ":".join(sorted(libraries)),
        },
    )


def _needed_packages() -> list[str]:
    """RabbitMQ and Erlang, all of one source, and the libraries of theirs that this machine lacks."""
    if not _run(["apt-cache", "search", "--names-only", "^rabbitmq-server$"]):
        raise NoRabbitMQ("apt knows no rabbitmq-server: run `apt-get update` as root, or set RUNYARD_AMQP_URL")
    ours = [name for name in _dependencies(["rabbitmq-server"], "--recurse") if name.startswith("erlang-")]
    listed = _run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n"]).splitlines()
    libraries = [name for name in _dependencies(ours) if name.startswith("lib") and f"{name} installed" not in listed]
    return sorted({"rabbitmq-server", *ours, *libraries})


def _dependencies(packages: list[str], *options: str) -> set[str]:
    only_hard = [f"--no-{kind}" for kind in ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")]
    tree = _run(["apt-cache", "depends", *only_hard, *options, *packages])
    return {name for line in tree.splitlines() if "Depends: " in line and "<" not in (name := line.split("Depends: ")[1])}


def _run(command: list[str], *, cwd: Path | None = None, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "LC_ALL": "C", **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise NoRabbitMQ(f"`{' '.join(command[:3])} …` failed:\n{(done.stderr or done.stdout)[-2000:]}")
    return done.stdout


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Debian asks this file before a package starts its service; ours is there only for the time of the installation."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
    try:
        yield
    finally:
        POLICY.unlink()

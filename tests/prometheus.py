"""Prometheus itself, for what it is to make of our rules and figures: the programs of Debian's package, unpacked into a
directory of the user's own. Nothing is installed and no service is started."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from runyard_standalone.ports import HOST, first_free

PATIENCE_SECONDS = 60.0
Json = dict[str, Any]


class NoPrometheus(Exception):
    """There is none, and it cannot be got; the message says what to do."""


@dataclass(frozen=True)
class Programs:
    """Where `prometheus` and `promtool` are."""

    directory: Path

    def check(self, *arguments: str | Path) -> str:
        """What `promtool` says. Raises `AssertionError` with it if it finds fault."""
        command = [self.directory / "promtool", *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout
        return done.stdout


def programs() -> Programs:
    """Those on PATH; else Debian's, downloaded once for each user (19 MB). Raises `NoPrometheus`."""
    if (found := shutil.which("prometheus")) and shutil.which("promtool"):
        return Programs(Path(found).parent)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "runyard" / "prometheus"
    if not cache.exists():
        _unpack(cache)
    return Programs(cache / "usr" / "bin")


def _unpack(cache: Path) -> None:
    if shutil.which("apt-get") is None:
        raise NoPrometheus("install Prometheus, so that `prometheus` and `promtool` are on PATH")
    work = cache.with_name(f"{cache.name}.{os.getpid()}")
    work.mkdir(parents=True)
    try:
        download = ["apt-get", "download", "prometheus"]
        done = _run(download, work)
        if done.returncode != 0 and os.geteuid() == 0:
            _run(["apt-get", "-qq", "update"], work)
            done = _run(download, work)
        if done.returncode != 0:
            raise NoPrometheus(f"Debian's package prometheus cannot be downloaded (apt-get update?): {done.stderr[-500:]}")
        (package,) = work.glob("*.deb")
        _run(["dpkg", "-x", str(package), "."], work).check_returncode()
        package.unlink()
        if not cache.exists():  # another one may have been as fast
            work.rename(cache)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _run(command: list[str], directory: Path) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "LC_ALL": "C"}
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False, timeout=300)


class Prometheus:
    """One that runs."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=f"{url}/api/v1/", trust_env=False, timeout=20)

    def query(self, expr: str) -> list[Json]:
        """The series that it gives now, each with `metric`, its labels, and `value`. An expression with an error raises."""
        answer = self.http.get("query", params={"query": expr}).json()
        assert answer["status"] == "success" and not answer.get("warnings"), (expr, answer)
        found: list[Json] = answer["data"]["result"]
        return found

    def up(self) -> dict[str, bool]:
        """Whether each target answers, by its job and address."""
        return {f"{row['metric']['job']} {row['metric']['instance']}": row["value"][1] == "1" for row in self.query("up")}

    def alerts(self, name: str) -> list[Json]:
        """Those under way: `labels`, `annotations`, and the `state`, pending or firing."""
        found: list[Json] = self.http.get("alerts").json()["data"]["alerts"]
        return [alert for alert in found if alert["labels"]["alertname"] == name]

    def rules(self) -> list[Json]:
        """Each with its `name`, `health` and `lastError`."""
        return [rule for group in self.http.get("rules").json()["data"]["groups"] for rule in group["rules"]]


@contextmanager
def running(found: Programs, config: Json, directory: Path) -> Iterator[Prometheus]:
    """A Prometheus with this configuration, which keeps what it learns in the directory."""
    file, log = directory / "prometheus.json", directory / "prometheus.log"
    file.write_text(json.dumps(config))  # which is YAML as well
    address = f"{HOST}:{first_free(0)}"
    options = [f"--config.file={file}", f"--storage.tsdb.path={directory / 'series'}", f"--web.listen-address={address}"]
    with log.open("wb") as out:
        process = subprocess.Popen([found.directory / "prometheus", *options], stdout=out, stderr=out)
    try:
        prometheus = Prometheus(f"http://{address}")
        with prometheus.http:
            _wait_until_ready(process, address, log)
            yield prometheus
    finally:
        process.kill()  # nothing of it is needed any more
        process.wait()


def _wait_until_ready(process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if httpx.get(f"http://{address}/-/ready", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)

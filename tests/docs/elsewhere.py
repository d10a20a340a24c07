"""Commands of the pages that tests do not run: what each needs that is not here, and what can be said against it nevertheless.

A program that is not in `ELSEWHERE` is run. Whatever needs root is not: it would change the machine of who runs the tests.
"""

import fnmatch
import re
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from itertools import pairwise
from typing import Any, Final

import typer
from ruamel.yaml import YAML
from runyard_cli.app import app
from runyard_standalone.distributed import SERVICES

from tests.docs.pages import ROOT

Words = Sequence[str]
COMPOSE: Final = ROOT / "deploy" / "compose" / "compose.yaml"
COMPOSE_COMMANDS: Final = {"up", "down", "logs", "exec", "ps", "restart", "stop", "start", "run", "pull", "build", "kill", "cp"}
AS_ROOT: Final = {
    *(
        "bash",
        "chown",
        "cp",
        "install",
        "ln",
        "mkdir",
        "psql",
        "python3",
        "rabbitmq-plugins",
        "rm",
        "sed",
        "sh",
        "ssh-keygen",
        "tee",
    ),
    *("pg_dump", "pg_restore", "createdb", "dropdb", "useradd", "tar"),
}
TABLE_OF_SECRETS: Final = re.compile(r"^#   ([a-z-]+)  ", re.MULTILINE)


def make(words: Words) -> Iterator[str]:
    """Builds and serves. `run` is the server of these tests, and the acceptance tests start what `up` does."""
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    yield from (f"no target {word}" for word in words if "=" not in word and not word.startswith("-") and word not in targets)


def docker(words: Words) -> Iterator[str]:
    """No container engine. `tests/unit/test_deploy_files.py` looks at the files; the commands in them run as processes."""
    given = _options(words, "-f", "--file")
    yield from _missing(given)
    if words[:1] == ["build"]:
        stages = re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / given[0]).read_text(), re.MULTILINE)
        yield from (f"no stage {each}" for each in _options(words, "--target") if each not in stages)
    elif words[:1] == ["compose"]:
        services = YAML(typ="safe", pure=True).load(COMPOSE.read_text())["services"]
        rest = [word for word in words[1:] if word not in given and not word.startswith("-")]
        if not rest or rest[0] not in COMPOSE_COMMANDS:
            yield f"no command of compose: {words}"
        elif rest[0] in ("exec", "run", "cp"):
            if rest[1].partition(":")[0] not in services:
                yield f"no service {rest[1]}"
            yield from _of_ours(rest[2:])
        else:
            yield from (f"no service {each}" for each in rest[1:] if each not in services)


def helm(words: Words) -> Iterator[str]:
    """No cluster. `tests/unit/test_deploy_files.py` has Helm render the chart."""
    if words[:1] not in (["upgrade"], ["rollback"], ["status"], ["template"]):
        yield f"not known: {words}"
    yield from _missing(word for word in words if word.startswith("deploy/"))


def kubectl(words: Words) -> Iterator[str]:
    """No cluster."""
    rest = list(words)
    while rest and rest[0] in ("-n", "--namespace"):
        del rest[:2]
    if not rest or rest[0] not in {"create", "get", "logs", "rollout", "scale", "exec", "delete", "describe", "apply"}:
        yield f"not known: {words}"
    values = (ROOT / "deploy/helm/runyard/values.yaml").read_text()
    known = {*TABLE_OF_SECRETS.findall(values), "key"}
    yield from (
        f"the chart reads no {each}" for each in re.findall(r"--from-literal=([^=]+)=", " ".join(words)) if each not in known
    )
    if "--" in rest:
        yield from _of_ours(rest[rest.index("--") + 1 :])


def systemctl(words: Words) -> Iterator[str]:
    """No systemd here, and its services are not ours to start. `tests/unit/test_deploy_files.py` looks at the units."""
    instances = {f"runyard@{service}" for service in SERVICES}
    units = {path.name.removesuffix(".service") for path in (ROOT / "deploy").glob("systemd/runyard*")} | instances | OF_OTHERS
    for word in words[1:]:
        if not word.startswith("-") and not fnmatch.filter(units, word.removesuffix(".service")):
            yield f"no unit {word}"


OF_OTHERS: Final = {"postgresql", "rabbitmq-server", "grafana-server", "prometheus", "nginx"}


def journalctl(words: Words) -> Iterator[str]:
    """As systemctl."""
    yield from systemctl(["logs", *_options(words, "-u", "--unit")])


def apt_get(words: Words) -> Iterator[str]:
    """Needs root."""
    if words[:1] not in (["install"], ["update"]):
        yield f"not known: {words}"


def pip(words: Words) -> Iterator[str]:
    """Changes what is installed. What it installs are the packages that the tests run with."""
    yield from _missing(word.partition("[")[0] for word in words if word.startswith(("./", "examples/")))


RABBITMQCTL: Final = {
    *("add_user", "add_vhost", "set_permissions", "set_policy", "set_topic_permissions", "set_user_tags"),
    *("export_definitions", "import_definitions", "list_queues"),
}


def rabbitmqctl(words: Words) -> Iterator[str]:
    """Needs the broker's own account. `tests/integration/test_event_consumer.py` does the same by the management API."""
    if words[:1] and words[0] not in RABBITMQCTL:
        yield f"not known: {words}"


def git(words: Words) -> Iterator[str]:
    """Changes the working copy, or needs the network."""
    if words[:1] not in (["clone"], ["checkout"], ["pull"], ["fetch"], ["tag"]):
        yield f"not known: {words}"


def sudo(words: Words) -> Iterator[str]:
    """Needs root."""
    rest = list(words)
    while rest and rest[0].startswith("-"):
        del rest[: 2 if rest[0] == "-u" else 1]
    if rest and rest[0] in ELSEWHERE:
        yield from ELSEWHERE[rest[0]](rest[1:])
    elif rest and rest[0].startswith("deploy/"):
        yield from _missing(rest[:1])
    elif not rest or (rest[0] not in AS_ROOT and not rest[0].startswith("/opt/runyard")):
        yield f"not known: {words}"


def ssh(words: Words) -> Iterator[str]:
    """Another host."""
    yield from ()


def npx(words: Words) -> Iterator[str]:
    """Serves until Ctrl-C. The web app's own tests start it."""
    yield from ()


def runyard_consumer(words: Words) -> Iterator[str]:
    """An example with an environment of its own. `tests/integration/test_event_consumer.py` runs it."""
    yield from ()


ELSEWHERE: Final[dict[str, Callable[[Words], Iterator[str]]]] = {
    "make": make,
    "docker": docker,
    "helm": helm,
    "kubectl": kubectl,
    "systemctl": systemctl,
    "journalctl": journalctl,
    "apt-get": apt_get,
    "pip": pip,
    "rabbitmqctl": rabbitmqctl,
    "git": git,
    "sudo": sudo,
    "ssh": ssh,
    "npx": npx,
    "runyard-consumer": runyard_consumer,
}


def runyard(words: Words) -> Iterator[str]:
    """Whether there are this command and these options."""
    command: Any = typer.main.get_command(app)
    rest, known = list(words), {"--help"}
    while rest and (rest[0] in getattr(command, "commands", {}) or rest[0].startswith("-")):
        if rest[0] in getattr(command, "commands", {}):
            known |= {name for each in command.params for name in each.opts}
            command = command.commands[rest[0]]
        del rest[0]
    if getattr(command, "commands", None) and rest and not command.params:
        yield f"no command {rest[0]}"
    known |= {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    yield from (f"no option {word}" for word in words if word.startswith("-") and word.partition("=")[0] not in known)


def python(words: Words) -> Iterator[str]:
    """Whether there is this module of ours, and it can be run."""
    if words[:1] == ["-m"] and words[1].partition(".")[0].startswith(("runyard", "tests")):
        module = words[1]
        spec = find_spec(module)
        if spec is None or (spec.submodule_search_locations and not find_spec(f"{module}.__main__")):
            yield f"no module {module}"


INLINE: Final[dict[str, Callable[[Words], Iterator[str]]]] = {**ELSEWHERE, "runyard": runyard, "python": python}
"""What is said about commands in the middle of a text."""


def _of_ours(words: Words) -> Iterator[str]:
    if words and words[0] in ("python", "runyard"):
        yield from INLINE[words[0]](words[1:])


def _options(words: Words, *names: str) -> list[str]:
    return [value for name, value in pairwise(words) if name in names]


def _missing(paths: Any) -> Iterator[str]:
    yield from (
        f"no file {path}" for path in paths if path.startswith(("deploy/", "./", "examples/")) and not (ROOT / path).exists()
    )

"""A field of the log has the same name everywhere, and docs/reference/logs.md says what it is."""

import ast
import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from runyard_shared.logs import configure_logs

ROOT = Path(__file__).parents[2]
PACKAGES = [package for place in ("shared", "services/*", "agent", "deploy/*") for package in ROOT.glob(f"{place}/runyard_*")]
REFERENCE = ROOT / "docs" / "reference" / "logs.md"
METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
OF_STRUCTLOG = {"exc_info"}
BOUND = {
    "timestamp",
    "level",
    "event",
    "service",
    "logger",
    "trace_id",
    "execution_ids",
    "node_id",
    "workflow",
    "agent_id",
    "via",
}
"""Fields that come by other ways than the words of a call."""


def calls() -> Iterator[tuple[str, ast.Call]]:
    for package in PACKAGES:
        for path in sorted(package.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
                    logger = node.func.value
                    if isinstance(logger, ast.Name) and logger.id in {"log", "_log"}:
                        yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def documented() -> set[str]:
    table = REFERENCE.read_text().partition("## Fields")[2]
    return {name for row in re.findall(r"^\| (`[^|]*`) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}


def test_every_line_of_every_log_uses_the_documented_names_and_no_other() -> None:
    used = {(keyword.arg or "", where) for where, call in calls() for keyword in call.keywords}
    strangers = sorted((name, where) for name, where in used if name and name not in documented() | OF_STRUCTLOG)
    assert strangers == [], "use a name of docs/reference/logs.md (`reason` for whatever went wrong), or add it there"


def test_every_documented_name_is_used() -> None:
    text = "\n".join(path.read_text() for package in PACKAGES for path in package.rglob("*.py"))
    unused = {name for name in documented() - BOUND if not re.search(rf"\b{name}=|\"{name}\"", text)}
    assert unused == set()


def test_what_happened_is_said_in_words_that_stay_the_same() -> None:
    composed = [where for where, call in calls() if call.args and isinstance(call.args[0], ast.JoinedStr)]
    assert composed == [], "what differs from line to line belongs into fields"


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    structlog.contextvars.clear_contextvars()
    structlog.configure(**before)
    root.handlers[:], root.level = handlers, level


def test_libraries_log_in_the_same_form_with_what_is_bound(logged: io.StringIO) -> None:
    configure_logs("agent", "json", stream=logged)
    structlog.contextvars.bind_contextvars(job_id="j1")
    logging.getLogger("asyncpg.pool").warning("connection to %s lost", "db")
    logging.getLogger("uvicorn").info("not said at this level")
    try:
        raise ValueError("bad")
    except ValueError:
        logging.getLogger("asyncio").exception("task failed")
    first, second = (json.loads(line) for line in logged.getvalue().splitlines())
    assert first | {"timestamp": ""} == {
        "event": "connection to db lost",
        "level": "warning",
        "logger": "asyncpg.pool",
        "service": "agent",
        "job_id": "j1",
        "timestamp": "",
    }
    assert second["exception"].endswith("ValueError: bad")


@pytest.mark.parametrize(("level", "said"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_the_level_says_which_lines_there_are(level: str, said: int, logged: io.StringIO) -> None:
    configure_logs("gateway", "human", level, stream=logged)  # type: ignore[arg-type]
    log = structlog.get_logger()
    for method in ("debug", "info", "warning", "error"):
        getattr(log, method)("something happened", execution_id="e1")
    lines = logged.getvalue().splitlines()
    assert len(lines) == said
    assert all(line.endswith("something happened execution_id=e1 service=gateway") for line in lines)

"""Writes docs/reference/settings.md from the settings of every process: `python -m tests.settings_reference`. A test holds it
current."""

import types
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import runyard_agent.settings
import runyard_approvals.settings
import runyard_dispatcher.settings
import runyard_gateway.settings
import runyard_orchestrator.settings
import runyard_projections.settings
import runyard_standalone.settings
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

FILE: Final = Path(__file__).parents[1] / "docs" / "reference" / "settings.md"
PROCESSES: Final[Mapping[str, type[BaseSettings]]] = {
    "orchestrator": runyard_orchestrator.settings.Settings,
    "dispatcher": runyard_dispatcher.settings.Settings,
    "approvals": runyard_approvals.settings.Settings,
    "projections": runyard_projections.settings.Settings,
    "gateway": runyard_gateway.settings.Settings,
    "agent": runyard_agent.settings.Settings,
    "standalone": runyard_standalone.settings.Settings,
}
HEAD: Final = """\
# Settings

Environment variables. A process reads its own and no others; one that it cannot use ends it at once, with the name and the
reason. Where several processes of a service run, all of them get the same. Standalone (`make run`) reads those of the services
too, but for what it knows itself. The variables of the command line are in [its reference](cli.md), those of the compose file
in [run it with compose](../howto/run-with-compose.md)."""
WORDS: Final = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path", SecretStr: "secret"}
BOUNDS: Final = {"ge": "at least {}", "gt": "more than {}", "le": "at most {}", "min_length": "at least {} characters"}


def text() -> str:
    """The whole file. What several processes read to the same end comes first."""
    readers: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for process, settings in PROCESSES.items():
        for name, field in settings.model_fields.items():
            readers[_row(name, field)].append(process)
    parts = [HEAD, "## Read by more than one process"]
    rows = [(*row, _who(processes)) for row, processes in readers.items() if len(processes) > 1]
    parts.append(_table("| variable | | by itself | what it says | read by |", rows))
    for process in PROCESSES:
        rows = [row for row, processes in readers.items() if processes == [process]]
        parts += [f"## {process.capitalize()}", _table("| variable | | by itself | what it says |", rows)]
    return "\n\n".join(parts) + "\n"


def _table(head: str, rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join([head, "|---" * (head.count("|") - 1) + "|", *(f"| {' | '.join(row)} |" for row in rows)])


def _row(name: str, field: FieldInfo) -> tuple[str, ...]:
    return (f"`RUNYARD_{name.upper()}`", _kind(field), _default(field), (field.description or "").replace("|", "\\|"))


def _who(processes: list[str]) -> str:
    services = [process for process in PROCESSES if process not in ("agent", "standalone")]
    if set(services) <= set(processes):
        return ", ".join(["every service", *(process for process in processes if process not in services)])
    return ", ".join(processes)


def _kind(field: FieldInfo) -> str:
    bounds = [
        words.format(value)
        for each in field.metadata
        for name, words in BOUNDS.items()
        if (value := getattr(each, name, None)) is not None and not (name == "min_length" and value == 1)
    ]
    return ", ".join([_type(field.annotation), *bounds])


def _type(annotation: Any) -> str:
    if get_origin(annotation) is Annotated:
        return _type(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return _type(next(each for each in get_args(annotation) if each is not type(None)))
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{each}`" for each in get_args(annotation))
    if get_origin(annotation) in (list, tuple):
        return "several, with commas between"
    return "JSON" if get_origin(annotation) is dict else WORDS[annotation]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = None if field.default is PydanticUndefined else field.default
    value = value.get_secret_value() if isinstance(value, SecretStr) else value
    if isinstance(value, Path) and value.is_absolute():
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, float) and value == int(value):
        value = int(value)
    return "" if value is None or value in ("", [], ()) else f"`{value}`"


def undescribed() -> Iterator[str]:
    for process, settings in PROCESSES.items():
        yield from (f"{process}: {name}" for name, field in settings.model_fields.items() if not field.description)


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")

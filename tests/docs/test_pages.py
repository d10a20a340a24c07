"""The documentation holds together: links lead somewhere, every block says what it is and is what it says, and whatever a text
names (a command, a route, a setting) is there. Its commands are run by `test_commands.py`."""

import ast
import configparser
import json
import re
import shlex
import textwrap
import tomllib
from collections.abc import Iterator
from functools import cache
from typing import Any

import runyard_agent.settings
import runyard_approvals.settings
import runyard_dispatcher.settings
import runyard_gateway.settings
import runyard_orchestrator.settings
import runyard_projections.settings
import runyard_standalone.settings
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from runyard_orchestrator.workflow.validate import problems
from runyard_shared.contracts.commands import Catalog

from tests.docs.elsewhere import INLINE
from tests.docs.pages import ROOT, pages

LANGUAGES = {"sh", "text", "yaml", "json", "sql", "python", "toml", "ini", "env", "promql", "mermaid", "http"}
"""`sh` and `sql` are run, `text` is only shown (what a program says, a list of files)."""
SETTINGS = [
    module.settings.Settings
    for module in (
        runyard_agent,
        runyard_approvals,
        runyard_dispatcher,
        runyard_gateway,
        runyard_orchestrator,
        runyard_projections,
        runyard_standalone,
    )
]
SOURCES = (
    "cli",
    "deploy",
    "examples",
    "tests",
    "bench",
    "services/gateway/ui/e2e",
    "services/gateway/ui/vite.config.ts",
    "agent",
)
COMMANDS = {*INLINE, "createdb", "curl", "pg_dump", "pg_restore", "psql", ".venv/bin/python"}
OF_THE_INSTALLATION = re.compile(r"there is no (connection|pool|agent)|no agent offers the action type")
OF_WHAT_IS_NOT_SHOWN = re.compile(rf"{OF_THE_INSTALLATION.pattern}|there is no node|only there in the body of a forEach")


def yaml(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def test_every_link_leads_somewhere() -> None:
    found = {page.path: page for page in pages()}
    broken = []
    for page in found.values():
        for link in page.links:
            target, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            path = (page.path.parent / target).resolve() if target else page.path
            if not path.exists():
                broken.append(f"{page.name}: {link}")
            elif anchor and path in found and anchor not in found[path].anchors:
                broken.append(f"{page.name}: {link}: no such heading")
    assert not broken, "\n".join(broken)


def test_every_block_says_what_it_is_and_is_that() -> None:
    wrong = []
    for page in pages():
        wrong += [f"{page.name}:{line}: an indented block: fence it with ``` and its language" for line in page.indented]
        for block in page.blocks:
            place = f"{page.name}:{block.line}"
            if block.language in LANGUAGES:
                wrong += [f"{place}: {problem}" for problem in _problems(block.language, block.text)]
            else:
                wrong.append(f"{place}: {block.language!r} is none of {sorted(LANGUAGES)}")
    assert not wrong, "\n".join(wrong)


def _problems(language: str, text: str) -> Iterator[str]:
    try:
        match language:
            case "text":
                words = text.split()
                if any(word in COMMANDS for word in words[:1]) or any(f"\n{word} " in text for word in ("runyard", "curl")):
                    yield "commands in a block of text: `sh` is run"
            case "yaml":
                yield from _of_yaml(yaml(text))
            case "json":
                json.loads(text)
            case "python":
                ast.parse(textwrap.dedent(text))
            case "toml":
                tomllib.loads(text)
            case "env":
                lines = [line for line in text.splitlines() if not line.startswith("#")]
                yield from (f"not a variable: {line}" for line in lines if not re.fullmatch(r"[A-Z_]+=\S(.*[^ ]#)?[^#]*", line))
            case "ini":
                configparser.RawConfigParser(strict=False, interpolation=None).read_string(text)
    except (YAMLError, ValueError, SyntaxError, configparser.Error) as error:
        yield str(error)


def _of_yaml(document: Any) -> Iterator[str]:
    """A workflow must be one that can be published, as far as that does not depend on where. A part of one (nodes without
    edges, a trigger) is put into a whole, and may speak of what is not shown."""
    if isinstance(document, list) and document and "type" in document[0]:
        document = {"nodes": document}
    if not isinstance(document, dict) or not {"nodes", "triggers"} & document.keys():
        return
    if {"name", "nodes", "edges"} <= document.keys():
        elsewhere = OF_THE_INSTALLATION
    else:
        document, elsewhere = _completed(document), OF_WHAT_IS_NOT_SHOWN
    for problem in problems(document, Catalog()):
        if not elsewhere.search(problem.message):
            yield f"{problem.path}: {problem.message}"


def _completed(part: dict[str, Any]) -> dict[str, Any]:
    nodes, edges = list(part.get("nodes", ())), list(part.get("edges", ()))
    ends = {end for edge in edges for end in (edge["from"], edge["to"])} - {"trigger", *(node["id"] for node in nodes)}
    nodes += [{"id": end, "type": "parallel"} for end in sorted(ends) or ([] if nodes else ["first"])]
    reached = {edge["to"] for edge in edges}
    edges += [{"from": "trigger", "to": node["id"]} for node in nodes if node["id"] not in reached]
    return {"name": "Part", **part, "nodes": nodes, "edges": edges}


def test_every_command_in_a_text_is_one() -> None:
    wrong = []
    for page in pages():
        for said in page.said:
            program, *words = said.split(" ")
            if program in INLINE and words:
                words = shlex.split(" ".join(words))
                wrong += [f"{page.name}: {said}: {problem}" for problem in INLINE[program](words)]
    assert not wrong, "\n".join(wrong)


@cache
def _routes() -> list[tuple[str, list[str]]]:
    document = json.loads((ROOT / "services/gateway/ui/openapi.json").read_text())
    return [(method.upper(), _segments(path)) for path, methods in document["paths"].items() for method in methods]


def _segments(path: str) -> list[str]:
    return path.removeprefix("…").removeprefix("/api/v1").strip("/").split("/")


def test_every_route_in_a_text_is_one_of_the_api() -> None:
    """`…/drain` is the end of one; a value may stand for a parameter: `/users/alice`."""
    wrong = []
    for page in pages():
        for said in page.said:
            for method, path in re.findall(r"\b(GET|POST|PUT|PATCH|DELETE) (…?/[^\s`?]*)", said):
                segments, part = _segments(path), path.startswith("…")
                candidates = [route[-len(segments) :] if part else route for each, route in _routes() if each == method]
                if not any(_is(segments, route) for route in candidates):
                    wrong.append(f"{page.name}: {method} {path}")
    assert not wrong, "\n".join(wrong)


def _is(segments: list[str], route: list[str]) -> bool:
    return len(segments) == len(route) and all(b.startswith("{") or a == b for a, b in zip(segments, route, strict=True))


@cache
def _variables() -> set[str]:
    """Settings, and variables that scripts, the command line and tests read."""
    known = {f"RUNYARD_{name.upper()}" for settings in SETTINGS for name in settings.model_fields}
    for source in SOURCES:
        paths = [ROOT / source] if (ROOT / source).is_file() else (ROOT / source).rglob("*")
        for path in paths:
            if path.is_file() and path.suffix in {".py", ".sh", ".yaml", ".yml", ".ts", ".service", ".env"}:
                known |= set(re.findall(r"RUNYARD_[A-Z_]*[A-Z]", path.read_text(encoding="utf-8")))
    return known


def test_every_variable_is_read_by_something() -> None:
    known = _variables()
    named = {(page.name, name) for page in pages() for name in re.findall(r"RUNYARD_[A-Z_]*[A-Z]\b", page.text)}
    assert {(page, name) for page, name in named if name not in known} == set()

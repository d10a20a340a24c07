"""Writes docs/reference/http-operations.md from the OpenAPI document: `python -m tests.http_reference`, after
`tests.web_api`. A test holds it current."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Final

from tests import web_api

FILE: Final = Path(__file__).parents[1] / "docs" / "reference" / "http-operations.md"
HEAD: Final = """\
# Operations of the HTTP API

All there are. Bodies, answers and parameters are in `/openapi.json` of every gateway, and at `/docs` for people;
[what a schema cannot say](http-api.md) is on a page of its own. The name of an operation is what the audit log calls it."""


def text() -> str:
    """The whole file."""
    rows: dict[str, list[str]] = defaultdict(list)
    for path, methods in json.loads(web_api.PATH.read_text(encoding="utf-8"))["paths"].items():
        for method, operation in methods.items():
            permission = operation.get("x-permission")
            cells = [
                f"`{method.upper()} {path}`",
                operation["operationId"],
                f"`{permission}`" if permission else "",
                operation["summary"],
            ]
            (tag,) = operation["tags"]
            rows[tag].append(f"| {' | '.join(cells)} |")
    parts = [HEAD]
    for tag in sorted(rows):
        parts += [f"## {tag.capitalize()}", "\n".join(["| | operation | permission | |", "|---|---|---|---|", *rows[tag]])]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")

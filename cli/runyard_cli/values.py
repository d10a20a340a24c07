"""The variables of a run, from the command line and from files."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from re import fullmatch
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from runyard_cli.errors import Misused

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def variables(pairs: Sequence[str], files: Sequence[Path], schema: Any, *, option: str = "-v") -> dict[str, Any]:
    """Files first, in their order; then `key=value`, which wins. A value is JSON if it can be, unless `schema` wants text."""
    made: dict[str, Any] = {}
    for file in files:
        made |= _of_file(file)
    problems = [f"{pair!r} is not key=value" for pair in pairs if not pair.partition("=")[1] or pair.startswith("=")]
    if problems:
        raise Misused(f"It is {option} key=value.", problems=problems)
    properties = schema.get("properties", {}) if isinstance(schema, dict) else {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        made[name] = _read(text, properties.get(name))
    return made


def _read(text: str, schema: Any) -> Any:
    """Text where that is wanted, and nothing if it may be nothing; else JSON, if it can be."""
    schemas = schema.get("anyOf", [schema]) if isinstance(schema, dict) else []
    kinds = [each.get("type") for each in schemas if isinstance(each, dict)]
    wanted = {each for kind in kinds for each in (kind if isinstance(kind, list) else [kind])}
    return text if wanted == {"string"} or (wanted == {"string", "null"} and text != "null") else _value(text)


def unknown(given: Iterable[str], schema: Any) -> str:
    """What to tell about variables that the inputs do not name: they are allowed where `schema` does not forbid them, and are
    in most cases mistyped. Empty if there are none."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    others = [repr(name) for name in given if properties and name not in properties]
    if not properties or not others or schema.get("additionalProperties"):
        return ""
    return f"Not among the inputs of the workflow: {', '.join(others)}. It has {', '.join(properties)}."


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _of_file(file: Path) -> dict[str, Any]:
    name = "standard input" if str(file) == "-" else str(file)
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        content = json.loads(text) if text.lstrip().startswith("{") else YAML(typ="safe").load(text)
    except (OSError, UnicodeDecodeError, YAMLError, ValueError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else problem
        raise Misused(f"{name} cannot be read: {why}") from None
    if not isinstance(content, dict):
        raise Misused(f"{name} has to hold variables by name, as YAML or JSON.")
    return {str(key): _as_json(value) for key, value in content.items()}


def _as_json(value: Any) -> Any:
    """YAML knows dates, JSON does not."""
    if isinstance(value, dict):
        return {str(key): _as_json(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_as_json(each) for each in value]
    return value.isoformat() if isinstance(value, date) else value


def instant(text: str | None, now: datetime | None = None) -> str | None:
    """RFC 3339 for the API, from that, from a local date or time, or from how long ago it was: `90s`, `15m`, `2h`, `7d`."""
    return _instant(text, now, -1, "Such as 2h, 7d, 2026-11-23, 2026-11-23T08:00 (local time) or 2026-11-23T08:00:00Z.")


def deadline(text: str | None, now: datetime | None = None) -> str | None:
    """As `instant`, but from how long there is until then."""
    return _instant(text, now, 1, "Such as 12h, 90d, 2027-12-31 (local time) or 2027-12-31T08:00:00Z.")


def _instant(text: str | None, now: datetime | None, direction: int, hint: str) -> str | None:
    if text is None:
        return None
    try:
        if span := fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text):
            at = (now or datetime.now(UTC)) + direction * timedelta(**{_UNITS[span[2]]: float(span[1])})
        else:
            at = datetime.fromisoformat(text)
        at = at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Misused(f"{text!r} is no time.", hint=hint) from None
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

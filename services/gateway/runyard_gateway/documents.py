"""Workflow documents as people send them: YAML or JSON text to the value that is kept, the text kept beside it."""

import re
from dataclasses import dataclass
from io import StringIO
from typing import Any, Literal

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from runyard_shared.errors import FieldProblem, Invalid, Refusal

from runyard_gateway.http.bodies import MAX_DEPTH, parse_json, refuse_unstorable
from runyard_gateway.yaml_mistakes import yaml_mistake

JSON_TYPES = ("application/json",)
YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "text/plain")
MAX_NAME = 200
_STYLE = {"default_flow_style": False, "allow_unicode": True, "width": 100, "sort_base_mapping_type_on_output": False}


@dataclass(frozen=True)
class Document:
    """`format` is yaml or json. The value of a draft has a usable name; whether it can run is found out at publish."""

    value: dict[str, Any]
    source: str
    format: Literal["yaml", "json"]


def parse_document(content: bytes, media_type: str, *, is_draft: bool = True) -> Document:
    """Raises `Refusal` 400 for text that is no YAML or JSON (with line and column), 422 for a value that cannot be a draft, or
    could not even be looked at."""
    if not content.strip():
        raise Refusal("empty_body", "Send a workflow document as the body.")
    try:
        source = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal("malformed_document", f"The document is not UTF-8 from byte {error.start} on.") from error
    is_yaml = media_type in YAML_TYPES
    value = _parse_yaml(source) if is_yaml else parse_json(content)
    if not isinstance(value, dict):
        problem = FieldProblem("", f"is a {_kind(value)}, not an object with name, nodes and edges")
        raise Invalid("invalid_document", "A workflow document is an object.", (problem,))
    refuse_unstorable(value)
    name = value.get("name")
    if is_draft and (not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME):
        problem = FieldProblem("name", f"is required: a text of 1 to {MAX_NAME} characters")
        raise Invalid("invalid_document", "A draft can be saved once it has a name.", (problem,))
    return Document(value, source, "yaml" if is_yaml else "json")


def rendered(document: dict[str, Any], format_: Literal["yaml", "json"]) -> str:
    """A text that means the document, with its members in their order."""
    json = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
    if format_ == "json":
        return f"{json}\n"
    writer = YAML(typ="safe", pure=True)
    for option, value in _STYLE.items():
        setattr(writer, option, value)
    stream = StringIO()
    writer.dump(document, stream)
    text = stream.getvalue()
    if _means(text, document):
        return text
    # JSON is YAML, but for characters that YAML wants escaped: some texts come out wrong in any prettier form.
    return _NOT_PRINTABLE.sub(lambda found: f"\\U{ord(found[0]):08x}", json) + "\n"


def _means(text: str, document: dict[str, Any]) -> bool:
    try:
        return bool(msgspec.json.encode(_parse_yaml(text)) == msgspec.json.encode(document))
    except (Refusal, TypeError):
        return False


_NOT_PRINTABLE = re.compile("[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def _parse_yaml(source: str) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(source)
    except MarkedYAMLError as error:
        raise Refusal("malformed_yaml", f"The document is not YAML. {_capital(yaml_mistake(source, error))}.") from error
    except RecursionError as error:
        raise Refusal("malformed_yaml", f"The document is nested deeper than {MAX_DEPTH} levels.") from error
    except (YAMLError, ValueError, TypeError, KeyError, OverflowError, AttributeError) as error:
        # ruamel lets errors of its constructors through: an impossible date, an unhashable key, an unknown directive.
        raise Refusal("malformed_yaml", f"The document is not YAML: {error}.") from error


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _kind(value: object) -> str:
    return {list: "list", str: "text", type(None): "null", bool: "boolean"}.get(type(value), "number")

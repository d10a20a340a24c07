"""Workflow documents from files, directories and standard input, in an archive, as the API imports them."""

import io
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runyard_cli.errors import Misused

SUFFIXES = {".yaml", ".yml", ".json"}
TYPES = {".json": "application/json"}
ARCHIVE = "application/zip"
YAML = "application/yaml"
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Document:
    """`name` is what the user calls it: the path as it was given, or as it was found below the directory that was."""

    name: str
    content: bytes

    @property
    def content_type(self) -> str:
        return TYPES.get(Path(self.name).suffix.lower(), _by_content(self.content))


def documents(sources: Sequence[str]) -> list[Document]:
    """All of them, each once; every source that cannot be read is named."""
    found: dict[str, Document] = {}
    problems: list[str] = []
    for source in sources:
        try:
            for document in _of(source):
                found.setdefault(document.name, document)
        except OSError as problem:
            problems.append(f"{problem.filename or source}: {problem.strerror}")
    if not problems and not found:
        problems.append(f"no {', '.join(sorted(SUFFIXES))} in {', '.join(sources)}")
    if problems:
        raise Misused("There is nothing to read.", problems=problems)
    return list(found.values())


def archive(of: Sequence[Document]) -> bytes:
    """The same documents give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for place, document in enumerate(of):
            packed.writestr(zipfile.ZipInfo(_inside(place, document), _EPOCH), document.content)
    return out.getvalue()


def names_inside(of: Sequence[Document]) -> dict[str, str]:
    """What the user calls each document, by its name in the archive."""
    return {_inside(place, document): document.name for place, document in enumerate(of)}


def _inside(place: int, document: Document) -> str:
    suffix = Path(document.name).suffix.lower()
    return f"{place:05}{suffix if suffix in SUFFIXES else '.json' if document.content_type == TYPES['.json'] else '.yaml'}"


def _of(source: str) -> list[Document]:
    if source == "-":
        return [Document("standard input", sys.stdin.buffer.read())]
    path = Path(source)
    if not path.is_dir():
        return [Document(source, path.read_bytes())]
    inside = sorted(each for each in path.rglob("*") if each.suffix.lower() in SUFFIXES and each.is_file())
    visible = [each for each in inside if not any(part.startswith(".") for part in each.relative_to(path).parts)]
    return [Document(str(each), each.read_bytes()) for each in visible]


def _by_content(content: bytes) -> str:
    return TYPES[".json"] if content.lstrip().startswith(b"{") else YAML

"""Workflow documents as the files of a ZIP archive. What comes in may be a trap: it is read up to limits only."""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO, RawIOBase
from typing import Any
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo

from runyard_shared.errors import Refusal

MAX_FILES = 1000
MAX_FILE_BYTES = 1024 * 1024
MAX_TOTAL_BYTES = 32 * 1024 * 1024
MEDIA_TYPES = {"yaml": "application/yaml", "yml": "application/yaml", "json": "application/json"}
_NOT_FOR_NAMES = re.compile(r"[^\w. -]+")
_LONGEST_NAME = 100


@dataclass(frozen=True)
class File:
    """`problem`: why its content was not read."""

    name: str
    content: bytes = b""
    media_type: str = ""
    problem: Refusal | None = None


def read_archive(content: bytes) -> list[File]:
    """The documents in it, in their order; other files, such as a README, are passed over. Raises `Refusal` (400,
    `malformed_archive`; 413, `archive_too_large`)."""
    try:
        with ZipFile(BytesIO(content)) as archive:
            return list(_files(archive))
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeError, ValueError, OSError) as error:
        raise Refusal("malformed_archive", f"The body is not a ZIP archive that can be read: {error}.") from error


def _files(archive: ZipFile) -> Iterator[File]:
    left = MAX_TOTAL_BYTES
    documents = [info for info in archive.infolist() if not info.is_dir() and _media_type(info.filename)]
    if len(documents) > MAX_FILES:
        raise Refusal("archive_too_large", f"An archive holds at most {MAX_FILES} documents; send several.", 413)
    for info in documents:
        with archive.open(info) as file:
            content = file.read(MAX_FILE_BYTES + 1)
        left -= len(content)
        if left < 0:
            limit = f"{MAX_TOTAL_BYTES // 1024 // 1024} MiB"
            raise Refusal("archive_too_large", f"The documents of an archive have at most {limit} together; send several.", 413)
        if len(content) > MAX_FILE_BYTES:
            too_large = Refusal("body_too_large", f"A document has at most {MAX_FILE_BYTES // 1024} KiB.", 413)
            yield File(info.filename, problem=too_large)
        else:
            yield File(info.filename, content, _media_type(info.filename))


def _media_type(file_name: str) -> str:
    hidden = file_name.startswith("__MACOSX/") or file_name.rsplit("/", 1)[-1].startswith(".")
    return "" if hidden else MEDIA_TYPES.get(file_name.rsplit(".", 1)[-1].lower(), "")


class ArchiveWriter:
    """An archive that is sent while it is written: `written` takes what there is of it. The same files give the same bytes."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._archive = ZipFile(self._sink, "w", ZIP_DEFLATED)
        self._names: set[str] = set()

    def add(self, name: str, extension: str, content: str) -> None:
        """`name`: of the workflow; no two of one tenant have the same, but their files might."""
        base = _NOT_FOR_NAMES.sub("-", name)[:_LONGEST_NAME].strip(" .-") or "workflow"
        file_name, number = f"{base}.{extension}", 1
        while file_name.casefold() in self._names:
            number += 1
            file_name = f"{base}-{number}.{extension}"
        self._names.add(file_name.casefold())
        entry = ZipInfo(file_name)
        entry.compress_type, entry.external_attr = ZIP_DEFLATED, 0o644 << 16
        self._archive.writestr(entry, content.encode())

    def end(self) -> None:
        self._archive.close()

    def written(self) -> bytes:
        """What came since the last call."""
        return self._sink.take()


class _Sink(RawIOBase):
    """It cannot go back, as what was taken is gone."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self._parts.append(bytes(content))
        return len(self._parts[-1])

    def take(self) -> bytes:
        content = b"".join(self._parts)
        self._parts.clear()
        return content

"""Archives as files: gzipped JSON lines, and a manifest that says what they hold.

    <directory>/<tenant>/2026-03.json                         the manifest
    <directory>/<tenant>/2026-03-<hash>.events.jsonl.gz       rows of the log, in order of position
    <directory>/<tenant>/2026-03-<hash>.output.jsonl.gz       what was still kept of the output of its jobs
    <directory>/<tenant>/2026-03-<hash>.approvals.jsonl.gz    rows of the log of approvals
    <directory>/<tenant>/audit-2026-03.json                   the manifest of a month of the audit log
    <directory>/<tenant>/audit-2026-03-<hash>.audit.jsonl.gz  its entries

Files are written under other names, flushed to the disk, read back and compared before they get theirs; the manifest comes
last, in one step. So what a manifest names is there and whole, whenever the process dies; writing a month again replaces it.
"""

import asyncio
import gzip
import hashlib
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, TypeAlias, TypeVar
from urllib.parse import quote

import msgspec
from runyard_shared.contracts.base import Contract
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.jobs import OutputMessage
from runyard_shared.errors import RunyardError

from runyard_projections.archive.month import Month

EVENTS: Final = "events"
OUTPUT: Final = "output"
APPROVALS: Final = "approvals"
AUDIT: Final = "audit"
_BATCH: Final = 2000
_encode = msgspec.json.Encoder().encode


class ArchiveDamaged(RunyardError):
    """An archive is not what its manifest says: a file is missing, cut short or changed. Bring it back from a backup."""


class FileOf(Contract, frozen=True, kw_only=True):
    """One file: `sha256` (hex) is of the lines before they were compressed, `size` in bytes after."""

    name: str
    rows: int
    sha256: str
    size: int


class AuditEntry(Contract, frozen=True, kw_only=True):
    """A command as the audit log had it."""

    audit_id: str
    tenant_id: str
    actor: str
    credential_type: str
    source: str
    operation: str
    outcome: str
    started_at: datetime
    credential_id: str | None = None
    target: str | None = None
    status: int | None = None
    code: str | None = None
    duration_ms: int | None = None


class Manifest(Contract, frozen=True, kw_only=True):
    """What was archived of a month's history. `upto`: the position of the log up to which nothing of the month is missing.
    `approvals`: None in archives that were written when these stayed in their log."""

    format: int = 1
    tenant_id: str
    month: str
    part: int
    upto: int
    first_position: int
    last_position: int
    executions: int
    events: FileOf
    output: FileOf
    approvals: FileOf | None = None
    written_at: str

    @staticmethod
    def stem_of(month: Month, part: int) -> str:
        return str(month) if part == 1 else f"{month}.{part}"

    @property
    def stem(self) -> str:
        return self.stem_of(Month.parse(self.month), self.part)

    @property
    def files(self) -> Mapping[str, FileOf]:
        """By what they hold."""
        found = {EVENTS: self.events, OUTPUT: self.output}
        return found if self.approvals is None else found | {APPROVALS: self.approvals}


class AuditManifest(Contract, frozen=True, kw_only=True):
    """What was archived of a month of the audit log."""

    format: int = 1
    tenant_id: str
    month: str
    part: int
    entries: FileOf
    written_at: str

    @staticmethod
    def stem_of(month: Month, part: int) -> str:
        return f"audit-{Manifest.stem_of(month, part)}"

    @property
    def stem(self) -> str:
        return self.stem_of(Month.parse(self.month), self.part)

    @property
    def files(self) -> Mapping[str, FileOf]:
        return {AUDIT: self.entries}


AnyManifest: TypeAlias = Manifest | AuditManifest
_M = TypeVar("_M", Manifest, AuditManifest)
_DECODERS: Final[Mapping[str, msgspec.json.Decoder[Any]]] = {
    EVENTS: msgspec.json.Decoder(Recorded),
    OUTPUT: msgspec.json.Decoder(OutputMessage),
    APPROVALS: msgspec.json.Decoder(Recorded),
    AUDIT: msgspec.json.Decoder(AuditEntry),
}


class ArchiveFiles:
    """All archives in one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def writer(self, tenant_id: str, stem: str, kind: str) -> "FileWriter":
        return FileWriter(self._folder(tenant_id), stem, kind)

    async def publish(self, manifest: AnyManifest) -> None:
        """From here on the archive is there. What else was written for the same part goes."""
        await asyncio.to_thread(self._publish, manifest)

    def _publish(self, manifest: AnyManifest) -> None:
        folder, stem = self._folder(manifest.tenant_id), manifest.stem
        temporary = folder / f".{stem}.json.{os.getpid()}"
        with temporary.open("wb") as file:
            file.write(msgspec.json.format(_encode(manifest), indent=2) + b"\n")
            _to_disk(file)
        temporary.replace(folder / f"{stem}.json")
        _folder_to_disk(folder)
        named = {file.name for file in manifest.files.values()}
        for other in (*folder.glob(f"{stem}-*.jsonl.gz"), *folder.glob(f".{stem}-*")):
            if other.name not in named:
                other.unlink(missing_ok=True)

    def manifests(self, tenant_id: str | None = None, month: Month | None = None) -> list[Manifest]:
        """Of history, by tenant and month. Raises `ArchiveDamaged` for one that cannot be read."""
        return self._manifests(Manifest, "[0-9]*.json", tenant_id, month)

    def audits(self, tenant_id: str | None = None, month: Month | None = None) -> list[AuditManifest]:
        """Of the audit log, by tenant and month. Raises `ArchiveDamaged` for one that cannot be read."""
        return self._manifests(AuditManifest, "audit-*.json", tenant_id, month)

    def _manifests(self, of: type[_M], names: str, tenant_id: str | None, month: Month | None) -> list[_M]:
        folder = "*" if tenant_id is None else _folder_name(tenant_id)
        found = [_manifest(path, of) for path in self._directory.glob(f"{folder}/{names}")]
        chosen = [each for each in found if month is None or each.month == str(month)]
        return sorted(chosen, key=lambda each: (each.tenant_id, each.month, each.part))

    def lines(self, manifest: AnyManifest, kind: str) -> Iterator[bytes]:
        """Each line without its end. Raises `ArchiveDamaged`, at the end at the latest."""
        file = manifest.files[kind]
        digest, rows = hashlib.sha256(), 0
        path = self._folder(manifest.tenant_id) / file.name
        try:
            with gzip.open(path, "rb") as content:
                for line in content:
                    digest.update(line)
                    rows += 1
                    yield line[:-1]
        except (OSError, EOFError) as error:
            raise ArchiveDamaged(f"{path} cannot be read: {error}") from error
        if (rows, digest.hexdigest()) != (file.rows, file.sha256):
            raise ArchiveDamaged(f"{path} has {rows} rows that are not the {file.rows} of its manifest")

    async def batches(self, manifest: AnyManifest, kind: str) -> AsyncIterator[list[Any]]:
        """`Recorded`, `OutputMessage` or `AuditEntry` items in order, some thousand at once."""
        decode = _DECODERS[kind].decode
        lines = self.lines(manifest, kind)

        def take() -> list[Any]:
            return [decode(line) for line in islice(lines, _BATCH)]

        while batch := await asyncio.to_thread(take):
            yield batch

    def verify(self, manifest: AnyManifest) -> None:
        """Raises `ArchiveDamaged`."""
        for kind in manifest.files:
            for _ in self.lines(manifest, kind):
                pass

    def _folder(self, tenant_id: str) -> Path:
        return self._directory / _folder_name(tenant_id)


class FileWriter:
    """Writes one file; `finish` makes it what it is to be."""

    def __init__(self, folder: Path, stem: str, kind: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._stem = stem
        self._kind = kind
        self._path = folder / f".{stem}-{os.getpid()}.{kind}"
        self._file = self._path.open("wb")
        self._gzip = gzip.GzipFile(fileobj=self._file, mode="wb", compresslevel=6, mtime=0)
        self._digest = hashlib.sha256()
        self._rows = 0

    def write(self, items: Sequence[Any]) -> None:
        content = b"".join(_line(item) for item in items)
        self._digest.update(content)
        self._rows += len(items)
        self._gzip.write(content)

    def finish(self) -> FileOf:
        """Durable and read back when it returns. Raises `ArchiveDamaged` if the disk gives back something else."""
        self._gzip.close()
        _to_disk(self._file)
        self._file.close()
        digest = hashlib.sha256()
        with gzip.open(self._path, "rb") as content:
            while piece := content.read(1 << 20):
                digest.update(piece)
        sha256 = self._digest.hexdigest()
        if digest.hexdigest() != sha256:
            raise ArchiveDamaged(f"{self._path}: what was written does not come back")
        name = f"{self._stem}-{sha256[:12]}.{self._kind}.jsonl.gz"
        size = self._path.stat().st_size
        self._path.replace(self._folder / name)
        _folder_to_disk(self._folder)
        return FileOf(name=name, rows=self._rows, sha256=sha256, size=size)

    def give_up(self) -> None:
        """Whatever state it is in."""
        with suppress(OSError, ValueError):
            self._gzip.close()
        self._file.close()
        self._path.unlink(missing_ok=True)


async def written(writer: FileWriter, batches: AsyncIterator[Sequence[Any]]) -> FileOf:
    """The file with all of it. Raises `ArchiveDamaged`."""
    try:
        async for batch in batches:
            await asyncio.to_thread(writer.write, batch)
        return await asyncio.to_thread(writer.finish)
    except BaseException:
        writer.give_up()
        raise


def find(lines: Iterable[bytes], text: str) -> Iterator[Recorded]:
    """The events that have the text in them, as JSON has it, whether in capitals or not."""
    wanted = msgspec.json.encode(text)[1:-1].lower()
    decode = _DECODERS[EVENTS].decode
    return (decode(line) for line in lines if wanted in line.lower())


def _line(item: Any) -> bytes:
    line = _encode(item)
    if b"\n" in line:  # the log keeps events as they were written
        line = msgspec.json.format(line, indent=-1)
    return line + b"\n"


def _folder_name(tenant_id: str) -> str:
    return quote(tenant_id, safe="").replace(".", "%2E").replace("~", "%7E")


def _manifest(path: Path, of: type[_M]) -> _M:
    try:
        return msgspec.json.decode(path.read_bytes(), type=of)
    except (OSError, msgspec.MsgspecError) as error:
        raise ArchiveDamaged(f"{path} cannot be read: {error}") from error


def _to_disk(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _folder_to_disk(folder: Path) -> None:
    for each in (folder, folder.parent):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

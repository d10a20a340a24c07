"""A queue of records on disk: appended at its end, confirmed from its beginning, each record with its checksum.

Files and not SQLite, because a queue is all it is: an append is one `write` of some microseconds, so that every result can
afford it before it is sent, and no commit, checkpoint or `fsync` ever holds the event loop up. What `append` has returned for
survives the death of the process at any moment: the operating system has it. Against a power cut `sync` helps.

A place in the queue is the number of bytes that were ever before it. A segment file is called after the place it begins at; its
header has the place up to which all is confirmed. Segments that are confirmed to their end are deleted.
"""

import asyncio
import os
import struct
import zlib
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

log = structlog.get_logger(__name__)
_MAGIC: Final = b"runyard1"
_HEADER: Final = struct.Struct("<8sQ")
_FRAME: Final = struct.Struct("<II")
"""Length and CRC-32 of the record that follows."""
_SEGMENT_BYTES: Final = 8 * 1024 * 1024
_KEPT_BYTES: Final = 1024 * 1024
"""A segment larger than this is not kept for further records when all of it is confirmed."""


@dataclass(slots=True)
class _Segment:
    path: Path
    start: int


class Journal:
    """`end` and `confirmed` are places. One process at a time; not for several threads."""

    def __init__(self, directory: Path, name: str) -> None:
        """Takes up what an earlier process left. What cannot be read is set aside under another name, and said."""
        self.name = name
        self.end = 0
        self.confirmed = 0
        self.synced = 0
        self._directory = directory
        self._segments: deque[_Segment] = deque()
        self._fd: int | None = None
        self._take_up()

    @property
    def waiting(self) -> int:
        """Bytes that are not confirmed."""
        return self.end - self.confirmed

    def append(self, records: Sequence[bytes]) -> int:
        """All or none of `records`; returns the place behind them. Raises `OSError`: the disk is full, or does not work."""
        data = b"".join([part for record in records for part in (_FRAME.pack(len(record), zlib.crc32(record)), record)])
        fd = self._fd
        if fd is None or self.end - self._segments[-1].start >= _SEGMENT_BYTES:
            fd = self._begin_segment()
        size = _HEADER.size + self.end - self._segments[-1].start
        try:
            _write(fd, data, size)
        except OSError:
            os.ftruncate(fd, size)
            raise
        self.end += len(data)
        return self.end

    def read(self, max_bytes: int) -> tuple[list[bytes], int]:
        """The first records that are not confirmed, at least one if there is one, and the place behind them."""
        while self.waiting:
            segment = self._segments[0]
            end = self._end_of(0)
            why = "it is damaged"
            try:
                records, place = _read(segment, self.confirmed, end, max_bytes)
                if records:
                    return records, place
            except OSError as error:
                why = str(error)
            self._set_aside(segment.path, why, lost_bytes=end - self.confirmed)
            self._drop_first()
            self.confirmed = max(self.confirmed, end)
        return [], self.confirmed

    def confirm(self, place: int) -> None:
        """Everything before `place` is done with."""
        self.confirmed = max(self.confirmed, place)
        while self._segments and self._end_of(0) <= self.confirmed and (len(self._segments) > 1 or self._is_large()):
            path = self._segments[0].path
            self._drop_first()
            path.unlink(missing_ok=True)
        if self._segments and self.confirmed > self._segments[0].start:
            self._note_confirmed()

    async def sync(self) -> None:
        """Until what is in it now would survive a power cut. Raises `OSError`."""
        place = self.end
        if place > self.synced:
            paths = [segment.path for index, segment in enumerate(self._segments) if self._end_of(index) > self.synced]
            await asyncio.to_thread(_sync, [*paths, self._directory])
            self.synced = place

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    # --- segments

    def _begin_segment(self) -> int:
        path = self._directory / f"{self.name}-{self.end:020d}"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            _write(fd, _HEADER.pack(_MAGIC, self.end), 0)
        except OSError:
            os.close(fd)
            path.unlink()
            raise
        self.close()
        self._fd = fd
        self._segments.append(_Segment(path, self.end))
        return fd

    def _drop_first(self) -> None:
        self._segments.popleft()
        if not self._segments:
            self.close()

    def _end_of(self, index: int) -> int:
        return self._segments[index + 1].start if index + 1 < len(self._segments) else self.end

    def _is_large(self) -> bool:
        return self.end - self._segments[-1].start >= _KEPT_BYTES

    def _note_confirmed(self) -> None:
        """If it fails, what is confirmed is sent again after a restart, which does no harm."""
        first = self._segments[0]
        try:
            if len(self._segments) == 1 and self._fd is not None:
                os.pwrite(self._fd, _HEADER.pack(_MAGIC, self.confirmed), 0)
            else:
                with first.path.open("r+b", buffering=0) as file:
                    file.write(_HEADER.pack(_MAGIC, self.confirmed))
        except OSError as error:
            log.warning("spool: what is confirmed could not be noted", file=str(first.path), reason=str(error))

    # --- after a restart

    def _take_up(self) -> None:
        for path in sorted(self._directory.glob(f"{self.name}-{'[0-9]' * 20}")):
            segment = _Segment(path, int(path.name[-20:]))
            with path.open("rb") as file:
                header = file.read(_HEADER.size)
            if not header:
                path.unlink()  # its writer died before it wrote anything
                continue
            confirmed = _HEADER.unpack(header)[1] if len(header) == _HEADER.size and header.startswith(_MAGIC) else -1
            if confirmed < segment.start or segment.start < self.end:
                self._set_aside(path, "its beginning is damaged")
                continue
            if not self._segments:
                self.confirmed = confirmed
            self.end = segment.start
            self._segments.append(segment)
        if self._segments:
            self._take_up_last(self._segments[-1])
        self.confirmed = min(self.confirmed, self.end)

    def _take_up_last(self, segment: _Segment) -> None:
        """The last segment may end within a record: its writer died, or the power was cut."""
        size = segment.path.stat().st_size - _HEADER.size
        _, self.end = _read(segment, segment.start, segment.start + size, size)
        self._fd = os.open(segment.path, os.O_RDWR)
        good = _HEADER.size + self.end - segment.start
        if self.end < segment.start + size:
            aside = _aside(segment.path)
            try:
                aside.write_bytes(os.pread(self._fd, size, good))
            except OSError as error:
                log.error("spool: what could not be read cannot be set aside", file=str(segment.path), reason=str(error))
            os.ftruncate(self._fd, good)
            log.error(
                "spool: the end of a file could not be read and was set aside",
                file=str(segment.path),
                set_aside_as=str(aside),
                bytes=segment.start + size - self.end,
            )

    def _set_aside(self, path: Path, why: str, **more: object) -> None:
        aside = _aside(path)
        with suppress(FileNotFoundError):
            path.rename(aside)
        log.error("spool: a file cannot be read and was set aside", file=str(path), set_aside_as=str(aside), reason=why, **more)


def _write(fd: int, data: bytes, at: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(fd, rest, at)
        rest, at = rest[written:], at + written


def _read(segment: _Segment, place: int, end: int, max_bytes: int) -> tuple[list[bytes], int]:
    """Records from `place` on, until `max_bytes` are there, `end` is reached, or one is damaged; and the place behind them."""
    records: list[bytes] = []
    taken = 0
    with segment.path.open("rb") as file:
        file.seek(_HEADER.size + place - segment.start)
        while place < end and taken < max_bytes:
            frame = file.read(_FRAME.size)
            if len(frame) < _FRAME.size:
                break
            size, checksum = _FRAME.unpack(frame)
            if not size or size > end - place - _FRAME.size:
                break
            record = file.read(size)
            if len(record) < size or zlib.crc32(record) != checksum:
                break
            records.append(record)
            taken += size
            place += _FRAME.size + size
    return records, place


def _sync(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(FileNotFoundError):
            fd = os.open(path, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)


def _aside(path: Path) -> Path:
    """A name that is free, and is not taken for one of the journal's own."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged.{number}")).exists():
        number += 1
    return aside

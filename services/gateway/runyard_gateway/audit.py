"""The audit log: every command with who sent it, from where, and what came of it; off the way that commands take.

A command is written down while it is carried out, and its answer is not sent before that is safe: so a gateway that dies
leaves a trace of everything it has answered, and of most of what it had not. Commands are gathered while the write before is
under way, as everywhere. A list of commands that began is one row of `audit_open`; each command becomes a row of `audit` once,
when it is over, and the list goes with its last. What a dead gateway left open gets the outcome `unknown` from any other.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import msgspec
import structlog
from runyard_shared.clock import Clock
from runyard_shared.errors import Unavailable
from runyard_shared.ids import new_id
from runyard_shared.loops import forever

from runyard_gateway.http.identity import NO_CREDENTIAL, NOBODY, Credential, Identity
from runyard_gateway.queries.audit import AuditQueries, Entry, Flush

MAX_WAITING = 20_000
"""Commands that could not be written down yet; further ones are refused."""
PATIENCE_SECONDS = 2.0
"""For which an answer waits until its command is written down; while the database is away it then goes out nevertheless."""
REST = 4.0
"""How much longer than a write the pause after it is: under load more is gathered, and a command alone meets no pause."""
MAX_REST_SECONDS = 0.1
LINGER_SECONDS = 0.25
"""What is over is written with what begins next, or after so long: nobody waits for it."""
RETRY_SECONDS = 0.5
SWEEP_SECONDS = 60.0
SECRET_PARAMETERS = frozenset({"key", "token"})
"""Path parameters that open something."""
MAX_TARGET = 500
_NAMING = ("tenant_id", "user", "name")
"""Members of a body that say what is made, the first that it has: a tenant by its id, an API key by its user, all else by its
name. Nothing of a body that is free text is ever in the log."""

_log = structlog.get_logger(__name__)
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class _Batch:
    """A list of commands that began, as it is in `audit_open`; `open`: those that are not over."""

    batch_id: str
    open: int


class Record:
    """One command on its way through the gateway."""

    __slots__ = (
        "_audit",
        "_started",
        "actor",
        "audit_id",
        "batch",
        "credential",
        "operation",
        "over",
        "safe",
        "source",
        "started_at",
        "target",
        "tenant_id",
    )  # fmt: skip

    def __init__(self, audit: "AuditLog", operation: str, source: str, path: Mapping[str, str]) -> None:
        self._audit = audit
        self.audit_id = new_id()
        self.tenant_id = ""
        self.actor = NOBODY.actor
        self.credential: Credential = NO_CREDENTIAL
        self.source = source
        self.operation = operation
        self.target = _target_of(value for name, value in path.items() if name not in SECRET_PARAMETERS)
        self.started_at = audit.clock.now()
        self._started = time.monotonic()
        self.safe: asyncio.Event | None = None
        self.batch: _Batch | None = None
        self.over: Entry | None = None

    def sent_by(self, identity: Identity) -> None:
        """Who it is; known before it begins."""
        self.tenant_id = identity.tenant_id
        self.actor = identity.actor
        self.credential = identity.credential

    def claim(self, tenant_id: str, actor: str, target: str | None = None) -> None:
        """For handlers of public operations, once they know on whose behalf they act: only then there is an entry at all.
        Raises `Unavailable`."""
        self.tenant_id = tenant_id
        self.actor = actor
        if target is not None:
            self.target = target[:MAX_TARGET]
        self.begin()

    def makes(self, body: object) -> None:
        """What is made has no id in the path: its name says which it is."""
        if self.target is None:
            name = next((getattr(body, member) for member in _NAMING if hasattr(body, member)), None)
            self.target = _target_of([name]) if isinstance(name, str) else None

    def concerns(self, things: Iterable[str]) -> None:
        """For handlers of a body that only they can read: what it is about, the most important first. As many as there is room
        for."""
        things = list(things)
        room = MAX_TARGET - len(f", and {len(things)} more")
        told = 0
        while told < len(things) and len(", ".join(things[: told + 1])) <= room:
            told += 1
        more = [f"and {len(things) - told} more"] if told < len(things) else []
        self.target = _target_of([", ".join([*things[:told], *more])])

    def begin(self) -> None:
        """From now on it leaves a trace. Raises `Unavailable` if too many wait for a database that is away."""
        self._audit.begin(self)

    async def end(self, status: int, code: str | None) -> None:
        """Returns when the trace is safe."""
        if not self.tenant_id:
            return
        outcome = "done" if status < 400 else "refused" if status < 500 else "failed"
        self.over = Entry(
            self.audit_id,
            self.tenant_id,
            self.actor,
            self.credential.type.value,
            self.credential.credential_id,
            self.source,
            self.operation,
            self.target,
            outcome,
            status,
            code,
            self.started_at,
            round((time.monotonic() - self._started) * 1000),
        )
        await self._audit.end(self)

    def as_begun(self) -> dict[str, object]:
        return {
            "audit_id": self.audit_id,
            "tenant_id": self.tenant_id,
            "actor": self.actor,
            "credential_type": self.credential.type.value,
            "credential_id": self.credential.credential_id,
            "source": self.source,
            "operation": self.operation,
            "target": self.target,
            "started_at": self.started_at,
        }


def _target_of(names: Iterable[str]) -> str | None:
    return " ".join(names).replace("\0", "")[:MAX_TARGET] or None


class AuditLog:
    """Writes between `start` and `stop`."""

    def __init__(self, queries: AuditQueries, clock: Clock) -> None:
        self.clock = clock
        self.trouble: str | None = None
        self._queries = queries
        self._began: list[Record] = []
        self._over: list[Record] = []
        self._safe: asyncio.Event | None = None
        self._awaited = False
        self._something = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        self._writing = forever(self._write(), "gateway audit")
        self._sweeping = forever(self._sweep(), "gateway audit sweeper")

    async def stop(self) -> None:
        """Writes what there is, if the database lets it."""
        self._stopping = True
        self._something.set()
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
        if self._writing is not None:
            await self._writing

    def record(self, operation: str, source: str, path: Mapping[str, str]) -> Record:
        """Of a command that just came; it counts only once it says who sent it."""
        return Record(self, operation, source, path)

    def begin(self, record: Record) -> None:
        if len(self._began) + len(self._over) >= MAX_WAITING:
            raise Unavailable("The audit log cannot be written, and commands are not carried out without it")
        self._began.append(record)
        record.safe = self._next_write()

    async def end(self, record: Record) -> None:
        safe = record.safe
        if safe is None:  # refused before it began
            if len(self._over) >= MAX_WAITING:
                return
            safe = self._next_write()
        self._over.append(record)
        if len(self._over) == 1:
            self._something.set()
        await safe.wait()

    def _next_write(self) -> asyncio.Event:
        """Set when all that waits now is written, or cannot be for too long."""
        if self._safe is None:
            self._safe = asyncio.Event()
        self._awaited = True
        self._something.set()
        return self._safe

    async def _write(self) -> None:
        while not self._stopping or self._began or self._over:
            await self._until_there_is_work()
            began_at = time.monotonic()
            safe, self._safe = self._safe, None
            self._awaited = False
            await self._until_written(self._next(), safe)
            if not self._stopping:
                await asyncio.sleep(min(REST * (time.monotonic() - began_at), MAX_REST_SECONDS))

    async def _until_there_is_work(self) -> None:
        while not self._awaited and not self._stopping:
            try:
                async with asyncio.timeout(LINGER_SECONDS if self._over else None):
                    await self._something.wait()
            except TimeoutError:
                return
            self._something.clear()

    async def _until_written(self, flush: Flush, safe: asyncio.Event | None) -> None:
        """Again and again: that the connection broke does not say whether it was written."""
        patience = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, safe.set) if safe is not None else None
        try:
            while not await self._try_to_write(flush) and not self._stopping:  # noqa: ASYNC110 - it asks a database
                await asyncio.sleep(RETRY_SECONDS)
        finally:
            if safe is not None and patience is not None:
                patience.cancel()
                safe.set()

    async def _try_to_write(self, flush: Flush) -> bool:
        try:
            await self._queries.write(flush)
        except Unavailable as outage:
            if self._stopping:
                _log.error("commands are missing in the audit log", reason=str(outage), commands=len(flush.entries))
            elif self.trouble is None:
                _log.warning("the audit log is written later", reason=str(outage))
            self.trouble = str(outage)
            return False
        self.trouble = None
        return True

    def _next(self) -> Flush:
        """All that waits. What began and is over already becomes its one row at once."""
        began, self._began = self._began, []
        over, self._over = self._over, []
        still_open = [record for record in began if record.over is None]
        batch = _Batch(new_id(), len(still_open)) if still_open else None
        for record in still_open:
            record.batch = batch
        ended: list[str] = []
        for record in over:
            if record.batch is not None:
                record.batch.open -= 1
                if record.batch.open == 0:
                    ended.append(record.batch.batch_id)
        commands = _encode([record.as_begun() for record in still_open]).decode() if still_open else None
        return Flush(
            batch.batch_id if batch else None, commands, ended, [record.over for record in over if record.over is not None]
        )

    async def _sweep(self) -> None:
        while True:
            with suppress(Unavailable):  # which the next write says
                if lost := await self._queries.sweep():
                    _log.warning("commands of a gateway that died have the outcome unknown", commands=lost)
            await asyncio.sleep(SWEEP_SECONDS)

"""What the gateway asks of the projections: rebuilds and checks, done in the background, how long data is kept, and what was
done with parked messages."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Final

import asyncpg
import structlog
from runyard_shared.clock import Clock
from runyard_shared.contracts.commands import (
    CheckReadModels,
    Problem,
    RebuildReadModels,
    Request,
    SetRetention,
    SettleParkedMessage,
)
from runyard_shared.errors import Conflict, Refusal, RunyardError
from runyard_shared.eventstore.outage import outages_as_unavailable
from runyard_shared.messaging.answers import Outcome, answers_to, problem_of
from runyard_shared.messaging.bus import Bus
from runyard_shared.messaging.requests import post_replies

from runyard_projections.parked import ParkedKeeper
from runyard_projections.text import storable
from runyard_projections.upkeep import Upkeep

_log = structlog.get_logger(__name__)


class CommandHandler:
    """Handles the items of `PROJECTIONS_COMMANDS`. `may_archive`: whether there is a directory for archives."""

    def __init__(
        self,
        bus: Bus,
        pool: "asyncpg.Pool[asyncpg.Record]",
        upkeep: Upkeep,
        clock: Clock,
        parked: ParkedKeeper,
        *,
        may_archive: bool,
    ) -> None:
        self._bus = bus
        self._pool = pool
        self._upkeep = upkeep
        self._clock = clock
        self._parked = parked
        self._may_archive = may_archive
        self._at_work: asyncio.Task[None] | None = None

    async def handle(self, requests: Sequence[Request]) -> None:
        outcomes: list[Outcome] = []
        for request in requests:
            try:
                outcomes.append((request, await self._carry_out(request)))
            except Refusal as refusal:
                outcomes.append((request, problem_of(refusal)))
        await post_replies(self._bus, answers_to(outcomes, None))

    async def stop(self) -> None:
        """A rebuild or check under way is given up; the live tables are as if it had not begun."""
        if self._at_work is not None:
            self._at_work.cancel()
            await asyncio.gather(self._at_work, return_exceptions=True)

    async def _carry_out(self, request: Request) -> dict[str, Any] | Problem:
        with outages_as_unavailable():
            match request.command:
                case RebuildReadModels(names=names):
                    chosen = self._upkeep.chosen(names)
                    await self._must_be_idle()
                    self._begin("rebuild", self._upkeep.rebuild(chosen, request.actor))
                case CheckReadModels(names=names):
                    chosen = self._upkeep.chosen(names)
                    await self._must_be_idle()
                    self._begin("check", self._upkeep.check(chosen, request.actor))
                case SetRetention(history_months=history, output_days=output, audit_months=audit):
                    if (history or audit) is not None and not self._may_archive:
                        raise Conflict(
                            "no_archive_directory",
                            "There is no place for archives: set RUNYARD_ARCHIVE_DIR for the projections and start them again.",
                        )
                    changed = (self._clock.now(), storable(request.actor))
                    await self._pool.execute(_RETENTION, request.tenant_id, history, output, audit, *changed)
                    return {"historyMonths": history, "outputDays": output, "auditMonths": audit}
                case SettleParkedMessage() as command:
                    return await self._parked.settle(command, request.actor)
                case other:
                    return Problem(
                        code="unknown_command", detail=f"the projections do not know {type(other).__name__}", status=422
                    )
        return {"names": [projection.name for projection in chosen]}

    async def _must_be_idle(self) -> None:
        if self._at_work is not None and not self._at_work.done():
            raise Conflict("rebuild_under_way", "a rebuild or a check is under way; wait for it")
        await self._upkeep.must_be_free()

    def _begin(self, what: str, work: Coroutine[Any, Any, object]) -> None:
        self._at_work = asyncio.create_task(_logged(what, work), name=f"{what} of read models")


async def _logged(what: str, work: Coroutine[Any, Any, object]) -> None:
    try:
        await work
    except (RunyardError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        _log.warning("read models: it came to nothing", part=what, reason=str(error) or type(error).__name__)
    except Exception:  # noqa: BLE001 - nobody waits for it; the read models are as they were
        _log.exception("read models: it came to nothing", part=what)
    else:
        _log.info("read models: done", part=what)


_RETENTION: Final = """
    insert into projections.retention (tenant_id, history_months, output_days, audit_months, changed_at, changed_by)
    values ($1, $2, $3, $4, $5, $6)
    on conflict (tenant_id) do update set history_months = excluded.history_months, output_days = excluded.output_days,
        audit_months = excluded.audit_months, changed_at = excluded.changed_at, changed_by = excluded.changed_by
"""

"""The shell of incidents: an event becomes one record, whose single append decides everything: what starts, and what does not.

The workflows are those that ever published an incident trigger (a claim names each), as they are when it is committed. The same
event again finds the first record, by its id, by its idempotency key, or by what it says.
"""

import asyncio
from datetime import datetime
from typing import Any

from runyard_shared.clock import Clock, rfc3339
from runyard_shared.contracts import commands
from runyard_shared.contracts.commands import Problem, Request
from runyard_shared.contracts.events import IncidentReceived
from runyard_shared.errors import Invalid, NotFound, Refusal, VersionConflict
from runyard_shared.eventstore.mapper import EventMapper
from runyard_shared.eventstore.store import Claim, ClaimTaken, EventStore
from runyard_shared.messaging.answers import Answer, answers_to, problem_of

from runyard_orchestrator.repository import Workflows
from runyard_orchestrator.schedule_handler import INCIDENT_TRIGGER
from runyard_orchestrator.triggers import incidents

_CONFLICTS_BEFORE_GIVING_UP = 10


class IncidentHandler:
    def __init__(self, store: EventStore, mapper: EventMapper, workflows: Workflows, clock: Clock) -> None:
        self._store = store
        self._mapper = mapper
        self._workflows = workflows
        self._clock = clock

    async def handle(self, request: Request, command: commands.ReceiveIncident) -> list[Answer]:
        outcome: dict[str, Any] | Problem
        position: int | None = None
        try:
            outcome, position = await self._receive(request, command)
        except Refusal as refusal:
            outcome = problem_of(refusal)
        return answers_to([(request, outcome)], position)

    async def _receive(self, request: Request, command: commands.ReceiveIncident) -> tuple[dict[str, Any], int]:
        look = self._workflows.load  # memory will do: if it is behind, the append conflicts
        for _ in range(_CONFLICTS_BEFORE_GIVING_UP):
            now = self._clock.now()
            first = await self._first_answer(request.tenant_id, command.receipt_id)
            if first is not None:
                return first
            claim, before = await self._claim(request.tenant_id, command, now)
            if before is not None and (first := await self._first_answer(request.tenant_id, before)) is not None:
                return first
            ids = await self._store.claims_of(request.tenant_id, INCIDENT_TRIGGER)
            found = await asyncio.gather(*map(look, ids))
            workflows = [state for state in found if state is not None]
            received = IncidentReceived(
                event=command.event,
                incident=command.incident,
                matches=incidents.matches(command.event, command.incident, workflows, command.receipt_id, now),
                by=request.actor,
            )
            try:
                commit = await self._store.append(
                    command.receipt_id,
                    0,
                    [received],
                    tenant_id=request.tenant_id,
                    at=now,
                    causation_id=request.request_id,
                    claims=[claim],
                    decided_on={workflow.workflow_id: workflow.version for workflow in workflows},
                )
            except (VersionConflict, ClaimTaken):
                look = self._workflows.fresh
                continue  # a workflow was changed, or the event was received: the next look tells
            return incidents.answer_of(command.receipt_id, received), commit.position
        raise VersionConflict(command.receipt_id, 0)

    async def _first_answer(self, tenant_id: str, receipt_id: str) -> tuple[dict[str, Any], int] | None:
        """What the record says; None if there is none."""
        history = await self._store.load(receipt_id)
        if not history:
            return None
        received = self._mapper.decode(history[0])
        if history[0].tenant_id != tenant_id or not isinstance(received, IncidentReceived):
            raise NotFound("incident_not_found", f"there is no record {receipt_id}")
        return incidents.answer_of(receipt_id, received), history[0].position

    async def _claim(self, tenant_id: str, command: commands.ReceiveIncident, now: datetime) -> tuple[Claim, str | None]:
        """What makes the event the first of its kind, and the record of the one that was, if one was."""
        same = incidents.fingerprint(command.event, command.incident)
        value = {"receiptId": command.receipt_id, "fingerprint": same, "receivedAt": rfc3339(now)}
        if command.idempotency_key is not None:
            claim = Claim("incident", command.idempotency_key, value)
            taken = await self._store.claimed(tenant_id, claim.scope, claim.key)
            if taken is not None and taken["fingerprint"] != same:
                detail = f"the Idempotency-Key {claim.key!r} was used for another event; use a new key"
                raise Invalid("idempotency_key_reused", detail)
            return claim, None if taken is None else str(taken["receiptId"])
        scope = f"incident/{same}"
        last = await self._store.last_claimed(tenant_id, scope)
        number = 0 if last is None else int(last[0])
        claim = Claim(scope, f"{number + 1:09d}", value)
        if last is not None and incidents.is_repetition(datetime.fromisoformat(last[1]["receivedAt"]), now):
            return claim, str(last[1]["receiptId"])
        return claim, None

"""Rings when something of a tenant has happened, for whoever then reads anew: that it happened, not what."""

import asyncio
from collections.abc import Callable

from runyard_shared.contracts.feed import Recorded

Concerns = Callable[[str], bool]
"""topic -> whether it is of interest"""


class Bell:
    """`position`: of the last event that it rang for."""

    def __init__(self, concerns: Concerns) -> None:
        self.concerns = concerns
        self.position = 0
        self._rung: asyncio.Event | None = None

    def ring(self, position: int) -> None:
        self.position = position
        if self._rung is not None:
            self._rung.set()
            self._rung = None

    async def after(self, position: int) -> int:
        """Returns the position of the last event once there is one after `position`."""
        while self.position <= position:
            if self._rung is None:
                self._rung = asyncio.Event()
            await self._rung.wait()
        return self.position


class Bells:
    """By tenant."""

    def __init__(self) -> None:
        self._of_tenant: dict[str, set[Bell]] = {}

    def __bool__(self) -> bool:
        return bool(self._of_tenant)

    def hang(self, tenant_id: str, concerns: Concerns) -> Bell:
        bell = Bell(concerns)
        self._of_tenant.setdefault(tenant_id, set()).add(bell)
        return bell

    def take_down(self, tenant_id: str, bell: Bell) -> None:
        bells = self._of_tenant.get(tenant_id, set())
        bells.discard(bell)
        if not bells:
            self._of_tenant.pop(tenant_id, None)

    def ring(self, event: Recorded) -> None:
        for bell in self._of_tenant.get(event.tenant_id, ()):
            if bell.concerns(event.topic):
                bell.ring(event.position)

    def ring_all(self, position: int) -> None:
        for bells in self._of_tenant.values():
            for bell in bells:
                bell.ring(position)

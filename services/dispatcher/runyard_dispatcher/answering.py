"""Answers to requests, to the mailbox of whoever asked. One that is lost is not repeated: whoever asked asks again."""

from collections.abc import Iterable
from dataclasses import dataclass

import structlog
from runyard_shared.contracts.commands import Reply, Request
from runyard_shared.errors import Unavailable
from runyard_shared.messaging.bus import Bus
from runyard_shared.messaging.requests import post_replies

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Answering:
    bus: Bus

    async def answer(self, replies: Iterable[tuple[Request, Reply]]) -> None:
        wanted = [(request.reply_to, reply) for request, reply in replies if request.reply_to is not None]
        try:
            await post_replies(self.bus, wanted)
        except Unavailable as trouble:
            _log.warning("answers not sent; whoever asked asks again", answers=len(wanted), reason=str(trouble))

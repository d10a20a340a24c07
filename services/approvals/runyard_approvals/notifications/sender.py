"""Sending one message to one channel, by the library `apprise`: some hundred kinds of channels, each known by its URL."""

import asyncio
import logging
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

import apprise
from apprise.attachment.file import AttachFile
from runyard_shared.errors import FieldProblem, Invalid

from runyard_approvals.notifications.guard import public_addresses_only
from runyard_approvals.notifications.message import Message

SEND_SECONDS: Final = 8.0
"""How long one attempt may take."""
_LOCAL: Final = frozenset({"syslog", "dbus", "kde", "qt", "glib", "gnome", "macosx", "windows"})
"""Kinds that would tell the machine that this service runs on."""
_SHORTEST_SECRET: Final = 4
_KEPT_OF_ERROR: Final = 500


@dataclass(frozen=True)
class Sent:
    """`error`: why it was not sent. `hopeless`: another attempt would fail in the same way."""

    error: str | None = None
    hopeless: bool = False


class Sender:
    """`allow_private`: whether messages may go to addresses that are not public."""

    def __init__(self, *, allow_private: bool, seconds: float = SEND_SECONDS) -> None:
        self._allow_private = allow_private
        self._seconds = seconds
        self._asset = apprise.AppriseAsset(
            app_id="Runyard", app_desc="Runyard", storage_mode=apprise.PersistentStoreMode.MEMORY, secure_logging=True
        )
        # what it has to say comes with the result; elsewhere its log could show parts of a URL
        apprise.logger.propagate = False
        apprise.logger.setLevel(logging.WARNING)
        # some kinds take the path of a template or key in their URL, and could be made to send out any file of this machine
        AttachFile.location = apprise.ContentLocation.INACCESSIBLE

    async def kind_of(self, url: str) -> str:
        """The scheme of a channel's URL. Raises `Invalid` if nothing can be sent there."""
        kind = url.partition("://")[0].lower()
        with public_addresses_only(unless=self._allow_private):
            channel = await _channel_of(url, self._asset)
        if kind in _LOCAL or channel is None:
            problem = (
                "must be the URL of a notification service, such as mailto://user:password@example.com or "
                "slack://tokenA/tokenB/tokenC; see https://appriseit.com/services/ for all of them"
            )
            raise Invalid("invalid_channel", f"url {problem}", (FieldProblem("url", problem),))
        return kind

    async def send(self, url: str, message: Message) -> Sent:
        """Returns within about `seconds`; raises nothing that the channel has caused."""
        with public_addresses_only(unless=self._allow_private) as refused:
            channel = await _channel_of(url, self._asset)
            if channel is None:
                return Sent("the channel's URL is not understood; save the channel again", hopeless=True)
            courier = apprise.Apprise(asset=self._asset)
            courier.add(channel)
            result = await courier.async_notify(
                message.body, title=message.title, body_format=apprise.NotifyFormat.TEXT, timeout=self._seconds
            )
        if refused:
            detail = f"{refused[0]} is not a public address; RUNYARD_ALLOW_PRIVATE_NOTIFICATIONS=true allows it"
            return Sent(detail, hopeless=True)
        if result:
            return Sent()
        reasons = list(dict.fromkeys(entry.message.strip() for entry in result.logs()))
        return Sent(_without_secrets("; ".join(reasons) or "the channel did not take the message", url)[:_KEPT_OF_ERROR])


async def _channel_of(url: str, asset: apprise.AppriseAsset) -> apprise.NotifyBase | None:
    """In a thread: the first call loads every kind there is."""
    try:
        return await asyncio.to_thread(apprise.Apprise.instantiate, url, asset=asset)
    except Exception:  # noqa: BLE001 - a parser that chokes on what people type says no, and must not quote it
        return None


def _without_secrets(text: str, url: str) -> str:
    """An error may quote the URL. All its parts are taken for secrets, but what looks like the name of a server."""
    authority, path = re.fullmatch(r"([^/?#]*)(.*)", url.partition("://")[2], re.DOTALL).groups()  # type: ignore[union-attr]
    login, _, server = authority.rpartition("@")
    if "." not in server and "[" not in server and server.partition(":")[0] != "localhost":
        path = f"{server}/{path}"
    values = re.sub(r"([?&])[^=&]*=", r"\1", path)
    pieces = {piece for piece in re.split(r"[/:@?&=#,;+]+", f"{login}/{values}") if len(piece) >= _SHORTEST_SECRET}
    for piece in sorted(pieces | {unquote(piece) for piece in pieces}, key=len, reverse=True):
        text = text.replace(piece, "***")
    return text

"""`email.send`: one mail through the SMTP server of a connection.

A job that is run again (a retry, or after its agent was lost) has another id, and so another Message-ID; two mails with one
Message-ID are the same attempt.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any, Final, cast

import aiosmtplib
from runyard_shared.contracts.actions import EmailParams
from runyard_shared.contracts.connections import OpenedConnection, SmtpConfig, SmtpSecrets

from runyard_agent.actions.base import Action, Context, InvalidParams, Outcome, ProbeFailed
from runyard_agent.actions.causes import cause_of
from runyard_agent.actions.opened import opened
from runyard_agent.actions.tls import tls_context, untrusted
from runyard_agent.settings import Settings

_CONNECT_SECONDS: Final = 15.0
_ANSWER_SECONDS: Final = 120.0
"""For each command; servers that check a mail before they take it take their time."""


class SendEmail(Action[EmailParams], built_in="email.send"):
    """The job completes if the server took the mail for at least one address; those it refused are in the output."""

    async def run(self, params: EmailParams, context: Context) -> Outcome:
        config, secrets = opened(context.connection, SmtpConfig, SmtpSecrets)
        message, recipients = _mail(params, config.sender, context.job.job_id)
        output: dict[str, Any] = {"messageId": str(message["message-id"]), "accepted": [], "refused": {}}
        try:
            async with _session(config, secrets) as session:
                refused = await _hand_over(session, message, recipients)
        except _NotSent as error:
            words = f"{config.host}:{config.port}: {error}"
            output["refused"] = error.addresses
            return Outcome.failed("refused" if error.refused else "exception", words, output)
        accepted = [address for address in recipients if address not in refused]
        return Outcome.completed(output | {"accepted": accepted, "refused": refused})


async def probe_smtp(connection: OpenedConnection, settings: Settings) -> str:
    try:
        config, secrets = opened(connection, SmtpConfig, SmtpSecrets)
        async with _session(config, secrets) as session:
            await session.noop()
    except InvalidParams as invalid:
        raise ProbeFailed(str(invalid)) from None
    except _NotSent as error:
        raise ProbeFailed(f"{config.host}:{config.port}: {error}") from None
    except (aiosmtplib.SMTPException, OSError) as error:
        raise ProbeFailed(f"{config.host}:{config.port}: {_what_happened(error)}") from None
    how = {"starttls": "with STARTTLS", "tls": "over TLS", "none": "without TLS"}[config.security]
    who = f"logged in as {config.username}" if config.username else "without a login"
    return f"reached {config.host}:{config.port} {how}, {who}; no mail was sent"


class _NotSent(Exception):
    """The text is for people. `refused`: the server said so itself; `addresses`: what it said to each, if it was about them."""

    def __init__(self, words: str, *, refused: bool = False, addresses: dict[str, str] | None = None) -> None:
        super().__init__(words)
        self.refused = refused
        self.addresses = addresses or {}


@asynccontextmanager
async def _session(config: SmtpConfig, secrets: SmtpSecrets) -> AsyncIterator[aiosmtplib.SMTP]:
    """Connected, on TLS as configured, and logged in. However it ends, the connection is closed. Raises `_NotSent`."""
    session = aiosmtplib.SMTP(
        hostname=config.host,
        port=config.port,
        use_tls=config.security == "tls",
        start_tls=config.security == "starttls",
        tls_context=await tls_context(config.ca_certificate) if config.security != "none" else None,
        timeout=_CONNECT_SECONDS,
    )
    try:
        await _connect(session, config)
        if config.username is not None:
            await _log_in(session, config.username, secrets.password or "")
        yield session
        try:
            await session.quit()
        except (aiosmtplib.SMTPException, OSError):
            return  # the mail is taken already; how the server says goodbye does not matter
    finally:
        session.close()


async def _connect(session: aiosmtplib.SMTP, config: SmtpConfig) -> None:
    try:
        await session.connect()
    except aiosmtplib.SMTPResponseException as error:
        raise _NotSent(f"the server does not let this agent in: {_said(error)}", refused=True) from None
    except aiosmtplib.SMTPTimeoutError:
        raise _NotSent(f"no connection within {_CONNECT_SECONDS:g} s{_HINTS[config.security]}") from None
    except (aiosmtplib.SMTPException, OSError) as error:
        raise _NotSent(f"cannot connect: {_what_happened(error)}") from None
    session.timeout = _ANSWER_SECONDS


async def _log_in(session: aiosmtplib.SMTP, username: str, password: str) -> None:
    try:
        await session.login(username, password)
    except aiosmtplib.SMTPResponseException as error:
        raise _NotSent(f"the server refuses the login as {username}: {_said(error)}", refused=True) from None
    except (aiosmtplib.SMTPException, OSError) as error:
        raise _NotSent(f"the login as {username} failed: {_what_happened(error)}") from None


async def _hand_over(session: aiosmtplib.SMTP, message: EmailMessage, recipients: list[str]) -> dict[str, str]:
    """What the server said to the addresses it refused, if it took the mail for others. Raises `_NotSent`."""
    sender = message["from"].addresses[0].addr_spec
    try:
        refused, _ = await session.send_message(message, sender=sender, recipients=recipients)
    except aiosmtplib.SMTPRecipientsRefused as error:
        addresses = {each.recipient: _said(each) for each in error.recipients}
        words = "; ".join(f"{address}: {why}" for address, why in addresses.items())
        raise _NotSent(f"the server takes the mail for no address: {words}", refused=True, addresses=addresses) from None
    except aiosmtplib.SMTPSenderRefused as error:
        raise _NotSent(f"the server takes no mail from {sender}: {_said(error)}", refused=True) from None
    except aiosmtplib.SMTPResponseException as error:
        raise _NotSent(f"the server does not take the mail: {_said(error)}", refused=True) from None
    except aiosmtplib.SMTPNotSupported as error:
        raise _NotSent(_one_line(error.message), refused=True) from None
    except (aiosmtplib.SMTPException, OSError) as error:
        raise _NotSent(f"{_what_happened(error)}; whether the mail was taken is not known") from None
    return {address: f"{answer.code} {_one_line(answer.message)}" for address, answer in refused.items()}


_HINTS: Final = {
    "starttls": "; if the server speaks TLS from the start (port 465), the connection's security must be tls",
    "tls": "; if the server speaks STARTTLS (port 587), the connection's security must be starttls",
    "none": "",
}


def _mail(params: EmailParams, sender: str, job_id: str) -> tuple[EmailMessage, list[str]]:
    """The mail, and everybody it goes to, each once. Nothing that is given can add a header: addresses are parsed, and the
    subject is one line."""
    problems: list[str] = []
    fields = {"to": params.to, "cc": params.cc, "bcc": params.bcc, "replyTo": [params.reply_to] if params.reply_to else []}
    found = {
        name: [_address(given, name if name == "replyTo" else f"{name}[{at}]", problems) for at, given in enumerate(values)]
        for name, values in fields.items()
    }
    from_ = _address(sender, "the connection's sender", problems)
    subject = params.subject.strip()
    if len(subject.splitlines()) > 1 or not subject.isprintable():
        problems.append("subject: must be one line without control characters")
    if not params.text and params.html is None:
        problems.append("text, html: give at least one of them")
    if problems or from_ is None:
        raise InvalidParams(*problems)
    parsed = {name: [address for address in addresses if address is not None] for name, addresses in found.items()}
    message = EmailMessage(policy=SMTP)
    message["From"] = from_
    message["To"] = parsed["to"]
    if parsed["cc"]:
        message["Cc"] = parsed["cc"]
    if parsed["replyTo"]:
        message["Reply-To"] = parsed["replyTo"]
    message["Subject"] = subject
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{job_id}@{_ascii_domain(from_)}>"
    message["Auto-Submitted"] = "auto-generated"
    if params.text or params.html is None:
        message.set_content(params.text)
        if params.html is not None:
            message.add_alternative(params.html, subtype="html")
    else:
        message.set_content(params.html, subtype="html")
    everybody = [address.addr_spec for name in ("to", "cc", "bcc") for address in parsed[name]]
    return message, list(dict.fromkeys(everybody))


def _address(given: str, where: str, problems: list[str]) -> Address | None:
    """`ops@example.com` or `Operations <ops@example.com>`."""
    given = given.strip()
    if given.isprintable():
        try:
            header: Any = SMTP.header_factory("to", given)
        except (HeaderParseError, IndexError, ValueError):
            header = None  # the standard library's parser gives up in several ways
        if header is not None and not header.defects and len(header.addresses) == 1:
            address = header.addresses[0]
            if address.username and address.domain:
                return cast("Address", address)
    problems.append(f"{where}: {given!r} is not one address, like ops@example.com or Operations <ops@example.com>")
    return None


def _ascii_domain(address: Address) -> str:
    try:
        return address.domain.encode("idna").decode()
    except UnicodeError:
        return "runyard.invalid"


def _said(answer: aiosmtplib.SMTPResponseException) -> str:
    return f"{answer.code} {_one_line(answer.message)}"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]


def _what_happened(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPTimeoutError):
        return f"no answer within {_ANSWER_SECONDS:g} s"
    if isinstance(error, aiosmtplib.SMTPServerDisconnected):
        return "the server closed the connection"
    return untrusted(error) or cause_of(error)

"""`email.send` against a real SMTP server: aiosmtpd, with TLS and logins, told what to refuse."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from runyard_agent.actions.base import ProbeFailed
from runyard_agent.actions.email import SendEmail
from runyard_agent.probe import probe
from runyard_agent.settings import Settings
from runyard_agent.testing import Ran, run_action
from runyard_shared.contracts.connections import OpenedConnection
from runyard_shared.contracts.values import JobStatus
from runyard_shared.ids import new_id

from tests.agents import until
from tests.certificates import ServerCertificate, server_certificate

PASSWORD = "kanarienvogel-0815"


@dataclass
class MailServer:
    """Takes mails; `refused` addresses it refuses, `at_data` is its answer to a mail if set."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    users: list[str | None] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    at_mail: str | None = None
    at_data: str | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0
    open: set[SMTP] = field(default_factory=set)

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        if isinstance(data, LoginPassword) and (data.login, data.password) == (b"runyard", PASSWORD.encode()):
            return AuthResult(success=True, auth_data="runyard")
        # a server that repeats what it was sent is a bad one; its words must not reach anybody
        return AuthResult(success=False, handled=False, message=f"535 5.7.8 no: {data.password.decode()}")

    async def handle_MAIL(  # noqa: N802 - the name of aiosmtpd
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.at_mail is not None:
            return self.at_mail
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.waiting += 1
        await self.gate.wait()
        if self.at_data == "hang up":
            cast("asyncio.WriteTransport", server.transport).abort()
            return "421 bye"
        if self.at_data is not None:
            return self.at_data
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        self.recipients.append(list(envelope.rcpt_tos))
        self.encrypted.append(server.transport is not None and server.transport.get_extra_info("ssl_object") is not None)
        self.users.append(str(session.auth_data) if session.auth_data else None)
        return "250 taken"


class _Session(SMTP):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.event_handler.open.add(self)  # called once more after STARTTLS
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.event_handler.open.discard(self)
        super().connection_lost(error)


@asynccontextmanager
async def mail_server(
    *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[MailServer]:
    box = MailServer()
    box.gate.set()

    def session() -> SMTP:
        return _Session(
            box,
            hostname="mail.test",
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=box.authenticate,
            auth_require_tls=False,
            enable_SMTPUTF8=True,
        )

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0, ssl=tls)
    box.port = server.sockets[0].getsockname()[1]
    async with server:
        yield box
        box.gate.set()
        await until(lambda: not box.open)


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with mail_server() as box:
        yield box


@pytest.fixture
def certificate(tmp_path: Path) -> ServerCertificate:
    return server_certificate(tmp_path)


def connection(server: MailServer | int, password: str | None = None, **config: Any) -> OpenedConnection:
    port = server if isinstance(server, int) else server.port
    given: dict[str, Any] = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "runyard@example.com"}
    secrets = {"password": password} if password else {}
    return OpenedConnection(name="mail", kind="smtp", config=given | config, secrets=secrets)


async def send(through: OpenedConnection, *, job_id: str | None = None, **params: Any) -> Ran:
    more = {name: params.pop(name) for name in ("timeout_seconds", "cancel") if name in params}
    given = {"to": ["ops@example.com"], "subject": "Backup failed", "text": "see the log"}
    return await run_action(SendEmail, given | params, connection=through, job_id=job_id, **more)


def words_of(ran: Ran) -> str:
    assert ran.error is not None
    assert PASSWORD not in ran.error.message
    return ran.error.message


async def test_a_mail_arrives_with_names_and_subject_in_any_script(server: MailServer) -> None:
    job_id = new_id()
    ran = await send(
        connection(server, sender="Rünyard Bot <runyard@example.com>"),
        job_id=job_id,
        to=["Jürgen Groß <juergen@example.com>", "ops@example.com"],
        cc=["山田太郎 <yamada@example.com>"],
        bcc=["audit@example.com", "ops@example.com"],
        replyTo="Desk <desk@example.com>",
        subject="Größe überschritten 🚨\n",
        text="Straße voll\n",
        html="<p>Straße <b>voll</b></p>",
    )
    assert ran.error is None
    assert ran.output == {
        "messageId": f"<{job_id}@example.com>",
        "accepted": ["juergen@example.com", "ops@example.com", "yamada@example.com", "audit@example.com"],
        "refused": {},
    }
    (mail,) = server.mails
    assert server.recipients == [ran.output["accepted"]]
    assert mail["from"] == "Rünyard Bot <runyard@example.com>"
    assert mail["to"] == "Jürgen Groß <juergen@example.com>, ops@example.com"
    assert mail["cc"] == "山田太郎 <yamada@example.com>"
    assert mail["reply-to"] == "Desk <desk@example.com>"
    assert mail["subject"] == "Größe überschritten 🚨"
    assert mail["message-id"] == ran.output["messageId"]
    assert mail["auto-submitted"] == "auto-generated"
    assert mail["bcc"] is None
    assert b"audit@" not in mail.as_bytes()
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert isinstance(text, EmailMessage)
    assert isinstance(html, EmailMessage)
    assert text.get_content().strip() == "Straße voll"
    assert html.get_content().strip() == "<p>Straße <b>voll</b></p>"
    assert mail.get_content_type() == "multipart/alternative"


async def test_a_mail_may_be_html_alone(server: MailServer) -> None:
    assert (await send(connection(server), text="", html="<p>x</p>")).status is JobStatus.COMPLETED
    assert server.mails[0].get_content_type() == "text/html"


async def test_another_attempt_has_another_message_id_and_the_same_attempt_the_same(server: MailServer) -> None:
    first, second = new_id(), new_id()
    for job_id in (first, first, second):
        await send(connection(server), job_id=job_id)
    assert [mail["message-id"] for mail in server.mails] == [f"<{job_id}@example.com>" for job_id in (first, first, second)]


async def test_what_the_server_refuses_for_some_is_in_the_output(server: MailServer) -> None:
    server.refused = {"gone@example.com": "550 5.1.1 no such user", "full@example.com": "452 4.2.2 mailbox full"}
    ran = await send(connection(server), to=["ops@example.com", "gone@example.com"], bcc=["full@example.com"])
    assert ran.status is JobStatus.COMPLETED
    assert ran.output["accepted"] == ["ops@example.com"]
    assert ran.output["refused"] == {"gone@example.com": "550 5.1.1 no such user", "full@example.com": "452 4.2.2 mailbox full"}
    assert len(server.mails) == 1


async def test_a_mail_that_nobody_gets_is_a_failed_job(server: MailServer) -> None:
    server.refused = {"gone@example.com": "550 5.1.1 no such user"}
    ran = await send(connection(server), to=["gone@example.com"])
    assert ran.error is not None
    assert ran.error.reason == "refused"
    assert words_of(ran).endswith("the server takes the mail for no address: gone@example.com: 550 5.1.1 no such user")
    assert (ran.output["accepted"], ran.output["refused"]) == ([], {"gone@example.com": "550 5.1.1 no such user"})


@pytest.mark.parametrize(
    ("at", "answer", "words"),
    [
        ("at_data", "451 4.3.0 try again later", "the server does not take the mail: 451 4.3.0 try again later"),
        ("at_data", "554 5.7.1 looks like spam", "the server does not take the mail: 554 5.7.1 looks like spam"),
        ("at_mail", "553 5.7.1 not yours", "the server takes no mail from runyard@example.com: 553 5.7.1 not yours"),
    ],
)
async def test_a_refused_mail_fails_the_job_in_the_servers_words(server: MailServer, at: str, answer: str, words: str) -> None:
    setattr(server, at, answer)
    ran = await send(connection(server))
    assert ran.error is not None
    assert ran.error.reason == "refused"
    assert words_of(ran) == f"127.0.0.1:{server.port}: {words}"


async def test_a_connection_lost_in_the_middle_is_said_to_leave_a_doubt(server: MailServer) -> None:
    server.at_data = "hang up"
    assert words_of(await send(connection(server))).endswith("whether the mail was taken is not known")


async def test_starttls_with_a_private_authority_and_a_login(certificate: ServerCertificate) -> None:
    async with mail_server(starttls=certificate.context()) as server:
        ran = await send(
            connection(server, PASSWORD, security="starttls", username="runyard", caCertificate=certificate.authority)
        )
        assert ran.error is None
        assert (server.encrypted, server.users) == ([True], ["runyard"])


async def test_tls_from_the_start(certificate: ServerCertificate) -> None:
    async with mail_server(tls=certificate.context()) as server:
        tls = connection(server, PASSWORD, security="tls", username="runyard", caCertificate=certificate.authority)
        assert (await send(tls)).error is None
        assert server.encrypted == [True]
        assert "over TLS, logged in as runyard; no mail was sent" in await probe(tls, Settings())


async def test_a_certificate_of_an_unknown_authority_gets_neither_password_nor_mail(certificate: ServerCertificate) -> None:
    async with mail_server(starttls=certificate.context()) as server:
        ran = await send(connection(server, PASSWORD, security="starttls", username="runyard"))
        assert "its certificate is not trusted" in words_of(ran)
        assert server.mails == []


async def test_a_server_without_starttls_gets_nothing(server: MailServer) -> None:
    ran = await send(connection(server, PASSWORD, security="starttls", username="runyard"))
    assert "STARTTLS" in words_of(ran)
    assert server.mails == []


async def test_a_wrong_password_is_said_and_never_shown(server: MailServer) -> None:
    wrong = connection(server, "falscher-kanarienvogel", username="runyard")
    ran = await send(wrong)
    assert ran.error is not None
    assert ran.error.reason == "refused"
    assert "refuses the login as runyard: 535" in ran.error.message
    assert "falscher-kanarienvogel" not in str(ran)
    with pytest.raises(ProbeFailed, match="refuses the login as runyard"):
        await probe(wrong, Settings())


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"subject": "x\nBcc: evil@example.com"}, "subject: must be one line"),
        ({"subject": "x\r\n\r\nbody"}, "subject: must be one line"),
        ({"to": ["ops@example.com\nBcc: evil@example.com"]}, "to[0]: "),
        ({"to": ["a@example.com, b@example.com"]}, "to[0]: "),
        ({"cc": ["nobody"]}, "cc[0]: 'nobody' is not one address"),
        ({"bcc": ["@example.com"]}, "bcc[0]: "),
        ({"replyTo": "a@b\r\nX: y"}, "replyTo: "),
        ({"to": ["Evil\x00 <a@example.com>"]}, "to[0]: "),
        ({"to": ["<a@example.com"]}, "to[0]: "),
        ({"text": ""}, "text, html: give at least one of them"),
    ],
)
async def test_nothing_that_is_given_becomes_a_header(server: MailServer, params: dict[str, Any], problem: str) -> None:
    ran = await send(connection(server), **params)
    assert ran.error is not None
    assert ran.error.reason == "invalid_params"
    assert problem in words_of(ran)
    assert server.mails == []


async def test_all_problems_are_said_at_once(server: MailServer) -> None:
    words = words_of(await send(connection(server), to=["x", "y"], subject="a\nb"))
    assert [part in words for part in ("to[0]", "to[1]", "subject")] == [True] * 3


async def test_timeout_and_cancel_end_the_connection(server: MailServer) -> None:
    server.gate.clear()
    assert (await send(connection(server), timeout_seconds=0.3)).status is JobStatus.TIMEOUT
    cancel, before = asyncio.Event(), server.waiting
    running = asyncio.create_task(send(connection(server), cancel=cancel))
    await until(lambda: server.waiting > before)
    cancel.set()
    assert (await running).status is JobStatus.CANCELLED
    server.gate.set()
    await until(lambda: not server.open)


async def test_the_probe_logs_in_and_sends_nothing(server: MailServer) -> None:
    found = await probe(connection(server, PASSWORD, username="runyard"), Settings())
    assert "without TLS, logged in as runyard; no mail was sent" in found
    assert server.mails == []


async def test_a_server_that_is_not_there_is_named(unused_port: int) -> None:
    nowhere = connection(unused_port)
    assert words_of(await send(nowhere)) == f"127.0.0.1:{unused_port}: cannot connect: Connection refused"
    with pytest.raises(ProbeFailed, match="Connection refused"):
        await probe(nowhere, Settings())


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])

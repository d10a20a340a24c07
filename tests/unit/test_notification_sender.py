"""What a channel's URL must not be able to do, and what an error must not tell."""

from pathlib import Path

import pytest
from runyard_approvals.notifications.message import Message
from runyard_approvals.notifications.sender import Sender

MESSAGE = Message("title", "body")


@pytest.mark.parametrize(
    "url",
    [
        "workflows://127.0.0.1:9/ABCDEFGH/DEFGHIJK/?template={path}",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?template={path}",
        "fcm://project@key1234567890/device?keyfile={path}",
    ],
)
async def test_no_channel_can_have_a_file_of_this_machine_sent_out(url: str, tmp_path: Path) -> None:
    path = tmp_path / "template.json"
    path.write_text("{}")
    sent = await Sender(allow_private=True).send(url.format(path=path), MESSAGE)
    assert sent.error is not None
    assert "Could not access" in sent.error


@pytest.mark.parametrize(
    "url",
    [
        "json://us3r:p4ssw0rd@127.0.0.1:9/geheim/t0ken?+x-key=s3cret",
        "mailto://us3r:p4ssw0rd@127.0.0.1:9?mode=insecure&from=geheim@s3cret.example&to=t0ken@s3cret.example",
        "mailto://us3r:p4%40ssw0rd@127.0.0.1:9?mode=insecure&from=a@example.com&to=b@example.com",
    ],
)
async def test_an_error_quotes_nothing_of_the_url_but_the_server(url: str) -> None:
    sent = await Sender(allow_private=True).send(url, MESSAGE)
    assert sent.error is not None
    assert not sent.hopeless
    for secret in ("us3r", "p4ssw0rd", "p4@ssw0rd", "geheim", "t0ken", "s3cret"):
        assert secret not in sent.error


async def test_a_url_that_nobody_understands_is_hopeless() -> None:
    assert (await Sender(allow_private=True).send("nonsense://x", MESSAGE)).hopeless

"""What secrets at rest are protected with is changed while everything runs, by a command that is killed on the way."""

import asyncio
import hmac
import os
import signal
import sys
from base64 import urlsafe_b64encode
from pathlib import Path

import asyncpg
import runyard_approvals.secret
import runyard_gateway.secret
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from runyard_gateway.resources.secrets import AT_ONCE
from runyard_shared.sealing import CannotOpen, OpeningKey, seal

from tests.gateway import CHAIN, TOKEN, House, Json, house

OLD, NEW = "the-old-secret-of-the-test-and-long-enough", "the-new-secret-of-the-test-and-long-enough"
CANARY = "canary-that-nobody-sees"
HOOKED: Json = CHAIN | {"triggers": [{"type": "webhook", "id": "code"}]}
MANY = 2 * AT_ONCE + 50


def settings(*keys: str) -> Json:
    together = ",".join(keys)
    return {"master_keys": together, "approvals_secret": together, "gateway_secret": together}


async def rotate(home: House, directory: Path) -> asyncio.subprocess.Process:
    environment = {"PATH": os.environ["PATH"], "RUNYARD_URL": home.gateway.address, "RUNYARD_API_KEY": TOKEN}
    return await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("runyard")), "admin", "rotate-master-key"),
        env=environment | {"XDG_CONFIG_HOME": str(directory)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def opened_by(master: str, boxes: list[bytes]) -> int:
    opened = 0
    for box in boxes:
        try:
            OpeningKey.derived(master).open(box)
            opened += 1
        except CannotOpen:
            pass
    return opened


def decrypted(secret: str, purpose: str, sealed: bytes) -> bytes:
    """Raises `InvalidToken`. The keys are those of the services, derived here once more."""
    key = HKDF(SHA256(), 32, salt=None, info=purpose.encode()).derive(secret.encode())
    return Fernet(urlsafe_b64encode(key)).decrypt(sealed)


async def boxes_of(pool: asyncpg.Pool) -> list[bytes]:
    return [row["box"] for row in await pool.fetch("select box from dispatcher.connection_secret")]


async def pushed(home: House, hook: Json, delivery: str) -> int:
    """The status of a signed delivery."""
    content = b'{"ref": "refs/heads/main", "delivery": "%s"}' % delivery.encode()
    signature = "sha256=" + hmac.digest(hook["secret"].encode(), content, "sha256").hex()
    headers = {"X-Hub-Signature-256": signature, "X-GitHub-Event": "push", "X-GitHub-Delivery": delivery}
    headers["Content-Type"] = "application/json"
    return (await home.http.post(f"/api/v1/webhooks/{hook['key']}", content=content, headers=headers)).status_code


async def test_every_secret_is_under_the_new_key_after_a_rotation_that_was_killed_and_none_under_the_old(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    async with house(pool, **settings(OLD)) as home:
        secrets = {"token": CANARY}
        made = await home.call("POST", "/connections", status=201, json={"name": "bag", "kind": "secrets", "secrets": secrets})
        channel = {"name": "ops", "url": f"json://user:{CANARY}@127.0.0.1:1/"}
        await home.call("POST", "/notification-channels", status=201, json=channel)
        workflow_id = await home.publish(HOOKED)
        wanted = {"webhookId": "code", "preset": "github", "auth": "hmac"}
        hook = await home.call("POST", f"/workflows/{workflow_id}/webhooks", status=201, json=wanted)
        assert await pushed(home, hook, "1") == 202
        box = seal(OpeningKey.derived(OLD).public, b"one of many")
        rows = [(made["connectionId"], f"more{number}", box) for number in range(MANY)]
        await pool.executemany("insert into dispatcher.connection_secret (connection_id, name, box) values ($1, $2, $3)", rows)
        before = await rotate(home, tmp_path)  # nothing is newer yet
        assert f"connections:  0 changed, {MANY + 1} were current" in (await before.communicate())[0].decode()

    async with house(pool, **settings(NEW, OLD)) as home:
        begun = await rotate(home, tmp_path)
        assert begun.stderr is not None
        assert await begun.stderr.readline() == b"%d to go\n" % (MANY + 1 - AT_ONCE)
        begun.send_signal(signal.SIGKILL)
        await begun.communicate()
        half = await boxes_of(pool)
        assert opened_by(NEW, half) + opened_by(OLD, half) == MANY + 1
        assert AT_ONCE <= opened_by(NEW, half) <= 2 * AT_ONCE
        assert await pushed(home, hook, "2") == 202
        again = await rotate(home, tmp_path)
        said, problems = await again.communicate()
        assert (again.returncode, b"can be taken away now" in said) == (0, True), problems
        boxes = await boxes_of(pool)
        assert (opened_by(NEW, boxes), opened_by(OLD, boxes)) == (MANY + 1, 0)
        stored = await pool.fetchval("select secret from gateway.webhook")
        url = await pool.fetchval("select url from approvals.channel")
        assert decrypted(NEW, "runyard gateway webhook secrets", stored).decode() == hook["secret"]
        assert CANARY in decrypted(NEW, "runyard channel urls", url).decode()
        assert CANARY.encode() not in said + problems

    async with house(pool, **settings(NEW)) as home:
        assert await pushed(home, hook, "3") == 202
    async with house(pool, **settings(OLD)) as home:
        late = await rotate(home, tmp_path)
        said, _ = await late.communicate()
        assert (late.returncode, b"webhooks: default/code" in said, b"channels: default/ops" in said) == (1, True, True)
        assert await pushed(home, hook, "4") == 503


def test_a_secret_with_a_comma_in_it_stays_one() -> None:
    for values_of in (runyard_gateway.secret.values_of, runyard_approvals.secret.values_of):
        assert values_of("short, and long enough to be one secret") == [b"short, and long enough to be one secret"]
        both = f"{NEW}, {OLD}"
        assert values_of(both) == [NEW.encode(), OLD.encode(), both.encode()]

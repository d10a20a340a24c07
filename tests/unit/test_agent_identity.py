"""What an agent is told, and what it keeps: its settings, its key pair, its state directory, and what it is made of."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from runyard_agent import cli
from runyard_agent.identity import Identity, StateInUse, StateUnusable, read_enrolment, read_key
from runyard_agent.server import NotConfigured, agent_key
from runyard_agent.settings import Settings, default_state_dir
from runyard_shared.sealing import seal

from tests.agents import enrolment

NOT_NEEDED = ("aio_pika", "faststream", "asyncpg", "starlette", "uvicorn", "eventsourcing", "psycopg")


def test_an_agent_starts_without_database_driver_web_framework_and_event_store() -> None:
    blocked = f"import sys; sys.modules.update(dict.fromkeys({NOT_NEEDED!r})); import runyard_agent.__main__"
    subprocess.run([sys.executable, "-W", "error", "-c", blocked], check=True, timeout=60)


def test_the_key_pair_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    first = Identity.open(directory)
    box = seal(first.key.public, b"content")
    first.close()
    second = Identity.open(directory)
    assert second.key.open(box) == b"content"
    second.remember(enrolment())
    second.close()
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()} == {
        "key": 0o600,
        "lock": 0o600,
        "enrolment.json": 0o600,
    }
    assert read_enrolment(directory) == enrolment()


def test_a_directory_that_others_may_read_is_closed_to_them(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    Identity.open(tmp_path).close()
    assert tmp_path.stat().st_mode & 0o777 == 0o700


def test_a_state_directory_has_one_process(tmp_path: Path) -> None:
    identity = Identity.open(tmp_path)
    with pytest.raises(StateInUse, match="another process uses the state directory"):
        Identity.open(tmp_path)
    again = f"""
from pathlib import Path
from runyard_agent.identity import Identity
Identity.open(Path({str(tmp_path)!r}))
"""
    other = subprocess.run([sys.executable, "-c", again], capture_output=True, text=True, check=False, timeout=60)
    assert "StateInUse" in other.stderr
    identity.close()
    Identity.open(tmp_path).close()


@pytest.mark.parametrize("content", [b"", b"half of a key", b"!!!", b"AAAA"])
def test_a_damaged_key_is_said_and_never_replaced_in_silence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(StateUnusable, match="private key"):
        Identity.open(tmp_path)
    assert (tmp_path / "key").read_bytes() == content


def test_what_was_enrolled_may_be_damaged_and_is_then_asked_for_again(tmp_path: Path) -> None:
    (tmp_path / "enrolment.json").write_text("{")
    assert read_enrolment(tmp_path) is None
    assert read_key(tmp_path) is None


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    identity = Identity.open(tmp_path)
    identity.remember(enrolment(pool="pool-0"))
    written = threading.Event()

    def write() -> None:
        for number in range(50):
            identity.remember(enrolment(pool=f"pool-{number}"))
        written.set()

    writing = threading.Thread(target=write)
    writing.start()
    while not written.is_set():
        assert read_enrolment(tmp_path) is not None
    writing.join()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["enrolment.json", "key", "lock"]
    identity.close()


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://runyard.example.com", True),
        ("http://127.0.0.1:8080", True),
        ("http://localhost:8080/", True),
        ("http://[::1]:8080", True),
        ("http://10.0.0.5", False),
        ("http://127.0.0.1.example.com", False),
        ("http://localhost.example.com", False),
        ("ftp://runyard.example.com", False),
        ("runyard.example.com", False),
    ],
)
def test_a_key_travels_in_plain_text_only_on_this_host(url: str, allowed: bool) -> None:
    if allowed:
        assert Settings(url=url).url == url.rstrip("/")
    else:
        with pytest.raises(ValidationError):
            Settings(url=url)


def test_plain_text_may_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNYARD_AGENT_ALLOW_HTTP", "true")
    assert Settings(url="http://10.0.0.5").url == "http://10.0.0.5"


def test_a_key_is_never_shown(tmp_path: Path) -> None:
    settings = Settings(url="https://runyard.example.com", agent_key=SecretStr("rya_secret"))
    assert "rya_secret" not in f"{settings!r}{settings}{settings.model_dump()}"
    with pytest.raises(ValidationError) as invalid:
        Settings(url="http://10.0.0.5", agent_key=SecretStr("rya_secret"))
    assert "rya_secret" not in str(invalid.value)
    (tmp_path / "key").write_text(" rya_from-a-file\n")
    assert agent_key(Settings(agent_key_file=tmp_path / "key")) == "rya_from-a-file"
    for wrong in ("two words", "schlüssel", "line\nbreak"):
        with pytest.raises(NotConfigured) as refused:
            agent_key(Settings(agent_key=SecretStr(wrong)))
        assert wrong not in str(refused.value)


def test_the_command_line_counts_more_than_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RUNYARD_URL", "https://old.example.com")
    monkeypatch.setenv("RUNYARD_AGENT_KEY", "rya_of-the-environment")
    (tmp_path / "key").write_text("rya_of-the-file\n")
    given = cli.parse(["--url", "https://new.example.com", "--key-file", str(tmp_path / "key"), "--transport", "https"])
    settings = cli.settings_of(given)
    assert (given.command, settings.url, settings.agent_transport) == ("run", "https://new.example.com", "https")
    assert agent_key(settings) == "rya_of-the-file"
    assert agent_key(cli.settings_of(cli.parse(["check"]))) == "rya_of-the-environment"


def test_all_wrong_settings_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNYARD_AGENT_CAPACITY", "none")
    monkeypatch.setenv("RUNYARD_STOP_GRACE_SECONDS", "-1")
    with pytest.raises(NotConfigured) as refused:
        cli.settings_of(cli.parse(["--url", "nowhere"]))
    for name in ("RUNYARD_AGENT_CAPACITY", "RUNYARD_STOP_GRACE_SECONDS", "RUNYARD_URL"):
        assert name in str(refused.value)


def test_the_state_directory_is_where_this_user_may_write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_state_dir() == tmp_path / "runyard-agent"
    assert Settings().agent_state_dir == tmp_path / "runyard-agent"

"""Secrets on their way in, keys on their way out."""

import io
import stat
from pathlib import Path

import pytest
from runyard_cli.asking import sure
from runyard_cli.confidential import KeyFile, secrets, with_key_file
from runyard_cli.errors import CommandFailed, Misused

COMMAND = "runyard-agent --url https://runyard.example.com --key rya_secret"


def test_a_secret_of_one_line_is_without_its_end_and_one_of_several_as_the_file_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("word of theirs\r\n")
    (tmp_path / "key").write_text("-----BEGIN-----\nabc\n-----END-----\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("typed\nanother\n"))
    given = secrets(["password", "passphrase"], [f"token={tmp_path / 'token'}", f"privateKey={tmp_path / 'key'}"])
    assert given == {
        "token": "word of theirs", "privateKey": "-----BEGIN-----\nabc\n-----END-----\n", "password": "typed",
        "passphrase": "another",
    }  # fmt: skip
    monkeypatch.setattr("sys.stdin", io.StringIO("all\nof it\n"))
    assert secrets([], ["privateKey=-"]) == {"privateKey": "all\nof it\n"}


def test_all_secrets_that_cannot_be_had_are_told_at_once_and_none_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(Misused) as raised:
        secrets(["token=on-argv"], ["passphrase", "password=on-argv", f"privateKey={tmp_path / 'binary'}"])
    assert [problem.split(":")[0] for problem in raised.value.problems] == [
        "--secret token", "--secret-file passphrase", "--secret-file password", "--secret-file privateKey",
    ]  # fmt: skip
    assert "on-argv" not in "".join(raised.value.problems)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(Misused) as raised:
        secrets(["token"], [])
    assert raised.value.problems == ["--secret token: nothing was given"]


def test_a_new_key_goes_into_a_file_that_only_its_user_can_read_and_not_to_the_screen(tmp_path: Path) -> None:
    path = tmp_path / "agent key"
    with KeyFile(path) as file:
        shown = file.keep({"name": "db-1", "key": "rya_secret", "command": COMMAND})
    assert path.read_text() == "rya_secret\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "rya_secret" not in str(shown)
    assert shown["command"] == f"runyard-agent --url https://runyard.example.com --key-file '{path}'"
    with pytest.raises(Misused, match="in use"), KeyFile(path):
        pass
    with KeyFile(path, replace=True) as file:
        file.keep({"key": "rya_new"})
    assert path.read_text() == "rya_new\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_told_before_a_key_is_made_and_a_command_that_fails_leaves_no_file(
    tmp_path: Path,
) -> None:
    with pytest.raises(Misused, match="cannot be written"), KeyFile(tmp_path / "nowhere" / "key"):
        pytest.fail("a key would have been made")
    with pytest.raises(RuntimeError), KeyFile(tmp_path / "key"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with KeyFile(tmp_path / "key") as file:
        (tmp_path / "key").mkdir()
        with pytest.raises(CommandFailed, match="The key was made, but"):
            file.keep({"key": "rya_lost"})


def test_a_command_that_names_no_key_stays_as_it_is() -> None:
    assert with_key_file("runyard-agent --url x", "f") == "runyard-agent --url x"


def test_what_cannot_be_taken_back_is_not_done_where_nobody_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(Misused) as raised:
        sure("db-1 will be cut off for good.", yes=False)
    assert raised.value.problems == ["db-1 will be cut off for good."]
    assert "--yes" in raised.value.hint
    sure("db-1 will be cut off for good.", yes=True)

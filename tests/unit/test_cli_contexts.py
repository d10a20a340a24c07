"""Which gateway with which key, and that keys stay where they belong."""

import stat
from pathlib import Path

import pytest
from runyard_cli.contexts import Contexts, Place, address_of
from runyard_cli.errors import Misused

PROD, TEST = Place("https://prod.example.com", "prod-key"), Place("https://test.example.com", "test-key")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path)}


@pytest.fixture
def contexts(environment: dict[str, str]) -> Contexts:
    known = Contexts.load(environment)
    known.places |= {"prod": PROD, "test": TEST}
    known.current = "prod"
    known.save()
    return Contexts.load(environment)


def test_keys_are_kept_in_a_file_that_only_its_user_can_read(contexts: Contexts) -> None:
    assert stat.S_IMODE(contexts.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(contexts.path.parent.stat().st_mode) == 0o700
    assert [each.name for each in contexts.path.parent.iterdir()] == [contexts.path.name]
    contexts.path.chmod(0o644)
    contexts.save()
    assert stat.S_IMODE(contexts.path.stat().st_mode) == 0o600


def test_the_environment_comes_before_the_file_and_the_option_before_both(contexts: Contexts) -> None:
    assert contexts.place(None, {}) == PROD
    assert contexts.place(None, {"RUNYARD_CONTEXT": "test"}) == TEST
    assert contexts.place(None, {"RUNYARD_API_KEY": "mine"}) == Place(PROD.url, "mine")
    elsewhere = {"RUNYARD_URL": "https://other.example.com/", "RUNYARD_API_KEY": "other"}
    assert contexts.place(None, elsewhere) == Place("https://other.example.com", "other")
    assert contexts.place("test", elsewhere) == TEST


def test_a_kept_key_goes_only_to_the_address_it_was_kept_for(contexts: Contexts) -> None:
    assert contexts.place(None, {"RUNYARD_URL": "https://test.example.com"}) == TEST
    with pytest.raises(Misused, match="there is no key for it"):
        contexts.place(None, {"RUNYARD_URL": "https://evil.example.com"})


def test_a_context_that_is_not_there_is_named_with_those_that_are(contexts: Contexts, tmp_path: Path) -> None:
    with pytest.raises(Misused, match="There is no context prud; there are prod, test"):
        contexts.place("prud", {})
    with pytest.raises(Misused, match="not signed in anywhere") as raised:
        Contexts.load({"XDG_CONFIG_HOME": str(tmp_path / "empty")}).place(None, {})
    assert "runyard login" in raised.value.hint


def test_a_broken_file_is_said_and_not_overwritten(contexts: Contexts, environment: dict[str, str]) -> None:
    contexts.path.write_text("{")
    with pytest.raises(Misused, match="cannot be read"):
        Contexts.load(environment)
    assert contexts.path.read_text() == "{"


def test_addresses_are_kept_in_one_form_and_those_with_a_password_are_refused() -> None:
    assert address_of(" https://a.example.com/runyard/ ") == "https://a.example.com/runyard"
    assert address_of("a.example.com:8443") == "https://a.example.com:8443"
    for wrong in ("ftp://a", "https://", "https://me:secret@a", "https://a:port", "https://a/?q=1"):
        with pytest.raises(Misused):
            address_of(wrong)

"""Which actions an agent offers, and what it says about those it does not: packages as they are installed, in a directory."""

from pathlib import Path

import pytest
from runyard_agent.actions.registry import LeftOut, find_actions, load_actions
from runyard_agent.settings import Settings
from runyard_shared.contracts.actions import ACTIONS
from structlog.testing import capture_logs

CODE = """
from pydantic import BaseModel
from runyard_agent.actions.base import Action, Outcome, Unusable


class Params(BaseModel):
    pass


class Works(Action[Params]):
    params = Params

    async def run(self, params, context):
        return Outcome.completed({})


class NeedsMore(Works):
    def __init__(self, settings):
        raise Unusable("install acme[more]")


class NoParams(Action):
    async def run(self, params, context):
        return Outcome.completed({})


class Nothing:
    def __init__(self, settings):
        pass
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acme_actions.py").write_text(CODE)
    for package, lines in {
        "acme": [
            "acme.works = acme_actions:Works",
            "acme.more = acme_actions:NeedsMore",
            "acme.params = acme_actions:NoParams",
            "acme.nothing = acme_actions:Nothing",
            "acme.missing = acme_nowhere:Works",
            "script.bash = acme_actions:Works",
        ],
        "zenith": ["acme.works = acme_actions:Works"],
    }.items():
        installed = tmp_path / f"{package}-1.0.dist-info"
        installed.mkdir()
        (installed / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (installed / "entry_points.txt").write_text("\n".join(["[runyard.actions]", *lines, ""]))
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("install")
def test_what_cannot_be_used_is_left_out_with_its_reason_and_the_rest_works() -> None:
    actions, left_out = find_actions(Settings())
    assert set(actions) >= {"acme.works", "script.bash", "script.python", "ssh.executeScript"}
    assert type(actions["script.bash"]).__name__ == "BashScript"
    left = {(each.action, each.package): each for each in left_out if each.action.startswith("acme") or each.package == "acme"}
    assert left.pop(("acme.more", "acme")) == LeftOut("acme.more", "acme", "install acme[more]", broken=False)
    assert all(each.broken for each in left.values())
    assert {name: each.reason for name, each in left.items()} == {
        ("acme.works", "zenith"): "it is offered by acme already: uninstall one of the two",
        ("acme.params", "acme"): "acme_actions:NoParams cannot be loaded: TypeError: it does not say what its `params` are",
        ("acme.nothing", "acme"): "acme_actions:Nothing cannot be loaded: TypeError: it is no subclass of "
        "runyard_agent.actions.base.Action",
        ("acme.missing", "acme"): "acme_nowhere:Works cannot be loaded: ModuleNotFoundError: No module named 'acme_nowhere'",
        ("script.bash", "acme"): "it is offered by runyard-agent already: uninstall one of the two",
    }


@pytest.mark.usefixtures("install")
def test_what_is_merely_not_installed_is_no_error_in_the_log() -> None:
    with capture_logs() as logs:
        load_actions(Settings())
    levels = {entry["action"]: entry["log_level"] for entry in logs if entry["event"] == "action left out"}
    assert (levels["acme.more"], levels["acme.missing"]) == ("info", "error")


def test_every_action_that_comes_with_runyard_is_installed_as_its_contract_says() -> None:
    actions, left_out = find_actions(Settings())
    assert left_out == []
    for name, spec in ACTIONS.items():
        action = actions[name]
        assert (action.params, action.output) == (spec.params, spec.output)
        assert (action.connections, action.needs_connection) == (spec.connections, spec.needs_connection)

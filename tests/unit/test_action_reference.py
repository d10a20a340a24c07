"""The reference of actions says what the contracts say."""

import re

from runyard_shared.contracts.actions import ACTIONS
from runyard_shared.contracts.connections import CONNECTION_KINDS

from tests.action_reference import FAILS, FILE, NOTES, text


def test_the_action_reference_is_current() -> None:
    assert FILE.read_text() == text(), "run: python -m tests.action_reference"


def test_the_reference_says_of_every_action_how_it_fails() -> None:
    assert set(FAILS) == set(ACTIONS)
    assert set(NOTES) <= set(ACTIONS)


def test_every_action_and_every_kind_of_connection_has_its_place() -> None:
    headings = re.findall(r"^### (\S+)$", text(), re.MULTILINE)
    assert headings == [*ACTIONS, *CONNECTION_KINDS]

"""The settings reference names every setting there is, and none that is not."""

import re
from pathlib import Path

import runyard_agent.settings
import runyard_approvals.settings
import runyard_dispatcher.settings
import runyard_gateway.settings
import runyard_orchestrator.settings
import runyard_projections.settings
import runyard_standalone.settings

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
SETTINGS = (
    runyard_agent.settings.Settings,
    runyard_approvals.settings.Settings,
    runyard_dispatcher.settings.Settings,
    runyard_gateway.settings.Settings,
    runyard_orchestrator.settings.Settings,
    runyard_projections.settings.Settings,
    runyard_standalone.settings.Settings,
)
NOT_FOR_USERS = {"RUNYARD_EXAMPLES_DIR"}


def test_the_settings_reference_is_complete_and_true() -> None:
    real = {f"RUNYARD_{name.upper()}" for settings in SETTINGS for name in settings.model_fields} - NOT_FOR_USERS
    documented = set(re.findall(r"RUNYARD_[A-Z_]+", REFERENCE.read_text()))
    assert documented == real

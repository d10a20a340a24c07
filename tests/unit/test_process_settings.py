"""What an operator is told about settings with which a service cannot start."""

import pytest
from runyard_gateway.settings import Settings as GatewaySettings
from runyard_orchestrator.settings import Settings
from runyard_shared.process_settings import read_settings


def told(capsys: pytest.CaptureFixture[str], kind: type[Settings] | type[GatewaySettings]) -> list[str]:
    with pytest.raises(SystemExit) as ended:
        read_settings(kind)
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()


def test_all_that_is_wrong_with_the_settings_is_said_by_the_names_of_the_variables_and_without_their_values(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RUNYARD_DATABASE_URL", "mysql://runyard:s3cret@db/runyard")
    monkeypatch.setenv("RUNYARD_AMQP_URL", "amqp://runyard:s3cret@mq/")
    monkeypatch.setenv("RUNYARD_OPS_PORT", "many")
    address, port = told(capsys, Settings)
    assert address == "RUNYARD_DATABASE_URL: must be an address such as postgresql://user:password@host/database"
    assert port.startswith("RUNYARD_OPS_PORT: ") and "integer" in port
    assert "RUNYARD_ADMIN_TOKEN: Field required" in told(capsys, GatewaySettings)


def test_a_service_without_its_servers_says_which_variables_to_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RUNYARD_DATABASE_URL", raising=False)
    monkeypatch.delenv("RUNYARD_AMQP_URL", raising=False)
    assert told(capsys, Settings) == [
        "RUNYARD_DATABASE_URL is not set: postgresql://user:password@host/database",
        "RUNYARD_AMQP_URL is not set: amqp://user:password@host/vhost",
    ]

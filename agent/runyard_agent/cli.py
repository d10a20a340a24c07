"""The command line: `runyard-agent` runs the agent, `runyard-agent check` looks whether it could. What is given here counts
more than the environment."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from runyard_agent.server import NotConfigured
from runyard_agent.settings import Settings
from runyard_agent.version import VERSION

_FIELDS: Final = {"url", "agent_key", "agent_key_file", "agent_transport", "agent_state_dir", "agent_ca_file"}


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """`command` is run or check; the rest is for `settings_of`. Ends the process for `--help` and for mistakes (2)."""
    parser = argparse.ArgumentParser(
        prog="runyard-agent",
        description="Runs jobs inside your network. It opens connections to its Runyard server, and nothing connects to it.",
        epilog="Exit codes: 0 stopped in good order, 1 failed, 2 not configured, 3 its key was rotated or revoked. Everything "
        "can be set by environment variables as well (RUNYARD_URL, RUNYARD_AGENT_KEY_FILE, ...).",
    )
    parser.add_argument(
        "command", nargs="?", choices=("run", "check"), default="run", help="check: look whether everything is there, and end"
    )
    parser.add_argument("--url", metavar="URL", help="address of the server, like https://runyard.example.com")
    parser.add_argument(
        "--key", dest="agent_key", metavar="KEY", help="the agent's key; others on this host can see it here: prefer a file"
    )
    parser.add_argument("--key-file", dest="agent_key_file", metavar="FILE", type=Path, help="a file with the key")
    parser.add_argument(
        "--transport", dest="agent_transport", choices=("auto", "amqp", "https"), help="auto: RabbitMQ where it can be reached"
    )
    parser.add_argument(
        "--state-dir", dest="agent_state_dir", metavar="DIRECTORY", type=Path, help="its key pair, and results not yet sent"
    )
    parser.add_argument(
        "--ca-file", dest="agent_ca_file", metavar="FILE", type=Path, help="certificates (PEM) of a private authority"
    )
    parser.add_argument("--version", action="version", version=f"runyard-agent {VERSION}")
    return parser.parse_args(arguments)


def settings_of(given: argparse.Namespace) -> Settings:
    """Raises `NotConfigured` with all problems at once."""
    chosen: dict[str, Any] = {name: value for name in _FIELDS if (value := getattr(given, name)) is not None}
    if "agent_key" in chosen or "agent_key_file" in chosen:
        # a key of the environment must not win over the other way to give one here
        chosen = {"agent_key": None, "agent_key_file": None} | chosen
    try:
        return Settings(**chosen)
    except ValidationError as invalid:
        raise NotConfigured("; ".join(_words(problem) for problem in invalid.errors(include_url=False))) from None


def _words(problem: Any) -> str:
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"RUNYARD_{str(problem['loc'][0]).upper()}: {message}" if problem["loc"] else message

"""`dns.lookup` as an agent would run it."""

import asyncio
from typing import Any

from runyard_action_dns.lookup import Lookup
from runyard_agent.testing import Ran, run_action


def look_up(**params: Any) -> Ran:
    return asyncio.run(run_action(Lookup, params))


def test_the_addresses_of_a_name_are_the_output() -> None:
    ran = look_up(name="localhost", family="IPv4")
    assert ran.status == "completed"
    assert ran.output == {"name": "localhost", "addresses": ["127.0.0.1"]}
    assert ran.streams["stdout"] == b"127.0.0.1\n"


def test_a_name_that_does_not_exist_fails_the_job_in_words() -> None:
    ran = look_up(name="no-such-host.invalid")
    assert ran.status == "failed"
    assert ran.error is not None
    assert ran.error.message.startswith("no-such-host.invalid: ")


def test_too_few_addresses_fail_the_job_and_are_in_its_output() -> None:
    ran = look_up(name="127.0.0.1", atLeast=2)
    assert ran.error is not None
    assert ran.error.message == "127.0.0.1 has 1 addresses, fewer than 2"
    assert ran.output["addresses"] == ["127.0.0.1"]


def test_wrong_parameters_are_refused_before_anything_is_looked_up() -> None:
    ran = look_up(name="localhost", family="IPX", nam="x")
    assert ran.error is not None
    assert ran.error.reason == "invalid_params"
    assert "family: Input should be 'any', 'IPv4' or 'IPv6'" in ran.error.message
    assert "nam: Extra inputs are not permitted" in ran.error.message

"""What was once written to a log is a promise: golden files hold every revision of every event, byte for byte."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from runyard_approvals.approval.events import APPROVAL_EVENTS
from runyard_shared.contracts.base import Contract
from runyard_shared.contracts.events import EVENT_TYPES
from runyard_shared.contracts.feed import Recorded

from tests.golden.files import CURRENT, DIRECTORY, content, golden, mapper_of, write_missing
from tests.golden.samples import LIFTED, SAMPLES

FILES = sorted(path.relative_to(DIRECTORY).as_posix().removesuffix(".json") for path in DIRECTORY.rglob("*.json"))
WHAT_TO_DO = (
    "Logs hold events of this shape. Either undo the change, or: raise `revision` in the event's class and write its "
    "`upcast_v{n}_v{m}`; move the old files' expectations to LIFTED in tests/golden/samples.py and keep the files; adapt the "
    "samples; `python -m tests.golden` then writes the files of the new revision. (A new field with a default needs no new "
    "revision: add it to `bare`, and a sample with it to `more`.)"
)
OF_EVERY_LOG = {**EVENT_TYPES, **{f"approvals/{topic}": event_type for topic, event_type in APPROVAL_EVENTS.items()}}


def stored(name: str) -> Recorded:
    topic = re.split(r"\.v\d+", name.rpartition("/")[2])[0]
    data = msgspec.Raw(golden(name).read_bytes())
    at = datetime(2026, 11, 22, 17, 5, tzinfo=UTC)
    return Recorded(position=1, stream_id="s", version=1, tenant_id="default", topic=topic, recorded_at=at, data=data)


def contracts_in(value: Any) -> Iterator[Contract]:
    """The contract itself and all that its fields hold."""
    if isinstance(value, Contract):
        yield value
        value = [getattr(value, name) for name in value.__struct_fields__]
    if isinstance(value, list | tuple):
        for part in value:
            yield from contracts_in(part)


def test_every_event_has_samples() -> None:
    assert {samples.topic: samples.event_type for samples in SAMPLES} == OF_EVERY_LOG, "add them to tests/golden/samples.py"


@pytest.mark.parametrize("topic", sorted(OF_EVERY_LOG))
def test_every_revision_of_every_event_has_its_file(topic: str) -> None:
    revisions = {int(found[1]) for name in FILES if (found := re.fullmatch(rf"{re.escape(topic)}\.v(\d+)(\.\w+)?", name))}
    wanted = set(range(1, OF_EVERY_LOG[topic].revision + 1))
    assert revisions == wanted, f"{topic} is at revision {OF_EVERY_LOG[topic].revision}; run `python -m tests.golden`"


@pytest.mark.parametrize("name", FILES)
def test_what_any_revision_wrote_is_read_as_the_current_class(name: str) -> None:
    expected = CURRENT.get(name) or LIFTED.get(name)
    assert expected is not None, f"{name}.json has no sample: logs hold such events, so it must be read for ever. {WHAT_TO_DO}"
    assert mapper_of(name).decode(stored(name)) == expected, WHAT_TO_DO


@pytest.mark.parametrize("name", sorted(CURRENT))
def test_what_is_written_today_is_what_its_revision_promised(name: str) -> None:
    assert golden(name).exists(), f"{name}.json is missing; if the event or sample is new, run `python -m tests.golden`"
    assert golden(name).read_bytes() == content(name), WHAT_TO_DO


@pytest.mark.parametrize("samples", SAMPLES, ids=lambda samples: samples.topic)
def test_the_bare_sample_spells_out_every_default(samples: Any) -> None:
    assert set(samples.bare) == set(samples.event_type.__struct_fields__)


def test_every_field_of_every_event_and_of_what_it_holds_is_in_a_file() -> None:
    held: set[tuple[str, str]] = set()
    wanted: set[tuple[str, str]] = set()
    for event in CURRENT.values():
        for contract in contracts_in(event):
            kind = type(contract).__name__
            wanted |= {(kind, name) for name in contract.__struct_encode_fields__}
            held |= {(kind, name) for name in msgspec.to_builtins(contract)}
    assert wanted - held == set(), "give each of these fields a value that is not its default in a sample"


def test_the_command_writes_what_is_missing_and_touches_nothing_that_is_there(tmp_path: Path) -> None:
    assert set(write_missing(tmp_path)) == set(CURRENT)
    kept, gone = sorted(CURRENT)[:2]
    golden(kept, tmp_path).write_bytes(b"as it was")
    golden(gone, tmp_path).unlink()
    assert write_missing(tmp_path) == [gone]
    assert golden(kept, tmp_path).read_bytes() == b"as it was"


def test_the_first_revision_of_a_failed_node_told_the_output_of_its_job_and_the_second_does_not() -> None:
    old = msgspec.json.decode(golden("node.failed.v1").read_bytes())
    assert "output" in old
    mapper = mapper_of("node.failed.v1")
    written_again = msgspec.json.decode(mapper.encode(mapper.decode(stored("node.failed.v1"))))
    assert written_again == {name: value for name, value in old.items() if name != "output"} | {"revision": 2}

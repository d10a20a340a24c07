"""Events survive the way through the log, and so do those that older versions of the program wrote."""

from typing import Any, ClassVar

import msgspec
import pytest
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.events import EVENT_TYPES, JobCompleted, JobScheduled
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.values import StreamSeal
from runyard_shared.eventstore.mapper import EventMapper, UnknownTopic

from tests.eventstores import AT


class Renamed(Event, frozen=True, kw_only=True):
    """Revision 1 had `first` and `last`, revision 2 had `name`, revision 3 has `fullName` and `length`."""

    topic: ClassVar[str] = "sample.renamed"
    revision: ClassVar[int] = 3
    full_name: str = ""
    length: int = 0

    @staticmethod
    def upcast_v1_v2(data: dict[str, Any]) -> dict[str, Any]:
        return {"name": f"{data['first']} {data['last']}"}

    @staticmethod
    def upcast_v2_v3(data: dict[str, Any]) -> dict[str, Any]:
        return {"fullName": data["name"], "length": len(data["name"])}


class Gap(Event, frozen=True, kw_only=True):
    """Nothing leads from its second revision to its third."""

    topic: ClassVar[str] = "sample.gap"
    revision: ClassVar[int] = 3

    @staticmethod
    def upcast_v1_v2(data: dict[str, Any]) -> dict[str, Any]:
        return data


RENAMED = EventMapper({Renamed.topic: Renamed})


def recorded(topic: str, data: bytes) -> Recorded:
    return Recorded(
        position=7, stream_id="s", version=1, tenant_id="default", topic=topic, recorded_at=AT, data=msgspec.Raw(data)
    )


def test_an_event_is_stored_as_plain_json_without_its_defaults() -> None:
    seal = StreamSeal(stream="stdout", chunks=1, size=2, sha256="x")
    event = JobCompleted(job_id="j", dispatch=1, output={"exitCode": 0}, duration_ms=5, seals=[seal])
    mapper = EventMapper(EVENT_TYPES)
    data = mapper.encode(event)
    assert msgspec.json.decode(data) == {
        "jobId": "j",
        "dispatch": 1,
        "output": {"exitCode": 0},
        "durationMs": 5,
        "seals": [{"stream": "stdout", "chunks": 1, "size": 2, "sha256": "x"}],
    }
    assert mapper.decode(recorded("job.completed", data)) == event


def test_an_unknown_topic_is_neither_written_nor_read() -> None:
    mapper = EventMapper({JobScheduled.topic: JobScheduled})
    with pytest.raises(UnknownTopic, match=r"job\.completed"):
        mapper.encode(JobCompleted(job_id="j", dispatch=1, output={}, duration_ms=5))
    with pytest.raises(UnknownTopic, match=r"'job\.exploded' at position 7"):
        mapper.decode(recorded("job.exploded", b"{}"))


def test_data_of_another_shape_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        EventMapper(EVENT_TYPES).decode(recorded("job.completed", b'{"jobId": 5}'))


@pytest.mark.parametrize(
    "data",
    [
        b'{"first": "Ada", "last": "Lovelace"}',
        b'{"name": "Ada Lovelace", "revision": 2}',
        b'{"fullName": "Ada Lovelace", "length": 12, "revision": 3}',
    ],
)
def test_every_older_revision_is_lifted_to_the_current_one(data: bytes) -> None:
    assert RENAMED.decode(recorded(Renamed.topic, data)) == Renamed(full_name="Ada Lovelace", length=12)


@pytest.mark.parametrize("event", [Renamed(full_name="Ada", length=3), Renamed()])
def test_the_current_revision_is_stored_with_its_number(event: Renamed) -> None:
    data = RENAMED.encode(event)
    assert msgspec.json.decode(data)["revision"] == 3
    assert RENAMED.decode(recorded(Renamed.topic, data)) == event


def test_a_revision_of_a_later_program_is_refused() -> None:
    with pytest.raises(UnknownTopic, match="revision 4"):
        RENAMED.decode(recorded(Renamed.topic, b'{"revision": 4}'))


def test_a_mapper_with_a_gap_in_its_upcasts_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="has no upcast_v2_v3"):
        EventMapper({Gap.topic: Gap})
    with pytest.raises(ValueError, match="has the topic"):
        EventMapper({"sample.other": Renamed})

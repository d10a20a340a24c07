"""The golden files: the stored JSON of each sample, one file each, as some released version wrote it."""

from pathlib import Path

from runyard_shared.contracts.base import Event
from runyard_shared.eventstore.mapper import EventMapper

from tests.golden.samples import SAMPLES

DIRECTORY = Path(__file__).parent / "events"
CURRENT: dict[str, Event] = {name: event for samples in SAMPLES for name, event in samples.by_name().items()}
"""The samples of every event's current revision by file name, without `.json`."""
MAPPERS = {
    log: EventMapper({samples.event_type.topic: samples.event_type for samples in SAMPLES if samples.log == log})
    for log in {samples.log for samples in SAMPLES}
}
"""By the folder of the files: the logs of services have topics of their own."""


def golden(name: str, directory: Path = DIRECTORY) -> Path:
    return directory / f"{name}.json"


def mapper_of(name: str) -> EventMapper:
    return MAPPERS[name.rpartition("/")[0]]


def content(name: str) -> bytes:
    """The current sample as it is stored, and a line end."""
    return mapper_of(name).encode(CURRENT[name]) + b"\n"


def write_missing(directory: Path = DIRECTORY) -> list[str]:
    """Write the files that are not there, and none that is; gives their names."""
    missing = [name for name in sorted(CURRENT) if not golden(name, directory).exists()]
    for name in missing:
        golden(name, directory).parent.mkdir(parents=True, exist_ok=True)
        golden(name, directory).write_bytes(content(name))
    return missing

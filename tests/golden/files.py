"""The golden files: the stored JSON of each sample, one file each, as some released version wrote it."""

from pathlib import Path

from runyard_shared.contracts.base import Event
from runyard_shared.eventstore.mapper import EventMapper

from tests.golden.samples import SAMPLES

DIRECTORY = Path(__file__).parent / "events"
CURRENT: dict[str, Event] = {name: event for samples in SAMPLES for name, event in samples.by_name().items()}
"""The samples of every event's current revision by file name, without `.json`."""
MAPPER = EventMapper({samples.event_type.topic: samples.event_type for samples in SAMPLES})


def golden(name: str, directory: Path = DIRECTORY) -> Path:
    return directory / f"{name}.json"


def content(event: Event) -> bytes:
    """As stored, and a line end."""
    return MAPPER.encode(event) + b"\n"


def write_missing(directory: Path = DIRECTORY) -> list[str]:
    """Write the files that are not there, and none that is; gives their names."""
    directory.mkdir(exist_ok=True)
    missing = [name for name in sorted(CURRENT) if not golden(name, directory).exists()]
    for name in missing:
        golden(name, directory).write_bytes(content(CURRENT[name]))
    return missing

"""How much is measured: enough for a figure that can be trusted, or (`--quick`) just enough to see that it works."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Plan:
    """`executions` 0: as many as take `flood_seconds`. `profile` names parts to be sampled during B1."""

    executions: int = 0
    flood_seconds: float = 12.0
    connections: int = 128
    repetitions: int = 3
    alone: int = 100
    fans: int = 10
    pages: int = 200
    lines: int = 1000
    watchers: int = 1000
    output_bytes: int = 256 * 2**20
    commit_seconds: float = 5.0
    seeded: tuple[int, ...] = (10_000, 1_000_000)
    profile: tuple[str, ...] = ()
    profile_dir: Path = Path("bench-profile")


QUICK = Plan(
    flood_seconds=2.0,
    repetitions=1,
    alone=10,
    fans=2,
    pages=20,
    lines=50,
    watchers=60,
    output_bytes=4 * 2**20,
    commit_seconds=1.0,
    seeded=(500, 2_000),
)

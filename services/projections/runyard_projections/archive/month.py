"""A month as archives count it: in UTC, by the ids that were made in it."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

from runyard_projections.retention import first_id, time_of

_TEXT = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, order=True, slots=True)
class Month:
    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> "Month":
        """Of `2026-03`. Raises `ValueError`."""
        found = _TEXT.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is not a month; write it as 2026-03")
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def of(cls, at: datetime | date) -> "Month":
        return cls(at.year, at.month)

    @classmethod
    def of_id(cls, identity: str) -> "Month":
        """That in which the id was made."""
        return cls.of(time_of(identity))

    def later(self, months: int) -> "Month":
        years, number = divmod(self.number - 1 + months, 12)
        return Month(self.year + years, number + 1)

    @property
    def date(self) -> date:
        """Its first day."""
        return date(self.year, self.number, 1)

    @property
    def starts(self) -> datetime:
        return datetime(self.year, self.number, 1, tzinfo=UTC)

    @property
    def first_id(self) -> str:
        """Below every id that was made in it."""
        return first_id(self.starts)

    @property
    def next_first_id(self) -> str:
        """Above every id that was made in it."""
        return self.later(1).first_id

    @property
    def suffix(self) -> str:
        """As partitions have it at the end of their names."""
        return f"{self.year:04}_{self.number:02}"

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"

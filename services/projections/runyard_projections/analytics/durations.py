"""Durations in buckets whose counts can be added, so that percentiles of any time, workflow or both can be told from sums.

A bucket is told by the first six bits of the milliseconds and how many follow: exact below 64 ms, above it as wide as 1/32 of
where it begins. Its middle is at most 1/64 (1.6 %) from any duration in it. Whole numbers only, so that
`read.duration_bucket()`, which is the same in SQL, never differs.
"""

from typing import Final, TypeAlias

Histogram: TypeAlias = dict[int, int]
"""How many durations are in each bucket."""

_BITS: Final = 6
_PER_DOUBLING: Final = 32


def bucket_of(milliseconds: int) -> int:
    """What is negative (two clocks) counts as 0."""
    if milliseconds < 1 << _BITS:
        return max(0, milliseconds)
    following = milliseconds.bit_length() - _BITS
    return following * _PER_DOUBLING + (milliseconds >> following)

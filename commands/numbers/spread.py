"""What several durations are together: n, median, p90 by nearest rank, mean; and stretches of time without overlap."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

Stretch = tuple[datetime, datetime]

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Spread:
    """Of at least one duration, in seconds: exact, never cut to minutes or hours."""

    n: int
    median: float
    p90: float
    mean: float


def spread(durations: Iterable[timedelta]) -> Spread | None:
    """None where there is none: that is no 0."""
    ordered = sorted(durations)
    if not ordered:
        return None
    middle, n = len(ordered) // 2, len(ordered)
    median = ordered[middle] if n % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    mean = Fraction(sum(each // _MICROSECOND for each in ordered), n * 1_000_000)
    return Spread(n, median.total_seconds(), nearest_rank(ordered, 90).total_seconds(), float(mean))


def nearest_rank(ordered: Sequence[timedelta], percent: int) -> timedelta:
    """The smallest that at least so many percent do not exceed."""
    return ordered[math.ceil(percent * len(ordered) / 100) - 1]


def union(stretches: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """The same time without overlap; what touches is one."""
    found: list[Stretch] = []
    for begun, ended in sorted(each for each in stretches if each[0] < each[1]):
        if found and begun <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], ended))
        else:
            found.append((begun, ended))
    return tuple(found)


def within(stretches: Iterable[Stretch], start: datetime, end: datetime) -> tuple[Stretch, ...]:
    """What of them lies between these two."""
    cut = ((max(begun, start), min(ended, end)) for begun, ended in stretches)
    return tuple(each for each in cut if each[0] < each[1])


def total(stretches: Iterable[Stretch]) -> timedelta:
    """How long they take together, time that overlaps counted once."""
    return sum((ended - begun for begun, ended in union(stretches)), timedelta())

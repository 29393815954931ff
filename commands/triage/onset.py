"""When something began, whether it comes every hour, and whether two numbers move together: over points in time.

Pure arithmetic over what Prometheus gave; what the numbers mean is for whoever asks.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import mean, median, quantiles

from commands.alertreads import Matrix
from commands.phrase import moment

Points = Sequence[tuple[float, float]]

WINDOW = timedelta(hours=3)  # looked back for the onset of what is going on
DAY = timedelta(hours=24)  # and for what comes every hour
STEP, SLOT = timedelta(minutes=1), timedelta(minutes=5)
_FEWEST = 6  # points
_DIPS = 3  # points below the limit in a row: then it was over in between
_BEFORE = timedelta(minutes=20)  # an alert is told at most so long after what it tells began (`for`, groups)


@dataclass(frozen=True, slots=True)
class Onset:
    """usual: the value before. at: since when it is over the limit; None: it is not, or not any more. is_older: it
    was so when the window began."""

    usual: float
    now: float
    at: datetime | None = None
    is_older: bool = False

    @property
    def words(self) -> str:
        """ "since 2026-11-23 10:04 UTC", "for longer than 3 h", ""."""
        if self.is_older:
            return "for longer than 3 h"
        return f"since {moment(self.at)}" if self.at else ""


def points(matrix: Matrix) -> Points:
    """Of the one series that was asked for."""
    return matrix.series[0].points if matrix.series else ()


def onset(found: Points, since: datetime | None, factor: float = 2.0, floor: float = 0.0) -> Onset | None:
    """The first sample of what still goes on that is over `factor` times the usual; None for too few points.

    floor: a limit below this is none, or one error after an hour of peace would be an outage (C73).
    """
    if len(found) < _FEWEST:
        return None
    usual, now = _usual(found, since), found[-1][1]
    limit = max(factor * usual, floor)
    first, below = None, 0
    for n in range(len(found) - 1, -1, -1):
        over = found[n][1] > limit
        first, below = (n, 0) if over else (first, below + 1)
        if below >= _DIPS:
            break
    if first is None:
        return Onset(usual, now)
    return Onset(usual, now, datetime.fromtimestamp(found[first][0], UTC), first == 0)


def _usual(found: Points, since: datetime | None) -> float:
    """What it was before the alert; where nobody says when that was, what it was in its quieter hours."""
    until = (since - _BEFORE).timestamp() if since else 0.0
    earlier = [value for at, value in found if at < until]
    return median(earlier) if len(earlier) >= _FEWEST else quantiles([v for _, v in found], n=4)[0]


# --- Every hour -------------------------------------------------------------------------------------------

_HOURS = 4  # fewer are chance
_MOST_HOURS = 0.7  # of the hours have to have it
_TIMES = 3.0  # as much as the rest of the hour


def is_long(found: Points) -> bool:
    """Whether there are hours enough to see what comes every hour."""
    return bool(found) and found[-1][0] - found[0][0] >= _HOURS * 3600


def hourly(found: Points, floor: float) -> int | None:
    """The minute of the hour at which it is worse, hour after hour; None where there is none."""
    slots: dict[int, list[float]] = defaultdict(list)
    for at, value in found:
        slots[int(at % 3600 // SLOT.total_seconds())].append(value)
    if len(slots) < 3 or min(map(len, slots.values())) < _HOURS:
        return None
    worst = max(slots, key=lambda slot: mean(slots[slot]))
    rest = mean(value for slot, values in slots.items() if slot != worst for value in values)
    limit = max(_TIMES * rest, floor)
    struck = sum(value > limit for value in slots[worst])
    is_regular = struck >= _HOURS and struck >= _MOST_HOURS * len(slots[worst])
    return worst * int(SLOT.total_seconds() // 60) if is_regular else None


# --- Together ---------------------------------------------------------------------------------------------

_PAIRS = 10


def correlation(one: Points, other: Points) -> float | None:
    """Pearson's r over the minutes that both have; None for too few, or where one of them stands still."""
    at = {round(when / 60): value for when, value in other}
    pairs = [(value, at[round(when / 60)]) for when, value in one if round(when / 60) in at]
    if len(pairs) < _PAIRS:
        return None
    xs, ys = [x for x, _ in pairs], [y for _, y in pairs]
    spread = (_square(xs) * _square(ys)) ** 0.5
    shared = sum((x - mean(xs)) * (y - mean(ys)) for x, y in pairs)
    return shared / spread if spread > 1e-18 else None


def _square(values: Iterable[float]) -> float:
    known = list(values)
    middle = mean(known)
    return sum((value - middle) ** 2 for value in known)


# --- At a glance ------------------------------------------------------------------------------------------

_BARS = "▁▂▃▄▅▆▇█"


def sparkline(found: Points, width: int = 24) -> str:
    """How it went, in one line: the highest of each stretch, from nothing to the highest of all."""
    if len(found) < _FEWEST:
        return "too few points to show"
    size = max(len(found) / width, 1.0)
    cuts = [int(n * size) for n in range(int(len(found) / size) + 1)]
    tops = [max(v for _, v in found[a:b]) for a, b in pairwise(cuts) if b > a]
    highest = max(tops, default=0.0)
    last = len(_BARS) - 1
    return "".join(_BARS[round(last * max(top, 0.0) / highest)] if highest > 0 else _BARS[0] for top in tops)

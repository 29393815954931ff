"""Where a monthly number is going: by the slope of its last three months, beyond 5 % of what it was."""

from collections.abc import Sequence
from enum import StrEnum

MONTHS = 3
BEYOND = 0.05  # of the mean, per month


class Trend(StrEnum):
    """UNKNOWN: fewer than three months have the number."""

    IMPROVING = "improving"
    STABLE = "stable"
    DEGRADING = "degrading"
    UNKNOWN = "too few months"


def trend(values: Sequence[float | None], *, higher_is_better: bool) -> Trend:
    """values: by month, oldest first; None where a month has none, and then no slope is made up over it."""
    last = [value for value in values[-MONTHS:] if value is not None]
    if len(last) < MONTHS:
        return Trend.UNKNOWN
    mean, slope = sum(last) / MONTHS, (last[-1] - last[0]) / (MONTHS - 1)
    if abs(slope) <= BEYOND * abs(mean):
        return Trend.STABLE
    return Trend.IMPROVING if (slope > 0) is higher_is_better else Trend.DEGRADING


def arrow(before: float | None, now: float | None) -> str:
    """From one window to the next: "↑", "↓", "→", or "" where one of them has no number."""
    if before is None or now is None:
        return ""
    if now == before:
        return "→"
    return "↑" if now > before else "↓"

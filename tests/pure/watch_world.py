"""Samples and baselines with one keyword per thing a test cares about."""

from datetime import UTC, datetime, timedelta
from functools import cache

from commands.baseline import Baseline, Period
from commands.sample import Check, Sample, Value
from commands.site import Rollback
from commands.watch import Judged, judged

T0 = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RULES = Rollback()
DOWN = Value(None, "prometheus: HTTP 503", is_unread=True)
EMPTY, NAN = Value(None, "no data"), Value(None, "no requests")


def value(number: float | Value | None) -> Value:
    return (
        number if isinstance(number, Value) else Value(None, "no data") if number is None else Value(number)
    )


def period(
    bad: float | Value | None = 20, of: float | Value | None = 10_000, p95: float | Value | None = 0.2
) -> Period:
    return Period(((T0 - 60 * MINUTE, T0 - 5 * MINUTE),), value(of), value(bad), value(p95))


NO_WEEK = period(None, None, None)


def baseline(
    bad: float | Value | None = 20,
    of: float | Value | None = 10_000,
    p95: float | Value | None = 0.2,
    *,
    week: Period = NO_WEEK,
    healthy: float | Value | None = 1.0,
    checks: tuple[str, ...] = ("shop answers",),
) -> Baseline:
    """0.20 % of 10,000 requests, 200 ms."""
    return Baseline("backend", T0, period(bad, of, p95), week, Value(0.1), Value(1e8), value(healthy), checks)


def sample(
    bad: float | Value | None = 0,
    of: float | Value | None = 2000,
    p95: float | Value | None = 0.2,
    *,
    minute: float = 2,
    healthy: float | Value | None = 1.0,
    checks: tuple[Check, ...] = (),
) -> Sample:
    return Sample(T0 + minute * MINUTE, MINUTE, value(of), value(bad), value(p95), value(healthy), checks)


def dark(minute: float = 2, checks: tuple[Check, ...] = ()) -> Sample:
    """Prometheus answers 503 to everything."""
    return sample(DOWN, DOWN, DOWN, minute=minute, healthy=DOWN, checks=checks)


def judge(seen: Sample, of: Baseline | None = None, rules: Rollback = RULES, **neighbours: Judged) -> Judged:
    return judged(seen, of or baseline(), rules, neighbours)


_MADE = {".": (0, 2000), "x": (9, 2000), "?": (0, 80), "X": (40, 2000)}


def row(letters: str) -> tuple[Judged, ...]:
    """A sample a minute: . clean, x breach, ? too few requests, # unread, X ten times the baseline."""
    return tuple(_one(letter, 2 + n) for n, letter in enumerate(letters))


@cache
def _one(letter: str, minute: int) -> Judged:
    return judge(dark(minute) if letter == "#" else sample(*_MADE[letter], minute=minute))

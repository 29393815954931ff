"""A quiet house whose sources all answer, for the reviews: what is given by name takes the place of an answer."""

from dataclasses import replace
from datetime import UTC, datetime

from alert_history import HOUR, MINUTE, occurrence, typed
from alert_history import NOW as ALERTS_NOW
from incident_history import (
    ALICE,
    DAY,
    at,
    simple,
)

from commands.alertreads import Matrix, OccurrencePage, Occurrences, QueryRange, Series
from commands.reads import Now, Query, Sample, Vector
from commands.responsereads import (
    ChangeOutcomes,
    CommandCounts,
    CommandPage,
    Duty,
    HouseZone,
    Incidents,
    OnCallTurns,
    OpenIncidents,
    Tasks,
    Turn,
)
from commands.triagereads import Changes, ChangesSeen

NOW = datetime(2026, 12, 1, tzinfo=UTC)
LONG_AGO = NOW - 400 * DAY


def point(value: float) -> Matrix:
    return Matrix((Series({}, ((NOW.timestamp(), value),)),))


def measured(read: QueryRange) -> Matrix:
    """A service that is well, measured in every hour."""
    if read.expr.startswith("count_over_time"):
        return point(10_000)
    if "histogram_quantile" in read.expr:
        return point(0.150)
    return point(0.0005) if "1 - " not in read.expr and "_total" in read.expr else point(0.9995)


def given(**changes):
    """A quiet house whose sources all answer."""
    world = {
        Now: NOW,
        HouseZone: "UTC",
        Incidents: (),
        OpenIncidents: (),
        Tasks: (),
        ChangeOutcomes: (),
        CommandCounts: lambda read: CommandPage((), read.start),
        OnCallTurns: lambda read: Duty((Turn(ALICE, read.start, read.end),), "UTC"),
        Occurrences: OccurrencePage((), LONG_AGO),
        Changes: ChangesSeen(()),
        QueryRange: measured,
        Query: Vector((Sample({}, 0.0),)),
    }
    named = {read.__name__: read for read in world}
    return world | {named[name]: answer for name, answer in changes.items()}


def review(text="review metrics", **changes):
    return typed(text, given(**changes))


def operations(*incidents, **changes):
    return review(Incidents=incidents, **changes)["operations"]


def cards(*made):
    """Alerts as if it were now what it is in their history."""
    moved = [replace(o, starts_at=o.starts_at + (NOW - ALERTS_NOW),
                     ends_at=o.ends_at and o.ends_at + (NOW - ALERTS_NOW)) for o in made]  # fmt: skip
    return OccurrencePage(tuple(sorted(moved, key=lambda o: o.starts_at)), LONG_AGO)


def week(count, mark, name="A"):
    return [occurrence(f"{name}{n}", n * HOUR, 10 * MINUTE, judged=mark) for n in range(1, count + 1)]


def monthly(*minutes):
    """An incident in each of September, October and November."""
    made = zip(
        minutes, (at(1, "00:00:00") - 50 * DAY, at(1, "00:00:00") - 20 * DAY, at(5, "00:00:00")), strict=True
    )
    return [simple(n, started, lasted * MINUTE) for n, (lasted, started) in enumerate(made, 1)]

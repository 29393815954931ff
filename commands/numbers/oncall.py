"""What being on call cost people: how often they were called, at which hours, and how long they worked.

Several calls of one person within a minute are one; time in which a person works at two things is counted once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from commands.alertreads import Occurrence
from commands.numbers.firings import Told
from commands.numbers.population import reason_against
from commands.numbers.spread import Stretch, total, union, within
from commands.numbers.window import Window
from commands.response.incident import Incident, Milestone
from commands.responsereads import Turn
from commands.site import ClusterSite, Labels

ONE = timedelta(seconds=60)  # calls of one person so close together are one
SHIFT = timedelta(hours=12)
WEEK = timedelta(weeks=1)
_MORNING, _EVENING, _NIGHT = 8, 18, 22


class Hours(StrEnum):
    """Of the person's own day."""

    WORK = "working hours"
    FREE = "off hours"
    SLEEP = "sleeping hours"


@dataclass(frozen=True, slots=True)
class Call:
    """Somebody was called. user: a Slack user or user-group id."""

    user: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Load:
    """Of one person in the window. on_call: how long they were. calls: after those that are one. busiest: most calls
    in one 12-h shift. worked: at alerts and incidents that they took, time that overlaps counted once."""

    user: str
    on_call: timedelta
    calls: tuple[Call, ...]
    hours: Mapping[Hours, int]
    busiest: int
    worked: timedelta

    @property
    def weeks(self) -> float:
        return self.on_call / WEEK


def loads(
    turns: Sequence[Turn],
    calls: Iterable[Call],
    worked: Mapping[str, Sequence[Stretch]],
    window: Window,
    zone: ZoneInfo,
) -> tuple[Load, ...]:
    """Of everybody who was on call, was called or worked in the window, by id."""
    heard = merged(each for each in calls if window.has(each.at))
    users = {turn.user for turn in turns} | {call.user for call in heard} | set(worked)
    made = (_load(user, turns, heard, worked.get(user, ()), window, zone) for user in sorted(users))
    return tuple(load for load in made if load.on_call or load.calls or load.worked)


def _load(
    user: str,
    turns: Sequence[Turn],
    heard: Sequence[Call],
    worked: Sequence[Stretch],
    window: Window,
    zone: ZoneInfo,
) -> Load:
    own = tuple(call for call in heard if call.user == user)
    turned = within(((turn.start, turn.end) for turn in turns if turn.user == user), window.start, window.end)
    hours = {kind: sum(hours_at(call.at, zone) is kind for call in own) for kind in Hours}
    shifts = [_shift(call.at, zone) for call in own]
    busiest = max(map(shifts.count, shifts), default=0)
    return Load(user, total(turned), own, hours, busiest, total(within(worked, window.start, window.end)))


def merged(calls: Iterable[Call]) -> tuple[Call, ...]:
    """What follows within a minute of a call of the same person is that call: it is counted from the first one."""
    latest: dict[str, datetime] = {}
    found = []
    for call in sorted(calls, key=lambda each: (each.at, each.user)):
        if call.user not in latest or call.at - latest[call.user] > ONE:
            latest[call.user] = call.at
            found.append(call)
    return tuple(found)


def hours_at(at: datetime, zone: ZoneInfo) -> Hours:
    local = at.astimezone(zone)
    if not _MORNING <= local.hour < _NIGHT:
        return Hours.SLEEP
    return Hours.WORK if local.weekday() < 5 and local.hour < _EVENING else Hours.FREE


def _shift(at: datetime, zone: ZoneInfo) -> tuple[int, bool]:
    """Shifts of 12 h begin at 08:00 and 20:00; the night belongs to the day on which it began."""
    local = at.astimezone(zone).replace(tzinfo=None) - timedelta(hours=_MORNING)
    return local.toordinal(), local.hour >= SHIFT // timedelta(hours=1)


# --- from records ---------------------------------------------------------------------------------


def calls_of(site: ClusterSite, cards: Iterable[Told]) -> tuple[Call, ...]:
    """Whom alerts called: those on call when they began, by what is routed to somebody."""
    return tuple(
        Call(card.first.oncall, card.first.starts_at)
        for card in cards
        if card.first.oncall and any(_calls(site, name, card.first.labels) for name in card.names)
    )


def _calls(site: ClusterSite, name: str, labels: Labels) -> bool:
    return site.alerts.destination(name, labels.get("severity", "")) != "slack"


def pages(incidents: Iterable[Incident]) -> tuple[Call, ...]:
    """Who was called for an incident; in a drill nobody is."""
    return tuple(Call(page.user, page.at) for each in incidents if not each.is_drill for page in each.pages)


def work(
    incidents: Iterable[Incident], occurrences: Iterable[Occurrence], now: datetime
) -> dict[str, list[Stretch]]:
    """Who worked when: from taking notice of an alert to its end, of an incident until users no longer felt it."""
    found: dict[str, list[Stretch]] = {}
    for each in incidents:
        for user, stretch in _answered(each, now):
            found.setdefault(user, []).append(stretch)
    for alert in occurrences:
        if alert.acked and alert.acked_by:
            begun = max(alert.acked, alert.starts_at)
            found.setdefault(alert.acked_by, []).append((begun, alert.ends_at or now))
    return {user: list(union(stretches)) for user, stretches in found.items()}


def _answered(incident: Incident, now: datetime) -> Iterable[tuple[str, Stretch]]:
    acked = incident.milestones.get(Milestone.ACKNOWLEDGED)
    if acked is None or reason_against(incident) or not acked.by:
        return ()
    ended = incident.at(Milestone.MITIGATED) or incident.at(Milestone.RESOLVED) or now
    people = {acked.by} | {page.acked_by for page in incident.pages if page.acked_by}
    return [(user, (acked.at, ended)) for user in sorted(people)]


def on_call_weeks(turns: Iterable[Turn], window: Window) -> float:
    """Person-weeks on call: of seconds, because a headcount says nothing of who was on call for how long."""
    held = (within(((turn.start, turn.end),), window.start, window.end) for turn in turns)
    return sum((total(each) for each in held), timedelta()) / WEEK

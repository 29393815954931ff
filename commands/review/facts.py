"""What the numbers are counted from, read in two turns: incidents, changes, commands, turns on call, alerts, rollouts.

Whatever was not read stays a Gap, and the figures of it are unknown; the others go on.
"""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

from commands.alertreads import OccurrencePage, Occurrences
from commands.model import Gap, Reads, Seen
from commands.numbers.coverage import Signal, alerts_of, signals
from commands.numbers.firings import Told, of, told
from commands.numbers.oncall import Call, calls_of
from commands.numbers.rollouts import joined
from commands.numbers.window import Window
from commands.reads import Now
from commands.response.incident import Incident
from commands.responsereads import (
    ChangeFacts,
    ChangeOutcomes,
    CommandCounts,
    CommandPage,
    Duty,
    HouseZone,
    Incidents,
    OnCallTurns,
    Outcome,
    Road,
)
from commands.site import ClusterSite
from commands.triagereads import Changes, ChangeSeen, ChangesSeen

_ROLLOUT = ("rollout", "restart")
_AGAIN = "an earlier template again"


@dataclass(frozen=True, slots=True)
class Facts:
    """window: the one that is asked about; commands are counted in it alone, all else since longer. rollouts: why
    those of the cluster were not read, None where they were. cards: what people were told of, as far back as the
    alerts reach; calls: whom they called; signals: alerts of incidents, and all others about a known service."""

    site: ClusterSite
    window: Window
    now: datetime
    zone: ZoneInfo
    incidents: tuple[Incident, ...] | Gap
    changes: tuple[ChangeFacts, ...] | Gap
    rollouts: Gap | None
    commands: CommandPage | Gap
    duty: Duty | Gap
    alerts: OccurrencePage | Gap
    cards: tuple[Told, ...]
    calls: tuple[Call, ...]
    signals: tuple[Signal, ...]

    def has_alerts(self, window: Window) -> bool:
        """Whether the store reaches back to its beginning."""
        if isinstance(self.alerts, Gap):
            return False
        return self.alerts.since <= window.start + timedelta(minutes=1)

    def known_incidents(self) -> tuple[Incident, ...]:
        return () if isinstance(self.incidents, Gap) else self.incidents


def zoned() -> Generator[Reads, Seen, tuple[datetime, ZoneInfo] | Gap]:
    """The moment, and the time zone that months and hours of people are counted in."""
    seen = yield (Now(), HouseZone())
    now, zone = seen[Now()], seen[HouseZone()]
    if isinstance(now, Gap):
        return now
    return zone if isinstance(zone, Gap) else (now, ZoneInfo(zone))


def gathered(
    site: ClusterSite, window: Window, start: datetime, now: datetime, zone: ZoneInfo
) -> Generator[Reads, Seen, Facts]:
    """All since `start`. Incidents and changes up to now, however old the window is: what came later may be about it."""
    incidents, changes = Incidents(start, now, site.name), ChangeOutcomes(start, now, site.name)
    commands, duty = CommandCounts(window.start, window.end), OnCallTurns(start, now)
    alerts = Occurrences(now - start, site.name)
    rolled = [Changes(namespace, now - start) for namespace in _namespaces(site)]
    seen = yield (incidents, changes, commands, duty, alerts, *rolled)
    gap = next((seen[each] for each in rolled if isinstance(seen[each], Gap)), None)
    rollouts = [seen[each] for each in rolled if not isinstance(seen[each], Gap)]
    asked, page = seen[changes], seen[alerts]
    cards = () if isinstance(page, Gap) else told(of(page))
    fired = () if isinstance(page, Gap) else alerts_of(site, of(page))
    found = seen[incidents] if isinstance(seen[incidents], Gap) else nameless(seen[incidents])
    known = () if isinstance(found, Gap) else found
    return Facts(
        site=site, window=window, now=now, zone=zone,
        incidents=found,
        changes=asked if isinstance(asked, Gap) else joined(*_seen(site, asked, rollouts)),
        rollouts=gap,
        commands=seen[commands], duty=seen[duty], alerts=page,
        cards=cards, calls=calls_of(site, cards), signals=(*signals(known), *fired),
    )  # fmt: skip


def nameless(incidents: Iterable[Incident]) -> tuple[Incident, ...]:
    """The same, the private ones without what tells of them: they count, and nobody learns which they are."""
    numbers = count(1)
    return tuple(
        replace(each, id=f"private {next(numbers)}", title="", service="", affected=(), lessons="", impact="")
        if each.is_private
        else each
        for each in incidents
    )


def _namespaces(site: ClusterSite) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.namespace for each in site.services.values() if each.namespace))


def _seen(
    site: ClusterSite, asked: Sequence[ChangeFacts], pages: Iterable[ChangesSeen]
) -> tuple[tuple[ChangeFacts, ...], tuple[ChangeFacts, ...]]:
    """What is known, and the rollouts of the cluster; one whose template was taken back is rolled back."""
    found: list[ChangeFacts] = []
    changes = [each for page in pages for each in page.changes if each.what.startswith(_ROLLOUT)]
    for each in sorted(changes, key=lambda change: change.at):
        if each.what.endswith(_AGAIN):
            _undo(found, each)
        else:
            found.append(_rollout(site, each))
    return tuple(asked), tuple(found)


def _undo(found: list[ChangeFacts], again: ChangeSeen) -> None:
    objects = _rollout_of(again)
    last = next((n for n in range(len(found) - 1, -1, -1) if found[n].objects == objects), None)
    if last is not None:
        undone = found[last]
        found[last] = ChangeFacts(
            undone.id,
            undone.service,
            Outcome.ROLLED_BACK,
            undone.ended,
            again.at,
            road=Road.SEEN,
            objects=objects,
        )


def _rollout(site: ClusterSite, change: ChangeSeen) -> ChangeFacts:
    services = site.services.values()
    own = next(
        (s.name for s in services if (s.namespace, s.deployment) == (change.namespace, change.name)), ""
    )
    id = f"{change.namespace}/{change.name} {change.what.partition(',')[0]}"
    return ChangeFacts(id, own, Outcome.SUCCEEDED, change.at, road=Road.SEEN, objects=_rollout_of(change))


def _rollout_of(change: ChangeSeen) -> tuple[str, ...]:
    return (f"{change.kind.lower()}/{change.namespace}/{change.name}",)

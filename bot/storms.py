"""Pure: what a storm's card counts, when a storm is over, and the list of all its groups.

Called by bot/casebook.py, which begins a storm, and by workers/rounds.py, which follows it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from commands.model import AlertGroup, Storm
from commands.phrase import span

# A storm nobody joined for so long, and of which nothing fires any more, is over.
CALM = timedelta(minutes=10)

# What its members are counted by: the word on the card, and the label.
_BY: Mapping[str, str] = {"namespace": "namespace", "node": "node"}

# Its list is shared once nobody joined for so long.
SETTLED = timedelta(minutes=1)

_TOP = 10  # names told of each kind; of the others how many they are


def counted(storm: Storm, members: Iterable[AlertGroup], now: datetime) -> Storm:
    """The storm with its members as they are now."""
    members = tuple(members)
    firing = [group for group in members if _fires(group, storm)]
    counts = [count for what in ("alert", "namespace", "node", "cluster") for count in _counts(what, firing)]
    return replace(storm, members=len(members), firing=len(firing), counts=tuple(counts), updated=now)


def is_over(storm: Storm, joined: datetime | None, now: datetime) -> bool:
    """joined: when the last member did; None before the first one has."""
    return not (storm.members and storm.firing) and now - (joined or storm.opened) >= CALM


def is_settled(storm: Storm, joined: datetime | None, now: datetime) -> bool:
    """Whether nobody joins just now, so that the list of its groups is worth sharing (again)."""
    is_listed = storm.listing is not None and storm.listing.title == title(storm)
    return joined is not None and now - joined >= SETTLED and not is_listed


def title(storm: Storm) -> str:
    """Of the list of its groups."""
    return f"All {storm.members} groups of this storm"


def listing(storm: Storm, members: Iterable[AlertGroup], zone: ZoneInfo) -> str:
    """A line for each group, those that fire first; times as people of the site read them."""
    parted = sorted(members, key=lambda group: (not _fires(group, storm), group.opened, group.id))
    rows = [_row(group, storm, zone) for group in parted]
    return "\n".join([f"state\tsince ({zone})\tlasted\tgroup\talert\tcluster\tlabels", *rows]) + "\n"


def _row(group: AlertGroup, storm: Storm, zone: ZoneInfo) -> str:
    fires = _fires(group, storm)
    lasted = "" if fires else span(group.updated - group.opened)
    labels = ", ".join(f"{name}={value}" for name, value in sorted(group.group_labels.items()))
    state = f"firing {len(group.firing)}" if fires else "resolved"
    since = f"{group.opened.astimezone(zone):%Y-%m-%d %H:%M:%S}"
    told = (state, since, lasted, group.id, group.name, group.cluster, labels)
    return "\t".join(" ".join(part.split()) for part in told)


def _fires(group: AlertGroup, storm: Storm) -> bool:
    """Whether it fires in this storm: a later episode may have a card of its own."""
    return group.storm == storm.id and bool(group.firing)


def _counts(what: str, firing: Iterable[AlertGroup]) -> list[tuple[str, str, int]]:
    tally = Counter(name for group in firing for name in _names(what, group))
    ranked = sorted(tally.items(), key=lambda each: (-each[1], each[0]))
    rest = [(what, "", len(ranked) - _TOP)] if len(ranked) > _TOP else []
    return [*((what, name, count) for name, count in ranked[:_TOP]), *rest]


def _names(what: str, group: AlertGroup) -> set[str]:
    if what == "alert":
        return {group.name} - {""}
    if what == "cluster":
        return {group.cluster} - {""}
    return {alert.labels.get(_BY[what], "") for alert in group.firing} - {""}

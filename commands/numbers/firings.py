"""What fired in a window, as people count it: flapping is one firing, a group's episode one thing they were told.

Pure figures over what the bot's own store has (Occurrences), because Alertmanager keeps no history. Shared by the
verbs that look back (resolved, tune, load, rank, order); nothing here judges.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from commands.alertreads import Occurrence, OccurrencePage, Occurrences
from commands.command import Flag
from commands.grammar import duration
from commands.model import Args, Judgement, Severity
from commands.site import ClusterSite

FLAP = timedelta(minutes=5)

# They fire by design: the dead-man's switch, and what quiets the informational ones.
BY_DESIGN = frozenset({"Watchdog", "InfoInhibitor"})

# Verbs of one word share their flags.
WINDOW = Flag("window", "how far back to look; 7d, of rank and order 30d, when left out", "7d")

DAY, WEEK = timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Firing:
    """One alert from its start to its end; flaps: how often it came back within five minutes of an end."""

    fingerprint: str
    name: str
    labels: Mapping[str, str]
    severity: Severity
    starts_at: datetime
    ends_at: datetime | None
    flaps: int = 0

    @property
    def namespace(self) -> str:
        return self.labels.get("namespace", "")


@dataclass(frozen=True, slots=True)
class Told:
    """An episode of a group: one card, one mark. names: what fired in it. members: its alerts."""

    group: str
    episode: int
    names: tuple[str, ...]
    members: tuple[Occurrence, ...]
    judgement: Judgement | None

    @property
    def first(self) -> Occurrence:
        return min(self.members, key=lambda each: (each.starts_at, each.fingerprint))


def asked(site: ClusterSite, window: timedelta) -> Occurrences:
    return Occurrences(window, site.name)


def window_of(args: Args, flag: str, usual: timedelta) -> timedelta:
    return duration(args.flags[flag]) if flag in args.flags else usual


def of(page: OccurrencePage) -> tuple[Occurrence, ...]:
    """All but those that fire by design."""
    return tuple(each for each in page.occurrences if each.name not in BY_DESIGN)


def merged(occurrences: Iterable[Occurrence], within: timedelta = FLAP) -> tuple[Firing, ...]:
    """By start; what fires again so soon after its end goes on."""
    latest: dict[str, Firing] = {}
    over: list[Firing] = []
    for each in sorted(occurrences, key=lambda o: (o.starts_at, o.fingerprint)):
        last = latest.get(each.fingerprint)
        if last is not None and last.ends_at is not None and each.starts_at - last.ends_at <= within:
            latest[each.fingerprint] = replace(last, ends_at=_later(last, each), flaps=last.flaps + 1)
            continue
        if last is not None:
            over.append(last)
        latest[each.fingerprint] = Firing(
            each.fingerprint, each.name, each.labels, each.severity, each.starts_at, each.ends_at
        )
    return tuple(sorted((*over, *latest.values()), key=lambda f: (f.starts_at, f.fingerprint)))


def _later(last: Firing, each: Occurrence) -> datetime | None:
    assert last.ends_at is not None
    return None if each.ends_at is None else max(last.ends_at, each.ends_at)


def told(occurrences: Iterable[Occurrence]) -> tuple[Told, ...]:
    """What people were told, by when it began."""
    cards: dict[tuple[str, int], list[Occurrence]] = {}
    for each in occurrences:
        cards.setdefault((each.group, each.episode), []).append(each)
    made = [
        Told(group, episode, tuple(sorted({o.name for o in members})), tuple(members), _judgement(members))
        for (group, episode), members in cards.items()
    ]
    return tuple(sorted(made, key=lambda card: (card.first.starts_at, card.group, card.episode)))


def _judgement(members: Sequence[Occurrence]) -> Judgement | None:
    return next((each.judged.judgement for each in members if each.judged), None)


def by_name(firings: Iterable[Firing]) -> dict[str, list[Firing]]:
    found: dict[str, list[Firing]] = {}
    for each in firings:
        found.setdefault(each.name, []).append(each)
    return found


def missing(page: OccurrencePage, now: datetime, window: timedelta) -> str:
    """What of the window the store does not know, "" where it reaches back far enough."""
    if page.since <= now - window + timedelta(minutes=1):
        return ""
    return f"the bot's store reaches back to {page.since:%d %b %H:%M} UTC only"

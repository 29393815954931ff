"""`alert load`: how many alerts each person on call was told of, against the target of actionable ones in a week.

An alert is a card, and it is theirs who were on duty when it began, so a handover splits a week. What nobody marked
may be actionable: such a number is not called good.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from commands.called import names_of
from commands.command import Command, Part, Parts
from commands.finding import Finding, Light
from commands.model import Args, Gap, Inquiry, Judgement, Reads, Section, Seen
from commands.numbers.firings import WEEK, WINDOW, Told, asked, missing, of, told, window_of
from commands.phrase import counted, span
from commands.reads import Now
from commands.site import ClusterSite
from commands.wording import aligned, shown_and_kept, unread

NOBODY = "nobody on call"
ROWS = 20
_TITLE = "Alerts by person on call"
_MARK = "Mark what comes: the buttons of a card, or `alert mark A… actionable`."


@dataclass(frozen=True, slots=True)
class Load:
    """person: a Slack id, what people call them, or NOBODY. cards: what they were told while on duty."""

    person: str
    cards: tuple[Told, ...]

    @property
    def actionable(self) -> int:
        return self.called(Judgement.ACTIONABLE)

    @property
    def unmarked(self) -> int:
        return self.called(None)

    def called(self, judgement: Judgement | None) -> int:
        return sum(card.judgement is judgement for card in self.cards)


def parts(args: Args, site: ClusterSite) -> Parts:
    return {"load": Part(_TITLE, inquiry(site, window_of(args, "window", WEEK)))}


def inquiry(site: ClusterSite, window: timedelta) -> Inquiry:
    read = asked(site, window)
    seen = yield (read, Now())
    page, now = seen[read], seen[Now()]
    gap = next((each for each in (page, now) if isinstance(each, Gap)), None)
    if gap is not None:
        return Section("load", _TITLE, True, (unread("AW-2", "Alerts", gap),))
    began = [card for card in told(of(page)) if card.first.starts_at > now - window]
    people, short = loads(began), missing(page, now, window)
    people = yield from _named(people)
    target = site.alerts.actionable_per_person_week
    findings = [judged(load, target, window, short) for load in people] or [_none(window, short)]
    header = ("on call", "alerts", "actionable", "informational", "false", "unmarked", "busiest day")
    rows = aligned(header, map(_row, people))
    table, files = shown_and_kept(rows, ROWS, "load.txt", "Everybody on call") if people else ((), ())
    note = "an alert is a card, whose it was when it began; on call by the rota of `roles.oncall`"
    return Section("load", _TITLE, True, tuple(findings), f"{note}; {short}" if short else note, files, table)


def loads(cards: Sequence[Told]) -> tuple[Load, ...]:
    """Those with most actionable alerts first."""
    found: dict[str, list[Told]] = {}
    for card in cards:
        found.setdefault(card.first.oncall or NOBODY, []).append(card)
    made = (Load(person, tuple(own)) for person, own in found.items())
    return tuple(sorted(made, key=lambda load: (-load.actionable, -len(load.cards), load.person)))


def _named(people: tuple[Load, ...]) -> Generator[Reads, Seen, tuple[Load, ...]]:
    """With names in place of ids, as far as they are known."""
    known = yield from names_of(load.person for load in people if load.person != NOBODY)
    return tuple(replace(load, person=known.get(load.person, load.person)) for load in people)


def judged(load: Load, target: int, window: timedelta, short: str) -> Finding:
    """Fewer than the target in a week is good; what was not marked, or not seen, might make it more."""
    key, threshold = "AW-2.1", f"fewer than {target} actionable a week"
    weekly, most = _weekly(load.actionable, window), _weekly(load.actionable + load.unmarked, window)
    value = f"{load.actionable} actionable of {counted(len(load.cards), 'alert')}"
    value += f" in {span(window)}, {weekly:.1f} a week" if window != WEEK else ""
    value += f", {load.unmarked} unmarked" if load.unmarked else ""
    if weekly >= target:
        return Finding(key, load.person, Light.RED, value, threshold)
    if most >= target:
        return Finding(key, load.person, Light.UNKNOWN, f"unknown: {value}", threshold, mend=_MARK)
    if short:
        return Finding(key, load.person, Light.UNKNOWN, f"unknown: {value}, and {short}", threshold)
    if load.person == NOBODY:
        mend = "Give roles.oncall a rota whose start lies before these alerts."
        return Finding(key, load.person, Light.YELLOW, value, threshold, mend=mend)
    return Finding(key, load.person, Light.GREEN, value, threshold)


def _weekly(count: int, window: timedelta) -> float:
    """A window shorter than a week is not blown up to one: three alerts in a day are no twenty-one."""
    return count * (WEEK / max(window, WEEK))


def _none(window: timedelta, short: str) -> Finding:
    value = f"nothing was told in the last {span(window)}"
    if short:
        return Finding("AW-2.1", "Alerts", Light.UNKNOWN, f"unknown: {value}, and {short}")
    return Finding("AW-2.1", "Alerts", Light.GREEN, value)


def _row(load: Load) -> tuple[str, ...]:
    return (
        load.person,
        str(len(load.cards)),
        str(load.actionable),
        str(load.called(Judgement.INFORMATIONAL)),
        str(load.called(Judgement.FALSE_ALARM)),
        str(load.unmarked),
        _busiest([card.first.starts_at for card in load.cards]),
    )


def _busiest(starts: Sequence[datetime]) -> str:
    days = [start.date() for start in starts]
    day = max(days, key=lambda each: (days.count(each), each))
    return f"{day:%a %d %b}: {days.count(day)}"


LOAD = Command(
    word="alert",
    verbs=("load",),
    summary="How many alerts each person on call was told of; the target is fewer than 10 actionable a week.",
    rows=("AW-2", "AW-2.1"),
    parts=parts,
    examples=("alert load", "alert load --window 30d"),
    flags=(WINDOW,),
)

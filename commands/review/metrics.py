"""`review metrics`, `weekly` and `monthly`: what users felt, what went wrong, what it cost; and what is still open.

Each compares its window with as much time before it. A calendar month is compared with the month before.
"""

from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from commands.command import Command, Due, Flag, Part, Parts
from commands.errors import UsageError
from commands.grammar import duration
from commands.model import Args, Gap, Inquiry, Reads, Section, Seen
from commands.numbers.window import Window, before, last_month, month, until
from commands.phrase import span
from commands.review import actions, burning, months, operations, team, users
from commands.review.facts import Facts, gathered, zoned
from commands.review.figures import Numbers, numbers
from commands.site import ClusterSite
from commands.wording import unread

MOST_MONTHS = 12
COURSE = 7  # months that the monthly review shows: six whole ones and the one that runs

# Verbs of one word share their flags.
WINDOW = Flag("window", "the time up to now; 30d, of mine 7d, when left out", "30d")

Choose = Callable[[datetime, ZoneInfo], tuple[Window, Window]]
Told = Generator[Reads, Seen, Section]
Tell = Callable[[Facts, Window, Window], Told]


def parts(args: Args, site: ClusterSite) -> Parts:
    """Raises UsageError over a window or a number of months that cannot be meant."""
    if "months" in args.flags:
        if "window" in args.flags:
            raise UsageError(
                "`--months` counts calendar months and `--window` the time up to now: give one of them."
            )
        count = _count(args.flags["months"])
        return {"months": Part(months.TITLE, months.inquiry(site, count))}
    return _parts(site, _sliding(duration(args.flags.get("window", "30d"))), is_now=True)


def weekly(args: Args, site: ClusterSite) -> Parts:
    return _open(site, _sliding(timedelta(days=7))) | _parts(site, _sliding(timedelta(days=7)), is_now=True)


def monthly(args: Args, site: ClusterSite) -> Parts:
    course = {"months": Part(months.TITLE, months.inquiry(site, COURSE))}
    return _open(site, _last_month) | _parts(site, _last_month, is_now=False) | course


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 2 <= int(text) <= MOST_MONTHS):
        raise UsageError(f"`--months` takes a number from 2 to {MOST_MONTHS}, such as `--months 6`.")
    return int(text)


def _sliding(length: timedelta) -> Choose:
    def chosen(now: datetime, zone: ZoneInfo) -> tuple[Window, Window]:
        window = replace(until(now, length), name=f"last {span(length)}")
        return window, replace(before(window), name=f"the {span(length)} before")

    return chosen


def _last_month(now: datetime, zone: ZoneInfo) -> tuple[Window, Window]:
    window = last_month(zone, now)
    local = window.start.astimezone(zone)
    return window, month(zone, local.year, local.month - 1)


def _parts(site: ClusterSite, choose: Choose, *, is_now: bool) -> dict[str, Part]:
    """is_now: the window ends now, so how fast the budget burns now belongs to it."""
    found = {
        "users": _part("users", users.TITLE, site, choose, _users),
        "operations": _part("operations", operations.TITLE, site, choose, _operations),
        "team": _part("team", team.TITLE, site, choose, _team),
    }
    return found | ({"burn": Part(burning.TITLE, burning.inquiry(site))} if is_now else {})


def _open(site: ClusterSite, choose: Choose) -> dict[str, Part]:
    return {"actions": _part("actions", actions.TITLE, site, choose, _actions)}


def _part(key: str, title: str, site: ClusterSite, choose: Choose, tell: Tell) -> Part:
    return Part(title, _inquiry(key, title, site, choose, tell))


def _inquiry(key: str, title: str, site: ClusterSite, choose: Choose, tell: Tell) -> Inquiry:
    moment = yield from zoned()
    if isinstance(moment, Gap):
        return Section(key, title, True, (unread("OM-0", "Time", moment),))
    window, older = choose(*moment)
    facts = yield from gathered(site, window, older.start, *moment)
    section = yield from tell(facts, window, older)
    return replace(section, title=f"{title} · {window.name}")


def _users(facts: Facts, window: Window, older: Window) -> Told:
    return users.section(facts.site, window, older, facts.now)


def _operations(facts: Facts, window: Window, older: Window) -> Told:
    yield from ()
    return operations.section(facts, *_both(facts, window, older))


def _team(facts: Facts, window: Window, older: Window) -> Told:
    yield from ()
    return team.section(facts, *_both(facts, window, older))


def _actions(facts: Facts, window: Window, older: Window) -> Told:
    return actions.inquiry(facts.site, facts, window)


def _both(facts: Facts, window: Window, older: Window) -> tuple[Numbers, Numbers]:
    return numbers(facts, window), numbers(facts, older)


METRICS = Command(
    word="review",
    verbs=("metrics",),
    summary="Availability, time to restore, failed changes, alert noise and load on call, each against its target.",
    rows=(
        "OM-1.0", "OM-1.1", "OM-1.2", "OM-1.3", "OM-2.0", "OM-2.1", "OM-2.2", "OM-2.3", "OM-3.0", "OM-3.1", "OM-3.2",
        "OM-3.3", "OM-4.3", "OM-4.4",
    ),
    parts=parts,
    examples=("review metrics", "review metrics --window 7d", "review metrics --months 6"),
    flags=(
        WINDOW,
        Flag("months", "calendar months side by side, with their trends", "6"),
    ),
)  # fmt: skip

WEEKLY = Command(
    word="review",
    verbs=("weekly",),
    summary="The numbers of the last seven days, and what is still open of incidents.",
    rows=("OM-4.2",),
    parts=weekly,
    examples=("review weekly",),
    schedule=(Due("review-weekly", "0 9 * * 1", "review weekly", "daily"),),
)

MONTHLY = Command(
    word="review",
    verbs=("monthly",),
    summary="The numbers of last month against those before, where they go, what is still open, and the lessons.",
    rows=("OM-0", "KM-4.3"),
    parts=monthly,
    examples=("review monthly",),
    schedule=(Due("review-monthly", "0 10 * * 3#1", "review monthly", "daily"),),
)

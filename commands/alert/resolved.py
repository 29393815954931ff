"""`alert resolved`: what ended, how long it took, and what comes back day after day.

From the bot's own store, because Alertmanager forgets what is over; before the store began, Prometheus' ALERTS series
say what fired, without saying when people took notice.
"""

from collections import Counter
from collections.abc import Generator, Sequence
from datetime import datetime, timedelta

from commands.alertreads import Matrix, OccurrencePage, QueryRange
from commands.command import Command, Flag, Part, Parts
from commands.finding import Finding, Light
from commands.model import Args, Gap, Inquiry, Reads, Section, Seen
from commands.numbers.firings import (
    BY_DESIGN,
    DAY,
    Firing,
    asked,
    by_name,
    merged,
    missing,
    of,
    window_of,
)
from commands.phrase import counted, span
from commands.reads import Now
from commands.site import ClusterSite
from commands.wording import aligned, one_line, shown_and_kept, unread

USUAL = timedelta(hours=24)
ROWS = 15
RECURRING = 3  # days on which the same alert fired
_TITLE = "Resolved alerts"
_FIRED = 'sum by (alertname) (ALERTS{alertstate="firing"})'


def parts(args: Args, site: ClusterSite) -> Parts:
    window = window_of(args, "since", USUAL)
    return {"resolved": Part(_TITLE, inquiry(site, window))}


def inquiry(site: ClusterSite, window: timedelta) -> Inquiry:
    read = asked(site, window)
    seen = yield (read, Now())
    page, now = seen[read], seen[Now()]
    gap = next((each for each in (page, now) if isinstance(each, Gap)), None)
    if gap is not None:
        return Section("resolved", _TITLE, True, (unread("AD-3.0", "History", gap),))
    firings = merged(of(page))
    ended = [each for each in firings if each.ends_at is not None]
    before = yield from _before(page, now, window)
    findings = (
        _ended(ended, site, window),
        *_recurring(firings, now, window, missing(page, now, window)),
        *before,
    )
    rows = _rows(ended)
    table, files = shown_and_kept(rows, ROWS, "resolved.txt", "All that ended") if ended else ((), ())
    note = "an alert that fires again within 5 min of its end is counted once"
    return Section("resolved", _TITLE, True, findings, note, files, table)


def _ended(ended: Sequence[Firing], site: ClusterSite, window: timedelta) -> Finding:
    """How long they took. An end that is still to come has no length yet."""
    key, label, target = "AD-3.1", "Time to resolve", timedelta(minutes=site.targets.mttr_min)
    if not ended:
        return Finding(key, label, Light.GREEN, f"nothing ended in the last {span(window)}")
    mean = mttr(ended)
    light = Light.YELLOW if mean > target else Light.GREEN
    value = f"{span(mean)} on average, {counted(len(ended), 'alert')} ended"
    return Finding(key, label, light, value, f"target {span(target)}")


def length(firing: Firing) -> timedelta:
    assert firing.ends_at is not None
    return firing.ends_at - firing.starts_at


def mttr(ended: Sequence[Firing]) -> timedelta:
    return sum(map(length, ended), timedelta()) / len(ended)


def _rows(ended: Sequence[Firing]) -> tuple[str, ...]:
    groups = sorted(by_name(ended).items(), key=lambda pair: (-len(pair[1]), pair[0]))
    header = ("alert", "ended", "on average", "longest", "flapped", "last end")
    return aligned(header, (_row(name, group) for name, group in groups))


def _row(name: str, group: Sequence[Firing]) -> tuple[str, ...]:
    flaps = sum(each.flaps for each in group)
    last = max(each.ends_at for each in group if each.ends_at is not None)
    longest = max(map(length, group))
    return (
        name or "(no name)",
        str(len(group)),
        span(mttr(group)),
        span(longest),
        str(flaps) if flaps else "",
        f"{last:%d %b %H:%M} UTC",
    )


# --- what comes back ------------------------------------------------------------------------------


def _recurring(
    firings: Sequence[Firing], now: datetime, window: timedelta, short: str
) -> tuple[Finding, ...]:
    """On how many days; what the store does not reach back to may recur all the same."""
    days = max(round(window / DAY), 1)
    if days < RECURRING:
        return ()
    found = [said for name, group in by_name(firings).items() if (said := pattern(name, group, now, window))]
    label = "Recurring"
    if not found and short:
        return (Finding("AD-3.2", label, Light.UNKNOWN, f"unknown: {short}"),)
    if not found:
        value = f"no alert on {RECURRING} days or more"
        return (Finding("AD-3.2", label, Light.GREEN, value),)
    value = f"{counted(len(found), 'alert')} on {RECURRING} days or more"
    return (Finding("AD-3.2", label, Light.YELLOW, value, evidence=tuple(sorted(found))),)


def pattern(name: str, group: Sequence[Firing], now: datetime, window: timedelta) -> str:
    """ "HighCPU: on 3 of 7 days, usually 02:00 UTC", or "" for what does not recur."""
    starts = [each.starts_at for each in group if each.starts_at > now - window]
    days = {start.date() for start in starts}
    if len(days) < RECURRING:
        return ""
    hour, count = Counter(_nearest_hour(start) for start in starts).most_common(1)[0]
    when = f", usually {hour:02}:00 UTC" if 2 * count > len(starts) else ", at no usual hour"
    return f"{name}: recurring, on {len(days)} of {max(round(window / DAY), len(days))} days{when}"


def _nearest_hour(at: datetime) -> int:
    """01:58 and 02:03 are both "02:00"."""
    return (at + timedelta(minutes=30)).hour


# --- before the store began -----------------------------------------------------------------------


def _before(
    page: OccurrencePage, now: datetime, window: timedelta
) -> Generator[Reads, Seen, tuple[Finding, ...]]:
    short = missing(page, now, window)
    if not short:
        return ()
    length = window - (now - page.since)
    read = QueryRange(_FIRED, length, now - page.since, most=200)
    found = (yield (read,))[read]
    if isinstance(found, Gap):
        value = f"unknown: {short}, and {one_line(found.reason)}"
        return (Finding("AD-3.0", "Before that", Light.UNKNOWN, value, mend=found.mend),)
    lines = _by_series(found, length)
    saw = counted(len(lines), "alert") if lines else "no alert"
    value = f"{short}; before, Prometheus saw {saw} fire"
    return (Finding("AD-3.0", "Before that", Light.UNKNOWN, value, evidence=lines),)


def _by_series(found: Matrix, length: timedelta) -> tuple[str, ...]:
    """How long each fired, by how many of its points are there."""
    step = max(timedelta(seconds=15), length / 250)
    told = [
        (len(series.points) * step, series.labels.get("alertname", ""))
        for series in found.series
        if series.points and series.labels.get("alertname") not in BY_DESIGN
    ]
    return tuple(f"{name}: fired for about {span(time)}" for time, name in sorted(told, reverse=True))


RESOLVED = Command(
    word="alert",
    verbs=("resolved",),
    summary="What ended, how long it took, what flapped, and what recurs at the same hour.",
    rows=("AD-3.0", "AD-3.1", "AD-3.2"),
    parts=parts,
    examples=("alert resolved", "alert resolved --since 7d"),
    flags=(Flag("since", "how far back to look; 24h when left out", "24h"),),
)

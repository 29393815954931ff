"""`review export`: the numbers of a month and all its incidents as CSV files, in the thread and in the bucket.

A day without a number has an empty cell, never 0. A private incident
is among them without its name, its service and what it is about.
"""

from collections.abc import Generator, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from math import isfinite
from zoneinfo import ZoneInfo

from commands.alertreads import Matrix, QueryRange
from commands.command import Command, Due, Flag, Part, Parts
from commands.errors import UsageError
from commands.finding import Finding, Light
from commands.model import Args, Attachment, Gap, Inquiry, Reads, Section, Seen
from commands.numbers.population import impacts, reason_against
from commands.numbers.spread import total
from commands.numbers.window import Window, days, last_month, month
from commands.phrase import counted
from commands.queries import query
from commands.response.incident import Incident, Milestone
from commands.responsereads import ChangeFacts
from commands.review.actions import is_owed
from commands.review.facts import Facts, gathered, zoned
from commands.review.figures import FIGURES, Figure, Numbers, numbers
from commands.review.telling import named
from commands.site import ClusterSite
from commands.wording import one_line, unread

TITLE = "Export"
_DAY = timedelta(days=1)

# What Prometheus measured of each day: name of the figure, query, unit.
SERIES = (
    ("availability", "Q-avail", "ratio"), ("error_ratio", "Q-error", "ratio"), ("latency_p95", "Q-p95", "s"),
    ("requests", "Q-rps", "per second"),
)  # fmt: skip

Row = Sequence[object]


def parts(args: Args, site: ClusterSite) -> Parts:
    """Raises UsageError over a month that cannot be meant."""
    wanted = args.flags.get("month", "last")
    _chosen(wanted, datetime(2000, 1, 1, tzinfo=UTC), ZoneInfo("UTC"))
    return {"export": Part(TITLE, inquiry(site, wanted))}


def _chosen(wanted: str, now: datetime, zone: ZoneInfo) -> Window:
    if wanted.casefold() == "last":
        return last_month(zone, now)
    try:
        found = datetime.strptime(wanted, "%Y-%m")
    except ValueError:
        raise UsageError("`--month` takes `last` or a month such as `2026-11`.") from None
    return month(zone, found.year, found.month)


def inquiry(site: ClusterSite, wanted: str) -> Inquiry:
    moment = yield from zoned()
    if isinstance(moment, Gap):
        return Section("export", TITLE, True, (unread("OM-4.0", "Time", moment),))
    now, zone = moment
    window = _chosen(wanted, now, zone)
    if window.start >= now:
        return _none(f"{window.name} has not begun")
    facts = yield from gathered(site, window, window.start, now, zone)
    measured = yield from _measured(site, window, now)
    return section(facts, window, measured)


def _none(why: str) -> Section:
    return Section("export", TITLE, True, (Finding("OM-4.0", "Month", Light.UNKNOWN, f"unknown: {why}"),))


def section(facts: Facts, window: Window, measured: Sequence[Matrix | Gap]) -> Section:
    name = f"{window.start.astimezone(facts.zone):%Y-%m}"
    over = tuple(each for each in days(window, facts.zone) if each.start < facts.now)
    daily = [*_records_by_day(facts, over), *_series_by_day(over, measured)]
    found = numbers(facts, window)
    files = [
        _file(facts, f"daily-{name}.csv", "Every figure of every day", ("day", "figure", "unit", "value", "n"), daily),
        _file(facts, f"numbers-{name}.csv", "The figures of the month",
              ("figure", "name", "unit", "value", "n", "why none"), [_row(each, found) for each in FIGURES]),
        _file(facts, f"incidents-{name}.csv", "Incidents", INCIDENT, _incidents(facts, window)),
        _file(facts, f"changes-{name}.csv", "Changes", CHANGE, [_change(each, found) for each in _changes(facts, window)]),
    ]  # fmt: skip
    findings = (_told(facts, window, daily, len(over)), _reports(facts, window), *_unread(facts, measured))
    return Section("export", f"{TITLE} · {window.name}", True, findings, "", tuple(files))


def _told(facts: Facts, window: Window, daily: Sequence[Row], count: int) -> Finding:
    empty = sum(row[3] is None for row in daily)
    figures = len(FIGURES) + len(SERIES)
    said = f"{counted(count, 'day')} × {figures} figures = {len(daily)} rows, {empty} without a number"
    return Finding("OM-4.1", "Figures", Light.GREEN, said)


def _reports(facts: Facts, window: Window) -> Finding:
    own = [each for each in _own(facts, window) if not reason_against(each)]
    owed = [each.id for each in own if is_owed(each)]
    said = counted(len(own), "incident") + (f", no postmortem of {named(owed)}" if owed else "")
    return Finding("OM-4.2", "Incidents", Light.YELLOW if owed else Light.GREEN, said)


def _unread(facts: Facts, measured: Sequence[Matrix | Gap]) -> Iterable[Finding]:
    sources = {
        "Incidents": facts.incidents,
        "Changes": facts.changes,
        "Alerts": facts.alerts,
        "On call": facts.duty,
    }
    for label, source in sources.items():
        if isinstance(source, Gap):
            yield unread("OM-4.0", label, source)
    gap = next((each for each in measured if isinstance(each, Gap)), None)
    if gap is not None:
        yield unread("OM-4.1", "Prometheus", gap)


# --- day by day -----------------------------------------------------------------------------------


def _measured(
    site: ClusterSite, window: Window, now: datetime
) -> Generator[Reads, Seen, tuple[Matrix | Gap, ...]]:
    """A point for each day, at its end: of the 24 hours before."""
    ended = min(window.end, now)
    length = (ended - window.start) // _DAY * _DAY
    if not length:
        return tuple(Matrix(()) for _ in SERIES)
    first = window.start + _DAY
    reads = tuple(
        QueryRange(query(site, name, window=_DAY).expr, length - _DAY or timedelta(seconds=1),
                   max(now - (first + (length - _DAY)), timedelta()), _DAY, most=1)
        for _, name, _ in SERIES
    )  # fmt: skip
    seen = yield reads
    return tuple(seen[read] for read in reads)


def _series_by_day(over: Sequence[Window], measured: Sequence[Matrix | Gap]) -> Iterable[Row]:
    for (figure, _, unit), answer in zip(SERIES, measured, strict=True):
        points = () if isinstance(answer, Gap) else tuple(p for each in answer.series for p in each.points)
        for day in over:
            yield day.name, figure, unit, _nearest(points, day), None


def _nearest(points: Sequence[tuple[float, float]], day: Window) -> float | None:
    """What was measured at the end of the day, give or take the hour by which the clocks change."""
    end = day.end.timestamp()
    near = [value for at, value in points if abs(at - end) <= 3700 and isfinite(value)]
    return near[0] if near else None


def _records_by_day(facts: Facts, over: Sequence[Window]) -> Iterable[Row]:
    found = [(day, numbers(facts, day)) for day in over]
    for figure in FIGURES:
        for day, own in found:
            value = figure.of(own)
            yield (
                day.name,
                figure.key,
                figure.unit,
                value.number,
                value.n if value.number is not None else None,
            )


def _row(figure: Figure, found: Numbers) -> Row:
    value = figure.of(found)
    return figure.key, figure.label, figure.unit, value.number, value.n, value.why


# --- incidents and changes ------------------------------------------------------------------------

INCIDENT = (
    "id", "title", "severity", "service", "status", "left out", "detection", *(each.value for each in Milestone),
    "restore s", "caused by", "confidence", "postmortem", "actions",
)  # fmt: skip
CHANGE = (
    "id",
    "service",
    "road",
    "outcome",
    "ended",
    "restored",
    "emergency",
    "hotfix for",
    "failed",
    "objects",
)


def _own(facts: Facts, window: Window) -> list[Incident]:
    """Declared or resolved in it."""
    ends = ((each, (each.opened, each.at(Milestone.RESOLVED))) for each in facts.known_incidents())
    return [each for each, moments in ends if any(at and window.has(at) for at in moments)]


def _incidents(facts: Facts, window: Window) -> list[Row]:
    return [_incident(each, facts.now) for each in _own(facts, window)]


def _incident(each: Incident, now: datetime) -> Row:
    is_over = each.at(Milestone.STARTED) and each.at(Milestone.MITIGATED)
    blame = each.caused_by
    return (
        each.id, one_line(each.title, 200), each.severity, each.service, each.status.value,
        reason_against(each), each.detection.value if each.detection else "",
        *(each.at(milestone) for milestone in Milestone),
        total(impacts(each, now)).total_seconds() if is_over else None,
        blame.change if blame else "", blame.confidence if blame else "", _report(each), len(each.tasks),
    )  # fmt: skip


def _report(each: Incident) -> str:
    if each.report.published:
        return f"published {each.report.published:%Y-%m-%d}, version {each.report.version}"
    if each.report.waived:
        return "waived"
    return "missing" if is_owed(each) else ""


def _changes(facts: Facts, window: Window) -> list[ChangeFacts]:
    return (
        [] if isinstance(facts.changes, Gap) else [each for each in facts.changes if window.has(each.ended)]
    )


def _change(each: ChangeFacts, found: Numbers) -> Row:
    failed = found.changes.failed.get(each.id, "") if found.changes else ""
    return (
        each.id, each.service, each.road.value, each.outcome.value, each.ended, each.restored,
        "yes" if each.is_emergency else "", each.hotfix_for, failed, " ".join(each.objects),
    )  # fmt: skip


# --- CSV ------------------------------------------------------------------------------------------


def _file(facts: Facts, name: str, title: str, header: Sequence[str], rows: Iterable[Row]) -> Attachment:
    content = csv(header, rows)
    return Attachment(name, title, content, keep_in_bucket=bool(facts.site.backup.bucket))


def csv(header: Sequence[str], rows: Iterable[Row]) -> str:
    return "".join(",".join(map(_cell, row)) + "\r\n" for row in (header, *rows))


def _cell(value: object) -> str:
    """None is empty. Text that a spreadsheet would take for a formula is made text."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    text = str(value)
    if isinstance(value, str) and text[:1] in ("=", "+", "-", "@", "\t", "\r"):
        text = "'" + text
    quoted = text.replace('"', '""')
    return f'"{quoted}"' if any(mark in text for mark in ',"\r\n') else text


EXPORT = Command(
    word="review",
    verbs=("export",),
    summary="The numbers of a month, day by day, with its incidents and changes, as CSV files.",
    rows=("OM-4.0", "OM-4.1", "OM-4.2"),
    parts=parts,
    examples=("review export", "review export --month last", "review export --month 2026-11"),
    flags=(Flag("month", "last, or a month such as 2026-11; last when left out", "MONTH"),),
    schedule=(Due("review-export", "10 10 * * 3#1", "review export --month last", "daily"),),
)

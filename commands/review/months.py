"""`review metrics --months`: the figures month by month, where each is going, and the curves of the most telling ones."""

from collections.abc import Sequence

from commands.finding import Finding, Light
from commands.model import Attachment, Gap, Inquiry, Section
from commands.numbers.trend import MONTHS, Trend, trend
from commands.numbers.window import Window, months
from commands.picture import Curve, Picture
from commands.review.facts import Facts, gathered, zoned
from commands.review.figures import FIGURES, NOTHING, Figure, Numbers, numbers
from commands.review.telling import lasting
from commands.site import ClusterSite
from commands.wording import aligned, shown_and_kept, unread

TITLE = "Month by month"
_DRAWN = ("restore_mean", "change_failure")


def inquiry(site: ClusterSite, count: int) -> Inquiry:
    moment = yield from zoned()
    if isinstance(moment, Gap):
        return Section("months", TITLE, True, (unread("OM-4.3", "Time", moment),))
    now, zone = moment
    windows = months(zone, now, count)
    facts = yield from gathered(site, windows[-1], windows[0].start, now, zone)
    return section(facts, [numbers(facts, each) for each in windows])


def section(facts: Facts, found: Sequence[Numbers]) -> Section:
    if isinstance(facts.incidents, Gap):
        return Section("months", TITLE, True, (unread("OM-4.3", "Incidents", facts.incidents),))
    shown = [figure for figure in FIGURES if figure.is_shown]
    header = ("", *(each.window.name for each in found), "trend")
    rows = aligned(header, [_row(figure, found) for figure in shown])
    table, files = shown_and_kept(rows, len(rows), "months.txt", "All months")
    note = f"the last month up to now, and in no trend; blank: no data; a trend is {MONTHS} months' slope beyond 5 %"
    kept = (*files, *_pictures(facts, found))
    return Section("months", TITLE, True, _findings(shown, found), note, kept, table)


def _values(figure: Figure, found: Sequence[Numbers]) -> list[float | None]:
    return [figure.of(each).number for each in found]


def _trend(figure: Figure, found: Sequence[Numbers]) -> Trend | None:
    """Of whole months: the running one is not over."""
    if figure.higher_is_better is None:
        return None
    return trend(_values(figure, found[:-1]), higher_is_better=figure.higher_is_better)


def _row(figure: Figure, found: Sequence[Numbers]) -> tuple[str, ...]:
    going = _trend(figure, found)
    return (
        figure.label,
        *(cell(figure, value) for value in _values(figure, found)),
        going.value if going else "",
    )


def cell(figure: Figure, value: float | None) -> str:
    if value is None:
        return ""
    if figure.unit.startswith("s"):
        return lasting(value)
    return f"{value:.1f} %" if figure.unit == "%" else f"{value:g}" if value == int(value) else f"{value:.1f}"


def _findings(figures: Sequence[Figure], found: Sequence[Numbers]) -> tuple[Finding, ...]:
    """A line for each direction, what gets worse first."""
    going = [(figure, _trend(figure, found)) for figure in figures]
    kinds = dict.fromkeys((Trend.DEGRADING, *Trend))
    return tuple(_finding(kind, [figure for figure, own in going if own is kind], found) for kind in kinds)


def _finding(kind: Trend, figures: Sequence[Figure], found: Sequence[Numbers]) -> Finding:
    label, said = kind.value.capitalize(), ", ".join(figure.label for figure in figures) or "none"
    lines = tuple(_course(figure, found) for figure in figures)
    if any(_is_unread(figure, found) for figure in figures):
        return Finding("OM-4.4", label, Light.UNKNOWN, f"unknown: {said}", evidence=lines)
    light = Light.YELLOW if kind is Trend.DEGRADING and figures else Light.GREEN
    return Finding("OM-4.4", label, light, said, evidence=lines)


def _is_unread(figure: Figure, found: Sequence[Numbers]) -> bool:
    """Whether one of its months has no number because nobody can say; in a month without incidents there is none."""
    values = (figure.of(each) for each in found[:-1][-MONTHS:])
    return any(value.number is None and value.why != NOTHING for value in values)


def _course(figure: Figure, found: Sequence[Numbers]) -> str:
    values = _values(figure, found[:-1])[-MONTHS:]
    return f"{figure.label}: {', '.join(cell(figure, value) or 'none' for value in values)}"


def _pictures(facts: Facts, found: Sequence[Numbers]) -> list[Attachment]:
    drawn = [_picture(facts, figure, found) for figure in FIGURES if figure.key in _DRAWN]
    return [each for each in drawn if each.picture and each.picture.curves[0].points]


def _picture(facts: Facts, figure: Figure, found: Sequence[Numbers]) -> Attachment:
    """A point for each month that has a number, at its middle."""
    points = tuple(
        (_middle(each.window), value / 100 if figure.unit == "%" else value)
        for each, value in zip(found, _values(figure, found), strict=True)
        if value is not None
    )
    targets = facts.site.targets
    level = targets.mttr_min * 60 if figure.unit == "s" else targets.change_failure_pct / 100
    said = f"< {targets.mttr_min:g} min" if figure.unit == "s" else f"< {targets.change_failure_pct:g} %"
    picture = Picture(
        f"{figure.label}, by month", (Curve(figure.label, points),), found[0].window.start, found[-1].window.end,
        "seconds" if figure.unit == "s" else "ratio", level, said,
    )  # fmt: skip
    return Attachment(f"{figure.key}.png", picture.title, picture=picture)


def _middle(window: Window) -> float:
    return (window.start + window.length / 2).timestamp()

"""The graph of what an alert watches: its expression over time, its level, and when it began."""

import math
from collections.abc import Generator
from datetime import timedelta

from commands.alertreads import Matrix, QueryRange, Rules, RuleView, Series
from commands.finding import Finding, Light
from commands.model import AlertGroup, Attachment, Gap, Inquiry, Reads, Section, Seen
from commands.picture import Curve, Picture
from commands.reads import Now
from commands.site import ClusterSite
from commands.triage.expression import Level, level, narrowed, of_link
from commands.wording import unread

_TITLE = "Graph"
# Enough before the onset to see what is usual; a longer one hides what happened.
_BEFORE = timedelta(minutes=45)
_LONGEST = timedelta(days=2)
_UNITS = (("bytes", "bytes"), ("seconds", "seconds"), ("ratio", "ratio"), ("percent", ""))


def drawn(group: AlertGroup, site: ClusterSite) -> Inquiry:
    expr = yield from _expression(group)
    if isinstance(expr, Gap):
        return Section("graph", _TITLE, True, (unread("AL-34", _TITLE, expr),))
    if not expr or not group.firing:  # an alert that no rule of this Prometheus made: nothing to draw
        return Section("graph", _TITLE, True)
    now = (yield (Now(),))[Now()]
    since = group.lead.starts_at
    window = min(max(now - since, timedelta(0)) + _BEFORE, _LONGEST)
    watched = level(expr)
    matrix = yield from _points(watched, group, window)
    if isinstance(matrix, Gap):
        return Section("graph", _TITLE, True, (unread("AL-34", _TITLE, matrix),))
    if matrix.series and all(len(series.points) == 1 for series in matrix.series):  # a dot is no course
        return Section("graph", _TITLE, True)
    if not any(series.points for series in matrix.series):
        nothing = Finding(
            "AL-34", _TITLE, Light.UNKNOWN, "Prometheus has no points for the alert's expression"
        )
        return Section("graph", _TITLE, True, (nothing,))
    named = group.name or "alert"
    picture = Picture(
        title=named,
        curves=tuple(Curve(_label(series, matrix), series.points) for series in matrix.series),
        start=now - window,
        end=now,
        unit=_unit(watched),
        threshold=watched.threshold,
        threshold_text=f"{watched.op} {watched.threshold:g}" if watched.threshold is not None else "",
        onset=since if since > now - window else None,
        note=f"{matrix.left_out} more series" if matrix.left_out else "",
    )
    return Section("graph", _TITLE, True, attachments=(Attachment(f"{named}.png", named, picture=picture),))


def _expression(group: AlertGroup) -> Generator[Reads, Seen, str | Gap]:
    linked = of_link(group.lead.generator_url)
    if linked:
        return linked
    found: tuple[RuleView, ...] | Gap = (yield (Rules(),))[Rules()]
    if isinstance(found, Gap):
        return found
    return next((r.expr for r in found if r.kind == "alerting" and r.name == group.lead.name), "")


def _points(watched: Level, group: AlertGroup, window: timedelta) -> Generator[Reads, Seen, Matrix | Gap]:
    """Its own series, or all where the rule made labels that its series do not have."""
    own = QueryRange(narrowed(watched.value, group.lead.labels), window, most=8)
    found: Matrix | Gap = (yield (own,))[own]
    if isinstance(found, Matrix) and not found.series:
        every = QueryRange(watched.value, window, most=8)
        found = (yield (every,))[every]
    return found


def _label(series: Series, matrix: Matrix) -> str:
    """What tells this curve from the others."""
    shared = {
        name for name in series.labels
        if len(matrix.series) > 1 and len({each.labels.get(name) for each in matrix.series}) == 1
    }  # fmt: skip
    told = [value for name, value in sorted(series.labels.items()) if name not in shared | {"__name__"}]
    return " ".join(told)[:80] or series.labels.get("__name__", "value")


def _unit(watched: Level) -> str:
    """As far as names and level tell: Prometheus has no units of its own."""
    text = watched.value
    if "/" in text and watched.threshold is not None and 0 < math.fabs(watched.threshold) <= 1:
        return "ratio"
    return next((unit for word, unit in _UNITS if f"_{word}" in text and "/" not in text), "")

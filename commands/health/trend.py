"""`health trend`: how a service went over the window of its SLO: the error budget as it was spent, drawn with its
line, and errors, requests and latency as a row of bars each.

Judges one thing only: whether the pace of the last day leaves some of the budget. Everything else is
`health slo`. Called by commands/health/__init__.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from commands.alertreads import Matrix, QueryRange
from commands.finding import Finding, Light, Suggestion, worst
from commands.health.slo import budget_light
from commands.model import Attachment, Gap, Inquiry, Section
from commands.phrase import span
from commands.picture import Curve, Picture
from commands.queries import PARTIAL_MEND, as_percent, error_budget, query
from commands.reads import Now
from commands.site import ClusterSite, ServiceSite
from commands.triage.onset import sparkline
from commands.wording import aligned, buttons, one_line, unread

KEY = "DH-1.7"
LABEL = "Budget at this pace"

_POINTS = 60  # of a window: half a day each for the manual's 30 days
_DAY = timedelta(days=1)
_NOTHING = 1e-6  # of the budget: less is what adding up leaves

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class _Asked:
    """Requests and failed ones, counted step by step, and the latency of each step."""

    requests: QueryRange
    failed: QueryRange
    latency: QueryRange

    @classmethod
    def of(cls, site: ClusterSite, service: ServiceSite) -> "_Asked":
        step = max(site.slo.window / _POINTS, timedelta(minutes=1))

        def over(name: str) -> QueryRange:
            asked = query(site, name, service=service, window=step)
            return QueryRange(asked.expr, site.slo.window, step=step, most=1)

        return cls(over("Q-requests"), over("Q-bad"), over("Q-p95"))

    @property
    def all(self) -> tuple[QueryRange, ...]:
        return (self.requests, self.failed, self.latency)


@dataclass(frozen=True, slots=True)
class Spent:
    """The error budget as it went. points: (epoch seconds, share of the whole window's budget spent by then)."""

    points: Points

    @property
    def share(self) -> float:
        return self.points[-1][1]

    def since(self, at: float) -> float:
        """What was spent from then on; between two points, as the line between them is drawn."""
        before = (at, 0.0)
        for point in self.points:
            if point[0] > at:
                ahead = (at - before[0]) / (point[0] - before[0])
                return self.share - before[1] - ahead * (point[1] - before[1])
            before = point
        return self.share - before[1]


def inquiry(site: ClusterSite, service: ServiceSite) -> Inquiry:
    title = title_of(service)
    asked = _Asked.of(site, service)
    seen = yield (*asked.all, Now())
    now, requests, failed = seen[Now()], seen[asked.requests], seen[asked.failed]
    for found in (requests, failed, now):
        if isinstance(found, Gap):
            return Section("trend", title, True, (unread(KEY, LABEL, found),))
    step = asked.requests.step
    counted, bad = _points(requests, now, step), _points(failed, now, step)
    spent = spent_of(counted, bad, float(error_budget(site)))
    if spent is None:
        nothing = "no requests" if counted else "no data"
        return Section("trend", title, True, (Finding(KEY, LABEL, Light.UNKNOWN, nothing, mend=_MEND),))
    finding = _judged(site, service, spent, now, (*requests.warnings, *failed.warnings))
    header = ("", f"last {span(site.slo.window)}", "now", "highest")
    latency = seen[asked.latency]
    slow = latency if isinstance(latency, Gap) else _points(latency, now, step)
    table = aligned(header, _rows(counted, bad, slow))
    return Section(
        "trend",
        title,
        True,
        (finding,),
        _note(counted, now, site),
        (_drawn(site, service, spent, now),),
        table,
    )


_MEND = "Prometheus has no matching series of http_requests_total: is it scraped?"


def title_of(service: ServiceSite) -> str:
    return f"Trend · {service.name}"


def spent_of(requests: Points, failed: Points, budget: float) -> Spent | None:
    """The failed requests so far, of those the window's requests allow; None where there were no requests."""
    allowed = sum(count for _, count in requests) * budget
    if allowed <= 0:
        return None
    bad = dict(failed)
    sums = accumulate(bad.get(at, 0.0) for at, _ in requests)
    return Spent(tuple((at, total / allowed) for (at, _), total in zip(requests, sums, strict=True)))


# --- the pace -------------------------------------------------------------------------------------


def _judged(
    site: ClusterSite, service: ServiceSite, spent: Spent, now: datetime, warnings: Sequence[str]
) -> Finding:
    light, value = pace(spent, now, site)
    offered = (
        Suggestion("SLOs", f"health slo --service {service.name}"),
        Suggestion("Debug errors", f"debug 5xx {service.name}"),
    )
    if warnings and light is not Light.RED:
        told = (f"partial answer: {one_line(warnings[0])}",)
        return Finding(KEY, LABEL, Light.UNKNOWN, value, evidence=told, mend=PARTIAL_MEND)
    threshold = f"lasts {span(site.slo.window)}"
    return Finding(KEY, LABEL, light, value, threshold, suggestions=buttons(light, *offered))


def pace(spent: Spent, now: datetime, site: ClusterSite) -> tuple[Light, str]:
    """The light of what is spent, at best yellow where the last day's pace leaves nothing before the window is over."""
    percent = as_percent(spent.share)
    used = f"{percent:.0f} % spent"
    light = budget_light(percent, site.slo.error_budget)
    daily = spent.since((now - _DAY).timestamp())
    if spent.share >= 1:
        return light, f"{used}: none is left"
    if daily < _NOTHING:
        return light, f"{used}, none of it in the last 24 h"
    left = _DAY * ((1 - spent.share) / daily)
    if left >= site.slo.window:
        return light, f"{used}, {as_percent(daily):.1f} % in the last 24 h: it lasts"
    return worst([light, Light.YELLOW]), (
        f"{used}, {as_percent(daily):.1f} % in the last 24 h: at this pace none is left in {span(left)}"
    )


# --- shown ----------------------------------------------------------------------------------------


def _points(matrix: Matrix, now: datetime, step: timedelta) -> Points:
    """At whole steps before now: two queries end some milliseconds apart, and what they count belongs together."""
    end, wide = now.timestamp(), step.total_seconds()
    found = matrix.series[0].points if matrix.series else ()
    return tuple((end + round((at - end) / wide) * wide, value) for at, value in found)


def _rows(requests: Points, failed: Points, latency: Points | Gap) -> list[tuple[str, str, str, str]]:
    bad = dict(failed)
    errors = tuple((at, bad.get(at, 0.0) / count) for at, count in requests if count > 0)
    rows = [
        _row("errors", errors, lambda share: f"{100 * share:.2f} %"),
        _row("requests", requests, lambda count: f"{count:,.0f}"),
    ]
    if isinstance(latency, Gap):
        return [*rows, ("p95", "not read", "", one_line(latency.reason, 60))]
    return [*rows, _row("p95", latency, lambda seconds: f"{1000 * seconds:.0f} ms")]


def _row(name: str, points: Points, said: Callable[[float], str]) -> tuple[str, str, str, str]:
    if not points:
        return (name, "no data", "", "")
    at, highest = max(points, key=lambda each: each[1])
    when = datetime.fromtimestamp(at, UTC)
    return (name, sparkline(points), said(points[-1][1]), f"{said(highest)} on {when:%d %b %H:%M} UTC")


def _note(requests: Points, now: datetime, site: ClusterSite) -> str:
    known = now - datetime.fromtimestamp(requests[0][0], UTC)
    if known < site.slo.window * 0.9:
        return f"Prometheus, the last {span(known)} of {span(site.slo.window)}: it has no more"
    return f"Prometheus, window {span(site.slo.window)}"


def _drawn(site: ClusterSite, service: ServiceSite, spent: Spent, now: datetime) -> Attachment:
    begin = now - site.slo.window
    even = ((begin.timestamp(), 0.0), (now.timestamp(), 1.0))
    title = f"{service.name}: error budget spent"
    picture = Picture(
        title, (Curve("spent", spent.points), Curve("an even pace", even)), begin, now, "ratio",
        threshold=1.0, threshold_text="100 % of the budget",
    )  # fmt: skip
    return Attachment(f"{service.name}-budget.png", title, picture=picture)

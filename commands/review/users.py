"""What users felt over the window: availability, errors, latency, each over all of it, and how much of it is known."""

from collections.abc import Generator, Mapping
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from math import isfinite

from commands.alertreads import Matrix, QueryRange
from commands.finding import Finding, Light
from commands.model import Gap, Reads, Section, Seen
from commands.numbers.window import Window
from commands.queries import as_percent, promql_duration, query, shown
from commands.reads import Query, Vector
from commands.review.telling import compared, percent
from commands.site import ClusterSite
from commands.wording import unread

TITLE = "Users"
ENOUGH = 0.9  # of the window must have been measured
_HOUR = timedelta(hours=1)
_INSTANT = timedelta(seconds=1)

_NAMES = ("Q-avail", "Q-error", "Q-p95")
Measured = Mapping[str, float | Gap | None]


def section(
    site: ClusterSite, window: Window, before: Window | None, now: datetime
) -> Generator[Reads, Seen, Section]:
    """before: what to compare with, None for nothing."""
    asked = {name: _at(site, name, window, now) for name in _NAMES}
    older = {name: _at(site, name, before, now) for name in _NAMES} if before else {}
    known, bound = _known(site, window, now), _bound(site)
    seen = yield (*asked.values(), *older.values(), known, bound)
    was = {name: _number(seen[read]) for name, read in older.items()}
    found = {name: _number(seen[read]) for name, read in asked.items()}
    covered = _covered(_number(seen[known]), window)
    is_thin = covered is None or covered < ENOUGH
    findings: tuple[Finding, ...] = (
        _availability(site, window, found, was),
        _errors(site, found, was),
        _latency(site, found, was, seen[bound]),
    )
    if is_thin:
        findings = tuple(_doubted(each) for each in findings)
    return Section("users", TITLE, True, findings, _note(site, covered))


def _at(site: ClusterSite, name: str, window: Window, now: datetime) -> QueryRange:
    """The number over the whole window, as of its end: one point, because each is read from all of it."""
    return _instant(query(site, name, window=_whole(window.length)).expr, window, now)


def _instant(expr: str, window: Window, now: datetime) -> QueryRange:
    return QueryRange(expr, _INSTANT, max(now - window.end, timedelta()), 2 * _INSTANT, most=1)


def _whole(length: timedelta) -> timedelta:
    return max(timedelta(seconds=length // _INSTANT), _INSTANT)


def _known(site: ClusterSite, window: Window, now: datetime) -> QueryRange:
    """How many hours of the window Prometheus has requests of."""
    rate = query(site, "Q-rps", window=timedelta(minutes=5)).expr
    expr = f"count_over_time(({rate})[{promql_duration(_whole(window.length))}:1h])"
    return _instant(expr, window, now)


def _bound(site: ClusterSite) -> Query:
    """Whether the objective is a bound between two buckets: else the quantile is a guess between its neighbours."""
    level = f"{site.slo.latency.target_ms / 1000:g}"
    return Query(f'count(http_request_duration_seconds_bucket{{le="{level}"}})')


def _number(answer: Matrix | Gap) -> float | Gap | None:
    if isinstance(answer, Gap):
        return answer
    points = [value for series in answer.series for _, value in series.points if isfinite(value)]
    return points[-1] if points else None


def _covered(hours: float | Gap | None, window: Window) -> float | None:
    if isinstance(hours, Gap) or hours is None:
        return None
    return min(hours / max(window.length / _HOUR, 1.0), 1.0)


def _note(site: ClusterSite, covered: float | None) -> str:
    service = site.default_service.name
    if covered is None:
        return f"{service}, from Prometheus; how much of the window it has is unknown"
    much = percent(100 * covered)
    return f"{service}, from Prometheus, which has {much} of the window" + (
        "" if covered >= ENOUGH else " ⚠ incomplete"
    )


def _doubted(finding: Finding) -> Finding:
    """Of a window with holes nothing is good; what is bad was so at least where it was seen."""
    if finding.light is not Light.GREEN:
        return finding
    mend = "Keep metrics for longer than the window (Prometheus: --storage.tsdb.retention.time)."
    said = f"unknown: {finding.value}; less than 90 % of the window was measured"
    return Finding(
        finding.key, finding.label, Light.UNKNOWN, said, finding.threshold, finding.evidence, mend=mend
    )


def _availability(site: ClusterSite, window: Window, found: Measured, was: Measured) -> Finding:
    target = site.slo.availability.target
    number, label = found["Q-avail"], "Availability"
    if not isinstance(number, float):
        return _missing("OM-1.1", label, number, f"> {target:g} %")
    share, minutes = as_percent(number), window.length / timedelta(minutes=1)
    allowed = minutes * (100 - target) / 100
    said = f"{shown(share, (target,), decimals=2)}, {minutes * (1 - number):.1f} of {allowed:.1f} min allowed were lost"
    light = Light.GREEN if share > Decimal(str(target)) else Light.RED
    return Finding("OM-1.1", label, light, said + _change(was, "Q-avail", number), f"> {target:g} %")


def _errors(site: ClusterSite, found: Measured, was: Measured) -> Finding:
    allowed = 100 - Decimal(str(site.slo.success_rate.target))
    threshold, number = f"< {allowed.normalize():f} %", found["Q-error"]
    if not isinstance(number, float):
        return _missing("OM-1.2", "Error rate", number, threshold)
    share = as_percent(number)
    light = Light.GREEN if share < allowed else Light.RED
    said = shown(share, (float(allowed),), decimals=2) + _change(was, "Q-error", number)
    return Finding("OM-1.2", "Error rate", light, said, threshold)


def _change(was: Measured, name: str, number: float) -> str:
    old = was.get(name)
    return compared(old, number, f"{as_percent(old):.2f} %") if isinstance(old, float) else ""


def _latency(site: ClusterSite, found: Measured, was: Measured, bounds: Vector | Gap) -> Finding:
    target, number = site.slo.latency.target_ms, found["Q-p95"]
    threshold = f"< {target:g} ms"
    if not isinstance(number, float):
        return _missing("OM-1.3", "Latency, P95", number, threshold)
    took = Decimal(str(number)) * 1000
    old = was.get("Q-p95")
    said = f"{_millis(took, Decimal(str(target)))} ms"
    said += compared(old, number, f"{1000 * old:.1f} ms") if isinstance(old, float) else ""
    light = Light.GREEN if took < Decimal(str(target)) else Light.RED
    guess = not isinstance(bounds, Gap) and not bounds.samples
    lines = (
        (f"{target:g} ms is no bound of a bucket, so this is estimated between its neighbours",)
        if guess
        else ()
    )
    return Finding("OM-1.3", "Latency, P95", light, said, threshold, lines)


def _millis(took: Decimal, target: Decimal) -> Decimal:
    """With as many decimals as it takes to stay on its side of the target."""
    rounded = (took.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP) for digits in range(1, 6))
    return next((each for each in rounded if (each < target) == (took < target)), took)


def _missing(key: str, label: str, number: float | Gap | None, threshold: str) -> Finding:
    if isinstance(number, Gap):
        return unread(key, label, number, threshold)
    return Finding(key, label, Light.UNKNOWN, "unknown: no data of this window", threshold,
                   mend="Is the service scraped, and are metrics kept for so long?")  # fmt: skip

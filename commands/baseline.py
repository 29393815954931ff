"""What a service was like before a change: frozen at its start, and never looked at again.

Of the hour before, without its last five minutes (which may already hold a part of the change) and without incidents; and
of the same hour a week earlier, because a Monday morning is no Sunday night. Both are kept as numbers with what they were
counted from, so that whoever reads a verdict later sees what it was measured against.
"""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from commands.model import Reads, Seen
from commands.queries import as_percent, shown
from commands.reads import Query
from commands.sample import Sample, Value, applications, query_at, sample, value
from commands.site import ClusterSite, Rollback, ServiceSite
from commands.wording import took

LENGTH, SETTLING, WEEK = timedelta(minutes=60), timedelta(minutes=5), timedelta(weeks=1)
SHORTEST = timedelta(minutes=2)  # what is left between two incidents says nothing when it is shorter

Interval = tuple[datetime, datetime]
Framing = Generator[Reads, Seen, "Baseline"]


@dataclass(frozen=True, slots=True)
class Period:
    """spans: what is left of it without incidents. p95: seconds; of several spans their mean by requests."""

    spans: tuple[Interval, ...]
    requests: Value
    bad: Value
    p95: Value


@dataclass(frozen=True, slots=True)
class Baseline:
    """at: when the change began. cpu (cores), memory (bytes): of one pod, on average. healthy: share of targets.
    checks: the critical ones that held; one that did not hold before says nothing of the change."""

    service: str
    at: datetime
    recent: Period
    last_week: Period
    cpu: Value
    memory: Value
    healthy: Value
    checks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reference:
    """What a sample is compared with: number None where there is nothing to compare with, and words say why."""

    number: Fraction | None
    words: str


def baseline(
    service: ServiceSite, site: ClusterSite, t0: datetime, excluded: Sequence[Interval] = ()
) -> Framing:
    """excluded: when incidents were, of the last week too."""
    recent = spans(t0 - LENGTH, t0 - SETTLING, excluded)
    before = spans(t0 - WEEK - LENGTH, t0 - WEEK - SETTLING, excluded)
    asked = {
        (name, span): query_at(site, name, service, span[1], span[1] - span[0])
        for span in (*recent, *before)
        for name in ("Q-requests", "Q-bad", "Q-p95")
    }
    usage = _usage(service, site, recent)
    seen = yield (*asked.values(), *usage.values())
    found = {key: value(key[0], seen[read]) for key, read in asked.items()}
    used = {name: value(name, seen[read]) for name, read in usage.items()}
    none = Value(None, "an incident covers the whole hour before")
    start: Sample = yield from sample(service, site, t0)
    return Baseline(
        service.name, t0, _period(recent, found), _period(before, found),
        used.get("Q-servicecpu", none), used.get("Q-servicemem", none),
        start.healthy, tuple(check.name for check in start.checks if check.is_up),
    )  # fmt: skip


def neighbours(
    service: ServiceSite, site: ClusterSite, t0: datetime, excluded: Sequence[Interval] = ()
) -> Generator[Reads, Seen, Mapping[str, Baseline]]:
    """Of the other services that answer users, by name: what happens to them too is not this change's doing."""
    found: dict[str, Baseline] = {}
    for other in applications(site):
        if other.name != service.name:
            found[other.name] = yield from baseline(other, site, t0, excluded)
    return found


def spans(begin: datetime, end: datetime, excluded: Iterable[Interval]) -> tuple[Interval, ...]:
    """What is left of the time between, in pieces."""
    left = [(begin, end)]
    for start, stop in excluded:
        left = [
            piece
            for first, last in left
            for piece in ((first, min(last, start)), (max(first, stop), last))
            if piece[0] < piece[1]
        ]
    return tuple(dict.fromkeys(piece for piece in left if piece[1] - piece[0] >= SHORTEST))


def _usage(service: ServiceSite, site: ClusterSite, recent: Sequence[Interval]) -> dict[str, Query]:
    """Of the longest piece: CPU and memory have no number of requests to weigh them by."""
    if not recent:
        return {}
    begin, end = max(recent, key=lambda span: span[1] - span[0])
    return {
        name: query_at(site, name, service, end, end - begin) for name in ("Q-servicecpu", "Q-servicemem")
    }


# --- Of several spans one number ------------------------------------------------------------------


def _period(pieces: tuple[Interval, ...], found: dict[tuple[str, Interval], Value]) -> Period:
    requests, bad, p95 = (
        [found[name, piece] for piece in pieces] for name in ("Q-requests", "Q-bad", "Q-p95")
    )
    return Period(pieces, _sum(requests), _sum(bad), _mean(p95, requests))


def _sum(values: Sequence[Value]) -> Value:
    missing = next((each for each in values if each.number is None), None)
    if missing:
        return missing
    if not values:
        return Value(None, "an incident covers all of it")
    return Value(sum(each.number or 0.0 for each in values))


def _mean(values: Sequence[Value], weights: Sequence[Value]) -> Value:
    pairs = [(each.exact, weight.exact or Fraction(0)) for each, weight in zip(values, weights, strict=True)]
    known = [(number, weight) for number, weight in pairs if number is not None and weight]
    if not known:
        missing = next((each for each in values if each.number is None), None)
        return missing or Value(None, "no requests" if values else "an incident covers all of it")
    whole = sum(weight for _, weight in known)
    return Value(float(sum(number * weight for number, weight in known) / whole))


# --- What to compare with -------------------------------------------------------------------------


def errors(of: Baseline, rules: Rollback) -> Reference:
    """The share of failed requests. Of both hours the higher one, so that no habit of the week counts as a fault; but
    not last week's where that is itself so bad that it must have been an incident nobody wrote down."""
    floor = Fraction(str(rules.error_floor_pct)) / 100
    factor = Fraction(str(rules.error_factor))
    return _higher(of, rules, _share, lambda recent: factor * max(recent, floor), percent)


def latency(of: Baseline, rules: Rollback) -> Reference:
    """The 95th percentile in seconds, chosen in the same way."""
    factor = 1 + Fraction(str(rules.latency_increase_pct)) / 100
    return _higher(of, rules, lambda period: period.p95.exact, lambda recent: factor * recent, milliseconds)


def _higher(
    of: Baseline,
    rules: Rollback,
    number: Callable[[Period], Fraction | None],
    most: Callable[[Fraction], Fraction],
    written: Callable[[Fraction], str],
) -> Reference:
    recent, week = (_known(number, period, rules) for period in (of.recent, of.last_week))
    if recent is None and week is None:
        return Reference(None, f"no baseline: {_why(of.recent, rules)}")
    if recent is None or (week is not None and recent < week <= most(recent)):
        assert week is not None
        return Reference(week, f"{written(week)} ({_requests(of.last_week)} in the same hour last week)")
    return Reference(recent, f"{written(recent)} ({_requests(of.recent)} in the hour before)")


def _known(number: Callable[[Period], Fraction | None], period: Period, rules: Rollback) -> Fraction | None:
    n = period.requests.number
    return None if not n or n < rules.min_requests else number(period)


def _share(period: Period) -> Fraction | None:
    bad, requests = period.bad.exact, period.requests.exact
    return bad / requests if bad is not None and requests else None


def _why(period: Period, rules: Rollback) -> str:
    n = period.requests
    if n.number is None:
        return n.why
    if n.number < max(1, rules.min_requests):
        return f"{n.number:,.0f} requests in the hour before are too few"
    return period.bad.why or period.p95.why or "no data"


def _requests(period: Period) -> str:
    return f"{period.requests.number or 0:,.0f} requests"


def percent(share: Fraction, *marks: Fraction) -> str:
    """With as many digits as it takes to stand on its own side of these marks."""
    return shown(as_percent(float(share)), [float(mark * 100) for mark in marks], decimals=2)


def milliseconds(seconds: Fraction) -> str:
    return took(timedelta(seconds=float(seconds)))

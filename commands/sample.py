"""What was seen of a service at one moment: requests, failures, latency, healthy targets, critical checks.

Facts only, with the reason where there is no number: "nothing was measured" and "nobody answered" are two things, and
neither is zero. What they mean is judged in commands/watch.py. Every number is asked for as of the sample's own time, so
a worker that comes late sees the same. Other commands `yield from` the generators here.
"""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from math import isfinite

from commands import queries
from commands.model import Gap, Read, Reads, Seen
from commands.reads import Endpoints, EndpointView, Http, Query, Vector
from commands.site import ClusterSite, CriticalCheck, ServiceSite
from commands.triagereads import Fetch
from commands.wording import one_line

_DIGITS = 9  # after the point: beyond them is the noise of binary fractions


@dataclass(frozen=True, slots=True)
class Value:
    """number: None where there is none, and why says so. is_unread: nobody answered, or not to this question; else
    the answer was that there is nothing to measure."""

    number: float | None
    why: str = ""
    is_unread: bool = False

    @property
    def exact(self) -> Fraction | None:
        """As it is written, so that 0.3 is no more than 1.5 times 0.2."""
        return None if self.number is None else Fraction(repr(self.number))


@dataclass(frozen=True, slots=True)
class Check:
    """A function that must always work. is_up: None where that was not read. is_silent: what speaks against it is
    silence alone, which may also be ours. is_late: it was looked at long after the sample was due, and says nothing of
    that time."""

    name: str
    is_up: bool | None
    why: str = ""
    is_silent: bool = False
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """requests, bad (failed with 5xx): how many in the window that ended at that time. p95: seconds. healthy: share
    of the service's targets."""

    at: datetime
    window: timedelta
    requests: Value
    bad: Value
    p95: Value
    healthy: Value
    checks: tuple[Check, ...] = ()


Sampling = Generator[Reads, Seen, Sample]
Checking = Generator[Reads, Seen, tuple[Check, ...]]


def sample(
    service: ServiceSite, site: ClusterSite, at: datetime, window: timedelta | None = None
) -> Sampling:
    """window: one interval of the configuration where none is given."""
    length = window or site.change.rollback.interval
    asked = {name: query_at(site, name, service, at, length) for name in ("Q-requests", "Q-bad", "Q-p95")}
    asked["Q-healthy"] = query_at(site, "Q-healthy", service, at, length)
    seen = yield (*asked.values(), *_critical_reads(site))
    found = {name: value(name, seen[read]) for name, read in asked.items()}
    return Sample(
        at, length, found["Q-requests"], found["Q-bad"], found["Q-p95"], found["Q-healthy"],
        tuple(_checks(site, seen)),
    )  # fmt: skip


def critical(site: ClusterSite) -> Checking:
    """The addresses of `critical_checks`, and whether every application still has an endpoint that is ready."""
    reads = _critical_reads(site)
    seen = (yield reads) if reads else Seen({})
    return tuple(_checks(site, seen))


def query_at(site: ClusterSite, name: str, service: ServiceSite, at: datetime, window: timedelta) -> Query:
    return queries.at(queries.query(site, name, service=service, window=window), at)


# --- From an answer to a value --------------------------------------------------------------------


def value(name: str, answer: Vector | Gap) -> Value:
    if isinstance(answer, Gap):
        return Value(None, one_line(answer.reason), is_unread=True)
    if queries.partial(answer):
        return Value(None, f"a partial answer: {one_line(queries.partial(answer))}")
    if not answer.samples:
        return Value(None, f"no data ({name})")
    if len(answer.samples) > 1:
        return Value(None, f"{len(answer.samples)} series instead of one")
    return _number(queries.QUERIES[name], answer.samples[0].value)


def _number(entry: queries.NamedQuery, number: float) -> Value:
    if not isfinite(number):
        return Value(None, entry.on_nan)
    if number < 0 or (entry.unit == "share" and number > 1):
        return Value(None, f"{number:g} is no {entry.unit}")
    return Value(round(number, _DIGITS))


# --- Critical checks ------------------------------------------------------------------------------


def _critical_reads(site: ClusterSite) -> tuple[Read, ...]:
    addresses = (Fetch(check.url) for check in site.critical_checks)
    return tuple(dict.fromkeys((*addresses, *(_behind(service) for service in applications(site)))))


def applications(site: ClusterSite) -> tuple[ServiceSite, ...]:
    """Those that answer users: whose endpoints count, and who is a neighbour of whom."""
    return tuple(each for each in site.services.values() if each.role == "app" and each.service)


def _behind(service: ServiceSite) -> Endpoints:
    return Endpoints(service.namespace, service.service)


def _checks(site: ClusterSite, seen: Seen) -> Iterable[Check]:
    for check in site.critical_checks:
        yield _answered(check, seen[Fetch(check.url)])
    for service in applications(site):
        yield _endpoints(f"endpoints of {service.namespace}/{service.service}", seen[_behind(service)])


def _answered(check: CriticalCheck, answer: Http | Gap) -> Check:
    if isinstance(answer, Gap):
        up = False if answer.silent else None
        return Check(check.name, up, one_line(answer.reason), is_silent=answer.silent)
    if answer.status >= 400:
        return Check(check.name, False, f"HTTP {answer.status}")
    return Check(check.name, True)


def _endpoints(name: str, answer: tuple[EndpointView, ...] | Gap) -> Check:
    if isinstance(answer, Gap):
        return Check(name, None, one_line(answer.reason))
    is_up = any(each.ready and not each.terminating for each in answer)
    return Check(name, is_up, "" if is_up else "none is ready")

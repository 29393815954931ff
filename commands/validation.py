"""Whether a finished change has left a service as it was: errors, latency, CPU and memory against the baseline.

Nearer limits than those of a rollback (`change.validation`), over the last five minutes, for a person to decide on. More
is not right, strictly; much less of it is worth a look, because what gets no traffic uses nothing. Nothing that was not
measured is right.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from commands import baseline as frozen
from commands.baseline import Baseline, Reference, milliseconds, percent
from commands.finding import Finding, Light
from commands.model import Reads, Seen
from commands.phrase import mebibytes, millicores
from commands.sample import Sample, Value, query_at, sample, value
from commands.site import Change as Rules
from commands.site import ClusterSite, ServiceSite
from commands.watch import effective

LOOKED_AT = timedelta(minutes=5)

Validating = Generator[Reads, Seen, tuple[Finding, ...]]
Written = Callable[[Fraction], str]


@dataclass(frozen=True, slots=True)
class Since:
    """What a service does now. cpu (cores), memory (bytes): of one pod, on average."""

    sample: Sample
    cpu: Value
    memory: Value


def validated(service: ServiceSite, site: ClusterSite, of: Baseline, at: datetime) -> Validating:
    seen = yield from since(service, site, at)
    return compared(seen, of, site.change)


def since(service: ServiceSite, site: ClusterSite, at: datetime) -> Generator[Reads, Seen, Since]:
    asked = {name: query_at(site, name, service, at, LOOKED_AT) for name in ("Q-servicecpu", "Q-servicemem")}
    seen = yield tuple(asked.values())
    used = {name: value(name, seen[read]) for name, read in asked.items()}
    found: Sample = yield from sample(service, site, at, LOOKED_AT)
    return Since(found, used["Q-servicecpu"], used["Q-servicemem"])


def compared(now: Since, of: Baseline, rules: Rules) -> tuple[Finding, ...]:
    return tuple(_findings(now, of, rules))


def _findings(now: Since, of: Baseline, rules: Rules) -> Iterator[Finding]:
    limits = effective(rules.rollback)
    yield _errors(now.sample, frozen.errors(of, limits), rules)
    p95 = frozen.latency(of, limits)
    enough = _too_few(now.sample, limits.min_requests)
    yield _within("p95", now.sample.p95 if not enough else Value(None, enough), p95, rules, milliseconds)
    yield _within("CPU of a pod", now.cpu, _before(of.cpu), rules, lambda cores: millicores(float(cores)))
    yield _within(
        "Memory of a pod", now.memory, _before(of.memory), rules, lambda size: mebibytes(float(size))
    )


def _too_few(found: Sample, least: int) -> str:
    requests = found.requests.number
    if requests is None or requests >= max(least, 1):
        return ""
    return f"{requests:,.0f} requests, fewer than the {least} that are judged"


def _before(used: Value) -> Reference:
    return Reference(used.exact, "" if used.exact is not None else f"no baseline: {used.why}")


# --- CM-3.3 ---------------------------------------------------------------------------------------


def _errors(found: Sample, reference: Reference, rules: Rules) -> Finding:
    label, limits = "Errors", effective(rules.rollback)
    why = found.requests.why or found.bad.why or _too_few(found, limits.min_requests)
    bad, requests = found.bad.exact, found.requests.exact
    if why or bad is None or not requests:
        return Finding("CM-3.3", label, Light.UNKNOWN, f"unknown: {why or 'no requests'}")
    if reference.number is None:
        return Finding("CM-3.3", label, Light.UNKNOWN, f"unknown: {reference.words}")
    share = bad / requests
    base = max(reference.number, Fraction(str(limits.error_floor_pct)) / 100)
    limit = base * (1 + Fraction(str(rules.validation.error_increase_pct)) / 100)
    value = f"{percent(share, limit)} ({float(bad):,.0f} of {float(requests):,.0f} requests)"
    light = Light.RED if share > limit else Light.GREEN
    return Finding("CM-3.3", label, light, value, f"≤ {percent(limit, share)}, baseline {reference.words}")


# --- CM-3.4 ---------------------------------------------------------------------------------------


def _within(label: str, now: Value, reference: Reference, rules: Rules, written: Written) -> Finding:
    if now.exact is None:
        return Finding("CM-3.4", label, Light.UNKNOWN, f"unknown: {now.why}")
    if reference.number is None:
        return Finding("CM-3.4", label, Light.UNKNOWN, f"unknown: {reference.words}")
    tolerance = rules.validation.tolerance_pct
    share, before = Fraction(str(tolerance)) / 100, reference.number
    light = Light.GREEN
    if now.exact > before * (1 + share):
        light = Light.RED
    elif now.exact < before * (1 - share):
        light = Light.YELLOW
    told = reference.words or f"{written(before)} in the hour before"
    return Finding("CM-3.4", label, light, written(now.exact), f"± {tolerance:g} % of {told}")

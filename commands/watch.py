"""Whether a change has made a service worse: one sample against the baseline, measure by measure.

Strictly more than a limit is a breach; exactly at it is none. What was not measured, or on too few requests, is
inconclusive; what could not be read is blind; neither ever counts as clean or as a breach. Each judgement says in words
what it saw, the limit and the floors. What a row of samples comes to is in commands/watchverdict.py.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from fractions import Fraction

from commands import baseline as frozen
from commands.baseline import Baseline, Reference, milliseconds, percent
from commands.model import Reads, Seen
from commands.sample import Check, Sample, Value
from commands.sample import sample as sampled
from commands.site import ClusterSite, Rollback, ServiceSite


class Reading(StrEnum):
    """What one measure says. BLIND: nobody answered; INCONCLUSIVE: the answer proves nothing."""

    BREACH = "breach"
    CLEAN = "clean"
    INCONCLUSIVE = "inconclusive"
    BLIND = "blind"


# A breach is one whatever else was not seen: Failed wins over Inconclusive.
_ORDER = (Reading.BREACH, Reading.BLIND, Reading.INCONCLUSIVE, Reading.CLEAN)

ERRORS, LATENCY, AVAILABILITY = "errors", "latency", "availability"
_BOUNDLESS = 1e9


@dataclass(frozen=True, slots=True)
class Measure:
    """rise: how many times the baseline it was (0 where that is not known). is_hard: too bad to wait for another
    sample. is_needed: without it the sample is not conclusive; False for what was not there before the change either.
    shared: neighbours that are as much worse at the same time."""

    name: str
    reading: Reading
    text: str
    rise: float = 0.0
    is_hard: bool = False
    is_needed: bool = True
    shared: tuple[str, ...] = ()

    @property
    def is_critical(self) -> bool:
        return self.name.startswith(_CRITICAL)


@dataclass(frozen=True, slots=True)
class Judged:
    """A sample with what it means."""

    sample: Sample
    measures: tuple[Measure, ...]

    @property
    def reading(self) -> Reading:
        counted = [each.reading for each in self.measures if each.is_needed or each.reading is Reading.BREACH]
        return min(counted, key=_ORDER.index, default=Reading.INCONCLUSIVE)

    def measure(self, name: str) -> Measure | None:
        return next((each for each in self.measures if each.name == name), None)

    @property
    def text(self) -> str:
        """What decided it: all that reads as the sample does; of critical functions those that do not work."""
        told = [
            each.text
            for each in self.measures
            if each.reading is self.reading
            and each.is_needed
            and not (each.is_critical and each.reading is Reading.CLEAN)
        ]
        return f"{self.sample.at:%H:%M} {self.reading}: {'; '.join(told)}"


def look(
    service: ServiceSite,
    site: ClusterSite,
    at: datetime,
    of: Baseline,
    around: Mapping[str, Baseline],
    *,
    is_late: bool = False,
) -> Generator[Reads, Seen, Judged]:
    """One sample, with its neighbours at the same time. around: their baselines (baseline.neighbours). is_late: it is
    taken long after that time; what was measured is still there, while a critical check only says how it is now."""
    rules = site.change.rollback
    own: Sample = yield from sampled(service, site, at)
    own = replace(own, checks=tuple(replace(each, is_late=is_late) for each in own.checks))
    others: dict[str, Judged] = {}
    for name, base in around.items():
        if name in site.services:  # the configuration may have changed meanwhile
            found: Sample = yield from sampled(site.services[name], site, at)
            others[name] = judged(found, base, rules)
    return judged(own, of, rules, others)


def judged(
    sample: Sample, of: Baseline, rules: Rollback, neighbours: Mapping[str, Judged] | None = None
) -> Judged:
    """neighbours: other services at the same time, each against its own baseline, by name."""
    rules = effective(rules)
    measures = (
        _errors(sample, frozen.errors(of, rules), rules),
        _latency(sample, frozen.latency(of, rules), rules),
        _availability(sample, of, rules),
        *_critical(sample, of),
    )
    return Judged(sample, tuple(_attributed(each, neighbours or {}) for each in measures))


def effective(rules: Rollback) -> Rollback:
    """With strict, the limits to the letter: no floor of anything."""
    if not rules.strict:
        return rules
    return replace(rules, error_floor_pct=0, latency_floor_ms=0, min_requests=0, min_errors=0)


# --- Errors ---------------------------------------------------------------------------------------


def _errors(sample: Sample, reference: Reference, rules: Rollback) -> Measure:
    unfit = _unfit(ERRORS, (sample.requests, sample.bad), sample, reference, rules)
    if unfit:
        return unfit
    bad, requests = sample.bad.exact or Fraction(0), sample.requests.exact or Fraction(1)
    share, base = bad / requests, _at_least_floor(reference, rules)
    limit = Fraction(str(rules.error_factor)) * base
    is_breach = share > limit and bad >= rules.min_errors
    is_hard = is_breach and share >= Fraction(str(rules.hard_factor)) * base
    few = "" if is_breach or share <= limit else f", but fewer than {rules.min_errors} errors are no breach"
    text = (
        f"errors {percent(share, limit)} ({_amount(bad)} of {_amount(requests)} requests), "
        f"limit {percent(limit, share)} = {rules.error_factor:g} × {_base(base, reference)}{few}"
        f"{_at_once(rules, is_hard=is_hard)}"
    )
    return Measure(ERRORS, _said(is_breach=is_breach), text, _rise(share, base), is_hard)


def _at_least_floor(reference: Reference, rules: Rollback) -> Fraction:
    return max(reference.number or Fraction(0), Fraction(str(rules.error_floor_pct)) / 100)


def _base(base: Fraction, reference: Reference) -> str:
    if reference.number is not None and base > reference.number:
        return f"the floor of {percent(base)} (baseline {reference.words})"
    return f"baseline {reference.words}"


# --- Latency --------------------------------------------------------------------------------------


def _latency(sample: Sample, reference: Reference, rules: Rollback) -> Measure:
    unfit = _unfit(LATENCY, (sample.requests, sample.p95), sample, reference, rules)
    if unfit:
        return replace(unfit, is_needed=reference.number is not None or unfit.reading is Reading.BLIND)
    now, base = sample.p95.exact or Fraction(0), reference.number or Fraction(0)
    floor = Fraction(str(rules.latency_floor_ms)) / 1000
    limit = (1 + Fraction(str(rules.latency_increase_pct)) / 100) * base
    is_breach = now > limit and now - base >= floor
    is_hard = is_breach and now >= Fraction(str(rules.hard_factor)) * base
    few = "" if is_breach or now <= limit else f", but less than {milliseconds(floor)} more is no breach"
    text = (
        f"p95 {milliseconds(now)} of {_amount(sample.requests.exact or Fraction(0))} requests, limit "
        f"{milliseconds(limit)} = baseline {reference.words} + {rules.latency_increase_pct:g} %{few}"
        f"{_at_once(rules, is_hard=is_hard)}"
    )
    return Measure(LATENCY, _said(is_breach=is_breach), text, _rise(now, base), is_hard)


# --- Both -----------------------------------------------------------------------------------------


def _unfit(
    name: str, values: Iterable[Value], sample: Sample, reference: Reference, rules: Rollback
) -> Measure | None:
    """Why there is nothing to compare: not read, not measured, too few requests, no baseline."""
    missing = next((each for each in values if each.number is None), None)
    if missing is not None:
        reading = Reading.BLIND if missing.is_unread else Reading.INCONCLUSIVE
        return Measure(
            name, reading, f"{name} {'not read' if missing.is_unread else 'unknown'}: {missing.why}"
        )
    requests = sample.requests.number or 0
    if requests < max(rules.min_requests, 1e-9):
        few = f"{requests:,.0f} requests, fewer than the {rules.min_requests} that are judged"
        return Measure(name, Reading.INCONCLUSIVE, f"{name}: {few if requests else 'no requests'}")
    if reference.number is None:
        return Measure(name, Reading.INCONCLUSIVE, f"{name}: {reference.words}")
    return None


def _said(*, is_breach: bool) -> Reading:
    return Reading.BREACH if is_breach else Reading.CLEAN


def _rise(now: Fraction, base: Fraction) -> float:
    """Of a baseline of nothing anything is as much more as can be written down: a record knows no infinity."""
    return float(now / base) if base else _BOUNDLESS if now else 0.0


def _at_once(rules: Rollback, *, is_hard: bool) -> str:
    return f", at least {rules.hard_factor:g} × of it: failed at once" if is_hard else ""


def _amount(number: Fraction) -> str:
    return f"{float(number):,.0f}"


# --- Availability and critical functions ----------------------------------------------------------

_CRITICAL = "critical "


def _availability(sample: Sample, of: Baseline, rules: Rollback) -> Measure:
    healthy, least = sample.healthy, Fraction(str(rules.availability_pct)) / 100
    if healthy.exact is None:
        reading = Reading.BLIND if healthy.is_unread else Reading.INCONCLUSIVE
        text = f"availability {'not read' if healthy.is_unread else 'unknown'}: {healthy.why}"
        return Measure(AVAILABILITY, reading, text, is_needed=healthy.is_unread)
    text = f"{percent(healthy.exact, least)} of its targets are healthy, limit {percent(least)}"
    if healthy.exact >= least:
        return Measure(AVAILABILITY, Reading.CLEAN, text)
    if of.healthy.exact is not None and of.healthy.exact < least:
        before = f"{text}, but it was {percent(of.healthy.exact, least)} before the change"
        return Measure(AVAILABILITY, Reading.INCONCLUSIVE, before, is_needed=False)
    return Measure(AVAILABILITY, Reading.BREACH, f"{text}: failed at once", is_hard=True)


def _critical(sample: Sample, of: Baseline) -> Iterator[Measure]:
    metrics = (sample.requests, sample.bad, sample.p95, sample.healthy)
    is_dark = all(each.is_unread for each in metrics)
    for check in sample.checks:
        yield _checked(check, held=check.name in of.checks, is_dark=is_dark)


def _checked(check: Check, *, held: bool, is_dark: bool) -> Measure:
    """is_dark: nothing else was read either, so silence may be our own."""
    name, why = f"{_CRITICAL}{check.name}", f": {check.why}" if check.why else ""
    if check.is_late:
        text = f"{check.name} was not looked at then, this sample was taken late"
        return Measure(name, Reading.INCONCLUSIVE, text, is_needed=False)
    if check.is_up:
        return Measure(name, Reading.CLEAN, f"{check.name}: works")
    if not held:
        text = f"{check.name} does not count, it did not work before the change either{why}"
        return Measure(name, Reading.INCONCLUSIVE, text, is_needed=False)
    if check.is_up is None or (check.is_silent and is_dark):
        return Measure(name, Reading.BLIND, f"{check.name} not read{why}")
    return Measure(name, Reading.BREACH, f"{check.name} does not work{why}")


# --- Attribution ----------------------------------------------------------------------------------


def _attributed(measure: Measure, neighbours: Mapping[str, Judged]) -> Measure:
    """With the neighbours that are as much worse, where they are more than half of those that could be judged: what
    happens to all of them is no change of one."""
    if measure.reading is not Reading.BREACH or measure.is_critical:
        return measure
    found = {name: other.measure(measure.name) for name, other in neighbours.items()}
    known = {n: each for n, each in found.items() if each and each.reading in (Reading.BREACH, Reading.CLEAN)}
    worse = tuple(n for n, each in known.items() if _is_as_bad(each, measure))
    if 2 * len(worse) <= len(known):
        return measure
    text = f"{measure.text}; not specific to this change: {', '.join(worse)} as much worse at the same time"
    return replace(measure, shared=worse, text=text)


def _is_as_bad(other: Measure, own: Measure) -> bool:
    """At least half of the rise; what is hard in both is alike."""
    return other.reading is Reading.BREACH and (other.is_hard or other.rise * 2 >= own.rise)

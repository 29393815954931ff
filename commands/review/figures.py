"""The figures of a window, each with its number, or with why it has none: what files, months and arrows are made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from commands.model import Gap
from commands.numbers import changes as changed
from commands.numbers import coverage, durations, failures, oncall, population, quality, toil
from commands.numbers.changes import Changes
from commands.numbers.coverage import Covered
from commands.numbers.durations import Measure
from commands.numbers.failures import Failures
from commands.numbers.firings import Told
from commands.numbers.oncall import Load
from commands.numbers.population import Population
from commands.numbers.quality import Quality
from commands.numbers.spread import Spread, Stretch
from commands.numbers.toil import Toil
from commands.numbers.window import Window
from commands.response.incident import Incident
from commands.responsereads import Turn
from commands.review.facts import Facts
from commands.site import CHANGES

GRAVEST = 3  # the target of the time to restore is about Sev1 to Sev3


@dataclass(frozen=True, slots=True)
class Numbers:
    """All of one window. None: its source was not read, or does not reach back so far. left_out: Sev4 incidents,
    which are in no time to restore."""

    window: Window
    incidents: Population | None
    measures: Mapping[str, Measure]
    left_out: int
    failures: Mapping[str, Failures]
    covered: Covered | None
    changes: Changes | None
    loads: tuple[Load, ...] | None
    weeks: float | None
    quality: Quality | None
    templates: tuple[Quality, ...]
    cards: tuple[Told, ...]
    toil: tuple[Toil, ...] | None


def numbers(facts: Facts, window: Window) -> Numbers:
    incidents, has_alerts = facts.known_incidents(), facts.has_alerts(window)
    found = None if isinstance(facts.incidents, Gap) else population.population(incidents, window)
    grave = _grave(found) if found else None
    cards = tuple(card for card in facts.cards if window.has(card.first.starts_at)) if has_alerts else ()
    turns = None if isinstance(facts.duty, Gap) else facts.duty.turns
    return Numbers(
        window=window,
        incidents=found,
        measures={each.key: each for each in durations.durations(grave)} if grave else {},
        left_out=len(found.counted) - len(grave.counted) if found and grave else 0,
        failures=_failures(facts, incidents, window) if found else {},
        covered=coverage.coverage(found, facts.signals) if found else None,
        changes=_changed(facts, window) if found else None,
        loads=_loads(facts, turns, window) if found and turns is not None and has_alerts else None,
        weeks=oncall.on_call_weeks(turns, window) if turns is not None else None,
        quality=quality.overall(cards) if has_alerts else None,
        templates=quality.qualities(cards),
        cards=cards,
        toil=_toil(facts, window),
    )  # fmt: skip


def _changed(facts: Facts, window: Window) -> Changes | None:
    return (
        None
        if isinstance(facts.changes, Gap)
        else changed.changes(facts.changes, facts.known_incidents(), window)
    )


def _grave(found: Population) -> Population:
    return replace(found, counted=tuple(each for each in found.counted if each.severity <= GRAVEST))


def _failures(facts: Facts, incidents: tuple[Incident, ...], window: Window) -> dict[str, Failures]:
    services = dict.fromkeys((facts.site.default_service.name, *failures.failed_services(incidents)))
    return {service: failures.failures(incidents, service, window) for service in services}


def _loads(facts: Facts, turns: tuple[Turn, ...], window: Window) -> tuple[Load, ...]:
    incidents = facts.known_incidents()
    calls = (*facts.calls, *oncall.pages(incidents))
    alerts = () if isinstance(facts.alerts, Gap) else facts.alerts.occurrences
    worked: dict[str, list[Stretch]] = oncall.work(incidents, alerts, min(facts.now, window.end))
    return oncall.loads(turns, calls, worked, window, facts.zone)


def _toil(facts: Facts, window: Window) -> tuple[Toil, ...] | None:
    page = facts.commands
    if isinstance(page, Gap) or window != facts.window or page.since > window.start:
        return None
    return toil.toil(page.counts, frozenset(CHANGES))


# --- one by one -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Value:
    """number: None where there is none; why says then what is missing. n: of how many."""

    number: float | None
    n: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """key: as files have it. unit: "s", "%", "per person-week" or "". higher_is_better: None where it only informs.
    is_shown: in the table of months."""

    key: str
    row: str
    label: str
    unit: str
    of: Callable[[Numbers], Value]
    higher_is_better: bool | None = False
    is_shown: bool = False


NOTHING = "none"  # what there is a number of did not happen: that is no 0, and no gap
_UNREAD = Value(None, 0, "not read")
_OUT_OF_REACH = Value(None, 0, "not kept so far back")


def _measured(key: str, part: str) -> Callable[[Numbers], Value]:
    def of(found: Numbers) -> Value:
        measure = found.measures.get(key)
        return _UNREAD if measure is None else _part(measure.spread, part)

    return of


def _part(found: Spread | None, part: str) -> Value:
    return Value(None, 0, NOTHING) if found is None else Value(getattr(found, part), found.n)


def _share(of: Callable[[Changes], changed.Share]) -> Callable[[Numbers], Value]:
    def value(found: Numbers) -> Value:
        if found.changes is None:
            return _UNREAD
        share = of(found.changes)
        return Value(share.percent, share.whole, "" if share.whole else NOTHING)

    return value


def _recovery(found: Numbers) -> Value:
    return _UNREAD if found.changes is None else _part(found.changes.recovery, "median")


def _mtbf(found: Numbers) -> Value:
    """Of the service whose failures came closest together; nothing failed: none, and no number."""
    known = [each for each in found.failures.values() if each.mtbf is not None]
    if not found.failures:
        return _UNREAD
    return (
        Value(min(each.mtbf or 0 for each in known), sum(each.n for each in known))
        if known
        else Value(None, 0, NOTHING)
    )


def _gaps(found: Numbers) -> Value:
    if found.covered is None:
        return _UNREAD
    whole = found.covered.eligible
    return Value(100 * len(found.covered.gaps) / whole, whole) if whole else Value(None, 0, NOTHING)


def _actionable(found: Numbers) -> Value:
    if found.quality is None:
        return _OUT_OF_REACH
    if not found.weeks:
        return Value(None, 0, "nobody on call")
    count = found.quality.of(quality.Disposition.ACTIONABLE)
    return Value(count / found.weeks, count)


def _noise(found: Numbers) -> Value:
    if found.quality is None:
        return _OUT_OF_REACH
    return Value(found.quality.noise, found.quality.classified, "" if found.quality.classified else NOTHING)


def _calls(found: Numbers) -> Value:
    if found.loads is None or not found.weeks:
        return _OUT_OF_REACH
    count = sum(len(each.calls) for each in found.loads)
    return Value(count / found.weeks, count)


def _worked(found: Numbers) -> Value:
    if found.loads is None or not found.weeks:
        return _OUT_OF_REACH
    worked = sum(each.worked.total_seconds() for each in found.loads)
    return Value(worked / found.weeks, len(found.loads))


def _incidents(found: Numbers) -> Value:
    return (
        _UNREAD
        if found.incidents is None
        else Value(len(found.incidents.counted), len(found.incidents.counted))
    )


def _changes(found: Numbers) -> Value:
    return _UNREAD if found.changes is None else Value(len(found.changes.reached), len(found.changes.reached))


FIGURES: tuple[Figure, ...] = (
    Figure("incidents", "OM-2.0", "Incidents resolved", "", _incidents, None, is_shown=True),
    Figure("restore_mean", "OM-2.1", "Time to restore, mean", "s", _measured("restore", "mean"), is_shown=True),
    Figure("restore_median", "OM-2.1", "Time to restore, median", "s", _measured("restore", "median")),
    Figure("restore_p90", "OM-2.1", "Time to restore, p90", "s", _measured("restore", "p90")),
    Figure("resolve_mean", "OM-2.1", "Time to resolve, mean", "s", _measured("resolve", "mean")),
    Figure("resolve_median", "OM-2.1", "Time to resolve, median", "s", _measured("resolve", "median")),
    Figure("respond_median", "OM-2.1", "Time to respond, median", "s", _measured("respond", "median")),
    Figure("detect_median", "OM-2.1", "Time to detect, median", "s", _measured("ttd", "median")),
    Figure("page_median", "OM-2.1", "Page to acknowledgement, median", "s", _measured("tta_page", "median"),
           is_shown=True),
    Figure("commander_median", "OM-2.1", "Declared to commander, median", "s", _measured("time_to_ic", "median")),
    Figure("mtbf", "OM-2.2", "Time between failures", "s", _mtbf, True, is_shown=True),
    Figure("changes", "OM-2.3", "Changes in production", "", _changes, None, is_shown=True),
    Figure("change_failure", "OM-2.3", "Change failure rate", "%", _share(lambda c: c.failure), is_shown=True),
    Figure("rework", "OM-2.3", "Rework rate", "%", _share(lambda c: c.rework)),
    Figure("recovery_median", "OM-2.3", "Failed change to recovery, median", "s", _recovery),
    Figure("coverage_gap", "AW-3", "Incidents without an alert in time", "%", _gaps, is_shown=True),
    Figure("actionable", "OM-3.2", "Actionable alerts", "per person-week", _actionable, is_shown=True),
    Figure("noise", "OM-3.2", "Noise of classified alerts", "%", _noise, is_shown=True),
    Figure("calls", "OM-3.3", "Calls", "per person-week", _calls),
    Figure("on_call_work", "OM-3.3", "Work on call", "s per person-week", _worked, is_shown=True),
)  # fmt: skip

BY_KEY: Mapping[str, Figure] = {each.key: each for each in FIGURES}


def value(key: str, found: Numbers | None) -> float | None:
    return None if found is None else BY_KEY[key].of(found).number

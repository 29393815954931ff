"""The databases behind a service, as far as Prometheus sees them: connections, locks, slow statements, cache.

Which engine there is, the names of the metrics say; where there is none, what its owner has to look at is told as
a list. Never asks a database itself. The same for `debug db` and for the first part of the search for lost time.
"""

import re
from collections.abc import Generator, Sequence
from dataclasses import replace

from commands.finding import Finding, Light
from commands.model import Cause, Confidence, Gap, Reads, Seen
from commands.queries import amounts, measured, query
from commands.reads import Query, Vector
from commands.site import ClusterSite, ServiceSite
from commands.triage.dbchecks import ENGINES, Check, Engine
from commands.triage.measured import read, share
from commands.triage.rule import Diagnosing, Diagnosis
from commands.wording import one_line, unread

_FULL, _FILLING = 95, 80  # percent of the application's own pool
_FLAT = 1.2  # more requests than that explain more connections
_NAMES = tuple(name for engine in ENGINES for name in engine.metrics)
THERE = Query(f'count by (__name__) ({{__name__=~"{"|".join(_NAMES)}"}})')
_REQUESTS = "sum(rate(http_requests_total[5m])) / sum(rate(http_requests_total[5m] offset 1h))"
_LITERAL = re.compile(r"'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b")


def diagnose(service: ServiceSite, site: ClusterSite, engine: str = "") -> Diagnosing:
    """engine: "postgres" or "mongodb" alone; "" for whichever is there."""
    pool = query(site, "Q-dbpool", service=service)
    seen = yield (THERE, pool)
    own = _pool(site, seen[pool])
    there: Vector | Gap = seen[THERE]
    if isinstance(there, Gap):
        blind = unread("TD-0", "Databases", there)
        return Diagnosis(None, (blind, own))
    found = [each for each in _meant(engine) if _is_there(each, there)]
    if not found:
        return Diagnosis(_cause((own,)), (_none(engine), own))
    told = yield from _checked(found)
    findings = (*told, own)
    return Diagnosis(_cause(findings), findings)


def _meant(engine: str) -> tuple[Engine, ...]:
    return tuple(each for each in ENGINES if engine in ("", each.name))


def _is_there(engine: Engine, there: Vector) -> bool:
    return any(sample.labels.get("__name__") in engine.metrics for sample in there.samples)


def _none(engine: str) -> Finding:
    """With what only its owner can look at."""
    wanted = {"postgres": "postgres_exporter", "mongodb": "mongodb_exporter"}
    mend = f"Scrape {wanted.get(engine, 'postgres_exporter or mongodb_exporter')} with Prometheus."
    asks = tuple(f"for its owner, {each.name}: {ask}" for each in _meant(engine) for ask in each.asks)
    value = "cannot see the database: no exporter's series"
    return Finding("TD-0", "Databases", Light.UNKNOWN, value, evidence=asks, mend=mend)


# --- The checks -------------------------------------------------------------------------------------------


def _checked(engines: Sequence[Engine]) -> Generator[Reads, Seen, tuple[Finding, ...]]:
    asked = [(engine, check, check.gauge.asked({})) for engine in engines for check in engine.checks]
    requests = Query(_REQUESTS)
    seen = yield (*dict.fromkeys(question for _, _, question in asked), requests)
    load = _number(seen[requests])
    return tuple(_judged(engine, check, seen[question], load) for engine, check, question in asked)


def _judged(engine: Engine, check: Check, answer: Vector | Gap, load: float | None) -> Finding:
    found = read(check.gauge, answer, check.key)
    told = replace(found.finding, label=f"{engine.name}: {check.gauge.label}", threshold=check.threshold)
    if not found.top:
        return told
    lowest = min(value for _, value in found.top)
    value = check.gauge.say(lowest) if check.under is not None else told.value
    lines = told.evidence if len(told.evidence) > 1 else ()
    if check.is_text:
        value, lines = _without_data(value), tuple(map(_without_data, lines))
    told = replace(told, light=_light(check, found.value, lowest, told.light), value=value, evidence=lines)
    return _leaking(told, load) if check.key == "TD-6.1" else told


def _light(check: Check, highest: float, lowest: float, known: Light) -> Light:
    if check.red is not None and highest > check.red:
        return Light.RED
    if check.red_from is not None and highest >= check.red_from:
        return Light.RED
    if check.over is not None and highest > check.over:
        return Light.YELLOW
    return Light.YELLOW if check.under is not None and lowest < check.under else known


def _without_data(text: str) -> str:
    """A statement without what was looked for: people's data is none of ours."""
    statement, _, took = text.rpartition(": ")
    return one_line(f"{_LITERAL.sub('?', statement)}: {took}", 240)


def _leaking(found: Finding, load: float | None) -> Finding:
    """More connections for more requests are none that leak."""
    if found.light is not Light.YELLOW:
        return found
    if load is None:
        return replace(found, value=f"{found.value}; how the requests went is not known")
    if load > _FLAT:
        return replace(found, light=Light.GREEN, value=f"{found.value}, with {share(load - 1)} more requests")
    return replace(found, value=f"leak suspected: {found.value}, with no more requests than before")


# --- The application's own pool ---------------------------------------------------------------------------


def _pool(site: ClusterSite, answer: Vector | Gap) -> Finding:
    key, label, threshold = "T1-5.1", "Pool of the application", f"≤ {_FILLING} %"
    found = measured(site, "Q-dbpool", answer)
    if found.percent is None:
        names = f"{site.db_pool.metrics.active} and {site.db_pool.metrics.idle}"
        mend = (
            found.mend
            if isinstance(answer, Gap)
            else f"Export {names}, or name yours under `db_pool.metrics`."
        )
        why = found.why if isinstance(answer, Gap) else f"not exported: no series of {names}"
        return unread(key, label, Gap(why, mend), threshold)
    percent = float(found.percent)
    light = Light.RED if percent >= _FULL else Light.YELLOW if percent > _FILLING else Light.GREEN
    return Finding(key, label, light, f"{percent:.0f} % in use", threshold)


def _number(answer: Vector | Gap) -> float | None:
    return None if isinstance(answer, Gap) else amounts(answer, ()).get(())


def _cause(findings: Sequence[Finding]) -> Cause | None:
    bad = next((each for each in findings if each.light is Light.RED), None)
    if bad is None:
        return None
    beyond = f" (should be {bad.threshold})" if bad.threshold else ""
    return Cause(f"{bad.label}: {bad.value}{beyond}", Confidence.LIKELY)

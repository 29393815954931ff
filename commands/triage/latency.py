"""Requests that take too long: how long, since when, and where the time may go, in the manual's order.

Four parts: database, network, saturation, what is called outside. For an alert each is one line with its worst
facts; `debug latency` shows each as a section of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from commands.alertreads import Matrix, QueryRange
from commands.finding import Finding, Light, Suggestion, worst
from commands.model import Cause, Confidence, Gap, Seen
from commands.podreads import PodRow, PodRows
from commands.queries import amounts, measured_by, query, quoted
from commands.reads import Now, Query, Vector
from commands.site import ClusterSite, ServiceSite
from commands.triage import changed, database, dependencies, network, onset, saturation, served
from commands.triage.beside import beside
from commands.triage.measured import plain, seconds, share
from commands.triage.onset import Onset
from commands.triage.rule import Diagnosing, Diagnosis, Rule, Subject, folded
from commands.triage.whose import is_of
from commands.triagereads import Changes
from commands.wording import one_line, unread

_NOW = timedelta(minutes=5)
_WAITING = 20  # percent of a node's CPU time that waits for a disk
_SLOWER = 1.5  # times the usual: from here on it is slower than it was
_TOGETHER = 0.7  # r from which two numbers rise together
_SHOWN = 4

PARTS = ("Database", "Network", "Saturation", "Dependencies")


def slow(subject: Subject, site: ClusterSite) -> Diagnosing:
    """The four parts in short, after how long it takes."""
    service = served.of(subject, site)
    head, *parts = yield from beside(
        felt(service, subject.since, site),
        database.diagnose(service, site),
        network.diagnose(service, site),
        saturated(service, site),
        dependencies.diagnose(site),
    )
    told = [_part(n, name, part) for n, (name, part) in enumerate(zip(PARTS, parts, strict=True), 1)]
    red = next((each for each in told if each.light is Light.RED), None)
    offers = (*head.suggestions, Suggestion("Each part in full", f"debug latency {served.place(service)}"))
    if head.cause is None:
        return Diagnosis(None, (*head.findings, *told), offers)
    text = f"{head.cause.text}; {red.label}: {red.value}" if red else head.cause.text
    return Diagnosis(
        Cause(one_line(text, 420), head.cause.confidence, head.cause.suggestions),
        (*head.findings, *told),
        offers,
    )


def _part(number: int, name: str, found: Diagnosis) -> Finding:
    """A part as one line: what is worst in it, and the rest of what is not well under it."""
    light = worst([each.light for each in found.findings])
    bad = [each for each in found.findings if each.light in (Light.RED, Light.YELLOW)]
    bad.sort(key=lambda each: each.light is not Light.RED)
    blind = [each for each in found.findings if each.light is Light.UNKNOWN]
    lines = tuple(f"{each.label}: {each.value}" for each in (*bad[1:], *folded(blind)))
    if not bad:
        value = f"nothing bad seen, {len(blind)} unknown" if blind else "well"
        mend = blind[0].mend if blind else ""
        return Finding(
            f"T2-{number}.0", f"{number}. {name}", light, value, evidence=lines[:_SHOWN], mend=mend
        )
    return Finding(
        f"T2-{number}.0", f"{number}. {name}", bad[0].light, f"{bad[0].label}: {bad[0].value}",
        evidence=(*bad[0].evidence[:2], *lines[:_SHOWN]),
    )  # fmt: skip


# --- How long ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Asked:
    now: Query
    rate: Query
    past: QueryRange
    bounds: Query
    changes: Changes

    @classmethod
    def of(cls, site: ClusterSite, service: ServiceSite) -> "_Asked":
        now = query(site, "Q-p95", service=service, window=_NOW)
        here = f'namespace="{quoted(service.namespace)}",service="{quoted(service.service)}"'
        return cls(
            now,
            query(site, "Q-rps", service=service, window=_NOW),
            QueryRange(now.expr, onset.WINDOW, step=onset.STEP, most=1),
            Query(f"count by (le) (http_request_duration_seconds_bucket{{{here}}})"),
            Changes(service.namespace),
        )


def felt(service: ServiceSite, since: datetime | None, site: ClusterSite) -> Diagnosing:
    """The quantile against its objective, since when, and what was rolled out just before."""
    service = yield from served.resolved(service, site)
    asked = _Asked.of(site, service)
    seen = yield (asked.now, asked.rate, asked.past, asked.bounds, asked.changes, Now())
    past: Matrix | Gap = seen[asked.past]
    began = None if isinstance(past, Gap) else onset.onset(onset.points(past), since, _SLOWER)
    at = began.at if began and not began.is_older else since
    name = service.deployment or service.name
    looked = changed.looked(seen[asked.changes], at, seen[Now()], name)
    value = _value(seen[asked.now])
    objective = site.slo.latency.target_ms / 1000
    findings = (
        _latency(service, site, seen, asked, began),
        *_interpolated(seen[asked.bounds], objective),
        looked.finding,
    )
    offers = (Suggestion("All five layers", f"debug layers {served.place(service)}"),)
    if value is None or value <= objective:
        return Diagnosis(None, findings, offers)
    text = f"{service.name}: {_words(value, site, began)}"
    text += f"; {looked.cause.text}" if looked.cause else ""
    back = looked.cause.suggestions if looked.cause else ()
    sure = Confidence.LIKELY if looked.cause else Confidence.POSSIBLE
    return Diagnosis(Cause(one_line(text, 400), sure, back), findings, offers)


def _value(answer: Vector | Gap) -> float | None:
    return None if isinstance(answer, Gap) else amounts(answer, ()).get(())


def _words(value: float, site: ClusterSite, began: Onset | None) -> str:
    """ "95 of 100 requests take up to 235 ms (objective 200 ms) since 2026-11-23 10:04 UTC, before 40 ms"."""
    objective = seconds(site.slo.latency.target_ms / 1000)
    return f"95 of 100 requests take up to {seconds(value)} (objective {objective}){_when(began)}"


def _when(began: Onset | None) -> str:
    known = began and began.at and not began.is_older
    return f" {began.words}, before {seconds(began.usual)}" if began and known else ""


def _latency(
    service: ServiceSite, site: ClusterSite, seen: Seen, asked: _Asked, began: Onset | None
) -> Finding:
    key, label = "TF-1.1", f"Latency of {service.name}, p95"
    objective = site.slo.latency.target_ms / 1000
    threshold = f"≤ {seconds(objective)}"
    answer: Vector | Gap = seen[asked.now]
    if isinstance(answer, Gap):
        return unread(key, label, answer, threshold)
    value = _value(answer)
    if value is None:
        why = "no requests" if answer.samples else "no data"
        mend = "Prometheus has no matching series of http_request_duration_seconds_bucket: is it scraped?"
        return unread(key, label, Gap(why, "" if answer.samples else mend), threshold)
    past: Matrix | Gap = seen[asked.past]
    went = (
        f"since when is unknown: {one_line(past.reason)}"
        if isinstance(past, Gap)
        else f"the last 3 h: {onset.sparkline(onset.points(past))}"
    )
    rate = _value(seen[asked.rate])
    facts = (went, *((f"{plain(rate)} requests a second",) if rate is not None else ()))
    light = Light.RED if value > objective else Light.GREEN
    return Finding(key, label, light, f"{seconds(value)}{_when(began)}", threshold, facts)


def _interpolated(answer: Vector | Gap, objective: float) -> tuple[Finding, ...]:
    """C60: between two bounds of a histogram a quantile is a guess."""
    bounds = [] if isinstance(answer, Gap) else sorted(_bounds(answer))
    if not bounds or objective in bounds:
        return ()
    below = max((each for each in bounds if each < objective), default=0.0)
    above = min((each for each in bounds if each > objective), default=float("inf"))
    value = (
        f"no bucket ends at {seconds(objective)}: between {seconds(below)} and {seconds(above)} it is a guess"
    )
    mend = f"Add a bucket of {objective:g} to the histogram."
    return (Finding("AR-2.0", "How exact", Light.YELLOW, value, mend=mend),)


def _bounds(answer: Vector) -> Sequence[float]:
    texts = (sample.labels.get("le", "") for sample in answer.samples)
    return [float(text) for text in texts if text.replace(".", "", 1).replace("e-", "", 1).isdecimal()]


# --- 3. Saturation ----------------------------------------------------------------------------------------


def saturated(service: ServiceSite, site: ClusterSite) -> Diagnosing:
    """CPU held back (and whether it rises with the latency), memory, garbage collection, disks of its nodes."""
    service = yield from served.resolved(service, site)
    lack = saturation.Asked.of(site, service)
    slow_ones = QueryRange(_Asked.of(site, service).now.expr, onset.WINDOW, step=onset.STEP, most=1)
    held = QueryRange(lack.throttle.expr, onset.WINDOW, step=onset.STEP, most=20)
    gc = query(site, "Q-gc", window=_NOW, namespace=service.namespace)
    wait, rows = query(site, "Q-nodeio", window=_NOW), PodRows(service.namespace)
    seen = yield (*lack.all, slow_ones, held, gc, wait, rows)
    findings = (
        *saturation.findings(lack, seen, site),
        _together(service, seen[slow_ones], seen[held]),
        _collecting(service, seen[gc]),
        _disks(service, seen[wait], seen[rows]),
    )
    found = saturation.highest(lack, seen)
    text = next((words for words, _ in found.values()), "")
    offers = (Suggestion("Limits that fit", f"deploy limits {served.place(service)}"),)
    return Diagnosis(Cause(text, Confidence.LIKELY, offers) if text else None, findings, offers)


def _together(service: ServiceSite, slow_ones: Matrix | Gap, held: Matrix | Gap) -> Finding:
    key, label = "T2-3.1", "Throttling and latency"
    if isinstance(slow_ones, Gap):
        return unread(key, label, slow_ones)
    if isinstance(held, Gap):
        return unread(key, label, held)
    name = service.deployment or service.name
    mine = [each.points for each in held.series if is_of(each.labels.get("pod", ""), name)]
    known = [r for each in mine if (r := onset.correlation(onset.points(slow_ones), each)) is not None]
    if not known:
        return Finding(
            key, label, Light.GREEN, "nothing to compare: too few points, or one of them stood still"
        )
    r = max(known)
    if r >= _TOGETHER:
        return Finding(key, label, Light.RED, f"throttling rises with the latency (r = {r:.2f} over 3 h)")
    return Finding(key, label, Light.GREEN, f"do not move together (r = {r:.2f} over 3 h)")


def _collecting(service: ServiceSite, answer: Vector | Gap) -> Finding:
    key, label, threshold = "T2-3.2", "Garbage collection", "≤ 10 % of the time"
    if isinstance(answer, Gap):
        return unread(key, label, answer, threshold)
    found = saturation.mine(answer, service) or {}
    if not found:
        return Finding(key, label, Light.GREEN, "not a JVM service: no series of one")
    who, most = next(iter(found.items()))
    light = Light.RED if most > 0.1 else Light.GREEN
    return Finding(key, label, light, f"{share(most)} of the time ({who})", threshold)


def _disks(service: ServiceSite, answer: Vector | Gap, rows: Sequence[PodRow] | Gap) -> Finding:
    key, label, threshold = "T2-3.3", "Waiting for disks, its nodes", f"≤ {_WAITING} %"
    if isinstance(answer, Gap):
        return unread(key, label, answer, threshold)
    if isinstance(rows, Gap):
        return unread(key, label, rows, threshold)
    nodes = {row.node for row in served.pods(service, rows) if row.node}
    known = {
        name: float(found.percent)
        for name, found in measured_by("Q-nodeio", answer).items()
        if found.percent is not None and (name in nodes or any(node.startswith(f"{name}.") for node in nodes))
    }
    if not known:
        return unread(key, label, Gap("no data of the nodes of its pods"), threshold)
    over = [f"{name}: {value:.0f} %" for name, value in known.items() if value > _WAITING]
    value = f"{max(known.values()):.0f} % at most"
    return Finding(key, label, Light.RED if over else Light.GREEN, value, threshold, tuple(over))


RULES: tuple[Rule, ...] = (
    Rule(
        (
            "HighLatency", "HTTPLatency", "HighRequestLatency", "HTTPRequestLatency", "HighHTTPLatency",
            "ServiceLatencyHigh", "LatencyBudgetBurn", "SLOLatencyBudgetBurn", "IstioLatency99Percentile",
            "NginxLatencyHigh",
        ),
        "Requests to a service take longer than the objective allows: users wait.",
        slow,
        (
            "The database first: slow statements, locks, a full pool are the most common cause.",
            "Then the network: does the name resolve at once, does each endpoint answer?",
            "Then what the pods lack: CPU that is held back, garbage collection, slow disks.",
            "Last what is called outside, with its own objective.",
        ),
    ),
)  # fmt: skip

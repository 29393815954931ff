"""`deploy limits`: requests and limits that fit what the pods really used, as YAML ready to be pasted.

The manual's formulas (PA-2), with a floor of its own under the memory limit: twice the request can be less than
what was seen already. With less than a day of data nothing is proposed.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from commands.command import Part, Parts
from commands.deploy.target import line, search
from commands.finding import Finding, Light, Suggestion
from commands.grammar import duration
from commands.model import Args, Gap, Inquiry, Section, Seen
from commands.phrase import span
from commands.quantity import quantity
from commands.queries import amounts, partial, promql_duration, query, quoted
from commands.reads import Query, Vector
from commands.site import ClusterSite, Rightsizing
from commands.wording import one_line, unread
from commands.workloads import WorkloadView

MI = 2**20
ENOUGH = timedelta(hours=24)
_CPU_STEP, _MEMORY_STEP = Decimal("0.01"), 16 * MI  # a request is rounded up to whole ones of these

# What controllers add to a workload's name to make the names of its pods.
_POD_NAMES = {
    "Deployment": r"-[a-z0-9]{1,10}-[a-z0-9]{5}",
    "StatefulSet": r"-[0-9]+",
    "DaemonSet": r"-[a-z0-9]{5}",
}


@dataclass(frozen=True, slots=True)
class Use:
    """What the pods of a workload used in one container: the largest of any pod. since: of the oldest sample."""

    cpu: float
    memory: float
    peak: float
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """In millicores and Mi. by_peak: the memory limit is higher than the factor alone would have it."""

    cpu_request: int
    cpu_limit: int
    memory_request: int
    memory_limit: int
    by_peak: bool


def proposed(use: Use, rules: Rightsizing) -> Proposal:
    cpu = max(_up(Decimal(repr(use.cpu)), _CPU_STEP), 1) * 10
    memory = max(_up(Decimal(repr(use.memory)), Decimal(_MEMORY_STEP)), 1) * 16
    by_factor = math.ceil(Decimal(str(rules.memory_limit_factor)) * memory)
    peak = Decimal(str(rules.limit_over_peak)) * Decimal(repr(use.peak))
    by_peak = _up(peak, Decimal(_MEMORY_STEP)) * 16
    limit = math.ceil(Decimal(str(rules.cpu_limit_factor)) * cpu)
    return Proposal(cpu, limit, memory, max(by_factor, by_peak), by_peak > by_factor)


def _up(value: Decimal, step: Decimal) -> int:
    """How many steps hold it, without the noise of binary fractions."""
    return math.ceil((value / step).quantize(Decimal("0.000001")))


# --- Reading --------------------------------------------------------------------------------------


def limits(args: Args, site: ClusterSite) -> Parts:
    return {"limits": Part(f"Requests and limits · {args.name}", _limits(args, site))}


@dataclass(frozen=True, slots=True)
class _Asked:
    cpu: Query
    memory: Query
    peak: Query
    since: Query

    @property
    def all(self) -> tuple[Query, ...]:
        return (self.cpu, self.memory, self.peak, self.since)


def _asked(site: ClusterSite, namespace: str, window: timedelta) -> _Asked:
    cpu, memory, peak = (
        query(site, name, namespace=namespace, window=window) for name in ("Q-p90cpu", "Q-p90mem", "Q-maxmem")
    )
    series = f'container_memory_working_set_bytes{{namespace="{quoted(namespace)}",container!="",container!="POD"}}'
    oldest = f"min_over_time(timestamp({series})[{promql_duration(window)}:5m])"
    return _Asked(cpu, memory, peak, Query(f"min by (namespace, pod, container) ({oldest})"))


def _limits(args: Args, site: ClusterSite) -> Inquiry:
    window = duration(args.flags["window"]) if "window" in args.flags else site.rightsizing.window
    found = yield from search(args, site)
    title = f"Requests and limits · {args.name}"
    if isinstance(found, Finding):
        light = Light.UNKNOWN if found.key == "deploy.unread" else Light.YELLOW
        told = Finding(
            found.key, found.label, light, found.value, suggestions=found.suggestions, mend=found.mend
        )
        return Section("limits", title, True, (told,))
    view = found.view
    asked = _asked(site, view.target.namespace, window)
    seen = yield asked.all
    title = f"Requests and limits · {view.target}"
    gap = next((seen[each] for each in asked.all if isinstance(seen[each], Gap)), None)
    if gap is not None:
        return Section("limits", title, True, (unread("PA-2.0", "Use", gap),))
    uses = _uses(view, asked, seen)
    fits = {name: use for name, use in uses.items() if use.since and found.now - use.since >= ENOUGH}
    findings = [*_told(view, fits, site), *_too_young(view, uses, fits, found.now), *_partial(asked, seen)]
    note = f"over {span(window)} · cpu limit {site.rightsizing.cpu_limit_factor:g}x its request: it throttles bursts"
    table = tuple(_yaml({name: proposed(use, site.rightsizing) for name, use in fits.items()}))
    return Section("limits", title, True, tuple(findings), note, table=table)


_LABELS = ("pod", "container")


def _uses(view: WorkloadView, asked: _Asked, seen: Seen) -> dict[str, Use]:
    """By container of the template; only those of which all is known."""
    cpu, memory, peak = (_largest(view, seen[each]) for each in (asked.cpu, asked.memory, asked.peak))
    since = _of_pods(view, seen[asked.since])
    found = {}
    for name in _containers(view):
        if name in cpu and name in memory and name in peak:
            begun = min(since.get(name, ()), default=None)
            at = None if begun is None else _moment(begun)
            found[name] = Use(cpu[name], memory[name], peak[name], at)
    return found


def _moment(seconds: float) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _largest(view: WorkloadView, vector: Vector) -> dict[str, float]:
    return {name: max(values) for name, values in _of_pods(view, vector).items()}


def _of_pods(view: WorkloadView, vector: Vector) -> dict[str, list[float]]:
    """The values of this workload's pods, past and present, by container."""
    pods = re.compile(re.escape(view.target.name) + _POD_NAMES[view.target.kind])
    found: dict[str, list[float]] = {}
    for (pod, container), value in amounts(vector, _LABELS).items():
        if pods.fullmatch(pod):
            found.setdefault(container, []).append(value)
    return found


def _containers(view: WorkloadView) -> list[str]:
    spec = view.template.get("spec") or {}
    return [str(each.get("name", "")) for each in spec.get("containers") or ()]


# --- Telling --------------------------------------------------------------------------------------


def _told(view: WorkloadView, uses: Mapping[str, Use], site: ClusterSite) -> Iterator[Finding]:
    for name, use in uses.items():
        proposal = proposed(use, site.rightsizing)
        lines = _changes(_present(view, name), proposal)
        value = f"{len(lines)} of 4 do not fit what it uses" if lines else "fits as it is"
        facts = [*lines, f"used: {use.cpu * 1000:.0f}m CPU, at most {use.peak / MI:.0f}Mi memory"]
        if proposal.by_peak:
            facts.append(
                f"the memory limit follows the highest use seen ({use.peak / MI:.0f}Mi), not the request"
            )
        light = Light.YELLOW if lines else Light.GREEN
        yield Finding("PA-2.0", name, light, value, evidence=tuple(facts), suggestions=_next(view))


def _next(view: WorkloadView) -> tuple[Suggestion, ...]:
    return (
        Suggestion("Their use now", f"pod top --namespace {view.target.namespace}"),
        Suggestion(f"Show {view.target.name}", line("show", view)),
    )


def _present(view: WorkloadView, container: str) -> Mapping[str, Any]:
    spec = view.template.get("spec") or {}
    held: Mapping[str, Any] = next(
        (each for each in spec.get("containers") or () if each.get("name") == container), {}
    )
    return held.get("resources") or {}


def _changes(present: Mapping[str, Any], to: Proposal) -> list[str]:
    wanted = {
        ("requests", "cpu"): f"{to.cpu_request}m",
        ("requests", "memory"): f"{to.memory_request}Mi",
        ("limits", "cpu"): f"{to.cpu_limit}m",
        ("limits", "memory"): f"{to.memory_limit}Mi",
    }
    lines = []
    for (kind, name), value in wanted.items():
        now = (present.get(kind) or {}).get(name)
        if now is None or not _equal(now, value):
            lines.append(f"{kind}.{name}: {'not set' if now is None else one_line(str(now), 20)} → {value}")
    return lines


def _equal(one: object, other: str) -> bool:
    try:
        return quantity(one) == quantity(other)
    except ValueError:
        return False


def _too_young(
    view: WorkloadView, uses: Mapping[str, Use], fits: Mapping[str, Use], now: datetime
) -> Iterator[Finding]:
    """A day has its peak hour; less than one says nothing about it."""
    for name in _containers(view):
        if name in fits:
            continue
        use = uses.get(name)
        if use is None or use.since is None:
            value, mend = "no data", "Is container_memory_working_set_bytes scraped (cAdvisor)?"
        else:
            value, mend = f"only {span(now - use.since)} of data, {span(ENOUGH)} are needed", ""
        yield Finding("PA-2.0", name, Light.UNKNOWN, value, mend=mend)


def _partial(asked: _Asked, seen: Seen) -> Iterator[Finding]:
    said = next(filter(None, (partial(seen[each]) for each in asked.all)), "")
    if said:
        yield Finding("PA-2.0", "Use", Light.UNKNOWN, f"a partial answer: {one_line(said)}")


def _yaml(proposals: Mapping[str, Proposal]) -> Iterator[str]:
    if proposals:
        yield "containers:"
    for name, each in proposals.items():
        yield f"- name: {name}"
        yield "  resources:"
        yield "    requests:"
        yield f"      cpu: {each.cpu_request}m"
        yield f"      memory: {each.memory_request}Mi"
        yield "    limits:"
        yield f"      cpu: {each.cpu_limit}m"
        yield f"      memory: {each.memory_limit}Mi"

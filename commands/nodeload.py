"""Node load in percent: from metrics-server where it is installed, from Prometheus where it is not.

EKS does not install metrics-server by itself, so its absence is no fault; which source was used is said,
because one measures against what pods may use and the other against the whole machine.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from math import isfinite

from commands.finding import Finding, Light, Suggestion, worst
from commands.model import Gap
from commands.queries import PARTIAL_MEND, Measured, as_percent, measured_by, partial, shown
from commands.reads import NodeUsage, NodeView, Vector
from commands.site import ClusterSite
from commands.wording import NEW, Fact, buttons, one_line, unread, worst_first


@dataclass(frozen=True, slots=True)
class Use:
    """Use of each node in percent; gap stands in place of what could not be read at all.

    silent: nodes without a number of their own. partial: what the source says it left out.
    """

    percents: Mapping[str, Decimal]
    silent: tuple[str, ...] = ()
    gap: Gap | None = None
    partial: str = ""


@dataclass(frozen=True, slots=True)
class Load:
    """Use of the nodes by source; instead: why it is not metrics-server."""

    source: str
    cpu: Use
    memory: Use
    instead: str = ""


def from_metrics_server(
    nodes: Sequence[NodeView] | Gap, usage: Sequence[NodeUsage] | Gap, now: datetime | None
) -> Load | None:
    """None when it does not answer; nor without the nodes, whose allocatable it is divided by."""
    if isinstance(nodes, Gap) or isinstance(usage, Gap) or not usage:
        return None
    used = {entry.node: entry for entry in usage}
    machines = [
        node
        for node in _machines(nodes)
        if node.name in used or not (now and node.created and now - node.created < NEW)
    ]
    return Load(
        "metrics-server, of allocatable",
        _of_allocatable(machines, {n: u.cpu for n, u in used.items()}, lambda node: node.allocatable_cpu),
        _of_allocatable(
            machines, {n: u.memory for n, u in used.items()}, lambda node: node.allocatable_memory
        ),
    )


def _of_allocatable(
    machines: Sequence[NodeView], used: Mapping[str, float], allocatable: Callable[[NodeView], float]
) -> Use:
    """A node that says nothing of its size has no number, whatever it uses."""
    percents = {
        node.name: as_percent(used[node.name] / allocatable(node))
        for node in machines
        if node.name in used and isfinite(used[node.name]) and allocatable(node) > 0
    }
    return Use(percents, tuple(node.name for node in machines if node.name not in percents))


def from_prometheus(
    nodes: Sequence[NodeView] | Gap,
    usage: Sequence[NodeUsage] | Gap,
    cpu: Vector | Gap,
    memory: Vector | Gap,
) -> Load:
    why = (
        usage.reason
        if isinstance(usage, Gap)
        else nodes.reason
        if isinstance(nodes, Gap)
        else "no node in it"
    )
    mend = usage.mend if isinstance(usage, Gap) else ""
    instead = f"metrics-server: {one_line(why)}"
    names = [] if isinstance(nodes, Gap) else [node.name for node in _machines(nodes)]
    uses = []
    for name, answer in (("Q-nodecpu", cpu), ("Q-nodemem", memory)):
        found = {} if isinstance(answer, Gap) else measured_by(name, answer)
        gap = _no_load(instead, answer, found, mend)
        percents = {node: one.percent for node, one in found.items() if one.percent is not None}
        wordless = [node for node, one in found.items() if one.percent is None]
        silent = dict.fromkeys((*wordless, *_unheard(names, found)))
        uses.append(Use(percents, tuple(silent), gap, partial(answer)))
    return Load("Prometheus, of the whole machine", uses[0], uses[1], instead)


def _unheard(names: Sequence[str], found: Collection[str]) -> list[str]:
    """Nodes that Prometheus gives no number for, by name or by host name where that is one node's alone."""
    hosts = Counter(map(_host, names))
    heard = set(map(_host, found))
    return [
        name for name in names if name not in found and not (hosts[_host(name)] == 1 and _host(name) in heard)
    ]


def _host(name: str) -> str:
    """A machine's own name: without the domain, and without the port that an instance has."""
    bare = name.rpartition(":")[0] or name
    return bare if bare.replace(".", "").isdigit() else bare.partition(".")[0]


def _no_load(instead: str, answer: Vector | Gap, found: Mapping[str, Measured], mend: str) -> Gap | None:
    if isinstance(answer, Gap):
        return Gap(f"{instead}; Prometheus: {one_line(answer.reason)}", mend or answer.mend)
    if not any(one.percent is not None for one in found.values()):
        return Gap(f"{instead}; Prometheus: no data", mend or "Install metrics-server or node-exporter.")
    return None


def of_node(percents: Mapping[str, Decimal], node: str) -> Decimal | None:
    """A node's own number, by its name or by its host name where that is nobody else's."""
    if node in percents:
        return percents[node]
    same = [percent for name, percent in percents.items() if _host(name) == _host(node)]
    return same[0] if len(same) == 1 else None


def _machines(nodes: Sequence[NodeView]) -> list[NodeView]:
    """Nodes whose load is theirs: a Fargate node is one pod, sized to fit it."""
    return [node for node in nodes if node.labels.get("eks.amazonaws.com/compute-type") != "fargate"]


def findings(site: ClusterSite, load: Load) -> tuple[Finding, Finding]:
    limits = site.thresholds.node
    return (
        _use("DH-2.3", "Node CPU", load, load.cpu, limits.cpu_pct),
        _use("DH-2.4", "Node memory", load, load.memory, limits.memory_pct),
    )


def _use(key: str, label: str, load: Load, use: Use, limit: float) -> Finding:
    threshold = f"< {limit:g} %"
    gap = use.gap
    if gap is None and not use.percents and not use.silent:
        gap = Gap("no node reports its load")
    if gap is not None:
        return unread(key, label, gap, threshold)
    highest = sorted(use.percents.items(), key=lambda item: -item[1])
    facts: list[Fact] = [
        (Light.RED, f"{node}: {shown(percent, (limit,))}")
        for node, percent in highest
        if percent >= Decimal(str(limit))
    ]
    if use.partial:
        facts.append((Light.UNKNOWN, f"partial answer: {one_line(use.partial)}"))
    facts += [(Light.UNKNOWN, f"{node}: no load reported") for node in use.silent]
    light = worst([light for light, _ in facts]) if facts else Light.GREEN
    value = f"highest {shown(highest[0][1], (limit,))} on {highest[0][0]}" if highest else "no load reported"
    source = (f"from {load.source}, because {load.instead}",) if load.instead else ()
    evidence = worst_first(facts) + source
    offer = buttons(light, Suggestion("Top nodes", "node top"), Suggestion("Capacity", "capacity now"))
    mend = PARTIAL_MEND if use.partial else ""
    return Finding(key, label, light, value, threshold, evidence, suggestions=offer, mend=mend)

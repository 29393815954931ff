"""Node load in percent: from metrics-server where it is installed, from Prometheus where it is not.

EKS does not install metrics-server by itself, so its absence is no fault; which source was used is said,
because one measures against what pods may use and the other against the whole machine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from commands.health.wording import KEPT, NEW, Fact, buttons, one_line, unread, worst_first
from commands.model import Finding, Gap, Light, Suggestion, worst
from commands.queries import Measured, as_percent, measured_by, shown
from commands.reads import NodeUsage, NodeView, Vector
from commands.site import ClusterSite


@dataclass(frozen=True, slots=True)
class Load:
    """Use of each node in percent, by source; why stands in place of what could not be read at all."""

    source: str
    cpu: Mapping[str, Decimal]
    memory: Mapping[str, Decimal]
    silent: tuple[str, ...] = ()  # nodes the source says nothing about
    instead: str = ""
    cpu_gap: Gap | None = None
    memory_gap: Gap | None = None


def from_metrics_server(
    nodes: Sequence[NodeView] | Gap, usage: Sequence[NodeUsage] | Gap, now: datetime | None
) -> Load | None:
    """None when it does not answer; nor without the nodes, whose allocatable it is divided by."""
    if isinstance(nodes, Gap) or isinstance(usage, Gap) or not usage:
        return None
    used = {entry.node: entry for entry in usage}
    measured = [node for node in _machines(nodes) if node.name in used]
    silent = [
        node.name
        for node in _machines(nodes)
        if node.name not in used and not (now and node.created and now - node.created < NEW)
    ]
    return Load(
        "metrics-server, of allocatable",
        {n.name: as_percent(used[n.name].cpu / n.allocatable_cpu) for n in measured if n.allocatable_cpu},
        {
            n.name: as_percent(used[n.name].memory / n.allocatable_memory)
            for n in measured
            if n.allocatable_memory
        },
        tuple(silent),
    )


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
    shares, gaps = [], []
    for name, answer in (("Q-nodecpu", cpu), ("Q-nodemem", memory)):
        found = {} if isinstance(answer, Gap) else measured_by(name, answer)
        gaps.append(_no_load(instead, answer, found, mend))
        shares.append({node: m.percent for node, m in found.items() if m.percent is not None})
    known = set(shares[0]) & set(shares[1])
    names = [] if isinstance(nodes, Gap) else [node.name for node in _machines(nodes)]
    # Where Prometheus knows the machines by other names altogether, nobody can say who is missing.
    silent = [name for name in names if name not in known] if known & set(names) else []
    return Load(
        "Prometheus, of the whole machine", shares[0], shares[1], tuple(silent), instead, gaps[0], gaps[1]
    )


def _no_load(instead: str, answer: Vector | Gap, found: Mapping[str, Measured], mend: str) -> Gap | None:
    if isinstance(answer, Gap):
        return Gap(f"{instead}; Prometheus: {one_line(answer.reason)}", mend or answer.mend)
    if not any(one.percent is not None for one in found.values()):
        return Gap(f"{instead}; Prometheus: no data", mend or "Install metrics-server or node-exporter.")
    return None


def _machines(nodes: Sequence[NodeView]) -> list[NodeView]:
    """Nodes whose load is theirs: a Fargate node is one pod, sized to fit it."""
    return [node for node in nodes if node.labels.get("eks.amazonaws.com/compute-type") != "fargate"]


def findings(site: ClusterSite, load: Load) -> tuple[Finding, Finding]:
    limits = site.thresholds.node
    return (
        _use("DH-2.3", "Node CPU", load, load.cpu, load.cpu_gap, limits.cpu_pct),
        _use("DH-2.4", "Node memory", load, load.memory, load.memory_gap, limits.memory_pct),
    )


def _use(
    key: str, label: str, load: Load, percents: Mapping[str, Decimal], gap: Gap | None, limit: float
) -> Finding:
    threshold = f"< {limit:g} %"
    use = sorted(percents.items(), key=lambda item: -item[1])
    if gap is None and not use and not load.silent:
        gap = Gap("no node reports its load")
    if gap is not None:
        return unread(key, label, gap, threshold)
    facts: list[Fact] = [
        (Light.RED, f"{node}: {shown(percent, (limit,))}")
        for node, percent in use
        if percent >= Decimal(str(limit))
    ]
    facts += [(Light.UNKNOWN, f"{node}: no load reported") for node in load.silent]
    light = worst([light for light, _ in facts]) if facts else Light.GREEN
    value = f"highest {shown(use[0][1], (limit,))} on {use[0][0]}" if use else "no load reported"
    source = (f"from {load.source}, because {load.instead}",) if load.instead else ()
    offer = buttons(light, Suggestion("Top nodes", "node top"), Suggestion("Capacity", "capacity now"))
    return Finding(key, label, light, value, threshold, worst_first(facts)[:KEPT] + source, suggestions=offer)

"""`node list`, `node top`, `node disk`: how the machines are, how busy and how full.

Nothing is looked at that changes something. What metrics-server or node-exporter does not say is asked
elsewhere, and the answer tells where its numbers are from.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from commands import nodeload, nodestatus
from commands.command import Part, Parts
from commands.finding import Finding, Light, Suggestion, worst
from commands.grammar import duration
from commands.model import Args, Gap, Inquiry, Reads, Section, Seen
from commands.nodeload import Load
from commands.phrase import full_name, mebibytes, millicores, shortly, span
from commands.podreads import DiskView, Events, EventView, NodeDisk
from commands.queries import Measured, averaged, measured_by, query, shown
from commands.reads import (
    EksCluster,
    EksView,
    Nodegroup,
    NodegroupView,
    NodeMetrics,
    Nodes,
    NodeUsage,
    NodeView,
    Now,
    Vector,
)
from commands.site import ClusterSite
from commands.wording import (
    Fact,
    aligned,
    buttons,
    missing,
    one_line,
    onward,
    shown_and_kept,
    unread,
    worst_first,
)

ROWS = 40  # nodes in a message; all of them are in its file
MONTH = timedelta(days=30)
_STEP = timedelta(hours=1)
NONE = "-"  # in a column where there is no number


def load(
    site: ClusterSite, nodes: Sequence[NodeView] | Gap, usage: Sequence[NodeUsage] | Gap, now: datetime | None
) -> Generator[Reads, Seen, Load]:
    """From metrics-server, or from Prometheus where that does not answer."""
    found = nodeload.from_metrics_server(nodes, usage, now)
    if found is None:
        cpu, memory = query(site, "Q-nodecpu"), query(site, "Q-nodemem")
        seen = yield (cpu, memory)
        found = nodeload.from_prometheus(nodes, usage, seen[cpu], seen[memory])
    return found


def time_of(answer: datetime | Gap) -> datetime | None:
    return None if isinstance(answer, Gap) else answer


def percent(value: Decimal | None, limit: float | None = None) -> str:
    return NONE if value is None else shown(value, () if limit is None else (limit,))


# --- list -----------------------------------------------------------------------------------------


def listed(args: Args, site: ClusterSite) -> Parts:
    return {"nodes": Part(f"Nodes · {site.name}", _list(site))}


def _list(site: ClusterSite) -> Inquiry:
    seen = yield (Now(), Nodes(), NodeMetrics())
    nodes, now = seen[Nodes()], time_of(seen[Now()])
    title = f"Nodes · {site.name}"
    found = nodestatus.readiness(nodes, now)
    if isinstance(nodes, Gap):
        verdict = yield from _behind_the_silence(site, nodes)
        return Section("nodes", title, True, (found, *verdict))
    use = yield from load(site, nodes, seen[NodeMetrics()], now)
    ranked = sorted(nodes, key=lambda node: (_rank(node, now), node.name))
    table = aligned(
        ("NODE", "STATUS", "AGE", "VERSION", "CPU", "MEMORY", "ZONE"),
        [_list_row(node, use, site, now) for node in ranked],
    )
    lines, files = shown_and_kept(table, ROWS, "nodes.txt", f"All nodes of {site.name}")
    note = f"load from {use.source}"
    answer = Section("nodes", title, True, (found,), note, files, lines)
    return onward(answer, Suggestion("Top nodes", "node top"), Suggestion("Disks", "node disk"))


def _behind_the_silence(site: ClusterSite, gap: Gap) -> Generator[Reads, Seen, tuple[Finding, ...]]:
    """Where the API server is silent: whether EKS thinks that the machines are there all the same."""
    key, label = "DR-1.4", "Seen from EKS"
    if not gap.silent or not site.eks_name:
        return ()
    cluster = EksCluster(site.eks_name)
    groups = tuple(Nodegroup(site.eks_name, name) for name in site.nodegroups)
    seen = yield (cluster, *groups)
    unknown = next((seen[read] for read in (cluster, *groups) if isinstance(seen[read], Gap)), None)
    if unknown is not None:
        return (unread(key, label, unknown),)
    facts = [(site.eks_name, seen[cluster]), *((read.name, seen[read]) for read in groups)]
    lines = tuple(f"{name}: {_eks_word(view)}" for name, view in facts)
    if all(view is not None and view.status == "ACTIVE" and not view.issues for _, view in facts):
        said = "control plane or endpoint problem: cluster and node groups are ACTIVE, only the API is silent"
        offer = (Suggestion("EKS version", "version eks"),)
        return (Finding(key, label, Light.RED, said, evidence=lines, suggestions=offer),)
    return (Finding(key, label, Light.RED, "not well there either", evidence=lines),)


def _eks_word(view: EksView | NodegroupView | None) -> str:
    return "EKS knows none of this name" if view is None else "; ".join((view.status, *view.issues))


def _rank(node: NodeView, now: datetime | None) -> int:
    facts = nodestatus.node_facts(node, now)
    return (Light.RED, Light.YELLOW, Light.GREEN).index(worst([light for light, _ in facts] or [Light.GREEN]))


def _list_row(node: NodeView, use: Load, site: ClusterSite, now: datetime | None) -> tuple[str, ...]:
    limits = site.thresholds.node
    return (
        shortly(node.name),
        nodestatus.status(node),
        span(now - node.created) if now and node.created else NONE,
        node.kubelet,
        percent(nodeload.of_node(use.cpu.percents, node.name), limits.cpu_pct),
        percent(nodeload.of_node(use.memory.percents, node.name), limits.memory_pct),
        node.labels.get("topology.kubernetes.io/zone", NONE),
    )


# --- top ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Averages:
    """The averages of the window by node, in percent, and what is said of them."""

    window: timedelta
    cpu: Mapping[str, Decimal]
    memory: Mapping[str, Decimal]
    finding: Finding


def top(args: Args, site: ClusterSite) -> Parts:
    window = duration(args.flags["window"]) if "window" in args.flags else MONTH
    return {"node-top": Part(f"Node load · {site.name}", _top(site, window))}


def _top(site: ClusterSite, window: timedelta) -> Inquiry:
    cpu, memory = (
        averaged(query(site, name, window=_STEP), window, _STEP) for name in ("Q-nodecpu", "Q-nodemem")
    )
    seen = yield (Now(), Nodes(), NodeMetrics(), cpu, memory)
    nodes, usage = seen[Nodes()], seen[NodeMetrics()]
    use = yield from load(site, nodes, usage, time_of(seen[Now()]))
    means = _averages(seen[cpu], seen[memory], window)
    findings = (*nodeload.findings(site, use), means.finding)
    names = list(use.cpu.percents) if isinstance(nodes, Gap) else [node.name for node in nodes]
    used = {} if isinstance(usage, Gap) else {each.node: each for each in usage}
    table = _top_table(names, used, use, means, site)
    lines, files = shown_and_kept(table, ROWS, "node-top.txt", "Load of all nodes, the busiest first")
    note = f"now: {use.source} · average: Prometheus, of the whole machine"
    title = f"Node load · {site.name}"
    answer = Section("node-top", title, True, findings, note, files, lines if names else ())
    return onward(answer, Suggestion("Top pods", "pod top -n all"), Suggestion("Disks", "node disk"))


def _averages(cpu: Vector | Gap, memory: Vector | Gap, window: timedelta) -> _Averages:
    key, label = "PM-1.0", f"{span(window)} average"
    for answer in (cpu, memory):
        if isinstance(answer, Gap):
            return _Averages(window, {}, {}, unread(key, label, answer))
    means = [_numbers(name, answer) for name, answer in (("Q-nodecpu", cpu), ("Q-nodemem", memory))]
    if not all(means):
        gap = Gap("no full hour of it in Prometheus", "Let Prometheus scrape node-exporter, and keep it.")
        return _Averages(window, {}, {}, unread(key, label, gap))
    said = " · ".join(
        f"{word} {shown(sum(found.values(), Decimal(0)) / len(found), ())}"
        for word, found in zip(("CPU", "memory"), means, strict=True)
    )
    return _Averages(window, means[0], means[1], Finding(key, label, Light.GREEN, f"{said} over all nodes"))


def _numbers(name: str, answer: Vector | Gap) -> dict[str, Decimal]:
    found: Mapping[str, Measured] = {} if isinstance(answer, Gap) else measured_by(name, answer)
    return {node: one.percent for node, one in found.items() if one.percent is not None}


def _top_table(
    names: Sequence[str], used: Mapping[str, NodeUsage], use: Load, means: _Averages, site: ClusterSite
) -> tuple[str, ...]:
    """The busiest first; a node without a number last."""
    busy = {name: nodeload.of_node(use.cpu.percents, name) for name in names}
    ranked = sorted(names, key=lambda name: (busy[name] is None, -(busy[name] or 0), name))
    limits = site.thresholds.node
    days = span(means.window)
    return aligned(
        ("NODE", "CPU", "CPU %", f"CPU {days}", "MEMORY", "MEM %", f"MEM {days}"),
        [
            (
                shortly(name),
                millicores(used[name].cpu) if name in used else NONE,
                percent(busy[name], limits.cpu_pct),
                percent(nodeload.of_node(means.cpu, name)),
                mebibytes(used[name].memory) if name in used else NONE,
                percent(nodeload.of_node(use.memory.percents, name), limits.memory_pct),
                percent(nodeload.of_node(means.memory, name)),
            )
            for name in ranked
        ],
    )


# --- disk -----------------------------------------------------------------------------------------

_FULL = "no space left on device"


@dataclass(frozen=True, slots=True)
class _Disk:
    node: NodeView
    percent: Decimal | None
    source: str
    gap: Gap | None = None

    @property
    def has_pressure(self) -> bool:
        return any(c.type == "DiskPressure" and c.status == "True" for c in self.node.conditions)


def disk(args: Args, site: ClusterSite) -> Parts:
    return {"node-disk": Part(f"Node disks · {site.name}", _disk(site, args.name))}


def _disk(site: ClusterSite, wanted: str) -> Inquiry:
    asked, events = query(site, "Q-disk"), Events(warnings=True)
    seen = yield (Nodes(), asked, events)
    nodes, title = seen[Nodes()], f"Node disks · {site.name}"
    if isinstance(nodes, Gap):
        return Section("node-disk", title, True, (unread("WM-2.10", "Disks", nodes),))
    wanted = full_name(wanted, [node.name for node in nodes])
    chosen = [node for node in nodes if wanted in ("", node.name)]
    if not chosen:
        none = missing("WM-2.10", "Node", wanted, "", (node.name for node in nodes), "node disk")
        return Section("node-disk", title, True, (none,))
    told = _numbers("Q-disk", seen[asked])
    silent = [node for node in chosen if nodeload.of_node(told, node.name) is None]
    # A kubelet that is not Ready does not answer its proxy either, and would only be waited for.
    fallback = tuple(NodeDisk(node.name) for node in silent if nodestatus.is_ready(node))
    more = (yield fallback) if fallback else Seen({})
    disks = [_one_disk(node, told, more) for node in chosen]
    findings = (_fullness(disks, site, seen[asked]), _no_space(seen[events], chosen, wanted))
    table = _disk_table(disks, site)
    lines, files = shown_and_kept(table, ROWS, "node-disk.txt", "Disks of all nodes, the fullest first")
    answer = Section("node-disk", title, True, findings, "the root disk of each node", files, lines)
    return onward(answer, Suggestion("Nodes", "node list"))


def _one_disk(node: NodeView, told: Mapping[str, Decimal], more: Seen) -> _Disk:
    known = nodeload.of_node(told, node.name)
    if known is not None:
        return _Disk(node, known, "node-exporter")
    answer: DiskView | Gap = more.get(NodeDisk(node.name), Gap("its kubelet is not Ready"))
    if isinstance(answer, Gap):
        return _Disk(node, None, "", answer)
    if answer.capacity <= 0:
        return _Disk(node, None, "", Gap("its kubelet does not say how big the disk is"))
    used = Decimal(str(100 * (1 - answer.available / answer.capacity)))
    return _Disk(node, used, "kubelet")


def _fullness(disks: Sequence[_Disk], site: ClusterSite, answer: Vector | Gap) -> Finding:
    key, label, limit = "WM-2.10", "Disks", site.thresholds.node.disk_pct
    facts = [fact for each in disks for fact in _disk_facts(each, limit)]
    light = worst([light for light, _ in facts] or [Light.GREEN])
    known = sorted(
        (each for each in disks if each.percent is not None), key=lambda each: -(each.percent or 0)
    )
    fullest = (
        f"fullest {percent(known[0].percent, limit)} on {known[0].node.name}"
        if known
        else "no node's disk is known"
    )
    because = (one_line(answer.reason),) if isinstance(answer, Gap) else ()
    first = next((each for each in disks if each.has_pressure), None)
    offers = (
        () if first is None else (Suggestion(f"Drain {first.node.name}", f"node drain {first.node.name}"),)
    )
    show = tuple(Suggestion(f"Show {each.node.name}", f"node show {each.node.name}") for each in known[:1])
    gaps = [each.gap for each in disks if each.gap] + ([answer] if isinstance(answer, Gap) else [])
    mend = next((gap.mend for gap in gaps if gap.mend), "") if light is Light.UNKNOWN else ""
    evidence = worst_first(facts) + because
    offered = buttons(light, *show, *offers)
    return Finding(key, label, light, fullest, f"< {limit:g} %", evidence, suggestions=offered, mend=mend)


def _disk_facts(disk: _Disk, limit: float) -> list[Fact]:
    name = disk.node.name
    facts: list[Fact] = (
        [(Light.RED, f"{name}: DiskPressure, its kubelet evicts pods")] if disk.has_pressure else []
    )
    if disk.gap:
        facts.append((Light.UNKNOWN, f"{name}: unknown: {one_line(disk.gap.reason)}"))
    elif disk.percent is not None and disk.percent >= Decimal(str(limit)):
        facts.append((Light.YELLOW, f"{name}: {percent(disk.percent, limit)} used"))
    return facts


def _no_space(events: Sequence[EventView] | Gap, chosen: Sequence[NodeView], wanted: str) -> Finding:
    """What somebody met who wrote to a full disk, wherever it says so."""
    key, label = "T3-1.3", "Writes that failed"
    if isinstance(events, Gap):
        return unread(key, label, events)
    names = {node.name for node in chosen}
    said = [event for event in reversed(events) if _FULL in event.message.casefold()]
    if wanted:
        said = [event for event in said if event.host in names or event.name in names]
    if not said:
        return Finding(key, label, Light.GREEN, f"no event says “{_FULL}”")
    lines = tuple(
        f"{event.host or event.name}: {event.kind} {event.name}, {event.reason} × {event.count}: "
        f"{one_line(event.message, 120)}"
        for event in said
    )
    return Finding(key, label, Light.RED, f"“{_FULL}”", evidence=lines)


def _disk_table(disks: Sequence[_Disk], site: ClusterSite) -> tuple[str, ...]:
    ranked = sorted(disks, key=lambda each: (not each.has_pressure, -(each.percent or 0), each.node.name))
    limit = site.thresholds.node.disk_pct
    return aligned(
        ("NODE", "USED", "PRESSURE", "FROM"),
        [
            (
                shortly(each.node.name),
                percent(each.percent, limit),
                "yes" if each.has_pressure else "no",
                each.source or NONE,
            )
            for each in ranked
        ],
    )

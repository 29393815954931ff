"""`node show`: one machine — its conditions, its load, its pods, and with --logs what its kernel had to say.

Each part stands alone: what one cannot read is said there and hides nothing else.
"""

import re
from collections.abc import Generator, Sequence
from datetime import datetime
from decimal import Decimal

from commands import nodeload, nodestatus
from commands.command import Part, Parts
from commands.errors import UsageError
from commands.finding import Finding, Light, Suggestion, worst
from commands.model import Args, Gap, Inquiry, Reads, Section, Seen
from commands.node.looks import NONE, load, percent, time_of
from commands.phrase import counted, full_name, mebibytes, millicores, shortly, span
from commands.podreads import Events, EventView, PodDetail, PodDetails
from commands.queries import measured_by, query
from commands.reads import NodeMetrics, Nodes, NodeView, Now, Vector
from commands.site import ClusterSite
from commands.wording import (
    Fact,
    age,
    aligned,
    buttons,
    missing,
    one_line,
    onward,
    shown_and_kept,
    unread,
    worst_first,
)

ROWS = 30  # pods of the node in a message

_PRESSURE = ("MemoryPressure", "DiskPressure", "PIDPressure")
_KERNEL = ("OOMKilling", "SystemOOM", "KernelOops", "KernelDeadlock", "TaskHung", "ReadonlyFilesystem")


def shown(args: Args, site: ClusterSite) -> Parts:
    if not args.name:
        raise UsageError("Type the node's name: `/sre node show NODE`. `/sre node list` shows them all.")
    name = args.name
    parts = {
        "node": Part(f"Node {shortly(name)}", _state(site, name)),
        "node-load": Part("Its load", _load(site, name)),
        "node-pods": Part("Its pods", _pods(name)),
    }
    if "logs" in args.flags:
        parts["node-logs"] = Part("What its kernel said", _logs(site, name))
    return parts


def _full(name: str) -> Generator[Reads, Seen, str]:
    """The name that the cluster knows, of one typed as it is shown."""
    nodes = (yield (Nodes(),))[Nodes()]
    return name if isinstance(nodes, Gap) else full_name(name, (node.name for node in nodes))


def _one(nodes: Sequence[NodeView], name: str) -> NodeView | None:
    return next((node for node in nodes if node.name == name), None)


# --- state ----------------------------------------------------------------------------------------


def _state(site: ClusterSite, name: str) -> Inquiry:
    name = yield from _full(name)
    events, pods = Events(kind="Node", name=name), PodDetails(node=name)
    seen = yield (Now(), Nodes(), events, pods)
    nodes, now, title = seen[Nodes()], time_of(seen[Now()]), f"Node {shortly(name)}"
    if isinstance(nodes, Gap):
        return Section("node", title, True, (unread("TF-4.1", "Node", nodes),))
    node = _one(nodes, name)
    if node is None:
        none = missing("TF-4.1", "Node", name, "", (each.name for each in nodes), "node show")
        return Section("node", title, True, (none,))
    findings = (
        _readiness(node, now),
        _pressure(node, now, seen[pods], seen[events]),
        _told(seen[events], now),
    )
    return Section("node", title, True, findings, _about(node, now))


def _about(node: NodeView, now: datetime | None) -> str:
    labels = node.labels
    facts = [
        f"kubelet {node.kubelet}",
        labels.get("node.kubernetes.io/instance-type", ""),
        labels.get("topology.kubernetes.io/zone", ""),
        labels.get("eks.amazonaws.com/nodegroup", ""),
        f"{node.allocatable_cpu:g} cores and {mebibytes(node.allocatable_memory)} for pods",
        f"{span(now - node.created)} old" if now and node.created else "",
        *node.taints,
    ]
    return " · ".join(fact for fact in facts if fact)


def _readiness(node: NodeView, now: datetime | None) -> Finding:
    pressures = tuple(f"{node.name}: {kind}" for kind in _PRESSURE)
    facts = [fact for fact in nodestatus.node_facts(node, now) if not fact[1].startswith(pressures)]
    light = worst([light for light, _ in facts] or [Light.GREEN])
    evidence = tuple(line.removeprefix(f"{node.name}: ") for line in worst_first(facts))
    steps = tuple(step for step in nodestatus.steps(node) if not step.text.startswith("node show"))
    more = (Suggestion("Cordon it", f"node cordon {node.name}"),) if not node.unschedulable else ()
    return Finding(
        "DH-2.1", "Ready", light, nodestatus.status(node), evidence=evidence,
        suggestions=buttons(light, *steps, *more),
    )  # fmt: skip


def _pressure(
    node: NodeView,
    now: datetime | None,
    pods: Sequence[PodDetail] | Gap,
    events: Sequence[EventView] | Gap,
) -> Finding:
    """Pressure is red here, with the evictions it has led to; the pods that were evicted are still listed."""
    facts: list[Fact] = [
        (Light.RED, f"{found.type}{age(found.since, now)}: {one_line(found.message or found.reason)}")
        for found in node.conditions
        if found.type in _PRESSURE and found.status == "True"
    ]
    is_under = bool(facts)
    evicted = None if isinstance(pods, Gap) else sum(pod.status == "Evicted" for pod in pods)
    if evicted:
        facts.append((Light.RED if is_under else Light.YELLOW, f"{counted(evicted, 'pod')} evicted from it"))
    elif evicted is None and isinstance(pods, Gap):
        facts.append((Light.UNKNOWN, f"evictions: unknown: {one_line(pods.reason)}"))
    thresholds = [] if isinstance(events, Gap) else [e for e in events if e.reason == "EvictionThresholdMet"]
    facts += [(Light.YELLOW, f"× {event.count} {one_line(event.message)}") for event in thresholds]
    light = worst([light for light, _ in facts] or [Light.GREEN])
    value = ", ".join(c.type for c in node.conditions if c.type in _PRESSURE and c.status == "True") or "none"
    offer = buttons(light, Suggestion("Evicted pods", "pod list --failed -n all"))
    mend = pods.mend if isinstance(pods, Gap) else ""
    return Finding("TF-4.1", "Pressure", light, value, "", worst_first(facts), suggestions=offer, mend=mend)


def _told(events: Sequence[EventView] | Gap, now: datetime | None) -> Finding:
    if isinstance(events, Gap):
        return unread("TF-4.2", "Events", events)
    warnings = [event for event in reversed(events) if event.type == "Warning"]
    lines = tuple(event_line(event, now) for event in warnings)
    light = Light.YELLOW if warnings else Light.GREEN
    said = counted(len(warnings), "kind") + " of warning" if warnings else "no warning"
    return Finding("TF-4.2", "Events", light, said, evidence=lines)


def event_line(event: EventView, now: datetime | None) -> str:
    """ "NodeNotReady × 3, 4 min ago: …"."""
    ago = f", {span(now - event.last)} ago" if now and event.last else ""
    times = f" × {event.count}" if event.count > 1 else ""
    return f"{event.reason}{times}{ago}: {one_line(event.message)}"


# --- load -----------------------------------------------------------------------------------------

_SHARES = (("DH-2.3", "CPU"), ("DH-2.4", "Memory"))


def _load(site: ClusterSite, name: str) -> Inquiry:
    name = yield from _full(name)
    disk, waiting, pods = query(site, "Q-disk"), query(site, "Q-nodeio"), PodDetails(node=name)
    seen = yield (Now(), Nodes(), NodeMetrics(), disk, waiting, pods)
    nodes = seen[Nodes()]
    if isinstance(nodes, Gap):
        return Section("node-load", "Its load", True, (unread("TF-4.1", "Load", nodes),))
    node = _one(nodes, name)
    if node is None:
        gap = Gap(f"there is no node {name}")
        return Section("node-load", "Its load", True, (unread("TF-4.1", "Load", gap),))
    use = yield from load(site, (node,), seen[NodeMetrics()], time_of(seen[Now()]))
    limits = site.thresholds.node
    findings = (
        _share("DH-2.3", "CPU", name, use.cpu, limits.cpu_pct),
        _share("DH-2.4", "Memory", name, use.memory, limits.memory_pct),
        _measured("Disk", "Q-disk", seen[disk], name, limits.disk_pct, Light.YELLOW),
        _measured("I/O wait", "Q-nodeio", seen[waiting], name, IO_WAIT, Light.YELLOW),
        _requested(node, seen[pods]),
    )
    return Section("node-load", "Its load", True, findings, f"CPU and memory from {use.source}")


IO_WAIT = 20.0  # percent of the CPUs' time; the manual's mark for a disk that is too slow


def _share(key: str, label: str, name: str, use: nodeload.Use, limit: float) -> Finding:
    threshold = f"< {limit:g} %"
    if use.gap:
        return unread(key, label, use.gap, threshold)
    found = nodeload.of_node(use.percents, name)
    if found is None:
        return unread(key, label, Gap("no load reported for it"), threshold)
    light = Light.RED if found >= Decimal(str(limit)) else Light.GREEN
    offer = buttons(light, Suggestion("Who uses it", "pod top -n all"))
    return Finding(key, label, light, percent(found, limit), threshold, suggestions=offer)


def _measured(label: str, asked: str, answer: Vector | Gap, name: str, limit: float, above: Light) -> Finding:
    threshold = f"< {limit:g} %"
    if isinstance(answer, Gap):
        return unread("TF-4.1", label, answer, threshold)
    numbers = {
        node: one.percent for node, one in measured_by(asked, answer).items() if one.percent is not None
    }
    found = nodeload.of_node(numbers, name)
    if found is None:
        gap = Gap("Prometheus has no number for it", "Let Prometheus scrape node-exporter on it.")
        return unread("TF-4.1", label, gap, threshold)
    return Finding(
        "TF-4.1",
        label,
        above if found >= Decimal(str(limit)) else Light.GREEN,
        percent(found, limit),
        threshold,
    )


def _requested(node: NodeView, pods: Sequence[PodDetail] | Gap) -> Finding:
    """What is promised to its pods: the scheduler counts that, whatever is used."""
    if isinstance(pods, Gap):
        return unread("TF-4.1", "Requested", pods)
    cpu, memory = (sum(request(pod, kind) for pod in _living(pods)) for kind in ("cpu", "memory"))
    value = f"CPU {millicores(cpu)} of {millicores(node.allocatable_cpu)}"
    value += f" · memory {mebibytes(memory)} of {mebibytes(node.allocatable_memory)}"
    return Finding("TF-4.1", "Requested", Light.GREEN, value)


def _living(pods: Sequence[PodDetail]) -> list[PodDetail]:
    return [pod for pod in pods if pod.phase not in ("Succeeded", "Failed")]


def request(pod: PodDetail, kind: str) -> float:
    """What the scheduler counts for it: all that run together, or the greediest init container."""
    own = [(each.kind, getattr(each.resources, f"{kind}_request") or 0.0) for each in pod.containers]
    together = sum(amount for of, amount in own if of != "init")
    return max([together, *(amount for of, amount in own if of == "init")])


# --- pods -----------------------------------------------------------------------------------------


def _pods(name: str) -> Inquiry:
    name = yield from _full(name)
    read = PodDetails(node=name)
    seen = yield (Nodes(), read)
    pods: Sequence[PodDetail] | Gap = seen[read]
    node = None if isinstance(seen[Nodes()], Gap) else _one(seen[Nodes()], name)
    if not pods and node is None and not isinstance(seen[Nodes()], Gap):
        pods = Gap(f"there is no node {name}")
    if isinstance(pods, Gap):
        return Section("node-pods", "Its pods", True, (unread("TF-4.1", "Pods", pods),))
    note = (
        "" if node is None or nodestatus.is_ready(node) else "as its kubelet said last, before it fell silent"
    )
    odd = [pod for pod in pods if not _is_well(pod)]
    light = Light.YELLOW if odd else Light.GREEN
    value = f"{len(odd)} of {counted(len(pods), 'pod')} not well" if odd else counted(len(pods), "pod")
    offers = buttons(light, *(Suggestion(f"Show {pod.name}", f"pod show {pod.place}") for pod in odd[:2]))
    found = Finding("TF-4.1", "Pods", light, value, suggestions=offers)
    ranked = sorted(pods, key=lambda pod: (_is_well(pod), pod.place))
    table = aligned(
        ("POD", "STATUS", "READY", "RESTARTS", "CPU REQ", "MEM REQ"),
        [
            (
                pod.place,
                pod.status,
                pod.ready,
                str(pod.restarts),
                millicores(request(pod, "cpu")),
                mebibytes(request(pod, "memory")),
            )
            for pod in ranked
        ],
    )
    lines, files = shown_and_kept(table, ROWS, "node-pods.txt", f"All pods of {name}")
    answer = Section("node-pods", "Its pods", True, (found,), note, files, lines if pods else ())
    return onward(answer, Suggestion("All nodes", "node list"))


def _is_well(pod: PodDetail) -> bool:
    ready, _, total = pod.ready.partition("/")
    return pod.status == "Completed" or (pod.status == "Running" and ready == total)


# --- logs -----------------------------------------------------------------------------------------

_KILLED = re.compile(r"(?:Kill(?:ed)? process|victim process)[ :].{0,200}", re.IGNORECASE)


def _logs(site: ClusterSite, name: str) -> Inquiry:
    """The kernel's words that reach the API, through the kubelet and node-problem-detector; and what does
    not reach it, by name."""
    name = yield from _full(name)
    read = Events(kind="Node", name=name)
    seen = yield (Now(), read)
    events, now = seen[read], time_of(seen[Now()])
    cloud = _elsewhere(site, name)
    if isinstance(events, Gap):
        return Section("node-logs", "What its kernel said", True, (unread("TF-4.2", "Kernel", events), cloud))
    said = [event for event in reversed(events) if event.reason in _KERNEL or _KILLED.search(event.message)]
    lines = tuple(_kernel_line(event, now) for event in said)
    value = counted(sum(event.count for event in said), "message") if said else "nothing in its events"
    found = Finding("TF-4.2", "Kernel", Light.RED if said else Light.GREEN, value, evidence=lines)
    return Section("node-logs", "What its kernel said", True, (found, cloud))


def _kernel_line(event: EventView, now: datetime | None) -> str:
    killed = _KILLED.search(event.message)
    ago = f"{span(now - event.last)} ago" if now and event.last else NONE
    return f"{event.reason} × {event.count}, {ago}: {one_line(killed[0] if killed else event.message, 200)}"


def _elsewhere(site: ClusterSite, name: str) -> Finding:
    """The whole kernel log lives outside of the cluster's API, and no word of it is made up here."""
    group = f"/aws/containerinsights/{site.eks_name or site.name}/dataplane"
    return Finding(
        "TF-4.2",
        "Kernel log",
        Light.UNKNOWN,
        "unknown: neither CloudWatch Container Insights nor the EC2 console output is read",
        mend=f"aws logs tail {group} --since 1h --filter-pattern {name}",
    )

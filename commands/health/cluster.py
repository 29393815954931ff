"""The cluster: nodes, pods, load, the EKS control plane, failed pods.

`kubectl get pods` shows a crash loop as phase Running and a missing image as Pending, so pods are judged
by their STATUS word, never by phase alone. Several pods of one owner with one trouble are one line.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from commands.health.wording import age, buttons, many, one_line, span, unread, worst_first
from commands.model import Finding, Gap, Inquiry, Light, Reads, Section, Suggestion, worst
from commands.queries import Measured, as_percent, measured_by, query, shown
from commands.reads import (
    Condition,
    EksCluster,
    EksView,
    Nodegroup,
    NodegroupView,
    NodeMetrics,
    Nodes,
    NodeUsage,
    NodeView,
    Now,
    Pods,
    PodSurvey,
    PodView,
    Query,
    Vector,
)
from commands.site import ClusterSite

Fact = tuple[Light, str]

# Younger than this a pod (or a node's metrics) may be on its way, whatever its STATUS word is.
NEW = timedelta(seconds=120)
CREATING = timedelta(minutes=5)  # network and volumes are attached by then
# The view does not hold the grace period. 15 min is longer than any sane one and is what the checked
# rule "pod_stuck_terminating" waits for; the same patience holds for a running pod that is not ready.
PATIENCE = timedelta(minutes=15)

_LIGHTS = (Light.RED, Light.UNKNOWN, Light.YELLOW)
_KEPT = 50  # lines of evidence a record carries; the renderer shows the first and counts the rest


def inquiry(site: ClusterSite) -> Inquiry:
    pods = tuple(Pods(namespace) for namespace in site.namespaces.watched)
    seen = yield (Now(), Nodes(), *pods, NodeMetrics(), *_eks_reads(site))
    nodes, usage = seen[Nodes()], seen[NodeMetrics()]
    now = None if isinstance(seen[Now()], Gap) else seen[Now()]
    surveys = _Surveys.of({read.namespace: seen[read] for read in pods})
    load = _from_metrics_server(nodes, usage, now) if _has_metrics(nodes, usage) else None
    if load is None:
        cpu, memory = query(site, "Q-nodecpu"), query(site, "Q-nodemem")
        more = yield (cpu, memory)
        load = _from_prometheus(nodes, usage, (cpu, more[cpu]), (memory, more[memory]))
    findings = (
        _nodes(nodes, now),
        _pods(surveys, now),
        *_load(site, load),
        *((_eks(site, seen[EksCluster(site.eks_name)]),) if site.eks_name else ()),
        *_nodegroups(site, [seen[read] for read in _nodegroup_reads(site)]),
        _failed(surveys),
    )
    note = f"node load from {load.source}" + ("" if site.eks_name else " · not on EKS")
    return Section("cluster", f"Cluster · {site.name}", True, findings, note)


def _eks_reads(site: ClusterSite) -> Reads:
    return (EksCluster(site.eks_name), *_nodegroup_reads(site)) if site.eks_name else ()


def _nodegroup_reads(site: ClusterSite) -> tuple[Nodegroup, ...]:
    return tuple(Nodegroup(site.eks_name, name) for name in site.nodegroups) if site.eks_name else ()


# --- nodes ----------------------------------------------------------------------------------------

_PRESSURE = ("MemoryPressure", "DiskPressure", "PIDPressure")


def _nodes(nodes: Sequence[NodeView] | Gap, now: datetime | None) -> Finding:
    key, label, threshold = "DH-2.1", "Nodes", "all Ready"
    if isinstance(nodes, Gap):
        return unread(key, label, nodes, threshold)
    if not nodes:
        return Finding(key, label, Light.RED, "no node", threshold)
    troubled = [(node, node_facts(node, now)) for node in nodes]
    facts = [fact for _, found in troubled for fact in found]
    light = worst([light for light, _ in facts]) if facts else Light.GREEN
    ready = sum(_ready(node) == "True" for node in nodes)
    first = next((node for node, found in troubled if any(one is light for one, _ in found)), None)
    show = [Suggestion(f"Show {first.name}", f"node show {first.name}")] if first else []
    return Finding(
        key,
        label,
        light,
        f"{ready} of {len(nodes)} Ready" + (", " + _kinds(troubled) if facts else ""),
        threshold,
        worst_first(facts)[:_KEPT],
        suggestions=buttons(light, *show),
    )


def node_facts(node: NodeView, now: datetime | None) -> list[Fact]:
    """What is wrong with one node, worst first."""
    facts: list[Fact] = []
    ready = next((c for c in node.conditions if c.type == "Ready"), None)
    if ready is None:
        facts.append((Light.RED, f"{node.name}: has never reported whether it is Ready"))
    elif ready.status != "True":
        # Unknown is the worse one: a NotReady kubelet still talks, this one has gone silent.
        word = "not reporting" if ready.status == "Unknown" else "NotReady"
        facts.append((Light.RED, f"{node.name}: {word}{age(ready.since, now)}{_because(ready)}"))
    for condition in node.conditions:
        if condition.status == "True" and condition.type == "NetworkUnavailable":
            facts.append((Light.RED, f"{node.name}: {_condition(condition, now)}"))
        elif condition.status == "True" and condition.type in _PRESSURE:
            facts.append((Light.YELLOW, f"{node.name}: {_condition(condition, now)}"))
    if node.unschedulable:
        facts.append((Light.YELLOW, f"{node.name}: SchedulingDisabled (cordoned)"))
    return facts


def _ready(node: NodeView) -> str:
    return next((c.status for c in node.conditions if c.type == "Ready"), "")


def _condition(condition: Condition, now: datetime | None) -> str:
    return f"{condition.type}{age(condition.since, now)}{_because(condition)}"


def _because(condition: Condition) -> str:
    said = ": ".join(part for part in (condition.reason, condition.message) if part)
    return f" ({one_line(said)})" if said else ""


def _kinds(troubled: Iterable[tuple[NodeView, list[Fact]]]) -> str:
    """How many nodes are red and how many only need a look: "1 in trouble, 2 to look at"."""
    lights = [worst([light for light, _ in facts]) for _, facts in troubled if facts]
    counts = ((Light.RED, "in trouble"), (Light.YELLOW, "to look at"))
    return ", ".join(f"{lights.count(light)} {word}" for light, word in counts if light in lights)


# --- pods -----------------------------------------------------------------------------------------

_BROKEN = frozenset(
    {
        "CrashLoopBackOff",
        "ImagePullBackOff",
        "ErrImagePull",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "PostStartHookError",
        "OOMKilled",
        "Error",
        "ContainerCannotRun",
        "StartError",
        "DeadlineExceeded",
        "Unknown",
        "NodeLost",
    }
)
_STARTING = frozenset({"ContainerCreating", "PodInitializing"})
_WAITING = frozenset({"SchedulingGated"})  # somebody holds it back on purpose


def status_light(status: str) -> Light | None:
    """How a STATUS word alone is judged; None where it depends on time or on the scheduler."""
    word = status.removeprefix("Init:")
    if word in _BROKEN or word.startswith(("ExitCode:", "Signal:")):
        return Light.RED
    if status in ("Completed", "Succeeded") or status in _WAITING:
        return Light.GREEN
    return Light.YELLOW if status == "Evicted" else None


def pod_light(pod: PodView, now: datetime | None) -> Light:
    """How one pod is judged; GREEN is not listed."""
    fixed = status_light(pod.status)
    if _without_details(pod):
        return fixed or Light.UNKNOWN
    if pod.age < NEW:
        return Light.GREEN
    if fixed is not None:
        return fixed
    if pod.status == "Pending":
        # Without a node the scheduler found no place; with one, its kubelet has not taken it up yet.
        return Light.RED if not pod.node or pod.age > CREATING else Light.GREEN
    if pod.status in _STARTING:
        return Light.RED if pod.age > CREATING else Light.GREEN
    if pod.status.startswith("Init:"):
        return Light.YELLOW if pod.age > CREATING else Light.GREEN
    if pod.status in ("Terminating", "Running", "NotReady"):
        return Light.YELLOW if _unready_for(pod, now) > PATIENCE else Light.GREEN
    return Light.YELLOW


def _without_details(pod: PodView) -> bool:
    """Only its STATUS word was read: age and all the rest are not known, so it is not "new" either."""
    return not pod.phase


def _unready_for(pod: PodView, now: datetime | None) -> timedelta:
    """How long it has not been ready; zero for a Job's pod, which nobody sends requests to.

    Without the time of day it has lasted too long: better a line too many than one that is missing.
    """
    if pod.not_ready_since is None or pod.owner.casefold().startswith(("job", "cronjob")):
        return timedelta(0)
    return now - pod.not_ready_since if now else timedelta.max


def _owner(pod: PodView) -> str:
    """ "Kind/name"; for a ReplicaSet its Deployment, whose name is followed by the template's hash."""
    made_by = re.fullmatch(r"ReplicaSet/(.+)-[bcdfghjklmnpqrstvwxz2456789]{1,10}", pod.owner)
    return f"Deployment/{made_by[1]}" if made_by else pod.owner


@dataclass(frozen=True, slots=True)
class _Group:
    """Pods of one owner that have the same trouble."""

    light: Light
    pods: tuple[PodView, ...]

    @property
    def line(self) -> str:
        first = self.pods[0]
        name = _owner(first) or first.name
        count = f" × {len(self.pods)}" if len(self.pods) > 1 else ""
        oldest = max(pod.age for pod in self.pods)
        facts = [f"{first.status}{count}", *([f"oldest {span(oldest)}"] if oldest else [])]
        restarts = sum(pod.restarts for pod in self.pods)
        if restarts:
            facts.append(many(restarts, "restart"))
        facts += [text for text in (first.last_exit, one_line(first.message)) if text]
        return f"{first.namespace}/{name}: {', '.join(facts)}"


@dataclass(frozen=True, slots=True)
class _Surveys:
    """The answers of all namespaces watched: what was read, and what was not."""

    read: tuple[PodSurvey, ...]
    unread: Mapping[str, Gap]

    @classmethod
    def of(cls, answers: Mapping[str, PodSurvey | Gap]) -> "_Surveys":
        read = tuple(answer for answer in answers.values() if isinstance(answer, PodSurvey))
        unread = {name: answer for name, answer in answers.items() if isinstance(answer, Gap)}
        return cls(read, unread)

    @property
    def sick(self) -> list[PodView]:
        return [pod for survey in self.read for pod in survey.sick]

    @property
    def left(self) -> int:
        """Sick pods beyond those that were read in detail."""
        return sum(survey.sick_total - len(survey.sick) for survey in self.read)

    @property
    def nothing(self) -> Gap | None:
        """Why nothing at all was read, or None when something was."""
        return None if self.read else next(iter(self.unread.values()))

    @property
    def gaps(self) -> list[Fact]:
        return [
            (Light.UNKNOWN, f"{name}: unknown: {one_line(gap.reason)}") for name, gap in self.unread.items()
        ]

    @property
    def mend(self) -> str:
        return next((gap.mend for gap in self.unread.values()), "")


def _pods(surveys: _Surveys, now: datetime | None) -> Finding:
    key, label, threshold = "DH-2.2", "Pods", "all Running or Completed"
    if surveys.nothing:
        return unread(key, label, surveys.nothing, threshold)
    listed = [(pod_light(pod, now), pod) for pod in surveys.sick if pod.phase != "Failed"]
    groups = _grouped([(light, pod) for light, pod in listed if light is not Light.GREEN])
    facts = [(group.light, group.line) for group in groups]
    facts += _not_looked_at(surveys.read) + surveys.gaps
    light = worst([light for light, _ in facts]) if facts else Light.GREEN
    return Finding(
        key,
        label,
        light,
        _pods_value(surveys, sum(len(group.pods) for group in groups)),
        threshold,
        worst_first(facts)[:_KEPT],
        suggestions=buttons(light, *(_pod_buttons(groups[0].pods[0]) if groups else ())),
        mend=surveys.mend,
    )


def _pods_value(surveys: _Surveys, bad: int) -> str:
    total = many(sum(survey.total for survey in surveys.read), "pod")
    parts = [f"{bad} of {total} not well"] if bad else [total]
    if surveys.left:
        parts.append(f"{surveys.left} not looked at")
    if surveys.unread:
        parts.append(f"{many(len(surveys.unread), 'namespace')} not read")
    return ", ".join(parts if bad or len(parts) > 1 else [total, "all well"])


def _grouped(listed: Iterable[tuple[Light, PodView]]) -> list[_Group]:
    """One group per owner and trouble: the reds first, and among them the biggest."""
    groups: dict[tuple[Light, str, str, str], list[PodView]] = defaultdict(list)
    for light, pod in listed:
        groups[light, pod.namespace, _owner(pod) or pod.name, pod.status].append(pod)
    found = [_Group(light, tuple(pods)) for (light, *_), pods in groups.items()]
    return sorted(found, key=lambda group: (_LIGHTS.index(group.light), -len(group.pods)))


def _not_looked_at(surveys: Iterable[PodSurvey]) -> list[Fact]:
    """Sick pods beyond those read in detail: still counted, and red when their words leave no doubt."""
    facts: list[Fact] = []
    for survey in surveys:
        left = survey.sick_total - len(survey.sick)
        if left > 0:
            broken = any(status_light(word) is Light.RED for word in survey.by_status)
            said = f"{many(left, 'more pod')} not Running or Completed, not looked at one by one"
            facts.append((Light.RED if broken else Light.YELLOW, said))
    return facts


def _pod_buttons(pod: PodView) -> tuple[Suggestion, ...]:
    name = f"{pod.namespace}/{pod.name}"
    crashed = pod.restarts or pod.status.endswith(("CrashLoopBackOff", "Error", "OOMKilled"))
    logs = (Suggestion("Logs before the crash", f"logs {name} --previous"),) if crashed else ()
    return (Suggestion("Show pod", f"pod show {name}"), *logs)


def _failed(surveys: _Surveys) -> Finding:
    """Pods of phase Failed: leftovers that something has replaced or given up, so never more than yellow."""
    key, label, threshold = "DH-2.6", "Failed pods", "none"
    if surveys.nothing:
        return unread(key, label, surveys.nothing, threshold)
    failed = [pod for pod in surveys.sick if pod.phase == "Failed"]
    facts: list[Fact] = [(Light.YELLOW, _failed_line(pod)) for pod in failed]
    if surveys.left:
        facts.append((Light.YELLOW, f"perhaps more among the {surveys.left} pods not looked at one by one"))
    facts += surveys.gaps
    light = worst([light for light, _ in facts]) if facts else Light.GREEN
    value = str(len(failed)) if failed else "none among those read" if facts else "none"
    offer = buttons(light, Suggestion("List them", "pod list --failed -n all"))
    evidence = worst_first(facts)[:_KEPT]
    return Finding(key, label, light, value, threshold, evidence, None, offer, mend=surveys.mend)


def _failed_line(pod: PodView) -> str:
    said = ", ".join(text for text in (pod.last_exit, one_line(pod.message)) if text)
    return f"{pod.namespace}/{pod.name}: {pod.status}, {span(pod.age)} old" + (f", {said}" if said else "")


# --- load -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Load:
    """Use of each node in percent, by source; why stands in place of what could not be read at all."""

    source: str
    cpu: Mapping[str, Decimal]
    memory: Mapping[str, Decimal]
    silent: tuple[str, ...] = ()  # nodes the source says nothing about
    instead: str = ""
    cpu_gap: Gap | None = None
    memory_gap: Gap | None = None


def _has_metrics(nodes: Sequence[NodeView] | Gap, usage: Sequence[NodeUsage] | Gap) -> bool:
    # Without the nodes' allocatable there is nothing to divide by.
    return not isinstance(nodes, Gap) and not isinstance(usage, Gap) and bool(usage)


def _from_metrics_server(
    nodes: Sequence[NodeView], usage: Sequence[NodeUsage], now: datetime | None
) -> _Load:
    used = {entry.node: entry for entry in usage}
    measured = [node for node in _machines(nodes) if node.name in used]
    silent = [
        node.name
        for node in _machines(nodes)
        if node.name not in used and not (now and node.created and now - node.created < NEW)
    ]
    return _Load(
        "metrics-server, of allocatable",
        {n.name: as_percent(used[n.name].cpu / n.allocatable_cpu) for n in measured if n.allocatable_cpu},
        {
            n.name: as_percent(used[n.name].memory / n.allocatable_memory)
            for n in measured
            if n.allocatable_memory
        },
        tuple(silent),
    )


def _from_prometheus(
    nodes: Sequence[NodeView] | Gap,
    usage: Sequence[NodeUsage] | Gap,
    cpu: tuple[Query, Vector | Gap],
    memory: tuple[Query, Vector | Gap],
) -> _Load:
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
    for name, answer in (("Q-nodecpu", cpu[1]), ("Q-nodemem", memory[1])):
        found = {} if isinstance(answer, Gap) else measured_by(name, answer)
        gaps.append(_no_load(instead, answer, found, mend))
        shares.append({node: m.percent for node, m in found.items() if m.percent is not None})
    known = set(shares[0]) & set(shares[1])
    names = [] if isinstance(nodes, Gap) else [node.name for node in _machines(nodes)]
    # Where Prometheus knows the machines by other names altogether, nobody can say who is missing.
    silent = [name for name in names if name not in known] if known & set(names) else []
    return _Load(
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


def _load(site: ClusterSite, load: _Load) -> tuple[Finding, Finding]:
    limits = site.thresholds.node
    return (
        _use("DH-2.3", "Node CPU", load, lambda one: one.cpu, load.cpu_gap, limits.cpu_pct),
        _use("DH-2.4", "Node memory", load, lambda one: one.memory, load.memory_gap, limits.memory_pct),
    )


def _use(
    key: str,
    label: str,
    load: _Load,
    of: Callable[[_Load], Mapping[str, Decimal]],
    gap: Gap | None,
    limit: float,
) -> Finding:
    threshold = f"< {limit:g} %"
    if gap is not None:
        return unread(key, label, gap, threshold)
    use = sorted(of(load).items(), key=lambda item: -item[1])
    facts: list[Fact] = [
        (Light.RED, f"{node}: {shown(percent, (limit,))}")
        for node, percent in use
        if percent >= Decimal(str(limit))
    ]
    facts += [(Light.UNKNOWN, f"{node}: no load reported") for node in load.silent]
    light = worst([light for light, _ in facts]) if facts else Light.GREEN
    if not use and not facts:
        return unread(key, label, Gap("no node reports its load"), threshold)
    value = f"highest {shown(use[0][1], (limit,))} on {use[0][0]}" if use else "no load reported"
    evidence = worst_first(facts)[:_KEPT] + (
        (f"from {load.source}, because {load.instead}",) if load.instead else ()
    )
    offer = buttons(light, Suggestion("Top nodes", "node top"), Suggestion("Capacity", "capacity now"))
    return Finding(key, label, light, value, threshold, evidence, suggestions=offer)


# --- EKS ------------------------------------------------------------------------------------------

_EKS_LIGHTS = {
    "ACTIVE": Light.GREEN,
    "CREATING": Light.YELLOW,
    "UPDATING": Light.YELLOW,
    "FAILED": Light.RED,
    "DELETING": Light.RED,
    "PENDING": Light.RED,
    "DEGRADED": Light.RED,
    "CREATE_FAILED": Light.RED,
    "DELETE_FAILED": Light.RED,
}


def _eks(site: ClusterSite, view: EksView | Gap | None) -> Finding:
    key, label, threshold = "DH-2.5", "EKS control plane", "ACTIVE"
    offer = Suggestion("EKS version", "version eks")
    if isinstance(view, Gap):
        return unread(key, label, view, threshold)
    if view is None:
        said = f"EKS knows no cluster {site.eks_name} in {site.region}"
        return Finding(
            key, label, Light.RED, said, threshold, mend="Check the cluster's name, eks and region."
        )
    light = _eks_light(view.status, view.issues)
    update = f", update {view.update}" if view.update else ""
    if view.status == "UPDATING" and not view.update:
        update = ", update id not known"
    value = f"{view.status}{update} · {view.version} {view.platform}".rstrip()
    return Finding(key, label, light, value, threshold, view.issues, suggestions=buttons(light, offer))


def _eks_light(status: str, issues: tuple[str, ...]) -> Light:
    """A health issue of an ACTIVE cluster is something to look at; a word EKS invents later is unknown."""
    return worst([_EKS_LIGHTS.get(status, Light.UNKNOWN), Light.YELLOW if issues else Light.GREEN])


def _nodegroups(site: ClusterSite, views: Sequence[NodegroupView | Gap | None]) -> tuple[Finding, ...]:
    key, label, threshold = "DH-2.5", "EKS node groups", "ACTIVE"
    if not views:
        return ()
    facts: list[Fact] = []
    for name, view in zip(site.nodegroups, views, strict=True):
        if isinstance(view, Gap):
            facts.append((Light.UNKNOWN, f"{name}: unknown: {one_line(view.reason)}"))
        elif view is None:
            facts.append((Light.RED, f"{name}: EKS knows no such node group"))
        else:
            light = _eks_light(view.status, view.issues)
            facts.append((light, f"{name}: {'; '.join((view.status, *view.issues))}"))
    light = worst([light for light, _ in facts])
    active = sum(light is Light.GREEN for light, _ in facts)
    bad = [fact for fact in facts if fact[0] is not Light.GREEN]
    mend = next((view.mend for view in views if isinstance(view, Gap)), "")
    value = f"{active} of {len(facts)} ACTIVE"
    return (Finding(key, label, light, value, threshold, worst_first(bad), mend=mend),)

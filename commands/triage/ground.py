"""The three lower layers under a service: its containers, the nodes they are on, and what AWS says. See layers.py."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from commands import nodestatus
from commands.finding import Finding, Light, Suggestion
from commands.model import Cause, Confidence, Gap, Seen
from commands.phrase import counted, span
from commands.podreads import ContainerView, PodDetail, PodDetails, PodRow, PodRows
from commands.podstatus import status_light
from commands.queries import measured_by, query
from commands.reads import EksCluster, EksView, Nodegroup, NodegroupView, Nodes, NodeView, Now, Vector
from commands.site import ClusterSite, ServiceSite
from commands.triage import saturation, served
from commands.triage.rule import Diagnosing, Diagnosis
from commands.triage.scene import is_well
from commands.triagereads import CloudEvent, CloudEvents
from commands.wording import one_line, unread

_NOW = timedelta(minutes=5)
_PODS = 6  # whose containers are looked at
_SHOWN = 6


# --- 3. Containers ------------------------------------------------------------------------------------------


def containers(service: ServiceSite, site: ClusterSite) -> Diagnosing:
    """How they end, what they lack, and whether they are all the same."""
    rows, lack = PodRows(service.namespace), saturation.Asked.of(site, service)
    seen = yield (rows, *lack.all, Now())
    listed: Sequence[PodRow] | Gap = seen[rows]
    numbers = saturation.findings(lack, seen, site)
    if isinstance(listed, Gap):
        return Diagnosis(None, (unread("TF-3.1", "Containers", listed), *numbers))
    mine = sorted(served.pods(service, listed), key=lambda row: (is_well(row), -row.restarts))[:_PODS]
    asked = tuple(PodDetails(row.namespace, row.name) for row in mine)
    answers = (yield asked) if asked else Seen({})
    gaps = tuple(
        unread("TF-3.1", f"Pod {read.name}", answers[read])
        for read in asked
        if isinstance(answers[read], Gap)
    )
    found = [pod for read in asked if not isinstance(answers[read], Gap) for pod in answers[read]]
    ends = _ends(found, seen[Now()])
    findings = (ends, _versions(found), _unlimited(found), *gaps[:1], *numbers)
    text = next((words for words, _ in saturation.highest(lack, seen).values()), "")
    text = ends.evidence[0] if ends.light is Light.RED else text
    offers = (Suggestion("What the last run said", f"logs {served.place(service)} --previous"),)
    return Diagnosis(Cause(text, Confidence.POSSIBLE, offers) if text else None, findings, offers)


def _ends(found: Sequence[PodDetail], now: datetime | Gap) -> Finding:
    key, label = "TF-3.1", "Last ends"
    if not found:
        return Finding(key, label, Light.UNKNOWN, "no container to look at")
    failed = [(pod, each) for pod in found for each in pod.containers if _waits(each) or _has_failed(each)]
    facts = tuple(f"{pod.name}/{each.name}: {_how(each, now)}" for pod, each in failed)
    light = Light.RED if any(_waits(each) for _, each in failed) else Light.YELLOW if failed else Light.GREEN
    value = f"{counted(len(facts), 'container')} that failed" if facts else "none that failed"
    return Finding(key, label, light, value, evidence=facts)


def _waits(each: ContainerView) -> bool:
    return each.state == "waiting" and status_light(each.word) is Light.RED


def _has_failed(each: ContainerView) -> bool:
    return bool(each.ended and each.restarts and (each.ended.code or each.ended.reason == "OOMKilled"))


def _how(each: ContainerView, now: datetime | Gap) -> str:
    """ "CrashLoopBackOff, OOMKilled (137) 5 min ago, 3 restarts"."""
    told = [each.word] if _waits(each) else []
    if each.ended:
        at = each.ended.finished
        ago = f" {span(now - at)} ago" if at and isinstance(now, datetime) else ""
        told.append(f"{each.ended.reason or 'ended'} ({each.ended.code}){ago}")
    return ", ".join((*told, *((counted(each.restarts, "restart"),) if each.restarts else ())))


def _versions(found: Sequence[PodDetail]) -> Finding:
    """One container, two digests: half of the users get something else."""
    key, label = "TF-3.3", "Images"
    digests: dict[str, dict[str, int]] = {}
    for pod in found:
        for each in pod.containers:
            if each.digest and not pod.deleting:
                counts = digests.setdefault(each.name, {})
                counts[f"{each.image} {each.digest[:19]}"] = (
                    counts.get(f"{each.image} {each.digest[:19]}", 0) + 1
                )
    mixed = {name: counts for name, counts in digests.items() if len(counts) > 1}
    if not mixed:
        return Finding(key, label, Light.GREEN, "one version")
    lines = tuple(
        f"{name}: {image} in {counted(n, 'pod')}" for name, c in mixed.items() for image, n in c.items()
    )
    return Finding(key, label, Light.YELLOW, "mixed versions", evidence=lines)


def _unlimited(found: Sequence[PodDetail]) -> Finding:
    without = dict.fromkeys(
        each.name
        for pod in found
        for each in pod.containers
        if not each.kind and each.resources.memory_limit is None
    )
    value = (
        f"without a memory limit: {', '.join(without)}" if without else "every container has a memory limit"
    )
    return Finding("TF-3.2", "Limits", Light.YELLOW if without else Light.GREEN, value)


# --- 4. Nodes -----------------------------------------------------------------------------------------------


def nodes(service: ServiceSite, site: ClusterSite) -> Diagnosing:
    """The nodes that its pods are on."""
    marks = site.thresholds.node
    asked = (
        ("Q-nodecpu", "CPU", marks.cpu_pct), ("Q-nodemem", "Memory", marks.memory_pct),
        ("Q-disk", "Disk", marks.disk_pct), ("Q-nodeio", "Waiting for disks", 20.0),
    )  # fmt: skip
    reads = {name: query(site, name, window=_NOW) for name, _, _ in asked}
    rows = PodRows(service.namespace)
    seen = yield (rows, Nodes(), Now(), *reads.values())
    listed: Sequence[PodRow] | Gap = seen[rows]
    known: Sequence[NodeView] | Gap = seen[Nodes()]
    names = (
        set() if isinstance(listed, Gap) else {row.node for row in served.pods(service, listed) if row.node}
    )
    now = None if isinstance(seen[Now()], Gap) else seen[Now()]
    mine = known if isinstance(known, Gap) else [node for node in known if node.name in names] or list(known)
    ready = nodestatus.readiness(mine, now)
    loads = tuple(_load(label, name, seen[reads[name]], names, limit) for name, label, limit in asked)
    blind = (unread("TF-4.1", "Nodes of its pods", listed),) if isinstance(listed, Gap) else ()
    red = next((each for each in (ready, *loads) if each.light is Light.RED), None)
    text = f"{red.label} of its nodes: {'; '.join(red.evidence[:3]) or red.value}" if red else ""
    cause = Cause(text, Confidence.LIKELY, red.suggestions) if red else None
    return Diagnosis(cause, (ready, *loads, *blind), (Suggestion("Nodes", "node list"),))


def _load(label: str, name: str, answer: Vector | Gap, nodes: set[str], limit: float) -> Finding:
    key, threshold = "TF-4.1", f"< {limit:g} %"
    if isinstance(answer, Gap):
        return unread(key, label, answer, threshold)
    known = {
        who: float(found.percent)
        for who, found in measured_by(name, answer).items()
        if found.percent is not None
        and (not nodes or who in nodes or any(n.startswith(f"{who}.") for n in nodes))
    }
    if not known:
        return unread(key, label, Gap("no data of the nodes of its pods"), threshold)
    over = tuple(f"{who}: {value:.0f} %" for who, value in known.items() if value >= limit)
    light = Light.YELLOW if over and name == "Q-disk" else Light.RED if over else Light.GREEN
    return Finding(key, label, light, f"{max(known.values()):.0f} % at most", threshold, over)


# --- 5. Infrastructure --------------------------------------------------------------------------------------


def infrastructure(service: ServiceSite, site: ClusterSite) -> Diagnosing:
    """What AWS says of itself, of the cluster and of its node groups."""
    if not site.eks_name:
        none = Finding(
            "TF-5.0", "AWS", Light.GREEN, "not a cluster of AWS (`cluster.eks` is false): nothing to ask"
        )
        yield ()
        return Diagnosis(None, (none,))
    cluster = EksCluster(site.eks_name)
    groups = tuple(Nodegroup(site.eks_name, name) for name in site.nodegroups)
    seen = yield (CloudEvents(), cluster, *groups)
    findings = (
        _cloud(seen[CloudEvents()], site),
        _eks("Cluster", site.eks_name, seen[cluster]),
        *(_eks("Node group", group.name, seen[group]) for group in groups),
    )
    red = next((each for each in findings if each.light is Light.RED), None)
    cause = Cause(f"{red.label}: {red.value}", Confidence.LIKELY) if red else None
    return Diagnosis(cause, findings, (Suggestion("The cluster's health", "health cluster"),))


def _cloud(found: Sequence[CloudEvent] | Gap, site: ClusterSite) -> Finding:
    key, label = "TF-5.1", f"AWS in {site.region or 'its region'}"
    if isinstance(found, Gap):
        mend = (
            found.mend or "See health.aws.amazon.com/health/status: the Health API needs a paid support plan."
        )
        return unread(key, label, Gap(found.reason, mend))
    lines = tuple(f"{each.service}: {one_line(each.text, 200)}" for each in found[:_SHOWN])
    return Finding(
        key, label, Light.RED if found else Light.GREEN,
        f"{counted(len(found), 'open event')}" if found else "no open event", evidence=lines,
    )  # fmt: skip


def _eks(kind: str, name: str, found: EksView | NodegroupView | Gap | None) -> Finding:
    key, label = "TF-5.3", f"{kind} {name}"
    if isinstance(found, Gap):
        return unread(key, label, found)
    if found is None:
        return Finding(key, label, Light.YELLOW, "EKS knows none of this name")
    is_fine = found.status == "ACTIVE" and not found.issues
    light = Light.GREEN if is_fine else Light.RED if found.issues else Light.YELLOW
    return Finding(key, label, light, found.status, evidence=tuple(map(one_line, found.issues)))

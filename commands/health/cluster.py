"""The cluster: nodes, pods, load, the EKS control plane, failed pods."""

from collections.abc import Sequence

from commands import nodeload, nodestatus, podstatus
from commands.finding import Finding, Light, Suggestion, worst
from commands.model import Gap, Inquiry, Reads, Section
from commands.queries import query
from commands.reads import (
    EksCluster,
    EksView,
    Nodegroup,
    NodegroupView,
    NodeMetrics,
    Nodes,
    Now,
    Pods,
)
from commands.site import ClusterSite
from commands.wording import Fact, buttons, one_line, unread, worst_first


def inquiry(site: ClusterSite) -> Inquiry:
    watched = tuple(Pods(namespace) for namespace in site.namespaces.watched)
    seen = yield (Now(), Nodes(), *watched, NodeMetrics(), *_eks_reads(site))
    nodes, usage = seen[Nodes()], seen[NodeMetrics()]
    now = None if isinstance(seen[Now()], Gap) else seen[Now()]
    surveys = podstatus.Surveys.of({read.namespace: seen[read] for read in watched})
    use = nodeload.from_metrics_server(nodes, usage, now)
    if use is None:
        cpu, memory = query(site, "Q-nodecpu"), query(site, "Q-nodemem")
        more = yield (cpu, memory)
        use = nodeload.from_prometheus(nodes, usage, more[cpu], more[memory])
    findings = (
        nodestatus.readiness(nodes, now),
        podstatus.not_well(surveys, now),
        *nodeload.findings(site, use),
        *((_eks(site, seen[EksCluster(site.eks_name)]),) if site.eks_name else ()),
        *_nodegroups(site, [seen[read] for read in _nodegroup_reads(site)]),
        podstatus.failed(surveys),
    )
    note = f"node load from {use.source}" + ("" if site.eks_name else " · not on EKS")
    return Section("cluster", f"Cluster · {site.name}", True, findings, note)


def _eks_reads(site: ClusterSite) -> Reads:
    return (EksCluster(site.eks_name), *_nodegroup_reads(site)) if site.eks_name else ()


def _nodegroup_reads(site: ClusterSite) -> tuple[Nodegroup, ...]:
    return tuple(Nodegroup(site.eks_name, name) for name in site.nodegroups) if site.eks_name else ()


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
    key, label, threshold = "DH-2.5", "EKS control plane", "expected ACTIVE"
    offer = Suggestion("EKS version", "version eks")
    if isinstance(view, Gap):
        return unread(key, label, view, threshold)
    if view is None:
        said = f"EKS knows no cluster {site.eks_name} in {site.region}"
        mend = "Check the cluster's name, eks and region in the configuration."
        return Finding(key, label, Light.RED, said, threshold, mend=mend)
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
    key, label, threshold = "DH-2.5", "EKS node groups", "expected ACTIVE"
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

"""What users and the cluster lose while pods move: single replicas, whole Services, webhooks, DNS, jobs, us.

Called by the plan of a drain, over the pods that would be evicted.
"""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from commands.finding import Finding, Light
from commands.model import Gap
from commands.node.cases import Case, Controllers, Kind
from commands.phrase import counted, span
from commands.scheduling import BackendView, Placement, WebhookView
from commands.site import ClusterSite
from commands.wording import unread

STARTUP = timedelta(seconds=30)  # where no pod of the workload shows how long it takes
_DNS = "kube-dns"  # the Service every cluster resolves names through, whatever serves it


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What was read about the rest of the cluster; leaving: names of the nodes that are drained."""

    site: ClusterSite
    known: Controllers
    leaving: frozenset[str]
    placements: tuple[Placement, ...] | Gap
    backends: tuple[BackendView, ...] | Gap
    webhooks: tuple[WebhookView, ...] | Gap


def startup(cases: Iterable[Case]) -> timedelta:
    """How long such pods take to become ready, as those that are here did."""
    seen = [case.pod.startup for case in cases if case.pod.startup is not None]
    return statistics.median_low(seen) if seen else STARTUP


def by_workload(cases: Iterable[Case]) -> Mapping[str, tuple[Case, ...]]:
    found: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        found[case.workload].append(case)
    return {name: tuple(held) for name, held in sorted(found.items())}


def findings(cases: tuple[Case, ...], around: Surroundings) -> tuple[Finding, ...]:
    moved = tuple(case for case in cases if case.kind in (Kind.EVICT, Kind.ORPHAN))
    found = (
        *_away(moved, around),
        *_services(moved, around),
        *_webhooks(moved, around),
        *_jobs(moved, around.known),
        *_bot(moved, around),
        *_ownerless(moved, around.known),
        *_unread(around),
    )
    return tuple(each for each in found if each is not None)


def _unread(around: Surroundings) -> Iterable[Finding]:
    for label, answer in (("Endpoints", around.backends), ("Webhooks", around.webhooks)):
        if isinstance(answer, Gap):
            yield unread(f"drain.{label.lower()}", label, answer)
    for kind, gap in around.known.gaps.items():
        yield unread("drain.owners", f"{kind}s", gap)


# --- Workloads ------------------------------------------------------------------------------------


def _away(cases: tuple[Case, ...], around: Surroundings) -> Iterable[Finding]:
    alone: list[str] = []
    together: list[str] = []
    # What nobody makes anew is gone, not away, and a job is not there to answer: both are told elsewhere.
    back = (case for case in cases if case.kind is Kind.EVICT and not around.known.is_gone(case.pod))
    for workload, held in by_workload(case for case in back if not case.is_of_a_job).items():
        replicas, elsewhere = around.known.replicas(workload), _ready_elsewhere(workload, held, around)
        if elsewhere or elsewhere is None:
            continue
        if replicas == 1 or (replicas is None and len(held) == 1):
            away = timedelta(seconds=max(case.pod.grace for case in held)) + startup(held)
            alone.append(f"{workload}: away for about {span(away)}")
        elif any(case.pod.ready for case in held):
            together.append(f"{workload}: all {sum(case.pod.ready for case in held)} ready replicas are here")
    if alone:
        yield _risk(
            "drain.single", "Single replica", f"{counted(len(alone), 'workload')} with an outage", alone
        )
    if together:
        value = f"{counted(len(together), 'workload')} with no ready replica elsewhere"
        yield _risk("drain.all-here", "All replicas here", value, together)


def _ready_elsewhere(workload: str, held: tuple[Case, ...], around: Surroundings) -> int | None:
    """Ready pods of the workload on other nodes; None where nobody could say."""
    if isinstance(around.placements, Gap):
        return None
    uids = around.known.uids(workload) | {case.pod.owner.uid for case in held if case.pod.owner}
    mine = (each for each in around.placements if each.owner in uids)
    return sum(each.ready and not each.deleted and each.node not in around.leaving for each in mine)


def _risk(key: str, label: str, value: str, lines: Iterable[str], mend: str = "") -> Finding:
    return Finding(key, label, Light.YELLOW, value, evidence=tuple(lines), mend=mend)


def _ownerless(cases: tuple[Case, ...], known: Controllers) -> Iterable[Finding]:
    """They name a controller, which is no longer there."""
    lines = [
        f"{case.path}: {case.reasons[0]}"
        for case in cases
        if case.kind is Kind.EVICT and known.is_gone(case.pod)
    ]
    if lines:
        value = f"{counted(len(lines), 'pod')} whose controller is gone: nothing makes them anew"
        yield _risk("drain.ownerless", "Controller gone", value, lines)


# --- Services and webhooks ------------------------------------------------------------------------


def _bare_services(cases: tuple[Case, ...], around: Surroundings) -> frozenset[tuple[str, str]]:
    """Services whose every ready address is a pod that goes."""
    if isinstance(around.backends, Gap):
        return frozenset()
    going = {(case.pod.target.namespace, case.pod.target.name) for case in cases}
    backing: dict[tuple[str, str], list[BackendView]] = defaultdict(list)
    for each in around.backends:
        backing[each.namespace, each.service].append(each)
    return frozenset(
        service for service, held in backing.items() if all((h.namespace, h.pod) in going for h in held)
    )


def _services(cases: tuple[Case, ...], around: Surroundings) -> Iterable[Finding]:
    bare = sorted(_bare_services(cases, around))
    dns = (around.site.namespaces.system, _DNS)
    if dns in bare:
        value = "every pod that resolves names is on this node"
        yield _risk("drain.dns", "DNS", value, ["/".join(dns)], "let DNS run on two nodes")
    others = [f"{namespace}/{service}" for namespace, service in bare if (namespace, service) != dns]
    if others:
        value = f"{counted(len(others), 'Service')} with nobody ready elsewhere"
        yield _risk("drain.service", "Services", value, others)


def _webhooks(cases: tuple[Case, ...], around: Surroundings) -> Iterable[Finding]:
    if isinstance(around.webhooks, Gap):
        return
    bare = _bare_services(cases, around)
    here = [hook for hook in around.webhooks if (hook.namespace, hook.service) in bare]
    for hook in here:
        service = f"{hook.namespace}/{hook.service}"
        if hook.stops_pods:
            yield Finding(
                "drain.webhook-pods", "Webhook", Light.RED,
                f"{hook.name} is asked about every new pod and runs here alone: while it is away no pod can be "
                "made, its own included",
                evidence=(service,),
                mend=f"let {service} run on two nodes, or exempt its own namespace",
            )  # fmt: skip
        else:
            value = (
                f"{hook.name} runs here alone and fails closed: what it guards cannot be changed meanwhile"
            )
            yield _risk("drain.webhook", "Webhook", value, [service])


# --- Jobs, and the bot itself -----------------------------------------------------------------------


def _jobs(cases: tuple[Case, ...], known: Controllers) -> Iterable[Finding]:
    paying = [case for case in cases if case.is_of_a_job and not _is_forgiven(case, known)]
    if paying:
        value = f"{counted(len(paying), 'pod')} of jobs: each eviction counts as a failed try (backoffLimit)"
        yield _risk("drain.job", "Jobs", value, [f"{case.path} ({case.workload})" for case in paying])


def _is_forgiven(case: Case, known: Controllers) -> bool:
    view = known.of(case.pod)
    return view is not None and view.forgives


def _bot(cases: tuple[Case, ...], around: Surroundings) -> Iterable[Finding]:
    mine = around.site.namespaces.bot
    here = [case for case in cases if case.pod.target.namespace == mine]
    if not here:
        return
    alone = [name for name, held in by_workload(here).items() if _ready_elsewhere(name, held, around) == 0]
    value = "pods of the bot itself are here: another worker goes on with this change"
    if alone:
        value = "the bot itself runs here: this change goes on when it has started elsewhere"
    yield _risk(
        "drain.bot", "The bot", value, [case.path for case in here] + [f"only here: {a}" for a in alone]
    )

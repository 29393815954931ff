"""What a change meets outside: the cluster, the workload and its way back, budgets, the autoscaler, the image, alerts.

The part of the pre-checks (commands/changes/prechecks.py) that is judged from what the cluster, Prometheus, Alertmanager
and the registry say. What was not read is unknown, with the reason.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from commands import changelines as lines
from commands import nodestatus, podstatus
from commands.alertreads import Rules, RuleView, Silences, SilenceView
from commands.errors import UsageError
from commands.finding import Finding, Light
from commands.matchers import all_find, parse
from commands.model import Gap, Read, Seen
from commands.phrase import counted
from commands.queries import measured, query, shown
from commands.reads import EksCluster, Nodes, Pods, Query
from commands.response.changerequest import ChangeRequest
from commands.scheduling import Budgets
from commands.site import ClusterSite, ServiceSite
from commands.templates import template_hash
from commands.wording import one_line, unread
from commands.workloads import (
    Autoscalers,
    AutoscalerView,
    ImageInRegistry,
    RevisionView,
    Workload,
    WorkloadView,
    on_ecr,
)  # fmt: skip

_BUDGET_LEFT = "some is left"


# --- From the cluster -----------------------------------------------------------------------------


def reads_of(site: ClusterSite, service: ServiceSite, change: ChangeRequest) -> dict[str, Read]:
    reads: dict[str, Read] = {
        "nodes": Nodes(),
        "pods": Pods(service.namespace),
        "workload": Workload(service.namespace, service.deployment),
        "autoscalers": Autoscalers(service.namespace),
        "budgets": Budgets(),
        "rules": Rules(),
        "silences": Silences(),
        "spent": _spent(site, service),
    }
    if site.eks_name:
        reads["eks"] = EksCluster(site.eks_name)
    if on_ecr(change.payload.image):
        reads["image"] = ImageInRegistry(change.payload.image)
    return reads


def _spent(site: ClusterSite, service: ServiceSite) -> Query:
    return query(site, "Q-budget", service=service, window=site.slo.window)


def cluster(
    site: ClusterSite, service: ServiceSite, there: Seen, reads: dict[str, Read], now: datetime
) -> Iterator[Finding]:
    yield _identity(site, there[reads["eks"]] if "eks" in reads else None, is_eks="eks" in reads)
    yield _keyed("nodes", nodestatus.readiness(there[reads["nodes"]], now))
    surveys = podstatus.Surveys.of({service.namespace: there[reads["pods"]]})
    yield _keyed("pods", podstatus.not_well(surveys, now))
    yield _budget(site, there[reads["spent"]])


def _keyed(key: str, finding: Finding) -> Finding:
    return Finding(
        f"change.{key}", finding.label, finding.light, finding.value, finding.threshold, finding.evidence,
        mend=finding.mend,
    )  # fmt: skip


def _identity(site: ClusterSite, view: Any, *, is_eks: bool) -> Finding:
    label = "Cluster"
    if not is_eks:
        return Finding("change.cluster", label, Light.GREEN, f"{site.name}, not on EKS")
    if isinstance(view, Gap):
        return unread("change.cluster", label, view)
    if view is None:
        return Finding(
            "change.cluster", label, Light.RED, f"EKS knows no cluster {site.eks_name} in {site.region}"
        )
    light = Light.GREEN if view.status == "ACTIVE" and not view.issues else Light.YELLOW
    return Finding(
        "change.cluster",
        label,
        light,
        f"{site.eks_name} is {view.status}, {view.version}",
        "ACTIVE",
        view.issues,
    )


def _budget(site: ClusterSite, answer: Any) -> Finding:
    label, number = "Error budget", measured(site, "Q-budget", answer)
    if number.percent is None:
        return unread("change.budget", label, Gap(number.why, number.mend), _BUDGET_LEFT)
    said = f"{shown(number.percent, (100, site.slo.error_budget.red_above))} consumed"
    light = Light.GREEN
    if number.percent >= 100:
        light = Light.RED
    elif number.percent > site.slo.error_budget.red_above:
        light = Light.YELLOW
    return Finding("change.budget", label, light, said, _BUDGET_LEFT)


# --- The workload ---------------------------------------------------------------------------------


def workload(
    change: ChangeRequest, views: Any, view: WorkloadView | None, revisions: Any
) -> Iterator[Finding]:
    if isinstance(views, Gap):
        yield unread("change.workload", "Workload", views)
    elif view is None:
        said = "there is none of this name" if not views else f"{len(views)} of this name"
        yield Finding("change.workload", "Workload", Light.RED, said)
    else:
        yield _rolled_out(view)
        yield Finding(lines.TARGET, "Target", Light.GREEN, _target(view))
    yield _way_back(change, view, revisions)


def _target(view: WorkloadView) -> str:
    """Another template is another target; another number of pods is not."""
    return f"{view.target.kind}/{view.target.path} {view.target.uid} {template_hash(view.template)}"


def _rolled_out(view: WorkloadView) -> Finding:
    value = f"{view.available} of {view.replicas} available, {view.updated} of the present template"
    settled = (
        view.observed >= view.generation and view.available >= view.replicas and view.updated >= view.replicas
    )
    light = Light.GREEN if settled else Light.RED
    return Finding(
        "change.workload",
        str(view.target),
        light,
        value,
        "rolled out",
        mend="" if settled else "Let its rollout end first.",
    )


def _way_back(
    change: ChangeRequest, view: WorkloadView | None, revisions: tuple[RevisionView, ...] | Gap
) -> Finding:
    key, label = f"change.{lines.WAY_BACK}", "Way back"
    if change.payload.is_irreversible:
        return Finding(key, label, Light.YELLOW, "none: it cannot be taken back")
    if isinstance(revisions, Gap) or view is None:
        gap = revisions if isinstance(revisions, Gap) else Gap("the workload was not read")
        return unread(key, label, gap, "the previous revision is kept")
    if view.target.kind == "Deployment" and view.history_limit == 0:
        said = f"{view.target} keeps no earlier revision: revisionHistoryLimit is 0"
        return Finding(key, label, Light.RED, said, mend="Set revisionHistoryLimit to 2 or more.")
    now = template_hash(view.template)
    kept = [each for each in revisions if template_hash(each.template) == now]
    if not kept:
        return Finding(key, label, Light.UNKNOWN, "the present template is no revision that is kept")
    return Finding(
        key, label, Light.GREEN, f"revision {kept[0].number} is kept: what runs now can be restored"
    )


def room(service: ServiceSite, there: Seen, reads: dict[str, Read]) -> Iterator[Finding]:
    yield _disruption(service, there[reads["budgets"]])
    yield _autoscaled(service, there[reads["autoscalers"]])


def _disruption(service: ServiceSite, budgets: Any) -> Finding:
    label = "Disruption budgets"
    if isinstance(budgets, Gap):
        return unread("change.disruption", label, budgets)
    own = [each for each in budgets if each.target.namespace == service.namespace]
    tight = tuple(
        f"{each.target.name} allows none ({each.healthy} of {each.desired} healthy)"
        for each in own
        if each.allowed < 1
    )
    if tight:
        return Finding(
            "change.disruption", label, Light.YELLOW, f"{len(tight)} of {len(own)} allow none", evidence=tight
        )
    return Finding(
        "change.disruption",
        label,
        Light.GREEN,
        f"{len(own)} in {service.namespace}, room in each" if own else "none",
    )


def _autoscaled(service: ServiceSite, scalers: tuple[AutoscalerView, ...] | Gap) -> Finding:
    label = "Autoscaler"
    if isinstance(scalers, Gap):
        return unread("change.autoscaler", label, scalers)
    own = [each for each in scalers if each.target == service.deployment]
    if not own:
        return Finding("change.autoscaler", label, Light.GREEN, "none")
    full = [each for each in own if each.now >= each.high]
    first = (full or own)[0]
    return Finding(
        "change.autoscaler",
        label,
        Light.YELLOW if full else Light.GREEN,
        f"{first.name} at {first.now} of {first.high}",
    )


def image_findings(change: ChangeRequest, there: Seen, reads: dict[str, Read]) -> Iterator[Finding]:
    image, label = change.payload.image, "Image"
    if not image:
        return
    if "image" not in reads:
        gap = Gap(f"{one_line(image, 80)} is not on ECR, so nobody was asked")
        yield unread("change.image", label, gap)
        return
    answer = there[reads["image"]]
    if isinstance(answer, Gap):
        yield unread("change.image", label, answer)
    else:
        yield Finding(
            "change.image",
            label,
            Light.GREEN if answer else Light.RED,
            f"{one_line(image, 80)} {'is' if answer else 'is not'} there",
        )


# --- Alerts ---------------------------------------------------------------------------------------


def alerts(
    change: ChangeRequest,
    service: ServiceSite,
    rules: tuple[RuleView, ...] | Gap,
    silences: tuple[SilenceView, ...] | Gap,
) -> Finding:
    """CM-1.5: rules that would tell of it are loaded, and none of them is silenced in the window."""
    key, label = f"change.{lines.ALERTS}", "Alerts"
    if isinstance(rules, Gap):
        return unread(key, label, rules, "configured, and not silenced in the window")
    if isinstance(silences, Gap):
        return unread(key, label, silences, "configured, and not silenced in the window")
    own = [each for each in rules if each.kind == "alerting" and _is_of(each, service)]
    if not own:
        return Finding(key, label, Light.RED, f"no alerting rule speaks of {service.name}")
    hidden = tuple(
        f"{rule.name} by {s.created_by} until {s.ends_at:%H:%M} UTC"
        for rule in own
        for s in silences
        if _hides(s, rule, service, change)
    )
    if hidden:
        return Finding(
            key, label, Light.RED, f"{len(hidden)} of {len(own)} silenced in the window", evidence=hidden
        )
    return Finding(key, label, Light.GREEN, f"{counted(len(own), 'rule')} of {service.name}, none silenced")


_NARROWED = re.compile(r"\b(?:service|namespace|deployment|job|app)\s*=~?")


def _is_of(rule: RuleView, service: ServiceSite) -> bool:
    """By its labels, or by what it asks for; one that asks for no service in particular watches all of them."""
    named = {service.name, service.service, service.deployment, service.namespace} - {""}
    labels = {rule.labels.get(name, "") for name in ("service", "app", "job", "namespace", "deployment")}
    if named & labels or any(f'"{name}"' in rule.expr for name in named):
        return True
    return "http_request" in rule.expr and _NARROWED.search(rule.expr) is None


def _hides(silence: SilenceView, rule: RuleView, service: ServiceSite, change: ChangeRequest) -> bool:
    payload = change.payload
    is_then = (
        silence.state != "expired" and silence.starts_at < payload.until and payload.at < silence.ends_at
    )
    if not is_then or rule.name in payload.expected:
        return False
    labels = {
        "alertname": rule.name,
        "namespace": service.namespace,
        "service": service.service,
        **rule.labels,
    }
    try:
        return all_find(tuple(parse(text) for text in silence.matchers), labels)
    except UsageError:
        return True  # one that cannot be read may hide it

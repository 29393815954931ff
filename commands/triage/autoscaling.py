"""What limits a workload from outside: its autoscaler, its disruption budget, its namespace's quota."""

import re
from collections.abc import Sequence

from commands.finding import Finding, Light, Suggestion
from commands.model import Cause, Confidence, Gap
from commands.phrase import counted
from commands.podreads import PodRow, PodRows
from commands.reads import Condition
from commands.scheduling import Budgets, BudgetView
from commands.site import ClusterSite
from commands.triage.measured import share as percent
from commands.triage.rule import Diagnosing, Diagnosis, Rule, Subject
from commands.wording import one_line, unread
from commands.workloads import Autoscalers, AutoscalerView, MetricView, Quotas, QuotaView, typed

KEY = "AL-32"
_SHOWN = 6


def diagnose_autoscaler(subject: Subject, site: ClusterSite) -> Diagnosing:
    """An HPA at its maximum, or one that cannot do what it wants: its metrics now against their aims (row 32)."""
    read = Autoscalers(subject.namespace)
    found = (yield (read,))[read]
    if isinstance(found, Gap):
        return Diagnosis(findings=(unread(KEY, "Autoscaler", found),))
    view = next((each for each in found if each.name == subject.autoscaler), None)
    if view is None:
        gone = f"there is no HPA {subject.namespace}/{subject.autoscaler} (any more)"
        return Diagnosis(findings=(Finding(KEY, "Autoscaler", Light.YELLOW, gone),))
    target = typed(view.kind, subject.namespace, view.target) or f"{subject.namespace}/{view.target}"
    steps = (
        Suggestion(f"Show {view.target}", f"deploy show {target}"),
        Suggestion("Its load", f"pod top -n {subject.namespace}"),
    )
    return Diagnosis(
        _cause(view, subject.namespace), (_scaler(view), *_metrics(view), *_conditions(view)), steps
    )


def _cause(view: AutoscalerView, namespace: str) -> Cause | None:
    name = f"HPA {namespace}/{view.name}"
    target = typed(view.kind, namespace, view.target) or f"{namespace}/{view.target}"
    unreadable = _condition(view, "ScalingActive", "False")
    if unreadable:
        return Cause(f"{name} cannot read its metrics: {unread_for(unreadable.message)}", Confidence.CERTAIN)
    unable = _condition(view, "AbleToScale", "False")
    if unable:
        return Cause(f"{name} cannot scale {view.target}: {one_line(unable.message)}", Confidence.CERTAIN)
    load = (
        " and ".join(f"{m.name} is at {m.now} of an aimed {m.aim}" for m in view.metrics if m.now)
        or "its load"
    )
    if view.now >= view.high:
        more = Suggestion(f"Look at {view.target}", f"deploy limits {target}")
        text = f"{name} runs at its maximum of {view.high}: {load}; raise maxReplicas, or make a pod do more"
        return Cause(text, Confidence.CERTAIN, (more,))
    if view.wanted != view.now:
        text = f"{name} wants {view.wanted} and has {view.now}: the pods do not come up, or have not yet"
        return Cause(text, Confidence.LIKELY, (Suggestion("Why", f"deploy show {target}"),))
    return None


# What the autoscaler's controller says when it has no number to go by, and what it means.
_NO_METRICS: tuple[tuple[str, str], ...] = (
    (r"missing request for (?P<what>\S+)",
     "a container does not request {what}, so its use in percent of that cannot be told"),
    (r"the server could not find the requested resource \(get \w+\.(?P<what>[\w.]*metrics\.k8s\.io)\)",
     "nothing serves the API {what}: metrics-server (or the metrics adapter) is not installed"),
    (r"the server is currently unable to handle the request \(get \w+\.(?P<what>[\w.]*metrics\.k8s\.io)\)",
     "what serves the API {what} does not answer"),
    (r"no metrics returned from resource metrics API", "metrics-server has no numbers of its pods (yet)"),
    (r"did not receive metrics for targeted pods", "metrics-server has no numbers of its pods: they may not be ready"),
    (r"no metrics known for pod|no matching pods found", "there are no pods to measure"),
)  # fmt: skip


def unread_for(message: str) -> str:
    """Why it has no numbers, in plain words where they are known."""
    for words, text in _NO_METRICS:
        match = re.search(words, message)
        if match:
            return text.format(**match.groupdict())
    return one_line(message)


def _scaler(view: AutoscalerView) -> Finding:
    at_max = view.now >= view.high
    keda = (f"made by KEDA's ScaledObject {view.keda}: change it there",) if view.keda else ()
    return Finding(KEY, f"HPA {view.name}", Light.RED if at_max else Light.YELLOW,
                   f"{view.now} now, wants {view.wanted}, from {view.low} to {view.high}, of {view.kind} {view.target}",
                   evidence=keda)  # fmt: skip


def _metrics(view: AutoscalerView) -> tuple[Finding, ...]:
    return tuple(_metric(metric) for metric in view.metrics)


def _metric(metric: MetricView) -> Finding:
    if not metric.now:
        return Finding(KEY, f"Metric {metric.name}", Light.UNKNOWN, f"the HPA reads no value; aim {metric.aim}",
                       mend="metrics-server (cpu, memory) or the custom metrics adapter must answer")  # fmt: skip
    return Finding(KEY, f"Metric {metric.name}", Light.YELLOW, f"{metric.now} of an aimed {metric.aim}")


def _conditions(view: AutoscalerView) -> tuple[Finding, ...]:
    bad = [each for each in view.conditions if _is_bad(each)]
    return tuple(
        Finding(KEY, each.type, Light.YELLOW, one_line(f"{each.reason}: {each.message}")) for each in bad
    )


def _is_bad(condition: Condition) -> bool:
    """Limited is bad when true; the other two when they are not."""
    return condition.status == ("True" if condition.type == "ScalingLimited" else "False")


def _condition(view: AutoscalerView, type: str, status: str) -> Condition | None:
    return next((each for each in view.conditions if each.type == type and each.status == status), None)


# --- Disruption budgets -----------------------------------------------------------------------------


def diagnose_budget(subject: Subject, site: ClusterSite) -> Diagnosing:
    """A PodDisruptionBudget with too few healthy pods: which pods are not, and what that blocks."""
    read, rows = Budgets(), PodRows(subject.namespace)
    seen = yield (read, rows)
    found = seen[read]
    if isinstance(found, Gap):
        return Diagnosis(findings=(unread(KEY, "Budget", found),))
    own = (subject.namespace, subject.budget)
    view = next((each for each in found if (each.target.namespace, each.target.name) == own), None)
    if view is None:
        gone = f"there is no PodDisruptionBudget {subject.namespace}/{subject.budget} (any more)"
        return Diagnosis(findings=(Finding(KEY, "Budget", Light.YELLOW, gone),))
    pods = Suggestion("Pods", f"pod list -n {subject.namespace}")
    return Diagnosis(_budget_cause(view), (_budget(view), *_ill(seen[rows])), (pods,))


def _budget_cause(view: BudgetView) -> Cause:
    name = f"PodDisruptionBudget {view.target.path}"
    if view.expected == 0:
        return Cause(
            f"{name} finds no pods: its selector is wrong, or its workload is scaled to 0", Confidence.CERTAIN
        )
    if view.healthy < view.desired:
        told = f"has {view.healthy} healthy of {view.desired} it needs ({view.expected} in all)"
        text = f"{name} {told}: no drain gets past it"
        return Cause(text, Confidence.CERTAIN)
    if view.desired >= view.expected:
        text = f"{name} needs all of its {counted(view.expected, 'pod')}: it blocks every drain, even when all is well"
        return Cause(text, Confidence.CERTAIN)
    return Cause(
        f"{name} allows {counted(view.allowed, 'disruption')} now: it has recovered", Confidence.LIKELY
    )


def _budget(view: BudgetView) -> Finding:
    told = f"{view.healthy} healthy, {view.desired} needed, {view.expected} expected, {view.allowed} may go"
    return Finding(KEY, f"Budget {view.target.path}", Light.GREEN if view.allowed else Light.RED, told)


def _ill(rows: Sequence[PodRow] | Gap) -> tuple[Finding, ...]:
    if isinstance(rows, Gap):
        return (unread(KEY, "Pods", rows),)
    ill = [row for row in rows if row.status not in ("Running", "Completed") or _is_partly_ready(row)]
    lines = tuple(f"{row.name} {row.status} {row.ready}" for row in ill[:_SHOWN])
    return (
        Finding(
            KEY,
            "Pods not ready in the namespace",
            Light.YELLOW if ill else Light.GREEN,
            str(len(ill)),
            evidence=lines,
        ),
    )


def _is_partly_ready(row: PodRow) -> bool:
    ready, _, of = row.ready.partition("/")
    return row.status == "Running" and ready != of


# --- Quotas -----------------------------------------------------------------------------------------


def diagnose_quota(subject: Subject, site: ClusterSite) -> Diagnosing:
    """A ResourceQuota that is full or nearly so: what of it."""
    read = Quotas(subject.namespace)
    found = (yield (read,))[read]
    if isinstance(found, Gap):
        return Diagnosis(findings=(unread(KEY, "Quota", found),))
    named = subject.label("resourcequota")
    shown = [each for each in found if not named or each.name == named]
    full = [(share, quota, what) for quota in shown for what, share in _shares(quota)]
    full.sort(key=lambda each: -each[0])
    pods = Suggestion("Who uses it", f"pod top -n {subject.namespace}")
    return Diagnosis(_quota_cause(subject, full), tuple(_quota(*each) for each in full[:_SHOWN]), (pods,))


def _shares(quota: QuotaView) -> list[tuple[str, float]]:
    return [(what, quota.used.get(what, 0.0) / most) for what, most in quota.hard.items() if most]


def _quota_cause(subject: Subject, full: Sequence[tuple[float, QuotaView, str]]) -> Cause | None:
    if not full or full[0][0] < 0.8:
        return None
    share, quota, what = full[0]
    said = f"{quota.used.get(what, 0):g} of {quota.hard[what]:g} {what}"
    then = "nothing more is admitted" if share >= 1 else "soon nothing more is admitted"
    text = f"Quota {subject.namespace}/{quota.name} is at {percent(share)}: {said}; {then}"
    return Cause(text, Confidence.CERTAIN)


def _quota(share: float, quota: QuotaView, what: str) -> Finding:
    light = Light.RED if share >= 1 else Light.YELLOW if share >= 0.8 else Light.GREEN
    told = f"{percent(share)}: {quota.used.get(what, 0):g} of {quota.hard[what]:g}"
    return Finding("T3-3.2", f"{quota.name} {what}", light, told)


RULES: tuple[Rule, ...] = (
    Rule(
        ("KubeHpaMaxedOut", "KubernetesHpaScaleMaximum", "KubernetesHpaUnderutilized"),
        "An autoscaler has been at its maximum for some time: it can answer no more load.",
        diagnose_autoscaler,
        ("Is there more traffic than usual, or does each pod do less than it did?",
         "Raise maxReplicas where it is declared (Helm, Git), not by hand: the next deployment would take it back.",
         "Is there room on the nodes for more pods?"),
        ("namespace", "autoscaler"),
    ),
    Rule(
        ("KubeHpaReplicasMismatch", "KubernetesHpaScaleInability", "KubernetesHpaMetricsUnavailability"),
        "An autoscaler wants another number of pods than there are.",
        diagnose_autoscaler,
        ("Do its metrics answer?", "Do new pods become ready?"),
        ("namespace", "autoscaler"),
    ),
    Rule(
        ("KubePdbNotEnoughHealthyPods", "KubernetesPdbNotEnoughHealthyPods"),
        "A disruption budget has fewer healthy pods than it protects, so no node with one of them can be drained.",
        diagnose_budget,
        ("Mend the pods first: the budget only tells.", "A budget that needs all of its pods blocks every drain."),
        ("namespace", "budget"),
    ),
    Rule(
        ("KubeQuotaAlmostFull", "KubeQuotaFullyUsed", "KubeQuotaExceeded"),
        "A namespace has used up, or nearly, what its ResourceQuota allows.",
        diagnose_quota,
        ("Who uses most of it?", "Are there finished or stuck pods that still count?"),
        ("namespace",),
    ),
)  # fmt: skip

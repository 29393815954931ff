"""The diagnosis for an alert without a rule of its own, by what its labels name. There always is one.

Each shape borrows the diagnosis of its topic; what names a namespace only gets what is not well in it, and what
names nothing in the cluster gets its own words back, sorted by what tells most.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from commands.finding import Finding, Light, Suggestion
from commands.model import Gap
from commands.phrase import counted, span
from commands.podreads import Events, EventView
from commands.podstatus import pod_light
from commands.reads import Now, Pods, PodSurvey
from commands.site import ClusterSite
from commands.triage import autoscaling, jobs, network, nodes, pods, targets, volumes, workloads
from commands.triage.eventline import event_line
from commands.triage.rule import Diagnosing, Diagnosis, Rule, Subject
from commands.wording import one_line, unread

KEY = "AR-5"
_SHOWN = 8
Diagnose = Callable[[Subject, ClusterSite], Diagnosing]
_PLAIN = ("alertname", "severity", "prometheus", "cluster", "receiver")


def rule_for(subject: Subject) -> Rule:
    """Never fails: the last shape is that of any alert."""
    diagnose = next(diagnose for fits, diagnose in _SHAPES if fits(subject))
    return Rule((subject.name,), "", diagnose)


# --- A namespace ------------------------------------------------------------------------------------


def by_namespace(subject: Subject, site: ClusterSite) -> Diagnosing:
    """What is not well in it: its pods, and what its events warn of."""
    pods, events, now = Pods(subject.namespace), Events(subject.namespace, warnings=True), Now()
    seen = yield (pods, events, now)
    findings = (*_pods(seen[pods], seen[now]), *_events(seen[events]), labels(subject))
    looks = (
        Suggestion("Pods", f"pod list -n {subject.namespace}"),
        Suggestion("Events", f"pod events -n {subject.namespace}"),
    )
    return Diagnosis(findings=findings, suggestions=looks)


def _pods(survey: PodSurvey | Gap, now: datetime) -> Iterable[Finding]:
    if isinstance(survey, Gap):
        yield unread(KEY, "Pods", survey)
        return
    ill = [pod for pod in survey.sick if pod_light(pod, now) is not Light.GREEN]
    lines = tuple(f"{pod.name} {pod.status}: {one_line(pod.message)}".rstrip(": ") for pod in ill[:_SHOWN])
    light = Light.RED if ill else Light.GREEN
    yield Finding(KEY, "Pods", light, f"{len(ill)} of {survey.total} not well", evidence=lines)


def _events(events: tuple[EventView, ...] | Gap) -> Iterable[Finding]:
    if isinstance(events, Gap):
        yield unread("AL-26", "Events", events)
    elif events:
        lines = tuple(event_line(each, is_named=True) for each in reversed(events))
        yield Finding(
            "AL-26", "Warnings", Light.YELLOW, counted(len(events), "kind"), evidence=lines[:_SHOWN]
        )


# --- Nothing in the cluster ---------------------------------------------------------------------------


def by_labels(subject: Subject, site: ClusterSite) -> Diagnosing:
    """What the alert itself says."""
    now = (yield (Now(),))[Now()]
    return Diagnosis(findings=(_described(subject, now), labels(subject)))


def _described(subject: Subject, now: datetime) -> Finding:
    said = subject.annotations.get("description") or subject.annotations.get("message") or ""
    since = f"for {span(now - subject.since)}" if subject.since else ""
    return Finding(KEY, "It says", Light.YELLOW, since, evidence=(one_line(said, 500),) if said else ())


def labels(subject: Subject) -> Finding:
    """Those that tell it from others, in one line each."""
    told = [
        f"{name} = {one_line(value, 120)}" for name, value in subject.labels.items() if name not in _PLAIN
    ]
    return Finding(KEY, "Labels", Light.YELLOW, counted(len(told), "label"), evidence=tuple(sorted(told)))


# --- What a topic knows of it ---------------------------------------------------------------------------


def borrowed(diagnose: Diagnose) -> Diagnose:
    """A topic's facts for an alert that is not its own. Its cause is one only where something is red: that a node is
    Ready again, or a target up, is no cause of anything."""

    def asked(subject: Subject, site: ClusterSite) -> Diagnosing:
        found = yield from diagnose(subject, site)
        is_red = any(each.light is Light.RED for each in found.findings)
        own = (*found.findings, labels(subject))
        return replace(found, cause=found.cause if is_red else None, findings=own)

    return asked


def _is_of_exporter(subject: Subject) -> bool:
    """The label is the exporter's own Service, which every alert from it bears."""
    return subject.scrape_job in ("kube-state-metrics", "node-exporter", "kubelet")


_Shape = tuple[Callable[[Subject], object], Diagnose]
# What node-exporter tells is of its machine, though its own pod's labels stand on it.
_SHAPES: tuple[_Shape, ...] = (
    (lambda subject: subject.instance and "node-exporter" in subject.scrape_job, borrowed(nodes.not_ready)),
    (lambda subject: subject.namespace and subject.job, jobs.diagnose),
    (lambda subject: subject.namespace and subject.cronjob, jobs.diagnose_schedule),
    (lambda subject: subject.namespace and subject.autoscaler, autoscaling.diagnose_autoscaler),
    (lambda subject: subject.namespace and subject.budget, autoscaling.diagnose_budget),
    (lambda subject: subject.namespace and subject.claim, volumes.filling),
    (lambda subject: subject.namespace and subject.workload[1], workloads.diagnose),
    (lambda subject: subject.namespace and subject.pod, pods.diagnose),
    (lambda subject: subject.node, borrowed(nodes.not_ready)),
    (
        lambda subject: subject.namespace and subject.service and not _is_of_exporter(subject),
        borrowed(network.of_labels),
    ),
    (lambda subject: subject.instance and subject.scrape_job, borrowed(targets.down)),
    (lambda subject: subject.namespace, by_namespace),
    (lambda subject: True, by_labels),
)

"""CPU near its limit: of which pod and container, since when, what would do, and what scales it.

The containers and the limit that would do are throttling.py's; here is the pod against its limit (C61), its
autoscaler and what was rolled out before. A node's CPU is load.py's.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from commands.alertreads import Matrix, QueryRange
from commands.finding import Finding, Light, Suggestion
from commands.model import Cause, Confidence, Gap
from commands.podreads import PodDetail, PodDetails, workload
from commands.queries import amounts, query
from commands.reads import Now, Vector
from commands.site import ClusterSite
from commands.triage import changed, onset, saturation, throttling
from commands.triage.beside import beside
from commands.triage.measured import share
from commands.triage.rule import Diagnosing, Diagnosis, Rule, Subject
from commands.triagereads import Changes
from commands.wording import unread
from commands.workloads import Autoscalers, AutoscalerView

KEY = "AR-3.2"
_WINDOW = timedelta(minutes=5)


def cpu(subject: Subject, site: ClusterSite) -> Diagnosing:
    """The pod that the labels name, or the busiest that they could mean."""
    pod = yield from saturation.worst_pod(subject, site, "Q-cpulimit")
    if isinstance(pod, Gap):
        return Diagnosis(None, (unread(KEY, "CPU of the limit", pod),))
    about = replace(subject, labels={**subject.labels, "namespace": subject.namespace, "pod": pod})
    own, held = yield from beside(_own(about, site), throttling.diagnose(about, site))
    return _joined(own, held)


def _joined(own: Diagnosis, held: Diagnosis) -> Diagnosis:
    """The pod's sentence, with what the worst container would need; throttling's own where that is all there is."""
    findings = tuple(dict.fromkeys((*own.findings, *held.findings)))
    if own.cause is None or held.cause is None:
        return Diagnosis(own.cause or held.cause, findings, own.suggestions)
    text = f"{own.cause.text}; {held.cause.text}"
    offers = tuple(dict.fromkeys((*own.cause.suggestions, *held.cause.suggestions)))
    return Diagnosis(Cause(text, Confidence.LIKELY, offers), findings, own.suggestions)


def _own(subject: Subject, site: ClusterSite) -> Diagnosing:
    space = subject.namespace
    used = query(site, "Q-cpulimit", window=_WINDOW, namespace=space, pod=subject.pod)
    past = QueryRange(used.expr, onset.WINDOW, step=onset.STEP, most=1)
    pod, scalers, changes = PodDetails(space, subject.pod), Autoscalers(space), Changes(space)
    seen = yield (used, past, pod, scalers, changes, Now())
    name = workload(subject.pod)
    born = None if isinstance(seen[pod], Gap) or not seen[pod] else seen[pod][0].created
    looked = changed.looked(seen[changes], subject.since, seen[Now()], name, born)
    level = site.alerts.rules.get("HighCPUUsage")
    mark = level.over if level and level.over else 0.8
    findings = (
        _used(subject, seen[used], seen[past], mark),
        _where(seen[pod], subject),
        _scaler(seen[scalers], name),
        looked.finding,
    )
    back = looked.cause.suggestions if looked.cause else ()
    return Diagnosis(_cause(subject, seen[used], seen[past], mark, back), findings, _steps(subject))


def _share(subject: Subject, answer: Vector | Gap) -> float | None:
    return None if isinstance(answer, Gap) else amounts(answer, ("pod",)).get((subject.pod,))


def _since(subject: Subject, past: Matrix | Gap) -> str:
    found = None if isinstance(past, Gap) else onset.onset(onset.points(past), subject.since, factor=1.5)
    return f" {found.words}, before {share(found.usual)}" if found and found.words else ""


def _used(subject: Subject, answer: Vector | Gap, past: Matrix | Gap, mark: float) -> Finding:
    label, threshold = f"CPU of {subject.pod}", f"≤ {share(mark)} of its limit"
    if isinstance(answer, Gap):
        return unread(KEY, label, answer, threshold)
    found = _share(subject, answer)
    if found is None:
        gap = Gap("no CPU limit, or no series of it", "Set a limit, or watch its request in place of it.")
        return unread(KEY, label, gap, threshold)
    value = f"{share(found)} of its limit{_since(subject, past)}"
    went = "" if isinstance(past, Gap) else onset.sparkline(onset.points(past))
    facts = () if isinstance(past, Gap) else (f"the last 3 h: {went}",)
    return Finding(KEY, label, Light.RED if found > mark else Light.GREEN, value, threshold, facts)


def _where(answer: Sequence[PodDetail] | Gap, subject: Subject) -> Finding:
    label = "Pod"
    if isinstance(answer, Gap):
        return unread(KEY, label, answer)
    if not answer:
        return Finding(KEY, label, Light.YELLOW, f"{subject.pod} is gone")
    pod = answer[0]
    return Finding(KEY, label, Light.GREEN, f"{pod.status}, {pod.ready} ready, of {pod.owner} on {pod.node}")


def _scaler(answer: Sequence[AutoscalerView] | Gap, name: str) -> Finding:
    key, label = "AL-32", "Autoscaler"
    if isinstance(answer, Gap):
        return unread(key, label, answer)
    view = next((each for each in answer if each.target == name), None)
    if view is None:
        return Finding(key, label, Light.YELLOW, f"none scales {name}: more load means more CPU for each pod")
    load = ", ".join(f"{each.name} {each.now or '?'} of {each.aim}" for each in view.metrics)
    value = f"{view.name}: {view.now} pods, from {view.low} to {view.high}" + (f"; {load}" if load else "")
    return Finding(key, label, Light.RED if view.now >= view.high else Light.GREEN, value)


def _cause(
    subject: Subject, answer: Vector | Gap, past: Matrix | Gap, mark: float, back: tuple[Suggestion, ...]
) -> Cause | None:
    found = _share(subject, answer)
    if found is None or found <= mark:
        return None
    text = f"{subject.pod} uses {share(found)} of its CPU limit{_since(subject, past)}"
    return Cause(text, Confidence.LIKELY, back)


def _steps(subject: Subject) -> tuple[Suggestion, ...]:
    place = f"{subject.namespace}/{subject.pod}"
    return (
        Suggestion("Its use", f"pod top --pod {place}"),
        Suggestion("Its log", f"logs {place} --grep errors"),
    )


RULES: tuple[Rule, ...] = (
    Rule(
        (
            "HighCPUUsage", "HighCpuUsage", "PodHighCPUUsage", "ContainerHighCpuUtilization", "ContainerCpuUsage",
            "ContainerHighCPUUsage", "PodCPUUsageHigh", "KubePodCPUUsageHigh", "HighPodCPU",
        ),
        "A pod has used nearly all the CPU its limit allows, so it is slowed down, or soon will be.",
        cpu,
        (
            "Which container is it, and does it do more work than before, or the same work worse?",
            "Was it rolled out just before? Compare with the revision before it.",
            "More traffic: let the autoscaler add pods. The same traffic: raise the limit only while you look.",
        ),
        ("namespace",),
    ),
)  # fmt: skip

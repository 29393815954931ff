"""A container that is throttled: which, how much, against which limit, and a limit that would do.

What it would use without a limit is estimated from what it used and the share of time it was held back; the
proposal keeps the floor of 1.1 times that. A container without a limit cannot be throttled by one, and that is
said. Used by pods.py.
"""

from dataclasses import dataclass
from math import ceil

from commands.finding import Finding, Light, Suggestion
from commands.model import Cause, Confidence, Gap, Seen
from commands.phrase import millicores
from commands.podreads import ContainerView, PodDetail, PodDetails
from commands.queries import amounts, quoted
from commands.reads import Query, Vector
from commands.site import ClusterSite
from commands.triage.measured import share
from commands.triage.rule import Diagnosing, Diagnosis, Subject
from commands.triage.scene import Scene
from commands.wording import unread

_FLOOR = 1.1
_STEP = 5  # millicores
_MOST = 0.95  # of the time held back: beyond, what it would use cannot be told


@dataclass(frozen=True, slots=True)
class Asked:
    share: Query
    peak: Query
    limits: Query

    @classmethod
    def of(cls, namespace: str, pod: str) -> "Asked":
        scope = f'namespace="{quoted(namespace)}",pod="{quoted(pod)}",container!=""'
        by = "max by (container)"
        periods = f"{by} (increase(container_cpu_cfs_{{}}_total{{{{{scope}}}}}[15m]))"
        used = f'{by} (rate(container_cpu_usage_seconds_total{{{scope},container!="POD"}}[5m]))'
        return cls(
            Query(f"{periods.format('throttled_periods')} / {periods.format('periods')}"),
            Query(f"max_over_time(({used})[1h:1m])"),
            Query(f'{by} (kube_pod_container_resource_limits{{{scope},resource="cpu"}})'),
        )


@dataclass(frozen=True, slots=True)
class Held:
    """One container. share: of its periods in which it was held back; peak and limit in cores, None where unknown."""

    container: str
    share: float
    peak: float | None
    limit: float | None

    @property
    def proposal(self) -> float | None:
        """In cores, rounded up to 5m, and never less than it has."""
        if self.peak is None:
            return None
        wanted = _FLOOR * self.peak / (1 - min(self.share, _MOST))
        return max(ceil(round(wanted * 1000 / _STEP, 6)) * _STEP / 1000, self.limit or 0.0)

    @property
    def better(self) -> float | None:
        """What is proposed, where that is more than it has: just after the onset, its use in an hour says little."""
        more = self.proposal is not None and self.proposal > (self.limit or 0.0)
        return self.proposal if more else None


def diagnose(subject: Subject, site: ClusterSite) -> Diagnosing:
    asked, pod = Asked.of(subject.namespace, subject.pod), PodDetails(subject.namespace, subject.pod)
    seen = yield (asked.share, asked.peak, asked.limits, pod)
    found = _held(asked, pod, seen)
    gaps = _gaps(asked, pod, seen)
    if isinstance(seen[asked.share], Gap):
        return Diagnosis(None, gaps)
    chosen = _chosen(found, subject.container)
    detail = _pod(seen, pod)
    if chosen is None:
        return Diagnosis(None, (_nobody(subject, detail), *gaps))
    limit = site.thresholds.throttle_pct
    told = tuple(_told(each, detail, limit) for each in sorted(found, key=lambda one: -one.share))
    return Diagnosis(_cause(subject, chosen, detail), (*told, *gaps))


def _held(asked: Asked, pod: PodDetails, seen: Seen) -> tuple[Held, ...]:
    share, peak, limits = (_by_container(seen[read]) for read in (asked.share, asked.peak, asked.limits))
    detail = _pod(seen, pod)
    own = {each.name: each.resources.cpu_limit for each in detail.containers} if detail else {}
    return tuple(
        Held(name, value, peak.get(name), own.get(name) or limits.get(name)) for name, value in share.items()
    )


def _by_container(answer: Vector | Gap) -> dict[str, float]:
    return (
        {}
        if isinstance(answer, Gap)
        else {name: value for (name,), value in amounts(answer, ("container",)).items()}
    )


def _pod(seen: Seen, read: PodDetails) -> PodDetail | None:
    answer = seen[read]
    return answer[0] if answer and not isinstance(answer, Gap) else None


def _gaps(asked: Asked, pod: PodDetails, seen: Seen) -> tuple[Finding, ...]:
    labels = ((asked.share, "Throttling"), (asked.peak, "CPU used"), (pod, "Pod"))
    return tuple(unread("AL-31", label, seen[read]) for read, label in labels if isinstance(seen[read], Gap))


def _chosen(found: tuple[Held, ...], wanted: str) -> Held | None:
    """The container the alert names, else the one held back most."""
    named = [each for each in found if each.container == wanted]
    return max(named or found, key=lambda each: each.share, default=None)


def _nobody(subject: Subject, pod: PodDetail | None) -> Finding:
    without = [each.name for each in pod.containers if each.resources.cpu_limit is None] if pod else []
    if pod and len(without) == len(pod.containers):
        value = f"no container of {subject.pod} has a CPU limit, so none is throttled by one: its node may be full"
        return Finding("AL-31", "CPU limit", Light.YELLOW, value)
    return Finding(
        "AL-31",
        "Throttling",
        Light.UNKNOWN,
        f"Prometheus has no CPU periods of {subject.pod} in the last 15 min",
    )


def _told(held: Held, pod: PodDetail | None, limit: float) -> Finding:
    light = Light.YELLOW if held.share * 100 > limit else Light.GREEN
    declared: ContainerView | None = (
        next((e for e in pod.containers if e.name == held.container), None) if pod else None
    )
    request = declared.resources.cpu_request if declared else None
    facts = (
        f"limit {millicores(held.limit)}" if held.limit else "no limit known",
        f"request {millicores(request)}" if request else "no request",
        f"used up to {millicores(held.peak)} in the last hour"
        if held.peak is not None
        else "its use was not measured",
        f"would do: limit {millicores(held.better)} (1.1 times what it would use unhindered), or none"
        if held.better
        else "",
    )
    value = f"held back in {share(held.share)} of its periods"
    return Finding("AL-31", held.container, light, value, f"≤ {limit:g} %", tuple(filter(None, facts)))


def _cause(subject: Subject, held: Held, pod: PodDetail | None) -> Cause:
    of = f" of its limit of {millicores(held.limit)}" if held.limit else ""
    used = f"; it used up to {millicores(held.peak)}{of}" if held.peak is not None else ""
    do = f"; {millicores(held.better)} would do" if held.better and held.limit else ""
    text = f"{subject.pod}/{held.container} is held back in {share(held.share)} of its CPU periods{used}{do}"
    return Cause(text, Confidence.CERTAIN, _steps(subject, pod))


def _steps(subject: Subject, pod: PodDetail | None) -> tuple[Suggestion, ...]:
    place = f"{subject.namespace}/{subject.pod}"
    top = Suggestion("Its use", f"pod top --pod {place}")
    owner = Scene(subject, ClusterSite(), None, pod).typed_owner if pod else ""
    return (*((Suggestion("Limits that fit", f"deploy limits {owner}"),) if owner else ()), top)

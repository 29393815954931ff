"""Memory near its limit: which container, how it grows and when it is full, what was killed, and what the heap does.

Judged by the working set against the limit (C62); what cgroups also count is told beside it. The same for
`debug memory`. One round of reads once the pod is known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from commands.alertreads import Matrix, QueryRange
from commands.finding import Finding, Light, Suggestion
from commands.model import Cause, Confidence, Gap, Seen
from commands.phrase import counted, span
from commands.podreads import PodDetail, PodDetails
from commands.queries import amounts, query, quoted
from commands.reads import Now, Query, Vector
from commands.site import ClusterSite
from commands.triage import changed, heap, javaheap, onset, saturation
from commands.triage.filling import Growth, Points, growth
from commands.triage.measured import share, size
from commands.triage.rule import Diagnosing, Diagnosis, Rule, Subject
from commands.triage.scene import Scene
from commands.triagereads import Changes, PodSpec, PodSpecOf
from commands.wording import unread

KEY = "TM-1.2"
_DAY, _WEEK = timedelta(hours=24), timedelta(days=7)
_MB = 1e6


def near_limit(subject: Subject, site: ClusterSite) -> Diagnosing:
    """The pod that the labels name, or the one that they could mean which is nearest its limit."""
    pod = yield from saturation.worst_pod(subject, site, "Q-memlimit")
    if isinstance(pod, Gap):
        return Diagnosis(None, (unread(KEY, "Memory of the limit", pod),))
    asked = _Asked.of(site, subject.namespace, pod)
    seen = yield (*asked.all, *asked.heap.all)
    return _Told(subject, site, asked, seen).diagnosis()


@dataclass(frozen=True, slots=True)
class _Asked:
    namespace: str
    pod: str
    used: Query
    counted: Query
    limits: Query
    past: QueryRange
    week: Query
    kills: Query
    detail: PodDetails
    spec: PodSpecOf
    changes: Changes
    heap: heap.Asked

    @classmethod
    def of(cls, site: ClusterSite, namespace: str, pod: str) -> "_Asked":
        here = f'namespace="{quoted(namespace)}",pod="{quoted(pod)}"'
        used = query(site, "Q-podmem", namespace=namespace, pod=pod)
        return cls(
            namespace,
            pod,
            used,
            Query(
                f'max by (container) (container_memory_usage_bytes{{{here},container!="",container!="POD"}})'
            ),
            Query(f'max by (container) (kube_pod_container_resource_limits{{{here},resource="memory"}}) > 0'),
            QueryRange(used.expr, _DAY, step=onset.SLOT, most=10),
            query(site, "Q-leak", window=_WEEK, namespace=namespace, pod=pod),
            Query(f"sum by (container) (increase(container_oom_events_total{{{here}}}[24h])) > 0"),
            PodDetails(namespace, pod),
            PodSpecOf(namespace, pod),
            Changes(namespace),
            heap.Asked.of(site, namespace, pod),
        )

    @property
    def all(self) -> tuple[Query | QueryRange | PodDetails | PodSpecOf | Changes | Now, ...]:
        numbers = (self.used, self.counted, self.limits, self.past, self.week, self.kills)
        return (*numbers, self.detail, self.spec, self.changes, Now())


@dataclass(frozen=True, slots=True)
class _Use:
    """One container, in bytes."""

    name: str
    used: float
    counted: float | None = None
    limit: float | None = None
    points: Points = ()

    @property
    def part(self) -> float:
        return self.used / self.limit if self.limit else 0.0

    @property
    def pace(self) -> Growth | None:
        """By what was free under its limit in the last day; of one without a limit only how it grows counts."""
        top = self.limit or 2 * max((value for _, value in self.points), default=0.0)
        free = tuple((at, top - value) for at, value in self.points)
        found = growth(free, top)
        return found if self.limit or found is None else Growth(found.per_hour, None)


@dataclass(frozen=True, slots=True)
class _Told:
    subject: Subject
    site: ClusterSite
    asked: _Asked
    seen: Seen

    def diagnosis(self) -> Diagnosis:
        uses = self._uses()
        findings = (
            *self._used(uses),
            *self._growth(uses),
            self._week(),
            self._killed(),
            *heap.findings(self.asked.heap, self.seen),
            *self._java(),
            self._changed().finding,
        )
        return Diagnosis(self._cause(uses), findings, self._steps())

    # --- what is used

    def _by_container(self, read: Query) -> Mapping[str, float]:
        answer: Vector | Gap = self.seen[read]
        found = {} if isinstance(answer, Gap) else amounts(answer, ("container",))
        return {name: value for (name,), value in found.items()}

    def _uses(self) -> list[_Use]:
        """The one nearest its limit first; the one the alert names before all."""
        told, limits = self._by_container(self.asked.counted), self._by_container(self.asked.limits)
        past: Matrix | Gap = self.seen[self.asked.past]
        series = () if isinstance(past, Gap) else past.series
        points = {each.labels.get("container", ""): each.points for each in series}
        pod = self._pod()
        own = {each.name: each.resources.memory_limit for each in pod.containers} if pod else {}
        uses = [
            _Use(name, used, told.get(name), own.get(name) or limits.get(name), points.get(name, ()))
            for name, used in self._by_container(self.asked.used).items()
        ]
        return sorted(uses, key=lambda each: (each.name != self.subject.container, -each.part, -each.used))

    def _used(self, uses: Sequence[_Use]) -> tuple[Finding, ...]:
        answer, mark = self.seen[self.asked.used], self._mark
        threshold = f"≤ {share(mark)} of its limit"
        if isinstance(answer, Gap):
            return (unread(KEY, f"Memory of {self.asked.pod}", answer, threshold),)
        if not uses:
            gap = Gap("no data", "Prometheus has no series of container_memory_working_set_bytes for it.")
            return (unread(KEY, f"Memory of {self.asked.pod}", gap, threshold),)
        return tuple(_told(each, mark, threshold) for each in uses)

    @property
    def _mark(self) -> float:
        level = self.site.alerts.rules.get("HighMemoryUsage")
        return level.over if level and level.over else 0.9

    # --- how it grows

    def _growth(self, uses: Sequence[_Use]) -> tuple[Finding, ...]:
        past = self.seen[self.asked.past]
        if isinstance(past, Gap):
            return (unread("TM-1.0", "Growth, 24 h", past),)
        return tuple(_growing(each) for each in uses[:3])

    def _week(self) -> Finding:
        key, label = "TM-1.0", "Growth, 7 days"
        limit = self.site.thresholds.trend.leak_mb_per_hour
        answer: Vector | Gap = self.seen[self.asked.week]
        if isinstance(answer, Gap):
            return unread(key, label, answer)
        found = [each.value for each in answer.samples if each.value == each.value]
        if not found:
            return unread(key, label, Gap("no data: the pod is too young"))
        rate = round(max(found) / _MB, 1) + 0.0  # no "-0.0"
        light = Light.YELLOW if max(found) / _MB >= limit else Light.GREEN
        return Finding(key, label, light, f"{rate:+.1f} MB an hour", f"< {limit:g} MB an hour")

    # --- what ended it

    def _pod(self) -> PodDetail | None:
        answer: Sequence[PodDetail] | Gap = self.seen[self.asked.detail]
        return answer[0] if answer and not isinstance(answer, Gap) else None

    def _killed(self) -> Finding:
        key, label = "T1-6.1", "Killed at the memory limit"
        answer: Vector | Gap = self.seen[self.asked.kills]
        pod, now = self._pod(), self.seen[Now()]
        ends = (
            [each for each in pod.containers if each.ended and each.ended.reason == "OOMKilled"]
            if pod
            else []
        )
        lines = tuple(f"{each.name}{_ago(each.ended.finished if each.ended else None, now)}" for each in ends)
        number = round(sum(self._by_container(self.asked.kills).values()))
        if number or ends:
            times = counted(number or len(ends), "time") + (" in 24 h" if number else "")
            return Finding(key, label, Light.RED, times, evidence=lines)
        gap = next((each for each in (answer, self.seen[self.asked.detail]) if isinstance(each, Gap)), None)
        return unread(key, label, gap) if gap else Finding(key, label, Light.GREEN, "not in 24 h")

    def _java(self) -> tuple[Finding, ...]:
        answer: PodSpec | Gap | None = self.seen[self.asked.spec]
        if isinstance(answer, Gap):
            return (unread("TM-4.1", "Options of the JVM", answer),)
        pod = self._pod()
        limits = {each.name: each.resources.memory_limit for each in pod.containers} if pod else {}
        known = answer.containers if answer else ()
        return tuple(found for each in known for found in javaheap.findings(each, limits.get(each.name)))

    def _changed(self) -> changed.Looked:
        pod = self._pod()
        changes, now = self.seen[self.asked.changes], self.seen[Now()]
        return changed.looked(changes, self.subject.since, now, _owner(pod), pod.created if pod else None)

    # --- the cause

    def _cause(self, uses: Sequence[_Use]) -> Cause | None:
        wrong = [each for each in self._java() if each.light is Light.RED]
        over = [each for each in uses if each.part > self._mark]
        if not over:
            text = f"{self.asked.pod}: {wrong[0].label}: {wrong[0].value}" if wrong else ""
            return Cause(text, Confidence.LIKELY, self._offers()) if text else None
        worst = over[0]
        grows = f", {_pace(worst.pace)}" if worst.pace and worst.pace.per_hour > 0 else ""
        said = [
            f"{self.asked.pod}/{worst.name} uses {size(worst.used)} ({share(worst.part)}) of its memory limit"
            f" of {size(worst.limit or 0)}{grows}",
            *(
                f"it was killed there {found.value}"
                for found in (self._killed(),)
                if found.light is Light.RED
            ),
            *(found.value for found in wrong[:1]),
        ]
        return Cause("; ".join(said), Confidence.LIKELY, self._offers())

    def _offers(self) -> tuple[Suggestion, ...]:
        before = self._changed().cause
        typed = self._typed()
        back = before.suggestions if before else ()
        more = (Suggestion("Limits that fit", f"deploy limits {typed}"),) if typed else ()
        restart = (Suggestion("Restart it", f"deploy restart {typed}"),) if typed else ()
        return (*back, *more, *restart)

    def _typed(self) -> str:
        pod = self._pod()
        return Scene(self.subject, self.site, None, pod).typed_owner if pod else ""

    def _steps(self) -> tuple[Suggestion, ...]:
        place = f"{self.asked.namespace}/{self.asked.pod}"
        return (Suggestion("Show pod", f"pod show {place}"), Suggestion("Its use", f"pod top --pod {place}"))


def _owner(pod: PodDetail | None) -> str:
    return Scene(Subject(""), ClusterSite(), None, pod).owner[1] if pod else ""


def _ago(at: datetime | None, now: datetime | Gap) -> str:
    return f": {span(now - at)} ago" if at and isinstance(now, datetime) else ""


def _told(use: _Use, mark: float, threshold: str) -> Finding:
    cache = f"{size(use.counted)} with the page cache" if use.counted else ""
    label = f"Memory of {use.name}"
    facts = tuple(filter(None, (cache,)))
    if not use.limit:
        value = f"{size(use.used)}, without a limit"
        return Finding(KEY, label, Light.YELLOW, value, threshold, facts)
    value = f"{size(use.used)}, {share(use.part)} of its limit of {size(use.limit)}"
    return Finding(KEY, label, Light.RED if use.part > mark else Light.GREEN, value, threshold, facts)


def _pace(pace: Growth) -> str:
    """ "4.0 MB more every hour, full in 4 h"."""
    rate = f"{pace.per_hour / _MB:.1f} MB more every hour"
    return f"{rate}, full in {span(pace.left)}" if pace.left is not None else rate


def _growing(use: _Use) -> Finding:
    key, label, pace = "TM-1.0", f"Growth of {use.name}, 24 h", use.pace
    went = onset.sparkline(use.points)
    facts = (f"the last 24 h: {went}",)
    if pace is None:
        return Finding(key, label, Light.UNKNOWN, "too few points since it was started", evidence=facts)
    if pace.per_hour <= 0:
        return Finding(key, label, Light.GREEN, "not growing", evidence=facts)
    soon = pace.left is not None and pace.left < _DAY
    return Finding(key, label, Light.RED if soon else Light.GREEN, _pace(pace), evidence=facts)


RULES: tuple[Rule, ...] = (
    Rule(
        (
            "HighMemoryUsage", "PodHighMemoryUsage", "ContainerHighMemoryUsage", "ContainerMemoryUsage",
            "PodMemoryUsageHigh", "KubePodMemoryUsageHigh", "ContainerMemoryNearLimit", "HighPodMemory",
        ),
        "A container has used nearly all the memory its limit allows; at the limit the kernel kills it.",
        near_limit,
        (
            "Does it grow all the time (a leak), or did it jump with the load?",
            "Was it killed before? Then it will be again: raise the limit now, look for the leak afterwards.",
            "A JVM: is its heap larger than 75 % of the limit? Then the limit is too small for it, whatever it does.",
        ),
        ("namespace",),
    ),
)  # fmt: skip

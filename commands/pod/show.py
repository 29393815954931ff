"""`pod show`: what `kubectl describe` would tell of a pod, judged, and short enough to read.

A name is one pod, or the workload its pods are made from; without a name it is the namespace. Of settings
only the names are told: a Secret's value is never asked for.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from commands import podstatus
from commands.command import Part, Parts
from commands.finding import Finding, Light, Suggestion, worst
from commands.model import Args, Attachment, Gap, Inquiry, Reads, Section, Seen
from commands.phrase import counted
from commands.pod import container, describe
from commands.pod.scope import Where, as_view, named, time_of, where
from commands.podreads import (
    ConfigMapChange,
    ConfigMapView,
    Events,
    EventView,
    PodDetail,
    PodDetails,
    workload,
)
from commands.queries import measured_by, query
from commands.queries import shown as said_percent
from commands.reads import Now, Query, Vector
from commands.site import ClusterSite
from commands.wording import one_line, onward, unread, worst_first

MANY = 12  # pods that are told of one by one in a message; the file has all of them


def shown(args: Args, site: ClusterSite) -> Parts:
    place = where(args, site)
    if args.name:
        return {"pod": Part(f"Pod {args.name} · {place.said}", _named(place, site, args.name))}
    return {"pod": Part(f"Pods · {place.said}", _namespace(place))}


def _named(place: Where, site: ClusterSite, name: str) -> Inquiry:
    title = f"Pod {name} · {place.said}"
    pods = yield from named("T3-5.1", place, name, "pod show")
    if isinstance(pods, Finding):
        return Section("pod", title, True, (pods,))
    if isinstance(pods, Gap):
        return Section("pod", title, True, (unread("T3-5.1", "Pod", pods),))
    if len(pods) == 1:
        return (yield from _one(site, pods[0]))
    return (yield from _several(place, pods, title))


def _namespace(place: Where) -> Inquiry:
    read = PodDetails(place.namespace)
    seen = yield (read,)
    pods: Sequence[PodDetail] | Gap = seen[read]
    title = f"Pods · {place.said}"
    if isinstance(pods, Gap):
        return Section("pod", title, True, (unread("T1-3", "Pods", pods),))
    if not pods:
        return Section("pod", title, True, (Finding("T1-3", "Pods", Light.GREEN, "none"),))
    return (yield from _several(place, pods, title))


# --- several --------------------------------------------------------------------------------------


def _several(place: Where, pods: Sequence[PodDetail], title: str) -> Inquiry:
    """The worst ones each with a few lines; every one, as describe tells it, in the file."""
    read = Events(place.namespace, kind="Pod", warnings=True)
    seen = yield (Now(), read)
    now = time_of(seen[Now()])
    events: Sequence[EventView] | Gap = seen[read]
    judged = [(podstatus.pod_light(as_view(pod, now), now), pod) for pod in pods]
    ranked = sorted(judged, key=lambda one: (_RANK.index(one[0]), one[1].place))
    findings = [_versions(pods), *(_in_short(pod, light, events, now) for light, pod in ranked[:MANY])]
    if isinstance(events, Gap):
        findings.append(unread("TF-2.1", "Events", events))
    told = "\n\n".join("\n".join(describe.lines(pod, of(events, pod), now)) for _, pod in ranked)
    file = Attachment("pods.txt", title, told + "\n")
    left = f" · {len(pods) - MANY} more in pods.txt" if len(pods) > MANY else ""
    answer = Section("pod", title, True, tuple(findings), f"{counted(len(pods), 'pod')}{left}", (file,))
    return onward(
        answer,
        Suggestion("Their use", f"pod top {place.flag}"),
        Suggestion("Events", f"pod events {place.flag}"),
    )


_RANK = (Light.RED, Light.UNKNOWN, Light.YELLOW, Light.GREEN)


def of(events: Sequence[EventView] | Gap, pod: PodDetail) -> tuple[EventView, ...]:
    """The events about this pod, the last seen first; those that many replicas share are its own too."""
    if isinstance(events, Gap):
        return ()
    mine = [e for e in events if e.namespace == pod.namespace and pod.name in (e.objects or {e.name})]
    return tuple(reversed(mine))


def _in_short(
    pod: PodDetail, light: Light, events: Sequence[EventView] | Gap, now: datetime | None
) -> Finding:
    lines = describe.troubles(pod, of(events, pod), now) if light is not Light.GREEN else ()
    steps = podstatus.steps(as_view(pod, now)) if light is not Light.GREEN else ()
    return Finding("T1-3", pod.name, light, describe.headline(pod, now), evidence=lines, suggestions=steps)


def _versions(pods: Sequence[PodDetail]) -> Finding:
    """One image reference that stands for two digests among the replicas of one workload."""
    digests: dict[tuple[str, str, str], dict[str, int]] = {}
    for pod in pods:
        for each in pod.containers:
            if each.digest:
                key = (pod.namespace, workload(pod.name), each.name)
                known = digests.setdefault(key, {})
                known[each.digest] = known.get(each.digest, 0) + 1
    mixed = {key: found for key, found in digests.items() if len(found) > 1}
    if not mixed:
        return Finding("TF-3.3", "Images", Light.GREEN, "every workload runs one version")
    lines = tuple(
        f"{name} ({each}): "
        + ", ".join(f"{count} × {short(digest)}" for digest, count in sorted(found.items()))
        for (_, name, each), found in sorted(mixed.items())
    )
    first = next(iter(sorted(mixed)))
    offer = Suggestion(f"Rollout of {first[1]}", f"deploy show {first[0]}/{first[1]}")
    return Finding("TF-3.3", "Images", Light.YELLOW, "mixed versions", evidence=lines, suggestions=(offer,))


def short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


# --- one ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Around:
    """What was read around one pod."""

    now: datetime | None
    events: Sequence[EventView] | Gap
    replicas: Sequence[PodDetail] | Gap
    cpu: Vector | Gap
    memory: Vector | Gap
    throttled: Vector | Gap
    before_end: Vector | Gap | None
    maps: Sequence[tuple[str, ConfigMapView | Gap | None]]


def _one(site: ClusterSite, pod: PodDetail) -> Inquiry:
    around = yield from _looked_around(site, pod)
    view = as_view(pod, around.now)
    light = podstatus.pod_light(view, around.now)
    steps = podstatus.steps(view) if light is not Light.GREEN else ()
    steps = tuple(step for step in steps if not step.text.startswith("pod show"))
    # A container that was killed over its memory is the reason for its pod's state, so it stands above.
    containers = tuple(container.judged(each, pod, around.now, around.before_end) for each in pod.containers)
    findings = (
        Finding("T3-5.1", "Status", light, describe.headline(pod, around.now),
                evidence=describe.reasons(pod), suggestions=steps),
        *containers,
        _limits(site, pod, around),
        _images(pod, around),
        _settings(pod, around),
        _events(pod, around),
    )  # fmt: skip
    answer = Section("pod", f"Pod {pod.place}", True, findings, describe.about(pod))
    use = Suggestion("Its use", f"pod top --pod {pod.place}")
    return onward(answer, use, Suggestion("Its events", f"pod events {pod.place}"))


def _looked_around(site: ClusterSite, pod: PodDetail) -> Generator[Reads, Seen, _Around]:
    cpu, memory, throttled = (_asked(site, pod, name) for name in ("Q-cpulimit", "Q-memlimit", "Q-throttle"))
    events = Events(pod.namespace, "Pod", pod.name)
    replicas = PodDetails(pod.namespace, selector=_siblings(pod))
    maps = tuple(ConfigMapChange(pod.namespace, name) for name in pod.config_maps)
    seen = yield (Now(), cpu, memory, throttled, events, replicas, *maps)
    now = time_of(seen[Now()])
    ended = container.last_killed(pod)
    before = None
    if ended and now:
        # From a few minutes before the kill until now: its samples are a minute apart.
        asked = _asked(site, pod, "Q-maxmem", now - ended + timedelta(minutes=10))
        before = (yield (asked,))[asked]
    return _Around(
        now=now,
        events=seen[events],
        replicas=seen[replicas],
        cpu=seen[cpu],
        memory=seen[memory],
        throttled=seen[throttled],
        before_end=before,
        maps=tuple((read.name, seen[read]) for read in maps),
    )


def _asked(site: ClusterSite, pod: PodDetail, name: str, window: timedelta = timedelta(minutes=5)) -> Query:
    whole = timedelta(minutes=window // timedelta(minutes=1))
    return query(site, name, window=whole, namespace=pod.namespace, pod=pod.name)


def _siblings(pod: PodDetail) -> str:
    """A selector for the replicas of the same workload, whatever template they are from."""
    for label in (
        "app.kubernetes.io/name",
        "app",
        "k8s-app",
        "pod-template-hash",
        "controller-revision-hash",
    ):
        if pod.labels.get(label):
            return f"{label}={pod.labels[label]}"
    return f"app={pod.name}"


def _limits(site: ClusterSite, pod: PodDetail, around: _Around) -> Finding:
    """Used of the limits, where there are any; throttling by the share of periods."""
    key, label, limit = "TF-3.2", "Limits", site.thresholds.throttle_pct
    answers = (around.cpu, around.memory, around.throttled)
    gap = next((answer for answer in answers if isinstance(answer, Gap)), None)
    if gap is not None:
        return unread(key, label, gap)
    facts: list[str] = []
    lights = [Light.GREEN]
    for word, asked, answer, by, mark, above in (
        ("CPU", "Q-cpulimit", around.cpu, ("pod",), 90.0, Light.YELLOW),
        ("memory", "Q-memlimit", around.memory, ("container",), 90.0, Light.YELLOW),
        ("throttled", "Q-throttle", around.throttled, ("pod",), limit, Light.YELLOW),
    ):
        found = measured_by(asked, answer, by) if isinstance(answer, Vector) else {}
        for thing, one in found.items():
            if one.percent is not None:
                name = f"{word} of {thing}" if by == ("container",) else word
                facts.append(f"{name} {said_percent(one.percent, (mark,))}")
                lights.append(above if float(one.percent) > mark else Light.GREEN)
    unlimited = [
        each.name for each in pod.containers if each.kind != "init" and not each.resources.memory_limit
    ]
    facts += [f"no memory limit: {', '.join(unlimited)}"] if unlimited else []
    offer = Suggestion("Requests and limits", f"deploy limits {pod.namespace}/{workload(pod.name)}")
    light = worst(lights)
    return Finding(
        key, label, light, " · ".join(facts) or "nothing is measured of it", f"throttled ≤ {limit:g} %",
        suggestions=(offer,) if light is not Light.GREEN else (),
    )  # fmt: skip


def _images(pod: PodDetail, around: _Around) -> Finding:
    lines = tuple(
        f"{each.name}: {each.image}" + (f" ({short(each.digest)})" if each.digest else "")
        for each in pod.containers
    )
    if isinstance(around.replicas, Gap):
        return unread("TF-3.3", "Image", around.replicas)
    mine = [each for each in around.replicas if workload(each.name) == workload(pod.name)]
    found = _versions(mine or (pod,))
    if found.light is not Light.GREEN:
        return found
    said = f"one version in {counted(len(mine), 'replica')}" if len(mine) > 1 else "one version"
    return Finding("TF-3.3", "Image", Light.GREEN, said, evidence=lines)


def _settings(pod: PodDetail, around: _Around) -> Finding:
    """Settings that changed after the containers had read them, and those that are not there."""
    key, label = "TF-3.3", "Configuration"
    started = min(
        (each.since for each in pod.containers if each.state == "running" and each.since), default=None
    )
    facts = [fact for name, found in around.maps for fact in _map_facts(name, found, started)]
    names = [*(f"ConfigMap {name}" for name in pod.config_maps), *(f"Secret {name}" for name in pod.secrets)]
    light = worst([light for light, _ in facts] or [Light.GREEN])
    mend = next((found.mend for _, found in around.maps if isinstance(found, Gap)), "")
    return Finding(
        key, label, light, ", ".join(names) or "none by name", evidence=worst_first(facts), mend=mend
    )


def _map_facts(
    name: str, found: ConfigMapView | Gap | None, started: datetime | None
) -> list[tuple[Light, str]]:
    if isinstance(found, Gap):
        return [(Light.UNKNOWN, f"{name}: unknown: {one_line(found.reason)}")]
    if found is None:
        return [(Light.YELLOW, f"{name}: there is no such ConfigMap")]
    if found.changed and started and found.changed > started:
        return [
            (Light.YELLOW, f"{name}: changed after the pod had started; what it read at its start is older")
        ]
    return []


def _events(pod: PodDetail, around: _Around) -> Finding:
    if isinstance(around.events, Gap):
        return unread("TF-2.1", "Events", around.events)
    warnings = [event for event in reversed(around.events) if event.type == "Warning"]
    lines = tuple(describe.event(event, around.now) for event in warnings)
    value = f"{sum(event.count for event in warnings)} warnings" if warnings else "no warning"
    light = Light.YELLOW if warnings else Light.GREEN
    offer = (Suggestion("All events", f"pod events {pod.place}"),) if warnings else ()
    return Finding("TF-2.1", "Events", light, value, evidence=lines, suggestions=offer)

"""A pod that runs and is not ready: which probe fails with which words, what keeps it out, what it says meanwhile.

Used by pods.py and `debug startup`.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from commands.finding import Finding, Light, Suggestion
from commands.model import Confidence, Gap, Seen
from commands.phrase import span
from commands.podreads import ContainerView, EventView
from commands.scheduling import Backends, BackendView
from commands.triage import lastlog, probes
from commands.triage.rule import Diagnosing, Diagnosis
from commands.triage.scene import Scene, cause, named, node
from commands.wording import one_line, unread
from commands.workloads import Members, MemberView, ServicesOf, ServiceView

_GATE_HINT = "target-health.elbv2.k8s.aws/"
_OWN = (
    "Initialized",
    "Ready",
    "ContainersReady",
    "PodScheduled",
    "PodReadyToStartContainers",
    "DisruptionTarget",
)


def diagnose(scene: Scene, container: ContainerView) -> Diagnosing:
    siblings, services = _siblings(scene), (ServicesOf(scene.pod.namespace), Backends(scene.pod.namespace))
    seen = yield (*lastlog.reads(scene.pod, container), *siblings, *services)
    words = lastlog.heard(scene.pod, container, seen, current_first=True)
    start = _start_of_others(scene, seen, siblings)
    probe = _probe(scene)
    findings = (
        *_lost_node(scene), *_gates(scene), *_failing(scene, container, probe),
        *(probes.advice(scene, container, probe, start) if probe else ()), *_left(scene, *(seen[read] for read in services)),
        *words.findings,
    )  # fmt: skip
    text, confidence = _headline(scene, container, probe, words.telling)
    logs = Suggestion("Its log", f"logs {scene.pod.place} --container {container.name}")
    steps = (*(node(scene) if _lost_node(scene) else ()), logs, *_restart(scene, probe))
    return Diagnosis(
        cause(scene, text, confidence, *steps), findings, table=words.table, attachments=words.attachments
    )


def initializing(scene: Scene, container: ContainerView) -> Diagnosing:
    """An init container that has not come to its end: the others wait for it."""
    seen = yield lastlog.reads(scene.pod, container)
    words = lastlog.heard(scene.pod, container, seen, current_first=True)
    lasted = f" for {span(scene.age_of(container.since))}" if scene.now and container.since else ""
    last = f"; it says “{one_line(words.telling, 160)}”" if words.telling else ""
    text = f"{named(scene, container)} has been running{lasted}, and the others wait for it{last}"
    value = f"{container.name} runs{lasted}; an init container has to come to an end"
    logs = Suggestion("Its log", f"logs {scene.pod.place} --container {container.name}")
    return Diagnosis(
        cause(scene, text, Confidence.LIKELY, logs),
        (Finding("AL-24", "Init container", Light.YELLOW, value), *words.findings),
        table=words.table,
        attachments=words.attachments,
    )


def _probe(scene: Scene) -> str:
    """The probe that failed last."""
    for event in scene.said("Unhealthy", "ProbeWarning"):
        for kind in ("readiness", "startup", "liveness"):
            if probes.failures((event,), kind):
                return kind
    return ""


def _restart(scene: Scene, probe: str) -> tuple[Suggestion, ...]:
    """Worth a try where it answered before and does not any more."""
    found = probes.failures(scene.said("Unhealthy", "ProbeWarning"), probe) if probe else ()
    if not found or probes.meaning(found[0][1]).kind not in ("broken", "timeout") or not scene.typed_owner:
        return ()
    return (Suggestion(f"Restart {scene.owner[1]}", f"deploy restart {scene.typed_owner}"),)


def _headline(scene: Scene, container: ContainerView, probe: str, telling: str) -> tuple[str, Confidence]:
    lasted = (
        f" for {span(scene.age_of(scene.pod.not_ready_since))}"
        if scene.now and scene.pod.not_ready_since
        else ""
    )
    who = f"{named(scene, container)} is not ready{lasted}"
    if _lost_node(scene):
        return f"{scene.pod.name} is not ready{lasted}: its node {scene.pod.node} is not", Confidence.CERTAIN
    if probe:
        declared = probes.of(scene.declared(container.name), probe)
        target = f" ({declared.target})" if declared else ""
        return (
            f"{who}: its {probe} probe{target} fails, it {probes.last_failure(scene, probe)}",
            Confidence.CERTAIN,
        )
    if container.ready and _closed_gates(scene):
        return (
            f"{scene.pod.name} is not ready{lasted}: its readiness gate {_closed_gates(scene)[0]} is not met",
            Confidence.CERTAIN,
        )
    last = f"; it says “{one_line(telling, 160)}”" if telling else ""
    return f"{who}, and no probe was heard to fail{last}", Confidence.POSSIBLE


def _failing(scene: Scene, container: ContainerView, probe: str) -> tuple[Finding, ...]:
    found = probes.failures(scene.said("Unhealthy", "ProbeWarning"), probe) if probe else ()
    if not found:
        return ()
    event, said = found[0]
    meaning = probes.meaning(said)
    declared = probes.of(scene.declared(container.name), probe)
    facts = (
        f"what to do: {meaning.fix}" if meaning.fix else "",
        probes.said(declared) if declared else "",
        one_line(said, 300),
    )
    value = f"{_times(event)}{meaning.text}"
    return (
        Finding(
            "T3-4.2", f"{probe.capitalize()} probe", Light.RED, value, evidence=tuple(filter(None, facts))
        ),
    )


def _times(event: EventView) -> str:
    return f"{event.count} times: " if event.count > 1 else ""


def _lost_node(scene: Scene) -> tuple[Finding, ...]:
    said = scene.said("NodeNotReady")
    return (
        (Finding("AL-28", "Node", Light.RED, f"{scene.pod.node} is not ready"),)
        if said and scene.pod.not_ready_since
        else ()
    )


def _closed_gates(scene: Scene) -> tuple[str, ...]:
    return tuple(kind for kind, status, _ in scene.pod.conditions if status != "True" and kind not in _OWN)


def _gates(scene: Scene) -> tuple[Finding, ...]:
    closed = _closed_gates(scene)
    if not closed:
        return ()
    said = tuple(
        f"{kind}: {one_line(text)}" for kind, _, text in scene.pod.conditions if kind in closed and text
    )
    balancer = " (the load balancer has not found it healthy yet)" if closed[0].startswith(_GATE_HINT) else ""
    return (
        Finding(
            "T3-4.0", "Readiness gate", Light.YELLOW, f"{', '.join(closed)} not met{balancer}", evidence=said
        ),
    )


# --- Who serves meanwhile ---------------------------------------------------------------------------------


def _left(
    scene: Scene, services: Sequence[ServiceView] | Gap, backends: Sequence[BackendView] | Gap
) -> tuple[Finding, ...]:
    """How many addresses its Services have left without it."""
    if isinstance(services, Gap) or isinstance(backends, Gap):
        gap = next(each for each in (services, backends) if isinstance(each, Gap))
        return (unread("TF-2.2", "Addresses of its Services", gap),)
    return tuple(
        _service(each.name, sum(one.service == each.name for one in backends))
        for each in services
        if each.selector.items() <= scene.pod.labels.items()
    )


def _service(name: str, ready: int) -> Finding:
    if not ready:
        return Finding("TF-2.2", f"Service {name}", Light.RED, "has no address left: requests to it fail")
    left = "1 other address serves" if ready == 1 else f"{ready} other addresses serve"
    return Finding("TF-2.2", f"Service {name}", Light.GREEN, f"{left} without it")


# --- How long others took ---------------------------------------------------------------------------------


def _siblings(scene: Scene) -> tuple[Members, ...]:
    label = scene.pod.labels.get("pod-template-hash")
    return (Members(scene.pod.namespace, f"pod-template-hash={label}"),) if label else ()


def _start_of_others(scene: Scene, seen: Seen, asked: tuple[Members, ...]) -> timedelta | None:
    """The longest that a pod of the same template took until it was ready, without a restart between."""
    members: tuple[MemberView, ...] | Gap = next((seen[read] for read in asked), ())
    if isinstance(members, Gap):
        return None
    took = [_took(each.created, each.ready_since) for each in members if each.is_ready and not each.restarts]
    return max((each for each in took if each), default=None)


def _took(created: datetime | None, ready: datetime | None) -> timedelta | None:
    return ready - created if created and ready else None

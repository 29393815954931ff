"""Alerts about pods: which of its troubles a pod has, and the diagnosis for it.

The name of an alert says little: "not ready" may be a crash, an image or a probe. So all of them look at the pod
as it is, and the topic that fits speaks (crash.py, images.py, creating.py, pending.py, notready.py, eviction.py).
The other pods of a group are compared by their STATUS word. Listed by table.py; `debug startup` asks here too.
"""

from collections.abc import Generator
from dataclasses import replace
from datetime import timedelta

from commands.finding import Finding, Light, Suggestion
from commands.model import Confidence, Gap, Reads, Seen
from commands.phrase import counted, span
from commands.podreads import ContainerView, PodRow
from commands.site import ClusterSite
from commands.triage import crash, creating, environment, eviction, images, notready, pending, throttling
from commands.triage.eventline import event_line
from commands.triage.rule import Diagnosing, Diagnosis, Rule, Subject
from commands.triage.scene import Scene, cause, is_well, node, of_pod, show
from commands.wording import one_line, unread

_EVENTS = 8
_CREATING = frozenset({"ContainerCreating", "PodInitializing"})
# A container that ended this recently, or so shortly before the alert, is what it is about, even while it runs.
_LATELY = timedelta(minutes=30)
# A pod that is asked to go is gone by then; longer grace is rare.
_LEAVES = timedelta(minutes=15)


def diagnose(subject: Subject, site: ClusterSite) -> Diagnosing:
    """What is the matter with the pod that the labels name."""
    scene = yield from of_pod(subject, site, subject.namespace, subject.pod)
    if isinstance(scene, Gap):
        offer = Suggestion("Show pod", f"pod show {subject.namespace}/{subject.pod}")
        return Diagnosis(None, (unread("T3-5.1", "Pod", scene),), (offer,))
    found = yield from topic(scene)
    other = _sick_one(scene) if found.findings[0].light is Light.GREEN else ""
    if other:  # the first of a group may be well by now, while the group is not
        worse = yield from of_pod(subject, site, subject.namespace, other)
        if not isinstance(worse, Gap):
            scene, found = worse, (yield from topic(worse))
    return _with_the_rest(scene, found)


def topic(scene: Scene) -> Generator[Reads, Seen, Diagnosis]:
    """The diagnosis of the trouble that keeps the others from showing."""
    pod, container = scene.pod, troubled(scene)
    if pod.deleting:
        return _leaving(scene)
    if pod.phase == "Failed" and (container is None or eviction.is_one(pod)):
        return eviction.diagnosed(scene)
    if container and container.word in images.WORDS:
        return (yield from images.diagnose(scene, container))
    if container and container.word in creating.WORDS:
        return (yield from creating.diagnose(scene, container))
    if container and has_crashed(scene, container):
        return (yield from crash.diagnose(scene, container))
    if pod.phase == "Pending" and (not pod.node or pod.status in ("Pending", "SchedulingGated")):
        return (yield from pending.diagnose(scene))
    if container and container.kind == "init" and container.state == "running":
        return (yield from notready.initializing(scene, container))
    if pod.status in _CREATING or (container and container.word in _CREATING):
        return (yield from creating.diagnose(scene, None))
    if container and not container.ready and pod.phase == "Running":
        return (yield from notready.diagnose(scene, container))
    if pod.not_ready_since and pod.phase == "Running" and pod.containers:
        return (yield from notready.diagnose(scene, pod.containers[-1]))
    return _well(scene)


# --- Which container --------------------------------------------------------------------------------------


def troubled(scene: Scene) -> ContainerView | None:
    """The container that fails: of several the worst, and among equals the one the alert names. An init container
    comes before what waits for it; None where all do what they should."""
    bad = [(badness(each, scene), each) for each in scene.pod.containers]
    wanted = scene.subject.container
    ranked = sorted(
        ((rank, each.name != wanted, each.name) for rank, each in bad if rank),
        key=lambda one: (-one[0], one[1]),
    )
    return next((each for _, each in bad if ranked and each.name == ranked[0][2]), None)


def badness(each: ContainerView, scene: Scene) -> int:
    """0: it does what it should. Higher: it rather is what keeps the pod from running."""
    if each.word in images.WORDS or each.word in creating.WORDS:
        return 6
    if each.word == "CrashLoopBackOff" or (each.state == "terminated" and each.ended and each.ended.code):
        return 5
    if each.kind == "init" and each.state == "running":
        return 1
    if each.state == "terminated" and not each.kind and _is_to_run(scene):
        return 4
    if each.state == "running" and each.kind != "init":
        return (3 if _ended_lately(each, scene) else 0) or (0 if each.ready else 2)
    return 1 if each.state == "waiting" and each.word not in _CREATING else 0


def _is_to_run(scene: Scene) -> bool:
    """What is done (a step of a workflow, a task that somebody made by hand) is not to run, whoever made it."""
    return scene.pod.phase != "Succeeded" and not scene.pod.owner.casefold().startswith(("job", "cronjob"))


def _ended_lately(each: ContainerView, scene: Scene) -> bool:
    if not each.restarts or each.ended is None:
        return False
    end, onset = each.ended.finished, scene.subject.since
    if end is None or scene.now is None:
        return True
    return scene.age_of(end) < _LATELY or (onset is not None and end > onset - _LATELY)


def has_crashed(scene: Scene, each: ContainerView) -> bool:
    if each.word == "CrashLoopBackOff" or each.state == "terminated":
        return True
    return each.state in ("running", "waiting") and _ended_lately(each, scene)


# --- What is no trouble of its own ------------------------------------------------------------------------


def _leaving(scene: Scene) -> Diagnosis:
    since = scene.age_of(scene.pod.deleting)
    said = scene.said("FailedKillPod", "FailedPreStopHook", "NodeNotReady")
    facts = tuple(event_line(each, scene.now) for each in said[:3])
    value = f"{scene.pod.name} has been on its way out for {span(since)}"
    if since <= _LEAVES:
        offer = (*node(scene), show(scene))
        return Diagnosis(None, (Finding("T3-5.1", "Leaving", Light.GREEN, value, evidence=facts),), offer)
    text, confidence = _stays(scene)
    finding = Finding("T3-5.1", "Leaving", Light.YELLOW, value, evidence=facts)
    return Diagnosis(cause(scene, f"{value}: {text}", confidence, *node(scene)), (finding,))


def _stays(scene: Scene) -> tuple[str, Confidence]:
    """Why it does not go, as far as it shows."""
    refused = scene.said("FailedKillPod")
    if scene.said("NodeNotReady"):
        return f"its node {scene.pod.node} is not ready, and only its kubelet can end it", Confidence.LIKELY
    if refused:
        return f"its kubelet cannot end it: {one_line(refused[0].message, 160)}", Confidence.CERTAIN
    if scene.pod.containers and all(each.state == "terminated" for each in scene.pod.containers):
        return (
            "its containers have ended, so a finalizer, or a volume that is still mounted, holds it",
            Confidence.LIKELY,
        )
    if not scene.pod.node:
        return "it has no node, so a finalizer holds it", Confidence.LIKELY
    return (
        f"it still runs, or the kubelet of {scene.pod.node} does not say that it ended",
        Confidence.POSSIBLE,
    )


def _well(scene: Scene) -> Diagnosis:
    pod = scene.pod
    if pod.phase == "Succeeded":
        return _done(scene)
    restarts = f", {counted(pod.restarts, 'restart')}" if pod.restarts else ""
    ends = tuple(
        f"{each.name} ended with {each.ended.reason or 'exit'} ({each.ended.code})"
        f" {span(scene.age_of(each.ended.finished))} ago"
        for each in pod.containers
        if each.ended and each.restarts
    )
    value = f"{pod.name} is {pod.status}, {pod.ready} ready{restarts}: nothing keeps it from running now"
    offer = (Suggestion("Its log", f"logs {pod.place}"), Suggestion("Show pod", f"pod show {pod.place}"))
    return Diagnosis(None, (Finding("T3-0", "Verdict", Light.GREEN, value, evidence=ends),), offer)


def _done(scene: Scene) -> Diagnosis:
    ended = [each.ended.finished for each in scene.pod.containers if each.ended and each.ended.finished]
    ago = f" {span(scene.age_of(max(ended)))} ago" if ended and scene.now else ""
    value = f"{scene.pod.name} did its work and ended{ago}: it is not to become ready any more"
    offer = (
        Suggestion("Its log", f"logs {scene.pod.place}"),
        Suggestion("Show pod", f"pod show {scene.pod.place}"),
    )
    return Diagnosis(None, (Finding("T3-0", "Verdict", Light.GREEN, value),), offer)


# --- What goes with every diagnosis -----------------------------------------------------------------------


def _with_the_rest(scene: Scene, found: Diagnosis) -> Diagnosis:
    more = (*_wrong_settings(scene), *_others(scene), *_events(scene), *scene.gaps)
    return replace(found, findings=(*found.findings, *more))


def _wrong_settings(scene: Scene) -> tuple[Finding, ...]:
    container = troubled(scene)
    declared = scene.declared(container.name) if container else None
    return environment.judged(declared) if declared else ()


def _sick_one(scene: Scene) -> str:
    """Of the group's other pods the first that is not well, "" where there is none."""
    return next((row.name for row in _rows_of_others(scene) if not is_well(row)), "")


def _rows_of_others(scene: Scene) -> list[PodRow]:
    subject = scene.subject
    pods = {Subject("", labels).pod for labels in (subject.labels, *subject.others)}
    return [row for row in scene.rows if row.name in pods - {scene.pod.name, ""}]


def _others(scene: Scene) -> tuple[Finding, ...]:
    """How many of the group's other pods have the same STATUS word."""
    rows = _rows_of_others(scene)
    if not rows:
        return ()
    same = [row for row in rows if row.status == scene.pod.status and not is_well(row)]
    others = [row for row in rows if row not in same]
    words = ", ".join(f"{row.name} {row.status}" for row in others[:4])
    value = (
        f"{len(same)} of the {counted(len(rows), 'other pod')} of the alert say the same ({scene.pod.status})"
        if same
        else "they say something else"
    )
    return (Finding("AL-12", "Others", Light.YELLOW, value, evidence=(words,) if words else ()),)


def _events(scene: Scene) -> tuple[Finding, ...]:
    """Warnings, the newest first, repeats counted."""
    told = [each for each in reversed(scene.events) if each.type == "Warning"]
    if not told:
        return ()
    lines = tuple(event_line(each, scene.now) for each in told[:_EVENTS])
    value = counted(sum(each.count for each in told), "warning")
    return (Finding("AL-26", "Events", Light.YELLOW, value, evidence=lines),)


# --- Rules --------------------------------------------------------------------------------------------------

_NEEDS = ("namespace", "pod")
_LOGS, _SHOW = (
    "read what it said before it ended: `logs POD --previous`",
    "look at its containers: `pod show POD`",
)

RULES: tuple[Rule, ...] = (
    Rule(
        (
            "KubePodCrashLooping", "KubernetesPodCrashLooping", "PodCrashLooping", "PodCrashLoopBackOff",
            "KubePodCrashLoopBackOff", "CrashLoopBackOff", "PodRestarts", "PodRestart", "KubePodRestarts",
            "PodRestartingTooMuch", "PodRestartingTooOften", "PodFrequentlyRestarting", "HighPodRestarts",
            "HighRestartRate", "ContainerRestarts", "KubeContainerRestarts", "PodRestartLoop", "KubePodRestarting",
        ),
        "A container ends again and again, and its kubelet waits longer and longer before it starts it anew.",
        diagnose, (_LOGS, _SHOW, "undo the rollout that came before: `deploy rollback NAME`"), _NEEDS,
    ),
    Rule(
        (
            "ContainerOOMKilled", "KubeContainerOOMKilled", "PodOOMKilled", "OOMKilled", "KubePodOOMKilled",
            "KubernetesContainerOomKiller", "ContainerOomKilled", "PodOomKilled", "OomKilled", "ContainerOOM",
            "KubernetesContainerOOMKilled", "KubePodContainerOOMKilled",
        ),
        "A container was killed because it wanted more memory than it, or its node, has.",
        diagnose, ("compare limit and use: `deploy limits NAME`", _LOGS), _NEEDS,
    ),
    Rule(
        (
            "KubePodNotReady", "PodNotReady", "KubernetesPodNotReady", "KubernetesPodNotHealthy", "PodNotHealthy",
            "KubePodUnhealthy", "PodUnhealthy", "KubernetesPodNotHealthyCritical", "KubePodReadinessFailing",
        ),
        "A pod has not been ready for some time: it has no node, does not start, or its probe fails.",
        diagnose, (_SHOW, "look at its probe and its log: `logs POD`"), _NEEDS,
    ),
    Rule(
        (
            "KubeContainerWaiting", "ContainerWaiting", "KubernetesContainerWaiting", "PodContainerWaiting",
            "KubePodImagePullBackOff", "PodImagePullBackOff", "ImagePullBackOff", "KubeContainerImagePullBackOff",
            "KubernetesImagePullBackOff", "KubeImagePullBackOff", "ErrImagePull", "PodErrImagePull", "ImagePullFailed",
            "PodImagePullError", "CreateContainerConfigError", "KubePodCreateContainerConfigError",
            "PodStuckContainerCreating", "KubePodContainerCreating", "ContainerCreating",
        ),
        "A container waits to be run: for its image, its settings, its volumes or its network.",
        diagnose, (_SHOW, "look at what was rolled out: `deploy history NAME`"), _NEEDS,
    ),
    Rule(
        (
            "KubePodPending", "PodPending", "KubernetesPodPending", "Unschedulable", "PodUnschedulable",
            "KubePodUnschedulable", "PodNotScheduled", "KubePodNotScheduled", "PodsPending", "KubernetesPodUnschedulable",
        ),
        "No node takes a pod.",
        diagnose, ("look at the room on the nodes: `node top`", _SHOW), _NEEDS,
    ),
    Rule(
        (
            "KubePodEvicted", "PodEvicted", "KubernetesPodEvicted", "PodsEvicted", "KubePodFailed", "PodFailed",
            "KubernetesPodFailed", "PodEviction",
        ),
        "A node put a pod out, mostly because it was short of disk or memory.",
        diagnose, ("look at the node: `node show NODE`", "give the pod requests that fit: `deploy limits NAME`"), _NEEDS,
    ),
    Rule(
        ("PodStuckTerminating", "KubePodStuckTerminating", "PodTerminatingTooLong", "KubePodTerminating"),
        "A pod was deleted and does not go.",
        diagnose, (_SHOW, "look at its node: `node show NODE`"), _NEEDS,
    ),
    Rule(
        (
            "CPUThrottlingHigh", "KubePodCPUThrottling", "ContainerHighThrottleRate", "ContainerCpuThrottled",
            "CPUThrottling", "KubeCPUThrottlingHigh", "ContainerCPUThrottling", "PodCPUThrottling",
            "ContainerCpuThrottling", "KubernetesContainerCPUThrottling",
        ),
        "A container wants more CPU than its limit lets it have, and is made to wait: it answers later.",
        throttling.diagnose, ("compare limit and use: `deploy limits NAME`",), _NEEDS,
    ),
)  # fmt: skip

"""What every diagnosis of a pod starts from: the pod as it is, what the cluster said of it, what its workload is.

Two rounds of reads at most. What could not be read is kept as a finding and told with the rest. Used by the
topics about pods (crash.py, images.py, pending.py, …); pods.py decides which of them it is.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from commands.finding import Finding, Suggestion
from commands.model import Cause, Confidence, Gap, Reads, Seen
from commands.phrase import span
from commands.podreads import (
    ContainerView,
    Events,
    EventView,
    PodDetail,
    PodDetails,
    PodRow,
    PodRows,
    workload,
)
from commands.reads import Now
from commands.site import ClusterSite
from commands.triage.rule import ROLLED, Subject
from commands.triagereads import Changes, ChangeSeen, ContainerSpec, PodSpec, PodSpecOf
from commands.wording import one_line, unread
from commands.workloads import typed

# A rollout this long before the trouble may be what brought it.
RECENT = timedelta(hours=2)
# The clock of the node and the time of a rollout differ a little.
_SLACK = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Scene:
    """events: of the pod, last seen last. rows: every pod of the namespace. gaps: what was not read."""

    subject: Subject
    site: ClusterSite
    now: datetime | None
    pod: PodDetail
    events: tuple[EventView, ...] = ()
    rows: tuple[PodRow, ...] = ()
    changes: tuple[ChangeSeen, ...] = ()
    spec: PodSpec | None = None
    gaps: tuple[Finding, ...] = ()

    @property
    def owner(self) -> tuple[str, str]:
        """("Deployment", "web"): whom one would roll back. ("", "") of a pod that nobody made."""
        kind, _, name = self.pod.owner.partition("/")
        ending = f"-{self.pod.labels.get('pod-template-hash', '')}"
        if kind == "ReplicaSet":
            return "Deployment", name.removesuffix(ending) if ending != "-" else workload(self.pod.name)
        return kind, name

    @property
    def typed_owner(self) -> str:
        """As a `deploy` command takes it: "shop/web", "shop/sts/db"; "" for what `deploy` does not know."""
        kind, name = self.owner
        return typed(kind, self.pod.namespace, name)

    def said(self, *reasons: str) -> tuple[EventView, ...]:
        """The events of these reasons, the latest first."""
        return tuple(event for event in reversed(self.events) if event.reason in reasons)

    def declared(self, container: str) -> ContainerSpec | None:
        listed = self.spec.containers if self.spec else ()
        return next((each for each in listed if each.name == container), None)

    def age_of(self, at: datetime | None) -> timedelta:
        return self.now - at if self.now and at else timedelta(0)


def of_pod(
    subject: Subject, site: ClusterSite, namespace: str, pod: str
) -> Generator[Reads, Seen, "Scene | Gap"]:
    """The scene of this pod, or of one of its workload's where it is gone; a Gap where nothing is known of it."""
    asked = PodDetails(namespace, pod)
    events, spec, rows, changes = _beside(namespace, pod)
    seen = yield (Now(), asked, events, spec, rows, changes)
    found: Sequence[PodDetail] | Gap = seen[asked]
    if isinstance(found, Gap):
        return found
    now = None if isinstance(seen[Now()], Gap) else seen[Now()]
    if found:
        return _scene(subject, site, now, found[0], seen)
    follower = _follower(pod, seen[rows])
    if not follower:
        return Gap(f"pod {namespace}/{pod} is gone, and so is every pod of {workload(pod)} that is not well")
    again = PodDetails(namespace, follower)
    more = yield (again, *_beside(namespace, follower))
    if isinstance(more[again], Gap) or not more[again]:
        return more[again] or Gap(f"pod {namespace}/{follower} is gone")
    return _scene(subject, site, now, more[again][0], more)


def _beside(namespace: str, pod: str) -> tuple[Events, PodSpecOf, PodRows, Changes]:
    return Events(namespace, "Pod", pod), PodSpecOf(namespace, pod), PodRows(namespace), Changes(namespace)


def _scene(subject: Subject, site: ClusterSite, now: datetime | None, pod: PodDetail, seen: Seen) -> Scene:
    asked = _beside(pod.namespace, pod.name)
    labels = ("Events", "Declaration", "Pods beside it", "Changes")
    keys = ("AL-26", "T3-5.1", "DH-2.2", "AL-33")
    answers = [seen[read] for read in asked]
    gaps = tuple(
        unread(key, label, answer)
        for key, label, answer in zip(keys, labels, answers, strict=True)
        if isinstance(answer, Gap)
    )
    events, spec, rows, changes = (None if isinstance(answer, Gap) else answer for answer in answers)
    changed = changes.changes if changes else ()
    return Scene(subject, site, now, pod, events or (), rows or (), changed, spec, gaps)


def _follower(pod: str, rows: Sequence[PodRow] | Gap) -> str:
    """Of the pods of the same workload, the first that is not well."""
    listed = () if isinstance(rows, Gap) else rows
    return next((row.name for row in listed if workload(row.name) == workload(pod) and not is_well(row)), "")


def is_well(row: PodRow) -> bool:
    ready, _, wanted = row.ready.partition("/")
    return row.status == "Completed" or (row.status == "Running" and ready == wanted)


# --- What changed -----------------------------------------------------------------------------------


def rollout(scene: Scene) -> ChangeSeen | None:
    """The newest rollout of the pod's workload, where this pod is of it and it came shortly before the trouble."""
    kind, name = scene.owner
    newest = next(
        (each for each in scene.changes if (each.kind, each.name) == (kind, name) and each.revision), None
    )
    onset = scene.subject.since or scene.now
    if newest is None or onset is None or scene.pod.created is None:
        return None
    is_of_it = scene.pod.created >= newest.at - _SLACK
    return newest if is_of_it and newest.at <= onset <= newest.at + RECENT else None


def after_rollout(scene: Scene) -> str:
    """ "; revision 7 came 4 min before", or ""."""
    change = rollout(scene)
    onset = scene.subject.since or scene.now
    return f"{ROLLED}{change.revision} came {span(onset - change.at)} before" if change and onset else ""


def rollback(scene: Scene) -> tuple[Suggestion, ...]:
    """The way back, where a rollout brought it."""
    if rollout(scene) is None or not scene.typed_owner:
        return ()
    return (Suggestion(f"Roll back {scene.owner[1]}", f"deploy rollback {scene.typed_owner}"),)


# --- Words ------------------------------------------------------------------------------------------


def named(scene: Scene, container: ContainerView | None = None) -> str:
    """ "web-7/app", or "init container migrate of web-7"."""
    if container is None:
        return scene.pod.name
    if container.kind:
        word = "init container" if container.kind == "init" else container.kind
        return f"{word} {container.name} of {scene.pod.name}"
    return f"{scene.pod.name}/{container.name}"


def show(scene: Scene) -> Suggestion:
    return Suggestion("Show pod", f"pod show {scene.pod.place}")


def node(scene: Scene) -> tuple[Suggestion, ...]:
    return (Suggestion("Show node", f"node show {scene.pod.node}"),) if scene.pod.node else ()


def cause(
    scene: Scene, text: str, confidence: Confidence = Confidence.LIKELY, *suggestions: Suggestion
) -> Cause:
    """One sentence, with the rollout that came before it, and the way back first."""
    offered = dict.fromkeys((*rollback(scene), *suggestions, show(scene)))
    return Cause(one_line(text, 400) + after_rollout(scene), confidence, tuple(offered))

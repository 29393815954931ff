"""A pod without a node: which constraint, the node that comes nearest, its claims and zones, quota, the autoscaler's word.

The scheduler's sentence says why; what it leaves out is read: free room of every node, where volumes are. Used by
pods.py and `debug startup`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from commands.finding import Finding, Light, Suggestion
from commands.fitting import has_affinity, tolerates
from commands.model import Confidence, Gap, Read, Seen
from commands.phrase import counted, mebibytes, millicores, span
from commands.podreads import Events, EventView
from commands.scheduling import Newcomer, NodeDetail, NodeDetails, Placement, Placements, PodDetail
from commands.triage.rule import Diagnosing, Diagnosis
from commands.triage.scene import Scene, cause
from commands.triage.schedulers import Refusals, autoscaler, is_karpenter, refusals
from commands.triage.volumes import why_pending
from commands.triagereads import Claim, ClaimView
from commands.wording import one_line, unread

_ZONE = "topology.kubernetes.io/zone"
_CPU, _MEMORY = "cpu", "memory"


def diagnose(scene: Scene) -> Diagnosing:
    said = _sentence(scene)
    found = refusals(said)
    gates = scene.spec.gates if scene.spec else ()
    if gates or scene.pod.status == "SchedulingGated":
        return _gated(scene, gates)
    if scene.pod.node:
        return _not_taken_up(scene)
    reads = _more(scene, found)
    seen = (yield reads) if reads else Seen({})
    return _told(scene, said, found, seen)


def _sentence(scene: Scene) -> str:
    """The scheduler's: the condition holds its latest; Karpenter's events bear the same reason."""
    conditions = [
        text for kind, status, text in scene.pod.conditions if kind == "PodScheduled" and status == "False"
    ]
    events = [event.message for event in scene.said("FailedScheduling") if not is_karpenter(event)]
    return next((text for text in (*conditions, *events, scene.pod.message) if text), "")


def _gated(scene: Scene, gates: tuple[str, ...]) -> Diagnosis:
    names = ", ".join(gates) or "not told which"
    text = f"{scene.pod.name} is held back on purpose by a scheduling gate ({names})"
    fact = Finding(
        "AL-27", "Scheduling gate", Light.YELLOW, names, evidence=("whoever set the gate has to take it off",)
    )
    return Diagnosis(cause(scene, text, Confidence.CERTAIN), (fact,))


def _not_taken_up(scene: Scene) -> Diagnosis:
    """It has a node, whose kubelet says nothing."""
    text = f"{scene.pod.name} was given to {scene.pod.node}, whose kubelet has not taken it up"
    offer = (Suggestion("Show node", f"node show {scene.pod.node}"),)
    fact = Finding("AL-27", "Node", Light.RED, f"{scene.pod.node} has not started it", suggestions=offer)
    return Diagnosis(cause(scene, text, Confidence.POSSIBLE, *offer), (fact,))


def _more(scene: Scene, found: Refusals) -> tuple[Read, ...]:
    claims = tuple(Claim(scene.pod.namespace, name) for name in (scene.spec.claims if scene.spec else ()))
    about_claims = _about(claims) if found.has("claim", "zone", "volumes") else ()
    has_room, has_taints = found.has("room", "pods"), found.counts_taints
    nodes: tuple[Read, ...] = (
        (NodeDetails(),) if found.has("room", "zone", "pods", "cordoned") or has_taints else ()
    )
    room: tuple[Read, ...] = (Placements(),) if has_room else ()
    template = _template(scene) if has_room or has_taints else ()
    return (*about_claims, *nodes, *room, *template)


def _about(claims: Iterable[Claim]) -> tuple[Read, ...]:
    """They, and what was said of them."""
    return tuple(
        read
        for claim in claims
        for read in (claim, Events(claim.namespace, "PersistentVolumeClaim", claim.name))
    )


def _told(scene: Scene, said: str, found: Refusals, seen: Seen) -> Diagnosis:
    gaps = tuple(
        unread("AL-27", _LABELS[type(read)], answer)
        for read, answer in seen.items()
        if isinstance(answer, Gap)
    )
    nodes = _answer(seen, NodeDetails())
    room = _room(scene, nodes, seen) if found.has("room", "pods") else None
    claims = tuple(
        answer for read, answer in seen.items() if isinstance(read, Claim) and isinstance(answer, ClaimView)
    )
    said_of = {
        read.name: answer
        for read, answer in seen.items()
        if isinstance(read, Events) and not isinstance(answer, Gap)
    }
    missing = tuple(read.name for read, answer in seen.items() if isinstance(read, Claim) and answer is None)
    findings = (
        _why(scene, said, found),
        *_room_told(scene, room),
        *_claims_told(claims, missing, nodes or ()),
        *_autoscaler_told(scene),
        *gaps,
    )
    text = _headline(scene, found, room, claims, nodes or (), said_of) + _taints(found, nodes or (), seen)
    confidence = Confidence.CERTAIN if said else Confidence.POSSIBLE
    return Diagnosis(cause(scene, text, confidence, *_steps(found)), findings)


def _template(scene: Scene) -> tuple[Newcomer, ...]:
    """What the pod asks of a node beside its requests; of other owners nothing of the kind is read."""
    kind, _, name = scene.pod.owner.partition("/")
    return (Newcomer(kind, scene.pod.namespace, name),) if kind in ("ReplicaSet", "StatefulSet") else ()


_LABELS: Mapping[type[Read], str] = {
    Claim: "Claim",
    Events: "Events of its claim",
    NodeDetails: "Nodes",
    Placements: "Room on the nodes",
    Newcomer: "Its template",
}


def _answer(seen: Seen, read: Read) -> tuple[Any, ...] | None:
    found = seen.get(read)
    return found if isinstance(found, tuple) else None


def _why(scene: Scene, said: str, found: Refusals) -> Finding:
    age = f", for {span(scene.age_of(scene.pod.created))}" if scene.now and scene.pod.created else ""
    lines = tuple(f"{each.count or 'all'}: {each.text}" for each in found.reasons)
    value = found.said() if said else "the scheduler has not said anything of it"
    return Finding("T3-3.0", "No node", Light.RED, f"{value}{age}", evidence=lines)


def _headline(
    scene: Scene,
    found: Refusals,
    room: "Room | None",
    claims: tuple[ClaimView, ...],
    nodes: Iterable[NodeDetail],
    said_of: Mapping[str, Sequence[EventView]],
) -> str:
    name = scene.pod.name
    if not found.reasons:
        return f"{name} has no node, and the scheduler does not say why: does it run, and is schedulerName right?"
    text = f"{name} finds no node: {found.said()}"
    zones = _zone_conflict(claims, nodes)
    if found.has("zone") and zones:
        return f"{text}; {zones}"
    if room and found.has("room"):
        return f"{text}; {room.said()}"
    waiting = next((each for each in claims if each.phase != "Bound"), None)
    if waiting is None or not found.has("claim"):
        return text
    why = why_pending(f"claim {waiting.name}", waiting, said_of.get(waiting.name, ()))
    return f"{text} ({waiting.name} is {waiting.phase})" + (f"; {why.text}" if why else "")


def _taints(found: Refusals, nodes: Iterable[NodeDetail], seen: Seen) -> str:
    """Which they are: newer schedulers only count them. Of nodes that it might run on but for them."""
    template = _newcomer(seen)
    if template is None or not found.counts_taints:
        return ""
    closed = [node for node in nodes if _is_chosen(template, node) and not tolerates(template, node)]
    hard = ("NoSchedule", "NoExecute")
    names = sorted({str(taint) for node in closed for taint in node.taints if taint.effect in hard})
    return f"; the taints there: {', '.join(names[:4])}" if names else ""


def _newcomer(seen: Seen) -> PodDetail | None:
    found = next((answer for read, answer in seen.items() if isinstance(read, Newcomer)), None)
    return found if isinstance(found, PodDetail) else None


def _steps(found: Refusals) -> tuple[Suggestion, ...]:
    load = (Suggestion("Load of the nodes", "node top"),) if found.has("room", "pods") else ()
    closed = (
        (Suggestion("Nodes", "node list"),)
        if found.has("cordoned", "taint", "affinity", "notready", "zone")
        else ()
    )
    return (*load, *closed)


# --- Room -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Room:
    """The node that comes nearest to taking the pod. free: what is left of it; wanted: what the pod asks."""

    node: str
    wanted: Mapping[str, float]
    free: Mapping[str, float]

    @property
    def lacks(self) -> tuple[str, ...]:
        return tuple(name for name, amount in self.wanted.items() if amount > self.free.get(name, 0.0) + 1e-9)

    def said(self) -> str:
        """ "it asks for 4000m CPU, and the largest free slot has 1200m (n2)"."""
        short = self.lacks
        if not short:
            return f"{self.node} has room for it by now"
        asked = " and ".join(_amount(name, self.wanted[name]) for name in short)
        left = " and ".join(_amount(name, self.free.get(name, 0.0)) for name in short)
        return f"it asks for {asked}, and the largest free slot has {left} ({self.node})"


def _amount(name: str, amount: float) -> str:
    if name == _CPU:
        return f"{millicores(max(amount, 0.0))} CPU"
    if name == _MEMORY:
        return f"{mebibytes(max(amount, 0.0))} memory"
    return counted(int(max(amount, 0.0)), "pod") if name == "pods" else f"{max(amount, 0.0):g} {name}"


def _room(scene: Scene, nodes: tuple[NodeDetail, ...] | None, seen: Seen) -> Room | None:
    """Of the nodes that it may run on, the one that lacks the smallest share of what is asked."""
    placements: tuple[Placement, ...] | None = _answer(seen, Placements())
    if not nodes or placements is None:
        return None
    template = _newcomer(seen)
    wanted = requested(scene)
    used: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for each in placements:
        for name, amount in each.requests.items():
            used[each.node][name] += amount
    rooms = [
        Room(
            node.name,
            wanted,
            {name: whole - used[node.name][name] for name, whole in node.allocatable.items()},
        )
        for node in nodes
        if node.takes_pods and (template is None or may_run(template, node))
    ]
    return min(rooms, key=_shortfall, default=None)


def may_run(pod: PodDetail, node: NodeDetail) -> bool:
    """As far as taints, selector and affinity go."""
    return _is_chosen(pod, node) and tolerates(pod, node)


def _is_chosen(pod: PodDetail, node: NodeDetail) -> bool:
    selected = all(node.labels.get(key) == value for key, value in pod.needs.node_selector)
    return selected and has_affinity(pod, node)


def _shortfall(room: Room) -> tuple[float, float]:
    missing = (
        max(amount - room.free.get(name, 0.0), 0.0) / amount for name, amount in room.wanted.items() if amount
    )
    return max(missing, default=0.0), -room.free.get(_CPU, 0.0)


def requested(scene: Scene) -> dict[str, float]:
    """What the pod asks for: its containers together (sidecars too), or its greediest init container."""
    wanted = {"pods": 1.0}
    for name, field in ((_CPU, "cpu_request"), (_MEMORY, "memory_request")):
        amounts = [(each.kind, getattr(each.resources, field) or 0.0) for each in scene.pod.containers]
        together = sum(amount for kind, amount in amounts if kind != "init")
        most = max(together, *(amount for kind, amount in amounts if kind == "init"), 0.0)
        if most:
            wanted[name] = most
    return wanted


def _room_told(scene: Scene, room: Room | None) -> tuple[Finding, ...]:
    if room is None:
        return ()
    facts = tuple(
        f"{_amount(name, amount)} asked, {_amount(name, room.free.get(name, 0.0))} free"
        for name, amount in room.wanted.items()
    )
    light = Light.RED if room.lacks else Light.YELLOW
    return (
        Finding(
            "T3-3.1",
            f"Nearest node {room.node}",
            light,
            room.said(),
            "estimate from requests",
            evidence=facts,
        ),
    )


# --- Claims and zones -------------------------------------------------------------------------------------


def _claims_told(
    claims: tuple[ClaimView, ...], missing: tuple[str, ...], nodes: Iterable[NodeDetail]
) -> tuple[Finding, ...]:
    lines = [f"{name} does not exist" for name in missing]
    lines += [
        f"{each.name}: {each.phase}, {each.storage_class or 'no storage class'}{f', in {each.zone}' if each.zone else ''}"
        for each in claims
    ]
    bad = [each for each in claims if each.phase != "Bound"]
    conflict = _zone_conflict(claims, nodes)
    if not (missing or bad or conflict):
        return ()
    value = conflict or f"{len(missing) + len(bad)} of {len(missing) + len(claims)} claims have no volume"
    return (Finding("AL-27", "Claims", Light.RED, value, evidence=tuple(lines)),)


def _zone_conflict(claims: Iterable[ClaimView], nodes: Iterable[NodeDetail]) -> str:
    """The volume is in one zone, and what takes pods is in others."""
    open_zones = sorted({node.labels[_ZONE] for node in nodes if node.takes_pods and _ZONE in node.labels})
    for each in claims:
        if each.zone and open_zones:
            where = (
                "no node there takes pods" if each.zone not in open_zones else "no node there has room for it"
            )
            return f"volume of {each.name} is in {each.zone}, and {where} (nodes in {', '.join(open_zones)})"
    return ""


def _autoscaler_told(scene: Scene) -> tuple[Finding, ...]:
    found = autoscaler(reversed(scene.events))
    if found is None:
        return ()
    light = Light.YELLOW if found.helps else Light.RED
    return (Finding("AL-27", found.who, light, one_line(found.text, 300)),)

"""Where the pods of a node would go: first-fit by their largest share, into the fullest node that takes them.

An estimate from requests and required rules, and called one wherever it is shown. Pure, and it never places
more than fits. Called by whatever moves or adds pods.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from commands.fitting import Applicant, Crowd, Room, has_affinity, tolerates
from commands.scheduling import NodeDetail, Placement, PodDetail, PodTerm, Spread, VolumeView

Claims = Mapping[tuple[str, str], VolumeView]  # by namespace and claim


@dataclass(frozen=True, slots=True)
class World:
    """leaving: the names of the nodes that are emptied. limits: by node, volumes a CSI driver attaches."""

    nodes: tuple[NodeDetail, ...]
    placements: tuple[Placement, ...]
    leaving: frozenset[str]
    claims: Claims = field(default_factory=dict)
    limits: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A pod no node takes. why: how many nodes refuse it for which reason."""

    pod: PodDetail
    why: Mapping[str, int]

    def said(self, candidates: int) -> str:
        """ "0/12 nodes: 9 cpu, 2 taint, 1 zone"."""
        reasons = sorted(self.why.items(), key=lambda item: (-item[1], item[0]))
        words = ", ".join(f"{number} {reason}" for reason, number in reasons)
        return f"0/{candidates} nodes: {words}" if words else "no other node takes pods"


@dataclass(frozen=True, slots=True)
class Simulated:
    """free: cpu and memory of all candidates after everything is placed."""

    placed: tuple[tuple[PodDetail, str], ...]
    unplaced: tuple[Unplaced, ...]
    candidates: int
    free: Mapping[str, float]


def simulate(pods: Iterable[PodDetail], world: World) -> Simulated:
    rooms = _rooms(world)
    crowd = Crowd(world.nodes, (each for each in world.placements if each.node not in world.leaving))
    placed: list[tuple[PodDetail, str]] = []
    unplaced: list[Unplaced] = []
    for pod in _largest_first(pods, world):
        applicant = _applicant(pod, world, crowd)
        why: Counter[str] = Counter()
        for room in sorted(rooms, key=lambda room: (room.free_share, room.node.name)):
            refusal = applicant.is_refused(room, crowd)
            if not refusal:
                room.take(pod, applicant.drivers)
                crowd.place(pod, room.node.name)
                placed.append((pod, room.node.name))
                break
            why[refusal] += 1
        else:
            unplaced.append(Unplaced(pod, dict(why)))
    free = {name: sum(max(room.free.get(name, 0.0), 0.0) for room in rooms) for name in ("cpu", "memory")}
    return Simulated(tuple(placed), tuple(unplaced), len(rooms), free)


def _rooms(world: World) -> list[Room]:
    here: dict[str, list[Placement]] = defaultdict(list)
    for each in world.placements:
        here[each.node].append(each)
    candidates = (node for node in world.nodes if node.takes_pods and node.name not in world.leaving)
    return [_room(node, here[node.name], world) for node in candidates]


def _room(node: NodeDetail, placements: Iterable[Placement], world: World) -> Room:
    room = Room(node, dict(node.allocatable), world.limits.get(node.name, {}))
    for each in placements:
        for resource, amount in each.requests.items():
            room.free[resource] = room.free.get(resource, 0.0) - amount
        room.ports.update(each.ports)
        room.attached.update(_drivers(_volumes(each.namespace, each.claims, world)))
    return room


def _volumes(namespace: str, claims: Iterable[str], world: World) -> tuple[VolumeView, ...]:
    found = (world.claims.get((namespace, claim)) for claim in claims)
    return tuple(volume for volume in found if volume is not None)


def _drivers(volumes: Iterable[VolumeView]) -> Counter[str]:
    return Counter(volume.driver for volume in volumes if volume.driver)


def _largest_first(pods: Iterable[PodDetail], world: World) -> list[PodDetail]:
    whole: Counter[str] = Counter()
    for node in world.nodes:
        for resource, amount in node.allocatable.items():
            whole[resource] += amount  # type: ignore[assignment] # a Counter of fractions

    def share(pod: PodDetail) -> float:
        asked = pod.needs.requests.items()
        return max((amount / whole[name] for name, amount in asked if whole[name]), default=0.0)

    return sorted(pods, key=lambda pod: (-share(pod), pod.target.path))


def _applicant(pod: PodDetail, world: World, crowd: Crowd) -> Applicant:
    volumes = _volumes(pod.target.namespace, pod.claims, world)
    spreads = tuple((spread, *_spread(pod, spread, world, crowd)) for spread in pod.needs.spread)
    return Applicant(pod, volumes, _drivers(volumes), spreads)


def _spread(pod: PodDetail, spread: Spread, world: World, crowd: Crowd) -> tuple[Counter[str], int]:
    """The matching pods by domain, and the fewest in any domain the pod may count.

    A closed node still counts as a domain, and its emptiness then forbids the others: many a drain is
    stuck on that.
    """
    counted = crowd.count(PodTerm(spread.topology, spread.selector, (pod.target.namespace,)))
    domains = {node.labels[spread.topology] for node in _counting(pod, spread, world)}
    if len(domains) < spread.min_domains:
        return counted, 0
    return counted, min((counted[domain] for domain in domains), default=0)


def _counting(pod: PodDetail, spread: Spread, world: World) -> Iterable[NodeDetail]:
    for node in world.nodes:
        if spread.topology not in node.labels or not has_affinity(pod, node):
            continue
        if any(node.labels.get(key) != value for key, value in pod.needs.node_selector):
            continue
        closed = node.unschedulable or node.name in world.leaving
        if not spread.honours_taints or (not closed and tolerates(pod, node)):
            yield node

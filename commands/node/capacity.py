"""Whether the rest of the cluster has room for the pods of a node, and what is left when it is closed."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from commands.finding import Finding, Light, Suggestion
from commands.model import Gap
from commands.node.cases import Case, Kind
from commands.phrase import counted
from commands.reads import DeploymentView
from commands.scheduling import NodeDetail, Placement
from commands.simulation import Claims, Simulated, World, simulate
from commands.wording import one_line, unread

_ESTIMATE = "estimate from requests and required rules"


@dataclass(frozen=True, slots=True)
class Crowded:
    """The cluster without the nodes that leave. scaler: the cluster autoscaler, where there is one."""

    nodes: tuple[NodeDetail, ...]
    leaving: frozenset[str]
    placements: tuple[Placement, ...] | Gap
    claims: Claims | Gap
    limits: Mapping[str, Mapping[str, int]] | Gap
    scaler: DeploymentView | Gap | None

    @property
    def grows(self) -> bool:
        """Somebody adds nodes when pods find no place; how many more is theirs to say."""
        karpenter = any(label.startswith("karpenter.sh/") for node in self.nodes for label in node.labels)
        return karpenter or (isinstance(self.scaler, DeploymentView) and self.scaler.ready > 0)


def findings(crowded: Crowded, cases: Iterable[Case]) -> Iterable[Finding]:
    pods = [case for case in cases if case.kind is Kind.EVICT]
    if not pods:
        return
    if isinstance(crowded.placements, Gap):
        yield unread("drain.capacity-unread", "Room elsewhere", crowded.placements)
        return
    claims = {} if isinstance(crowded.claims, Gap) else crowded.claims
    limits = {} if isinstance(crowded.limits, Gap) else crowded.limits
    world = World(crowded.nodes, crowded.placements, crowded.leaving, claims, limits)
    # A pod that only this node can hold waits for it to come back: told where volumes are told of.
    bound = {case.pod.target.uid for case in pods if _is_bound(case, claims)}
    found = simulate((case.pod for case in pods if case.pod.target.uid not in bound), world)
    yield _fitting(found, crowded)
    if isinstance(crowded.limits, Gap):
        yield unread("drain.attach", "Volume limits", crowded.limits)


def _is_bound(case: Case, claims: Claims) -> bool:
    volumes = (claims.get((case.pod.target.namespace, claim)) for claim in case.pod.claims)
    return any(volume is not None and volume.local for volume in volumes)


def _fitting(found: Simulated, crowded: Crowded) -> Finding:
    whole = len(found.placed) + len(found.unplaced)
    value = f"{len(found.placed)} of {counted(whole, 'pod')} fit on {counted(found.candidates, 'other node')}"
    left = f"left after: {found.free['cpu']:.1f} cores, {_gib(found.free['memory'])}"
    if not found.unplaced:
        where = tuple(f"{pod.target.path} → {node}" for pod, node in found.placed)
        return Finding("drain.fits", "Room elsewhere", Light.GREEN, f"{value}; {left}", _ESTIMATE, where)
    lines = tuple(f"{each.pod.target.path}: {each.said(found.candidates)}" for each in found.unplaced)
    if crowded.grows:
        value = f"{value}; the others need more nodes"
        mend = "see that the node group may still grow"
        return Finding("drain.scale-up", "Room elsewhere", Light.YELLOW, value, _ESTIMATE, lines, mend=mend)
    if isinstance(crowded.scaler, Gap):
        value = f"{value}; whether nodes are added is unknown: {one_line(crowded.scaler.reason)}"
    return Finding(
        "drain.no-room", "Room elsewhere", Light.RED, value, _ESTIMATE, lines,
        mend="add a node, or scale something down",
        suggestions=(Suggestion("Load of the nodes", "node top"),),
    )  # fmt: skip


def spare(nodes: Iterable[NodeDetail], leaving: frozenset[str], placements: Iterable[Placement]) -> Finding:
    """Closing a node is fine while another one could still be lost without a pod being left out."""
    rest = [node for node in nodes if node.takes_pods and node.name not in leaving]
    asked: Counter[str] = Counter()
    for each in placements:
        asked.update({name: each.requests.get(name, 0.0) for name in ("cpu", "memory")})
    short = []
    for name in ("cpu", "memory"):
        whole = [node.allocatable.get(name, 0.0) for node in rest]
        if sum(whole) < asked[name] + max(whole, default=0.0):
            short.append(
                f"{name}: {_amount(name, asked[name])} asked for, {_amount(name, sum(whole))} left open"
            )
    value = f"{counted(len(rest), 'node')} left open to new pods"
    if short or not rest:
        return Finding(
            "cordon.spare", "Room elsewhere", Light.YELLOW, f"{value}: not enough to lose one more",
            "requests + largest node", tuple(short),
        )  # fmt: skip
    return Finding("cordon.spare", "Room elsewhere", Light.GREEN, value, "requests + largest node")


def _amount(name: str, amount: float) -> str:
    return f"{amount:.1f} cores" if name == "cpu" else _gib(amount)


def _gib(amount: float) -> str:
    return f"{amount / 2**30:.1f} GiB"

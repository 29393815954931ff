"""Whether the nodes have room for the pods that a change adds: the simulation of a drain, with new pods."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from commands.effects import Target
from commands.finding import Finding, Light, Suggestion
from commands.model import Gap, Read, Reads
from commands.phrase import counted
from commands.scheduling import Newcomer, NodeDetail, NodeDetails, Placement, Placements, PodDetail
from commands.simulation import Simulated, World, simulate
from commands.wording import KEPT, one_line, unread

# More of the same are placed like these, and take as long to be placed each.
SIMULATED = 200

_KEY, _LABEL = "deploy.room", "Room"
_ESTIMATE = "estimate from requests and required rules"


def reads(template: Target, extra: int) -> Reads:
    """What has to be read of the cluster; nothing where no pod is added. template: the workload or ReplicaSet
    whose template the new pods have."""
    return (NodeDetails(), Placements(), _newcomer(template)) if extra > 0 else ()


def findings(template: Target, extra: int, why: str, seen: Mapping[Read, Any]) -> tuple[Finding, ...]:
    """why: for what they are added, "while it rolls out"."""
    if extra <= 0:
        return ()
    answers = [seen[read] for read in reads(template, extra)]
    gap = next((answer for answer in answers if isinstance(answer, Gap)), None)
    if gap is not None:
        said = f"whether nodes have room for {counted(extra, 'more pod')}: {one_line(gap.reason)}"
        return (unread(_KEY, _LABEL, Gap(said, gap.mend)),)
    nodes, placements, newcomer = answers
    if newcomer is None:
        return (unread(_KEY, _LABEL, Gap(f"{template} is gone")),)
    return (_judged(_placed(newcomer, extra, nodes, placements), extra, why),)


def _newcomer(template: Target) -> Newcomer:
    return Newcomer(template.kind, template.namespace, template.name)


def _placed(
    newcomer: PodDetail, extra: int, nodes: tuple[NodeDetail, ...], placements: Sequence[Placement]
) -> Simulated:
    named = (
        replace(newcomer, target=replace(newcomer.target, name=f"{newcomer.target.name}-{number:04}"))
        for number in range(min(extra, SIMULATED))
    )
    return simulate(named, World(nodes, tuple(placements), frozenset()))


def _judged(found: Simulated, extra: int, why: str) -> Finding:
    tried = len(found.placed) + len(found.unplaced)
    of = f"of the first {tried}" if tried < extra else f"of {tried}"
    value = f"{len(found.placed)} {of} more pods {why} fit on {counted(found.candidates, 'node')}"
    if not found.unplaced:
        where = tuple(dict.fromkeys(node for _, node in found.placed))
        return Finding(_KEY, _LABEL, Light.GREEN, value, _ESTIMATE, evidence=where[:KEPT])
    return Finding(
        _KEY, _LABEL, Light.YELLOW, f"{value}: the others wait until there are more nodes", _ESTIMATE,
        evidence=tuple(dict.fromkeys(each.said(found.candidates) for each in found.unplaced)),
        mend="see that the node group may still grow",
        suggestions=(Suggestion("Load of the nodes", "node top"),),
    )  # fmt: skip

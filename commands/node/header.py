"""What there is to know of a node before it is touched: what it is, how it is, and who else is at it."""

from collections.abc import Iterable
from datetime import datetime

from commands.finding import Finding, Light
from commands.scheduling import CORDONED, NodeDetail
from commands.wording import age, one_line

# Whoever sets one of these is about to take the node away, or to bring it back.
_ACTORS = (
    ("ToBeDeletedByClusterAutoscaler", "the cluster autoscaler removes it"),
    ("DeletionCandidateOfClusterAutoscaler", "the cluster autoscaler may remove it"),
    ("karpenter.sh/disrupt", "Karpenter replaces it"),
    ("aws-node-termination-handler/", "AWS takes it away (termination handler)"),
)
_KURED = "weave.works/kured-reboot-in-progress"
_GROUPS = ("eks.amazonaws.com/nodegroup", "karpenter.sh/nodepool", "alpha.eksctl.io/nodegroup-name")
_SPOT = ("eks.amazonaws.com/capacityType", "karpenter.sh/capacity-type")


def facts(node: NodeDetail, now: datetime | None) -> tuple[str, ...]:
    labels = node.labels
    zone, kind = (
        labels.get(key, "") for key in ("topology.kubernetes.io/zone", "node.kubernetes.io/instance-type")
    )
    group = next((f"group {labels[key]}" for key in _GROUPS if key in labels), "")
    spot = "spot" if any(labels.get(key, "").casefold() == "spot" for key in _SPOT) else ""
    what = ", ".join(each for each in (kind, spot, zone, group) if each)
    return (
        f"{node.name}: {readiness(node, now)}" + (f", {what}" if what else ""),
        *((f"Closed already {closed_by(node)}",) if node.unschedulable else ()),
    )


def identity(node: NodeDetail) -> str:
    """What to look for elsewhere: in the console of the cloud, in release notes."""
    instance = node.provider.rpartition("/")[2]
    kubelet = f"kubelet {node.kubelet or 'unknown'}"
    return f"{node.name} is {f'{instance}, ' if instance else ''}{kubelet}"


def readiness(node: NodeDetail, now: datetime | None) -> str:
    word = {"True": "Ready", "False": "not Ready"}.get(node.ready, "Ready unknown")
    return ", ".join((f"{word}{age(node.ready_since, now)}", *node.pressures))


def closed_by(node: NodeDetail) -> str:
    """ "by U0ALICE0001 (R…): kernel update", as the bot wrote it down."""
    note = node.annotations.get(CORDONED, "")
    return one_line(note) if note else "by somebody who left no note"


def findings(node: NodeDetail, now: datetime | None) -> Iterable[Finding]:
    others = tuple(_others(node))
    if others:
        value = f"{node.name}: {others[0]}"
        yield Finding("node.actor", "Somebody else is at it", Light.YELLOW, value, evidence=others)
    if node.ready != "True":
        value = f"{node.name} is {readiness(node, now)}: its pods end only when its kubelet answers"
        yield Finding("node.unready", "Node", Light.YELLOW, value, evidence=(node.ready_reason,))


def _others(node: NodeDetail) -> Iterable[str]:
    for taint in node.taints:
        yield from (f"{who} ({taint})" for key, who in _ACTORS if taint.key.startswith(key))
    if _KURED in node.annotations:
        yield f"kured reboots it ({node.annotations[_KURED]})"

"""What schedulers and autoscalers say of a pod that has no node, taken apart: how many nodes, for which reasons.

Pure. Used by pending.py.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from commands.podreads import EventView
from commands.wording import one_line


@dataclass(frozen=True, slots=True)
class Reason:
    """count: how many nodes. kind: what more is read for it; text: in plain words. resource: what is short."""

    count: int
    kind: str
    text: str
    resource: str = ""


@dataclass(frozen=True, slots=True)
class Refusals:
    """total: of how many nodes; 0 where the sentence names none. reasons: the most frequent first."""

    total: int
    reasons: tuple[Reason, ...]

    def has(self, *kinds: str) -> bool:
        return any(each.kind in kinds for each in self.reasons)

    @property
    def counts_taints(self) -> bool:
        """There are taints, and it does not say which (from 1.34 on)."""
        return any(each.kind == "taint" and "(" not in each.text for each in self.reasons)

    def said(self) -> str:
        """ "0/3 nodes: 2 lack CPU, 1 has the taint dedicated=gpu"."""
        words = ", ".join(f"{each.count} {each.text}" if each.count else each.text for each in self.reasons)
        return f"0/{self.total} nodes take it: {words}" if self.total else words


_TABLE: tuple[tuple[str, str, str], ...] = (
    (r"Insufficient (?P<resource>\S+)", "room", "too little {resource} left"),
    (r"Too many pods", "pods", "as many pods as may be (network addresses of the instance)"),
    (r"taints? \{(?P<what>[^}]*)\}", "taint", "a taint it does not tolerate ({what})"),
    (r"untolerated taint|taints? that the pod didn't tolerate", "taint", "a taint it does not tolerate"),
    (r"volume node affinity conflict|PersistentVolume's node affinity|no available volume zone", "zone",
     "not in the zone of its volume"),
    (r"node affinity/selector|node selector|node affinity|requested node name", "affinity",
     "not what its node selector or affinity asks for"),
    (r"existing pods anti-affinity", "apart", "a pod that wants to be apart from it"),
    (r"anti-affinity", "apart", "a pod it wants to be apart from"),
    (r"pod affinity", "near", "no pod it wants to be near"),
    (r"topology spread", "spread", "would break its topology spread"),
    (r"were unschedulable", "cordoned", "closed (cordoned)"),
    (r"max volume count", "volumes", "as many volumes as may be attached"),
    (r"free ports", "port", "its host port taken"),
    (r"unbound immediate PersistentVolumeClaims", "claim", "a claim of it has no volume yet"),
    (r"persistentvolumeclaim \"(?P<what>[^\"]+)\" not found", "claim", "its claim {what} does not exist"),
    (r"persistentvolumeclaim \"(?P<what>[^\"]+)\" is being deleted", "claim", "its claim {what} is being deleted"),
    (r"ReadWriteOncePod", "claim", "its claim is for one pod (ReadWriteOncePod), and another has it"),
    (r"enough free storage", "claim", "too little free storage for its claim"),
    (r"bound to non-existent (?:persistentvolume|pv)", "claim", "its claim is bound to a volume that is gone"),
    (r"didn't find available persistent volumes", "claim", "no volume its claim could be bound to"),
    (r"not ready|NotReady", "notready", "not ready"),
    (r"no nodes available", "none", "the cluster has no node at all"),
    (r"binding volumes: (?P<what>.+)", "claim", "its volume was not bound in time ({what})"),
)  # fmt: skip
_HEAD = re.compile(r"0/(?P<total>\d+) nodes are available: (?P<reasons>.+)", re.DOTALL)
_SPLIT = re.compile(r"(?:^|, )(?=\d+ )")
# A taint's own comma is not one between reasons: the old sentence goes on with words, not with a number.
_ONE = re.compile(r"(?P<count>\d+) (?P<text>.+)", re.DOTALL)
_NO_MORE = re.compile(r"\.? ?(?:preemption|no new claims to deallocate).*", re.DOTALL)


def refusals(message: str) -> Refusals:
    """Of the scheduler's sentence; what it says of preemption is left out."""
    head = _HEAD.search(message)
    body = _NO_MORE.sub("", head["reasons"] if head else message).strip().rstrip(".")
    pieces = [_ONE.match(piece) for piece in _SPLIT.split(body) if piece]
    found = [_reason(int(each["count"]), each["text"]) for each in pieces if each]
    # "pod has unbound immediate PersistentVolumeClaims" bears no number.
    reasons = found or ([_reason(0, body)] if body else [])
    order = sorted(reasons, key=lambda each: -each.count)
    return Refusals(int(head["total"]) if head else 0, tuple(order))


def _reason(count: int, said: str) -> Reason:
    for words, kind, text in _TABLE:
        match = re.search(words, said)
        if match:
            parts = {
                key: (value or "").strip().rstrip(": ").rstrip(".")
                for key, value in match.groupdict().items()
            }
            named = {"cpu": "CPU"}.get(parts.get("resource", ""), parts.get("resource", ""))
            known = {"resource": named, "what": re.sub(r": ", "=", parts.get("what", ""))}
            return Reason(
                count,
                kind,
                text.format(**known),
                parts.get("resource", ""),
            )
    return Reason(count, "other", one_line(said, 160))


# --- Autoscalers ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """What an autoscaler said last of the pod. helps: a node is on its way."""

    who: str
    helps: bool
    text: str


def autoscaler(events: Iterable[EventView]) -> Autoscaler | None:
    """events: the latest first."""
    for event in events:
        found = _word(event)
        if found:
            return found
    return None


_GROUPS = re.compile(r"\[\{(?P<group>\S+) (?P<move>\d+->\d+)(?: \(max: (?P<most>\d+)\))?")


def _word(event: EventView) -> Autoscaler | None:
    said = event.message
    if event.reason == "TriggeredScaleUp":
        group = _GROUPS.search(said)
        what = (
            f"grows {group['group']} {group['move'].replace('->', ' → ')}" if group else one_line(said, 160)
        )
        return Autoscaler("cluster-autoscaler", True, what)
    if event.reason == "NotTriggerScaleUp":
        why = said.partition(": ")[2] or said
        return Autoscaler("cluster-autoscaler", False, f"adds no node: {one_line(why, 200)}")
    if event.reason in ("Nominated", "NominatedPod") or said.startswith("Pod should schedule on"):
        return Autoscaler("Karpenter", True, one_line(said, 160))
    if is_karpenter(event):
        return Autoscaler("Karpenter", False, f"adds no node: {one_line(_shorter(said), 240)}")
    return None


def is_karpenter(event: EventView) -> bool:
    return event.reason == "FailedScheduling" and bool(
        re.match(
            r"Failed to schedule pod|(?:all available instance types exceed|incompatible with) ",
            event.message,
        )
    )


def _shorter(said: str) -> str:
    """Without the lists of requirements that no one reads in a chat."""
    plain = re.sub(r"daemonset overhead=\{[^}]*\},? ?", "", said.replace("\\", ""))
    plain = re.sub(r"^Failed to schedule pod,? ?", "", plain)
    return re.sub(r" and requirements .*?(?=\(no instance|; incompatible|$)", " ", plain)

"""What is the matter with a node that is not Ready: the first of these facts that holds, gravest and surest first.

What takes the whole machine away explains everything after it; the kubelet's own words come before guesses from
silence. Pure sentences; nodes.py asks.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from commands.finding import Suggestion
from commands.model import Cause, Confidence
from commands.nodestatus import is_ready
from commands.phrase import span
from commands.podreads import EventView
from commands.reads import Condition, NodeView
from commands.triage.machine import Machine
from commands.triage.measured import share
from commands.triagereads import InstanceView, NodeClaimView
from commands.wording import one_line

CERTAIN, LIKELY, POSSIBLE = Confidence.CERTAIN, Confidence.LIKELY, Confidence.POSSIBLE
FULL = 0.95  # of the memory in use: from here on a kubelet may starve
_ZONE = "topology.kubernetes.io/zone"
# Taints and events by which Karpenter, EKS and the node termination handler tell of a machine that goes away.
_SPOT = re.compile(r"spot-?(?:itn|interrupt|termination)", re.IGNORECASE)
_REBALANCE = re.compile(r"rebalance", re.IGNORECASE)
_MAINTENANCE = re.compile(
    r"aws-node-termination-handler/(?:scheduled-maintenance|asg-lifecycle)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What was seen of one node. lease: how long ago it was renewed. instance: None where it was not read, or EC2
    has none; then gone is the id that EC2 knows nothing of. memory: the share in use when it was heard last."""

    machine: Machine
    lease: timedelta | None = None
    instance: InstanceView | None = None
    gone: str = ""
    events: tuple[EventView, ...] = ()
    claim: NodeClaimView | None = None
    memory: float = 0.0

    @property
    def name(self) -> str:
        return self.machine.short

    @property
    def ready(self) -> Condition | None:
        conditions = self.machine.view.conditions if self.machine.view else ()
        return next((each for each in conditions if each.type == "Ready"), None)

    @property
    def is_silent(self) -> bool:
        """The kubelet says nothing any more, as opposed to saying that it is not Ready."""
        return self.ready is not None and self.ready.status == "Unknown"


def cause(facts: Facts) -> Cause | None:
    found = next((told for said in _IN_ORDER if (told := said(facts))), None)
    if found is None:
        return None
    text, confidence = found
    return Cause(text, confidence, _steps(facts))


def gone(machine: Machine) -> Cause:
    text = f"{machine.short} is no node of the cluster any more: it was taken away or replaced, and the alert ends with it"
    return Cause(text, CERTAIN, (Suggestion("Nodes", "node list"),))


def zone(node: NodeView) -> str:
    return node.labels.get(_ZONE, "")


def _steps(facts: Facts) -> tuple[Suggestion, ...]:
    name, short = facts.machine.name, facts.name
    show = Suggestion(f"Show {short}", f"node show {name}")
    if _closed(facts) and not _leaves(facts):
        return (Suggestion(f"Uncordon {short}", f"node uncordon {name}"), show)
    if facts.machine.view is None or (is_ready(facts.machine.view) and not _leaves(facts)):
        return (show,)
    return (Suggestion(f"Plan to drain {short}", f"node drain {name} --dry-run"), show)


def _leaves(facts: Facts) -> bool:
    """Its machine goes away, whatever its kubelet still says."""
    return any(said(facts) for said in (_vanished, _stopped, _impaired, _spot, _scheduled))


# --- one sentence each ----------------------------------------------------------------------------

Told = tuple[str, Confidence] | None


def _vanished(facts: Facts) -> Told:
    if not facts.gone:
        return None
    return f"the machine of {facts.name} is gone: EC2 knows no {facts.gone}", CERTAIN


def _stopped(facts: Facts) -> Told:
    machine = facts.instance
    verbs = {
        "stopping": "is stopping",
        "stopped": "stopped",
        "shutting-down": "is terminating",
        "terminated": "terminated",
    }
    if machine is None or machine.state not in verbs:
        return None
    why = f" ({one_line(machine.reason)})" if machine.reason else ""
    if "SpotInstance" in machine.reason:
        return f"AWS took the spot instance {machine.id} of {facts.name} back{why}", CERTAIN
    return f"EC2 {verbs[machine.state]} {machine.id} of {facts.name}{why}", CERTAIN


def _impaired(facts: Facts) -> Told:
    machine = facts.instance
    if machine is None:
        return None
    if machine.system == "impaired":
        return (
            f"the system status check of {machine.id} ({facts.name}) is impaired: AWS's hardware or network; replace it",
            CERTAIN,
        )
    if machine.instance == "impaired":
        return (
            f"the instance status check of {machine.id} ({facts.name}) is impaired: its operating system does not answer",
            LIKELY,
        )
    return None


def _spot(facts: Facts) -> Told:
    if not _said(facts, _SPOT):
        return None
    return (
        f"AWS announced that it takes the spot instance of {facts.name} back: its pods have two minutes",
        CERTAIN,
    )


def _scheduled(facts: Facts) -> Told:
    if facts.instance and facts.instance.events:
        return (
            f"AWS has scheduled for {facts.instance.id} of {facts.name}: {one_line(facts.instance.events[0])}",
            LIKELY,
        )
    if _said(facts, _MAINTENANCE):
        return (
            f"AWS announced maintenance of {facts.name}, and its node termination handler empties it",
            LIKELY,
        )
    if _said(facts, _REBALANCE):
        return f"AWS advised to leave the spot instance of {facts.name} (rebalance recommendation)", LIKELY
    return None


def _replaced(facts: Facts) -> Told:
    claim = facts.claim
    if claim is None or claim.deleting is None:
        return None
    why = next(
        (each for each in claim.conditions if each.type == "DisruptionReason" and each.status == "True"), None
    )
    reason = f" ({why.reason})" if why and why.reason else ""
    return f"Karpenter takes {facts.name} away{reason}: NodeClaim {claim.name} is being deleted", LIKELY


def _zone_down(facts: Facts) -> Told:
    view = facts.machine.view
    bad = [node for node in facts.machine.nodes if not is_ready(node)]
    where = zone(view) if view else ""
    if len(bad) < 3 or not where:
        return None
    in_zone = [node for node in facts.machine.nodes if zone(node) == where]
    if not all(zone(node) == where for node in bad) or len(bad) * 2 < len(in_zone):
        return None
    return (
        f"{len(bad)} of the {len(in_zone)} nodes in {where} are not Ready, and none elsewhere: the zone or its network",
        LIKELY,
    )


# What a kubelet that still talks says of itself, and what it means; the first that is found.
_WORDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), meaning)
    for pattern, meaning in (
        (
            r"cni|network plugin|NetworkPluginNotReady",
            "its pod network is not ready: see aws-node on it (no free address?)",
        ),
        (r"PLEG", "its container runtime is too slow or hangs (PLEG)"),
        (
            r"container runtime (is down|status check|not running)|containerd",
            "its container runtime does not answer",
        ),
        (r"shut(ting)? ?down", "it is being shut down"),
        (r"csi", "a storage driver on it is not ready"),
        (r"disk|no space", "its disk is full"),
        (r"memory", "its memory is full"),
    )
)


def _says(facts: Facts) -> Told:
    ready = facts.ready
    if ready is None or ready.status != "False":
        return None
    said = ready.message or ready.reason
    meant = next((meaning for pattern, meaning in _WORDS if pattern.search(said)), "its kubelet says so")
    return f"{facts.name} is not Ready: {meant}: “{one_line(said, 120)}”", CERTAIN


def _pressed(facts: Facts) -> Told:
    """A machine without memory or disk falls silent; what it said last stays in its events."""
    for reason, what in (
        ("SystemOOM", "memory"),
        ("OOMKilling", "memory"),
        ("EvictionThresholdMet", "memory or disk"),
    ):
        event = next((each for each in reversed(facts.events) if each.reason == reason), None)
        if facts.is_silent and event:
            return (
                f"{_silence(facts)}; before, it had run out of {what} ({one_line(event.message, 100)})",
                LIKELY,
            )
    return None


def _silent(facts: Facts) -> Told:
    if not facts.is_silent:
        return None
    if facts.memory >= FULL:
        return f"{_silence(facts)}; {share(facts.memory)} of its memory was in use then", LIKELY
    machine = facts.instance
    if machine and (machine.system, machine.instance) == ("ok", "ok"):
        return (
            f"{_silence(facts)}; its instance {machine.id} passes both checks: the kubelet, or its way to the API server",
            LIKELY,
        )
    return f"{_silence(facts)}: the machine, its kubelet, or the way to the API server", POSSIBLE


def _silence(facts: Facts) -> str:
    now, ready = facts.machine.now, facts.ready
    since = facts.lease or (now - ready.since if now and ready and ready.since else None)
    return f"the kubelet of {facts.name} stopped reporting{f' {span(since)} ago' if since else ''}"


def _never(facts: Facts) -> Told:
    if facts.machine.view is None or facts.ready is not None:
        return None
    return f"the kubelet of {facts.name} has never reported whether it is Ready", LIKELY


def _flaps(facts: Facts) -> Told:
    turns = Counter({each.reason: each.count for each in facts.events})["NodeNotReady"]
    if turns < 2 or facts.ready is None or facts.ready.status != "True":
        return None
    return (
        f"{facts.name} turned not Ready {turns} times and is Ready now: a kubelet that is too busy, or a shaky network",
        POSSIBLE,
    )


def _closed(facts: Facts) -> Told:
    """Ready, and yet nothing comes to it: said where the alert is about a node, and nothing graver is."""
    view = facts.machine.view
    if view is None or not view.unschedulable or not is_ready(view):
        return None
    return (
        f"{facts.name} is closed (cordoned) and Ready: nothing new is started on it until it is opened",
        CERTAIN,
    )


def _back(facts: Facts) -> Told:
    ready, now = facts.ready, facts.machine.now
    if ready is None or ready.status != "True":
        return None
    since = f" for {span(now - ready.since)}" if now and ready.since else ""
    return f"{facts.name} is Ready again{since}", CERTAIN


def _said(facts: Facts, pattern: re.Pattern[str]) -> bool:
    taints = facts.machine.view.taints if facts.machine.view else ()
    return any(pattern.search(text) for text in (*taints, *(event.reason for event in facts.events)))


_IN_ORDER: tuple[Callable[[Facts], Told], ...] = (
    _vanished,
    _stopped,
    _impaired,
    _spot,
    _zone_down,
    _replaced,
    _says,
    _pressed,
    _scheduled,
    _silent,
    _never,
    _flaps,
    _closed,
    _back,
)

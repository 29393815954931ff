"""What cuts a pod off, judged: which labels lead to it, which policies still open something for it, and whether
anything in the cluster enforces network policies at all.

Policies add up, so one that allows is not undone by one that denies: a pod is only cut off when no policy
that opens something finds it any more.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from commands.finding import Finding, Light
from commands.model import Gap
from commands.podreads import NetworkView, PolicyView
from commands.scheduling import QUARANTINE
from commands.wording import KEPT, unread
from commands.workloads import ServiceView, selects

# Written beside the label: what `pod release` puts back.
BEFORE = "sre-bot/before-quarantine"

ENFORCED = "isolate.enforced"  # the finding that says whether a policy does anything

# Agents that always enforce, by the names that their makers give to their DaemonSets.
_ENFORCERS = (
    "antrea-agent", "calico-node", "canal", "cilium", "kube-ovn-cni", "kube-router", "ovnkube-node", "weave-net",
)  # fmt: skip
_VPC_CNI = "aws-node"
_VPC_FLAG = "--enable-network-policy"
_TURN_ON = 'set enableNetworkPolicy to "true" in the vpc-cni add-on, or use a security group that lets nothing through'


# --- Labels ---------------------------------------------------------------------------------------


def labels_to_remove(
    labels: Mapping[str, str],
    services: Iterable[ServiceView],
    policies: Iterable[PolicyView],
    owner_keys: Iterable[str],
) -> tuple[str, ...]:
    """Keys by which a Service, an opening policy or the controller finds the pod, in order."""
    keys = {key for service in services if _finds(service, labels) for key in service.selector}
    keys |= {key for policy in policies if opens(policy, labels) for key in _keys(policy.selector)}
    keys |= set(owner_keys)
    return tuple(sorted(key for key in keys if key in labels and key != QUARANTINE))


def _finds(service: ServiceView, labels: Mapping[str, str]) -> bool:
    return bool(service.selector) and all(labels.get(key) == value for key, value in service.selector.items())


def opens(policy: PolicyView, labels: Mapping[str, str]) -> bool:
    return bool(policy.allows) and selects(policy.selector, labels)


def _keys(selector: Mapping[str, object]) -> set[str]:
    """Keys whose removal ends the match; a line that holds without a label has none."""
    plain, lines = selector.get("matchLabels") or {}, selector.get("matchExpressions") or ()
    assert isinstance(plain, Mapping) and isinstance(lines, list | tuple)
    return {*plain, *(str(each["key"]) for each in lines if each.get("operator") in ("In", "Exists"))}


# --- What was there before --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Before:
    """labels: those that were taken away. owner: the controller that had the pod, "ReplicaSet web-5f", and its
    uid; "" for none."""

    labels: Mapping[str, str]
    owner: str = ""
    owner_uid: str = ""

    @property
    def owner_kind(self) -> str:
        return self.owner.partition(" ")[0]

    def written(self) -> str:
        held = {"labels": dict(self.labels), "owner": self.owner, "uid": self.owner_uid}
        return json.dumps(held, sort_keys=True)


def before(annotation: str) -> Before | None:
    """What `written` wrote; None for anything else, which somebody may have put there."""
    try:
        held = json.loads(annotation)
        labels = {str(key): str(value) for key, value in held["labels"].items()}
        return Before(labels, str(held["owner"]), str(held["uid"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


# --- Policies ---------------------------------------------------------------------------------------


def still_open(answer: tuple[PolicyView, ...] | Gap, labels: Mapping[str, str]) -> Finding:
    """labels: those that the pod will have."""
    if isinstance(answer, Gap):
        return unread("isolate.policies", "Other policies", answer)
    found = [policy for policy in answer if opens(policy, labels)]
    if not found:
        return Finding("isolate.policies", "Other policies", Light.GREEN, "none opens anything for it")
    names = [f"{policy.target.name} opens {' and '.join(sorted(policy.allows))}" for policy in found]
    return Finding(
        "isolate.policies",
        "Other policies",
        Light.YELLOW,
        "still let traffic through: policies add up",
        evidence=tuple(names[:KEPT]),
        mend="Except pods with the label " + QUARANTINE + " from them.",
    )


def enforced(answer: NetworkView | Gap) -> Finding:
    """Whether a NetworkPolicy does anything in this cluster."""
    if isinstance(answer, Gap):
        return unread(ENFORCED, "Enforcement", answer)
    by = [agent.name for agent in answer.agents if agent.name in _ENFORCERS]
    switch = _vpc_switch(answer)
    if by or switch is True:
        value = f"network policies are enforced by {by[0] if by else 'the VPC CNI'}"
        return Finding(ENFORCED, "Enforcement", Light.GREEN, value)
    if switch is False:
        value = "not enforced: network policies are off in the VPC CNI, so its traffic goes on"
        return Finding(ENFORCED, "Enforcement", Light.YELLOW, value, mend=_TURN_ON)
    value = "unknown: nothing is there that is known to enforce network policies"
    return Finding(ENFORCED, "Enforcement", Light.UNKNOWN, value, mend=_TURN_ON)


def _vpc_switch(view: NetworkView) -> bool | None:
    """What the VPC CNI was told; None where there is none, or it was told nothing."""
    if view.auto_mode:
        return view.auto_mode.casefold() == "true"
    for agent in view.agents:
        if agent.name == _VPC_CNI:
            return any(_is_on(arg) for arg in agent.args)
    return None


def _is_on(arg: str) -> bool:
    name, _, value = arg.partition("=")
    return name == _VPC_FLAG and value.strip("\"'").casefold() in ("true", "")

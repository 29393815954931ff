"""What cuts a pod off, judged: which labels lead to it, and which policies still open something for it.

Policies add up, so one that allows is not undone by one that denies: a pod is only cut off when no policy
that opens something finds it any more.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from commands.finding import Finding, Light
from commands.model import Gap
from commands.podreads import PolicyView
from commands.scheduling import QUARANTINE
from commands.wording import KEPT, unread
from commands.workloads import ServiceView, selects

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

"""Pods that were never made: what the API server said to the controller that wanted to make them.

Quota, Pod Security, admission webhooks, limit ranges, a missing service account. Their words stand in the events of
the ReplicaSet, StatefulSet, DaemonSet or Job. Used by `debug startup`, and for workloads with too few pods.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from commands.finding import Finding, Light
from commands.podreads import EventView, workload
from commands.wording import one_line

_REASONS = ("FailedCreate", "ReplicaSetCreateError", "FailedDaemonPod")


@dataclass(frozen=True, slots=True)
class Refused:
    """kind: quota, security, webhook, webhook-down, limits, account or other."""

    kind: str
    row: str
    text: str
    fix: str


_TABLE: tuple[tuple[str, Refused], ...] = (
    (r"exceeded quota: (?P<name>[\w.-]+), requested: (?P<asked>.+?), used: (?P<used>.+?), limited: (?P<limit>.+)",
     Refused("quota", "T3-3.0", "quota {name} is used up: asked {asked}, used {used}, at most {limit}",
             "raise the quota, or ask for less")),
    (r"failed quota: (?P<name>[\w.-]+): must specify (?P<what>.+)",
     Refused("quota", "T3-3.0", "quota {name} wants every container to say its {what}",
             "set the requests and limits, or a LimitRange with defaults")),
    (r"violates PodSecurity \"(?P<name>[^\"]+)\": (?P<what>.+)",
     Refused("security", "T3-3.3", "the namespace's Pod Security level ({name}) forbids it: {what}",
             "correct the securityContext, or the namespace's label")),
    (r"admission webhook \"(?P<name>[^\"]+)\" denied the request:? ?(?P<what>.*)",
     Refused("webhook", "T3-3.3", "the admission webhook {name} denies it: {what}", "do what its policy asks for")),
    (r"failed calling webhook \"(?P<name>[^\"]+)\":? ?(?P<what>.*)",
     Refused("webhook-down", "T3-3.3", "the admission webhook {name} does not answer, and lets nothing pass: {what}",
             "mend the webhook's own pods")),
    (r"serviceaccounts? \"(?P<name>[^\"]+)\" not found",
     Refused("account", "T3-2.0", "its service account {name} does not exist", "create it, or correct its name")),
    (r"(?P<what>(?:maximum|minimum) \S+ usage per \S+ is [^,]+, but [^.\]]+)",
     Refused("limits", "T3-3.0", "the namespace's LimitRange forbids it: {what}", "keep the requests and limits within it")),
    (r"no PriorityClass with name (?P<name>\S+)",
     Refused("other", "T3-2.0", "its priority class {name} does not exist", "create it, or correct its name")),
    (r"is invalid: (?P<what>.+)",
     Refused("other", "T3-2.0", "its template is not valid: {what}", "correct the template")),
    (r"is forbidden: (?P<what>.+)",
     Refused("other", "T3-3.3", "the API server forbids it: {what}", "see who forbids it, and why")),
)  # fmt: skip


def refused(message: str) -> Refused:
    for words, found in _TABLE:
        match = re.search(words, message, re.DOTALL)
        if match:
            parts = {key: one_line(value or "", 200) for key, value in match.groupdict().items()}
            return Refused(found.kind, found.row, found.text.format(**parts).rstrip(": "), found.fix)
    return Refused("other", "T3-3.0", one_line(message, 300), "")


def latest(events: Iterable[EventView], name: str) -> tuple[EventView, Refused] | None:
    """The last refusal of what makes the pods of this workload; events in the order they were seen."""
    mine = [event for event in events if event.reason in _REASONS and _is_of(event, name)]
    return (mine[-1], refused(mine[-1].message)) if mine else None


def _is_of(event: EventView, name: str) -> bool:
    """A ReplicaSet bears its Deployment's name and a hash."""
    own = event.name.removesuffix("*").rstrip("-")
    return name in (own, workload(f"{own}-xxxxx"), own.rpartition("-")[0])


def finding(event: EventView, found: Refused) -> Finding:
    facts = (f"what to do: {found.fix}" if found.fix else "", one_line(event.message, 380))
    value = f"{found.text}" + (f" ({event.count} tries)" if event.count > 1 else "")
    return Finding(found.row, "Not made", Light.RED, value, evidence=tuple(filter(None, facts)))

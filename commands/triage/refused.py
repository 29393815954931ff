"""Pods that were never made: what the API server said to the controller that wanted to make them.

Quota, Pod Security, admission webhooks, limit ranges, a missing service account. Their words stand in the events of
the ReplicaSet, StatefulSet, DaemonSet or Job. Used by `debug startup`, and for workloads with too few pods.
"""

from collections.abc import Iterable
from dataclasses import replace

from commands.finding import Finding, Light
from commands.podreads import EventView, workload
from commands.triage.knownwords import Meaning, Table, known
from commands.wording import one_line

_REASONS = ("FailedCreate", "ReplicaSetCreateError", "FailedDaemonPod")


# kinds: quota, security, webhook, webhook-down, limits, account, other.
_TABLE: Table = (
    (r"exceeded quota: (?P<name>[\w.-]+), requested: (?P<asked>.+?), used: (?P<used>.+?), limited: (?P<limit>.+)",
     Meaning("quota", "quota {name} is used up: asked {asked}, used {used}, at most {limit}",
             "raise the quota, or ask for less", "T3-3.0")),
    (r"failed quota: (?P<name>[\w.-]+): must specify (?P<what>.+)",
     Meaning("quota", "quota {name} wants every container to say its {what}",
             "set the requests and limits, or a LimitRange with defaults", "T3-3.0")),
    (r"violates PodSecurity \"(?P<name>[^\"]+)\": (?P<what>.+)",
     Meaning("security", "the namespace's Pod Security level ({name}) forbids it: {what}",
             "correct the securityContext, or the namespace's label", "T3-3.3")),
    (r"admission webhook \"(?P<name>[^\"]+)\" denied the request:? ?(?P<what>.*)",
     Meaning("webhook", "the admission webhook {name} denies it: {what}", "do what its policy asks for", "T3-3.3")),
    (r"failed calling webhook \"(?P<name>[^\"]+)\":? ?(?P<what>.*)",
     Meaning("webhook-down", "the admission webhook {name} does not answer, and lets nothing pass: {what}",
             "mend the webhook's own pods", "T3-3.3")),
    (r"serviceaccounts? \"(?P<name>[^\"]+)\" not found",
     Meaning("account", "its service account {name} does not exist", "create it, or correct its name", "T3-2.0")),
    (r"(?P<what>(?:maximum|minimum) \S+ usage per \S+ is [^,]+, but [^.\]]+)",
     Meaning("limits", "the namespace's LimitRange forbids it: {what}", "keep the requests and limits within it", "T3-3.0")),
    (r"no PriorityClass with name (?P<name>\S+)",
     Meaning("other", "its priority class {name} does not exist", "create it, or correct its name", "T3-2.0")),
    (r"is invalid: (?P<what>.+)",
     Meaning("other", "its template is not valid: {what}", "correct the template", "T3-2.0")),
    (r"is forbidden: (?P<what>.+)",
     Meaning("other", "the API server forbids it: {what}", "see who forbids it, and why", "T3-3.3")),
)  # fmt: skip


def refused(message: str) -> Meaning:
    found = known(_TABLE, message)
    if found is None:
        return Meaning("other", one_line(message, 300), row="T3-3.0")
    meant = found[0].naming(found[1])
    return replace(meant, text=meant.text.rstrip(": "))


def latest(events: Iterable[EventView], name: str) -> tuple[EventView, Meaning] | None:
    """The last refusal of what makes the pods of this workload; events in the order they were seen."""
    mine = [event for event in events if event.reason in _REASONS and _is_of(event, name)]
    return (mine[-1], refused(mine[-1].message)) if mine else None


def _is_of(event: EventView, name: str) -> bool:
    """A ReplicaSet bears its Deployment's name and a hash."""
    own = event.name.removesuffix("*").rstrip("-")
    return name in (own, workload(f"{own}-xxxxx"), own.rpartition("-")[0])


def finding(event: EventView, found: Meaning) -> Finding:
    facts = (f"what to do: {found.fix}" if found.fix else "", one_line(event.message, 380))
    value = f"{found.text}" + (f" ({event.count} tries)" if event.count > 1 else "")
    return Finding(found.row, "Not made", Light.RED, value, evidence=tuple(filter(None, facts)))

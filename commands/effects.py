"""The closed vocabulary of what the bot may change, as data; workers/effects.py alone carries it out.

An effect names its object with the uid it had when the plan was made, and what must still hold when it is
applied. Applying one twice changes nothing the second time: a resumed change repeats the effect whose
outcome was lost. Dry run, the card, the audit, the digest and RBAC all derive from these values. Adding one
means a class here, a `case` in workers/effects.py and a line in commands/needs.py.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Target:
    """An object of the cluster. kind as kubectl writes it ("Node", "Pod", "Deployment"); namespace "" for
    what has none; uid as read, so that another object of the same name is never meant."""

    kind: str
    namespace: str
    name: str
    uid: str

    @property
    def path(self) -> str:
        """ "shop/backend-1", or the bare name of a cluster-wide object."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    def __str__(self) -> str:
        return f"{self.kind} {self.path}"


# --- Nodes ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cordon:
    """Set spec.unschedulable and the annotation sre-bot/cordoned (who, request, why)."""

    target: Target
    note: str
    kind: Literal["cordon"] = "cordon"


@dataclass(frozen=True, slots=True)
class Uncordon:
    """Clear spec.unschedulable, and the bot's own annotation only."""

    target: Target
    kind: Literal["uncordon"] = "uncordon"


# --- Pods -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Evict:
    """policy/v1 eviction of this uid while it is on this node. grace in seconds; None: the pod's own."""

    target: Target
    node: str
    grace: int | None = None
    kind: Literal["evict"] = "evict"


@dataclass(frozen=True, slots=True)
class DeletePod:
    """Delete this uid, past any disruption budget. grace in seconds; None: the pod's own."""

    target: Target
    grace: int | None = None
    kind: Literal["delete-pod"] = "delete-pod"


@dataclass(frozen=True, slots=True)
class Relabel:
    """Set and remove labels and annotations of a pod, each as (key, value)."""

    target: Target
    labels: tuple[tuple[str, str], ...] = ()
    without_labels: tuple[str, ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    without_annotations: tuple[str, ...] = ()
    kind: Literal["relabel"] = "relabel"


@dataclass(frozen=True, slots=True)
class DenyTraffic:
    """Create a NetworkPolicy that lets nothing in or out of the pods with this label. Its target has no uid."""

    target: Target
    label: tuple[str, str]
    kind: Literal["deny-traffic"] = "deny-traffic"


@dataclass(frozen=True, slots=True)
class AllowTraffic:
    """Delete a NetworkPolicy that DenyTraffic made."""

    target: Target
    kind: Literal["allow-traffic"] = "allow-traffic"


# --- Workloads: Deployment, StatefulSet, DaemonSet --------------------------------------------------


@dataclass(frozen=True, slots=True)
class RollBack:
    """Put the pod template of an earlier revision back.

    revision: its number; source: the ReplicaSet or ControllerRevision that holds it. template: hash of the
    template that is in force now (reads.WorkloadView.template): another one means somebody deployed since.
    target_template: hash of the template to come, by which a repeated effect knows that it is done.
    cause: written as kubernetes.io/change-cause.
    """

    target: Target
    revision: int
    source: Target
    template: str
    target_template: str
    cause: str
    kind: Literal["roll-back"] = "roll-back"


@dataclass(frozen=True, slots=True)
class Restart:
    """Set the template's kubectl.kubernetes.io/restartedAt to `at` (RFC 3339, fixed when it was planned)."""

    target: Target
    template: str
    at: str
    kind: Literal["restart"] = "restart"


@dataclass(frozen=True, slots=True)
class Scale:
    """Set spec.replicas from `was` to `replicas`, through the scale subresource."""

    target: Target
    was: int
    replicas: int
    kind: Literal["scale"] = "scale"


# --- Alertmanager ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Silence:
    """Make a silence; its target has the namespace that the matchers name, and the request's id as its name.

    matchers: as Alertmanager writes them. until: RFC 3339, fixed when it was planned. by: the user's id, which
    Alertmanager is told with the user's name. request: by whose id in its comment it is found again.
    """

    target: Target
    matchers: tuple[str, ...]
    until: str
    by: str
    request: str
    why: str
    kind: Literal["silence"] = "silence"


@dataclass(frozen=True, slots=True)
class Unsilence:
    """End the silence with the target's uid."""

    target: Target
    kind: Literal["unsilence"] = "unsilence"


# --- Containing an incident -------------------------------------------------------------------------

# The annotation that a Freeze writes: what the field was, for whom and by which request, as JSON.
FROZEN = "sre-bot/frozen"


@dataclass(frozen=True, slots=True)
class ExceptTraffic:
    """Create a NetworkPolicy that lets everything in (Ingress) or out (Egress) of the pods with these labels but
    what comes from or goes to these address ranges. No label means every pod of the namespace. Its target has no
    uid."""

    target: Target
    labels: tuple[tuple[str, str], ...]
    cidrs: tuple[str, ...]
    directions: tuple[str, ...] = ("Ingress", "Egress")
    kind: Literal["except-traffic"] = "except-traffic"


@dataclass(frozen=True, slots=True)
class Freeze:
    """Set one field of an object and, in the same write, the annotation that says what it was.

    field: a JSON pointer. to: what it becomes, as JSON. request, service: for whom, written beside it. An object
    that is frozen keeps the record it has, whoever wrote it: that is of the time before everything.
    """

    target: Target
    field: str
    to: str
    request: str
    service: str
    kind: Literal["freeze"] = "freeze"


@dataclass(frozen=True, slots=True)
class Thaw:
    """Put the field back as the annotation says, and take the annotation away, in one write.

    to: what it was, as JSON; "" where the field was not there. note: the annotation as it was read."""

    target: Target
    field: str
    to: str
    note: str
    kind: Literal["thaw"] = "thaw"


@dataclass(frozen=True, slots=True)
class DeleteToken:
    """Delete a Secret that holds a token of a service account. It is not looked at: its uid is the guard."""

    target: Target
    kind: Literal["delete-token"] = "delete-token"


# --- Addresses and credentials in AWS ---------------------------------------------------------------
# Their targets have the id that AWS knows them by as name and as uid.


@dataclass(frozen=True, slots=True)
class Tag:
    """Write a tag on a network ACL or a security group: what a block was, for whoever takes it back."""

    target: Target
    key: str
    value: str
    kind: Literal["tag"] = "tag"


@dataclass(frozen=True, slots=True)
class Untag:
    """Remove a tag that has this value."""

    target: Target
    key: str
    value: str
    kind: Literal["untag"] = "untag"


@dataclass(frozen=True, slots=True)
class DenyEntry:
    """Make the entry `number` of a network ACL, in one direction, that denies all traffic with an address range."""

    target: Target
    number: int
    is_egress: bool
    cidr: str
    kind: Literal["deny-entry"] = "deny-entry"


@dataclass(frozen=True, slots=True)
class DropEntry:
    """Delete an entry that DenyEntry made; one of the same number that says something else is left alone."""

    target: Target
    number: int
    is_egress: bool
    cidr: str
    kind: Literal["drop-entry"] = "drop-entry"


@dataclass(frozen=True, slots=True)
class GroupRule:
    """One address range that a security group lets in or out. protocol as EC2 has it: "tcp", "-1" for all.
    low, high: ports, or type and code of ICMP; -1 where there are none."""

    is_egress: bool
    protocol: str
    low: int
    high: int
    cidr: str
    description: str = ""

    def __str__(self) -> str:
        ports = "" if self.low == self.high == -1 else f" {self.low}-{self.high}"
        if self.low == self.high != -1:
            ports = f" {self.low}"
        protocol = "all traffic" if self.protocol == "-1" else self.protocol
        return f"{protocol}{ports} {'to' if self.is_egress else 'from'} {self.cidr}"


@dataclass(frozen=True, slots=True)
class RevokeRule:
    """Take a rule out of a security group."""

    target: Target
    rule: GroupRule
    kind: Literal["revoke-rule"] = "revoke-rule"


@dataclass(frozen=True, slots=True)
class GrantRule:
    """Put a rule back that RevokeRule took out."""

    target: Target
    rule: GroupRule
    kind: Literal["grant-rule"] = "grant-rule"


@dataclass(frozen=True, slots=True)
class RevokeSessions:
    """Write an inline policy of a role that denies everything to sessions issued before `before` (RFC 3339). One
    that denies later ones, too, is left as it is."""

    target: Target
    policy: str
    before: str
    kind: Literal["revoke-sessions"] = "revoke-sessions"


@dataclass(frozen=True, slots=True)
class RotateSecret:
    """Have Secrets Manager rotate a secret by its own rule. token: names the version that comes of it, so that a
    repeated effect rotates nothing a second time."""

    target: Target
    token: str
    kind: Literal["rotate-secret"] = "rotate-secret"


Effect = (
    Cordon
    | Uncordon
    | Evict
    | DeletePod
    | Relabel
    | DenyTraffic
    | AllowTraffic
    | RollBack
    | Restart
    | Scale
    | Silence
    | Unsilence
    | ExceptTraffic
    | Freeze
    | Thaw
    | DeleteToken
    | Tag
    | Untag
    | DenyEntry
    | DropEntry
    | RevokeRule
    | GrantRule
    | RevokeSessions
    | RotateSecret
)


# --- What became of one ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Done:
    """The API server took it. warnings are its own (HTTP Warning headers)."""

    note: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Already:
    """It was so before: the object is gone, or as wanted."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class Blocked:
    """Not now, and trying again later is right: a disruption budget (`by` names it, "namespace/name"), or a
    namespace that is going away. reason is complete as it stands. seconds: when to try, if the server said."""

    reason: str
    by: str = ""
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """What the effect relied on no longer holds: another uid, another template, another number of replicas."""

    reason: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The API server refuses it for good (403, 422, 500 over two budgets); mend where there is one."""

    reason: str
    mend: str = ""


Outcome = Done | Already | Blocked | Moved | Rejected

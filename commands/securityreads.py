"""Questions behind the containment of an incident: what the cluster's addresses are, what guards its subnets, what
uses a service account, and what writes.

Facts only; of a Secret nothing but its metadata. What AWS answers is read by workers/awssecurity.py, the rest by
workers/securityreads.py; commands/incident judges.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from commands.effects import GroupRule, Target
from commands.model import Read

# --- Addresses --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RangesView:
    """Address ranges as the API server tells them: single addresses of nodes, ranges of their pods, of Services."""

    nodes: tuple[str, ...]
    pods: tuple[str, ...]
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ranges(Read):
    """→ RangesView"""


@dataclass(frozen=True, slots=True)
class VpcView:
    """The network of an EKS cluster. subnets: of the control plane, of the node groups, and those marked for the
    cluster or for load balancers; groups: security groups that EKS itself names."""

    id: str
    cidrs: tuple[str, ...]
    services: tuple[str, ...]
    subnets: tuple[str, ...]
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterVpc(Read):
    """→ VpcView, or None when EKS knows no such cluster."""

    cluster: str
    nodegroups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AclEntry:
    """One line of a network ACL; the lowest number that fits decides. protocol "-1" for all."""

    number: int
    is_egress: bool
    is_allow: bool
    protocol: str
    cidr: str


@dataclass(frozen=True, slots=True)
class AclView:
    """entries: without the last one, which denies what is left."""

    target: Target
    subnets: tuple[str, ...]
    entries: tuple[AclEntry, ...]
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NetworkAcls(Read):
    """→ tuple[AclView, ...] of the VPC, by id."""

    vpc: str


@dataclass(frozen=True, slots=True)
class GroupView:
    """A security group, as far as its rules name address ranges."""

    target: Target
    name: str
    rules: tuple[GroupRule, ...]
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SecurityGroups(Read):
    """→ tuple[GroupView, ...] of the VPC, by id."""

    vpc: str


# --- Credentials ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AccountView:
    target: Target
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Account(Read):
    """→ AccountView, or None when there is no such service account."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class AccountPod:
    """controller: "ReplicaSet web-5f", "" for none. secrets: names of those that it mounts or takes variables
    from. is_isolated: it bears the quarantine label."""

    target: Target
    controller: str = ""
    secrets: frozenset[str] = frozenset()
    is_isolated: bool = False


@dataclass(frozen=True, slots=True)
class AccountPods(Read):
    """→ tuple[AccountPod, ...] that run as this account, by name."""

    namespace: str
    account: str


@dataclass(frozen=True, slots=True)
class TokenView:
    target: Target
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class AccountTokens(Read):
    """→ tuple[TokenView, ...]: Secrets of type kubernetes.io/service-account-token of this account, by name."""

    namespace: str
    account: str


@dataclass(frozen=True, slots=True)
class AccountRoles(Read):
    """The IAM roles that EKS Pod Identity gives to the account → tuple[str, ...] of ARNs."""

    cluster: str
    namespace: str
    account: str


@dataclass(frozen=True, slots=True)
class RoleView:
    """subjects: service accounts that its trust policy names ("system:serviceaccount:shop:web"), with * where it
    says so. denied_before: of the sessions that the bot's policy denies already, RFC 3339; "" for none."""

    target: Target
    subjects: tuple[str, ...] = ()
    denied_before: str = ""


@dataclass(frozen=True, slots=True)
class Role(Read):
    """→ RoleView, or None when IAM knows no such role. policy: the name of the bot's inline policy."""

    arn: str
    policy: str


@dataclass(frozen=True, slots=True)
class ManagedSecretView:
    """A secret of Secrets Manager, without its value. versions: their stages ("AWSCURRENT") by their ids."""

    target: Target
    is_rotated: bool
    rotated: datetime | None = None
    versions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ManagedSecret(Read):
    """→ ManagedSecretView, or None when there is no such secret."""

    name: str


# --- Writers ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ScalerView:
    """A HorizontalPodAutoscaler. low, high: its bounds; is_stopped: it may scale neither up nor down. keda: the
    ScaledObject behind it."""

    target: Target
    kind: str
    name: str
    low: int
    high: int
    is_stopped: bool = False
    keda: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scalers(Read):
    """→ tuple[ScalerView, ...] of the namespace, by name."""

    namespace: str


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """A CronJob. running: names of its Jobs that are under way."""

    target: Target
    schedule: str
    is_suspended: bool = False
    running: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Schedules(Read):
    """→ tuple[ScheduleView, ...] of the namespace, by name."""

    namespace: str


@dataclass(frozen=True, slots=True)
class FlagView:
    """One key of a ConfigMap; value None where it has none."""

    target: Target
    value: str | None
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Flag(Read):
    """→ FlagView, or None when there is no such ConfigMap."""

    namespace: str
    name: str
    key: str

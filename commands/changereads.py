"""The questions about what changed in AWS: to CloudTrail and to EKS (workers/cloudtrail.py).

Answers are plain facts, as in commands/reads.py. What changed in the cluster itself is triagereads.Changes.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from commands.model import Gap, Read


@dataclass(frozen=True, slots=True)
class CloudChange:
    """Something that was done in AWS. service: eks, ec2, autoscaling, iam, elbv2. action: AWS's word
    ("TerminateInstances"). what: the names of what it was done to, and how it goes. by: who did it, as AWS knows it."""

    service: str
    action: str
    what: str
    at: datetime
    by: str = ""


@dataclass(frozen=True, slots=True)
class CloudChangesSeen:
    """changes: newest first. unread: what could not be looked at, or not so far back."""

    changes: tuple[CloudChange, ...]
    unread: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class CloudChanges(Read):
    """cloudtrail:LookupEvents of the window before now → CloudChangesSeen: what was written to EKS, EC2, Auto Scaling,
    load balancers (in the cluster's region) and IAM (in the region that is its home). Calls that only read, and those
    that AWS refused, are left out. AWS allows two questions a second, so much of it takes its time."""

    window: timedelta
    patience: ClassVar[float] = 30.0


@dataclass(frozen=True, slots=True)
class EksUpdates(Read):
    """eks:ListUpdates and DescribeUpdate of a cluster and its node groups → CloudChangesSeen: updates that began in
    the window before now."""

    cluster: str
    nodegroups: tuple[str, ...]
    window: timedelta
    patience: ClassVar[float] = 10.0

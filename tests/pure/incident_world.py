"""A cluster on EKS whose network, accounts and writers are as they should be, for each test to make worse."""

from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from commands.change import Doing, Planning, Who
from commands.effects import Target
from commands.model import Args, Gap, Read, Seen
from commands.plan import Mark, Plan, Progress, Standing
from commands.podreads import NetworkAgent, NetworkView, PolicyView
from commands.reads import Rehearsal
from commands.securityreads import (
    AccountPod,
    AccountView,
    AclEntry,
    AclView,
    GroupView,
    RangesView,
    VpcView,
)
from commands.site import ClusterSite, Freeze, Security, ServiceSite
from commands.workloads import WorkloadView

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
WHO = Who("R2345ABCD", "U0ALICE0001", "they are inside", NOW)
GAP = Gap("nobody answers", "start somebody")
SPACE = "sre-shop"
CIDR = "203.0.113.0/24"
SITE = ClusterSite(security=Security(own_cidrs=("198.51.100.0/24",)))
VPC = VpcView("vpc-1", ("10.0.0.0/16",), ("172.20.0.0/16",), ("subnet-a", "subnet-b"), ("sg-cluster",))


def acl(
    id: str = "acl-1", *entries: AclEntry, subnets: tuple[str, ...] = ("subnet-a",), **tags: str
) -> AclView:
    """Lets everything in and out by number 100, unless told otherwise."""
    usual = (AclEntry(100, False, True, "-1", "0.0.0.0/0"), AclEntry(100, True, True, "-1", "0.0.0.0/0"))
    return AclView(Target("NetworkAcl", "", id, id), subnets, entries or usual, tags)


def group(id: str = "sg-cluster", *rules: Any, **tags: str) -> GroupView:
    return GroupView(Target("SecurityGroup", "", id, id), f"name-{id}", rules, tags)


def policy(name: str, *allows: str, space: str = SPACE, **selector: Any) -> PolicyView:
    return PolicyView(Target("NetworkPolicy", space, name, f"uid-{name}"), selector, frozenset(allows))


def workload(
    name: str = "backend", replicas: int = 3, kind: str = "Deployment", **changes: Any
) -> WorkloadView:
    target = Target(kind, SPACE, name, f"uid-{name}")
    template = {"metadata": {"labels": {"app": name}}, "spec": {"serviceAccountName": name}}
    made = WorkloadView(
        target, 3, 3, replicas, replicas, replicas, replicas, replicas, template, f"app={name}"
    )
    return replace(made, **changes)


def pod(name: str = "backend-1", controller: str = "ReplicaSet backend-5f", **changes: Any) -> AccountPod:
    return AccountPod(Target("Pod", SPACE, name, f"uid-{name}"), controller, **changes)


class World:
    """Answers by the name of the read's type; `answers` replace single ones, and may be functions of the read."""

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {
            "Now": NOW,
            "Ranges": RangesView(("10.0.1.7", "192.0.2.7"), ("10.244.0.0/16",), ("172.20.0.0/16",)),
            "ClusterVpc": VPC,
            "NetworkAcls": (acl(),),
            "SecurityGroups": (group(),),
            "Network": NetworkView((NetworkAgent("kube-system", "cilium", ()),)),
            "Policies": (),
            "Account": AccountView(Target("ServiceAccount", SPACE, "backend", "uid-account")),
            "AccountPods": (pod(),),
            "AccountTokens": (),
            "AccountRoles": (),
            "Workloads": (workload(), workload("traffic-generator", 1)),
            "Workload": (workload(),),
            "Scalers": (),
            "Schedules": (),
            "DryRun": Rehearsal(True, ""),
            "EvidenceKept": frozenset(),
            **answers,
        }
        self.asked: list[Read] = []

    def drive(self, inquiry: Generator[Any, Seen, Any]) -> Any:
        try:
            wanted = next(inquiry)
            while True:
                assert wanted and len(set(wanted)) == len(wanted), f"asked for nothing, or twice: {wanted}"
                wanted = inquiry.send(Seen({read: self(read) for read in wanted}))
        except StopIteration as end:
            return end.value

    def __call__(self, read: Read) -> Any:
        self.asked.append(read)
        given = self.answers[type(read).__name__]
        return given(read) if callable(given) else given

    def plan(self, planning: Planning) -> Plan:
        made = self.drive(planning)
        assert isinstance(made, Plan)
        return made


def args(verb: str, name: str, **flags: str) -> Args:
    return Args("incident", verb, name, flags)


def lights(plan: Plan) -> dict[str, str]:
    """The findings of a plan that are not green: their keys with their lights."""
    return {each.key: each.light.value for each in plan.findings if each.light != "green"}


def value(plan: Plan, key: str) -> str:
    [found] = [each for each in plan.findings if each.key == key]
    return found.value


def doing(
    plan: Plan, verb: str, name: str, standing: Standing = Standing.APPLIED, *, is_over: bool = False
) -> Doing:
    marks = {step.key: Mark(standing, NOW) for step in plan.steps}
    return Doing(args(verb, name), plan, Progress("w", NOW, NOW + timedelta(minutes=5), marks), is_over)


def shop(mode: Any = "scale", **freeze: Any) -> ClusterSite:
    """One service that writes, stopped in this way."""
    service = ServiceSite("backend", SPACE, "backend", "backend-service", freeze=Freeze(mode, **freeze))
    return replace(SITE, services={"backend": service})

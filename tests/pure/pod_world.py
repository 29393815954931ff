"""A pod in a small shop where all is well, for each test to make worse; and how its plans are driven."""

from collections.abc import Generator, Mapping
from datetime import timedelta
from typing import Any

from commands.change import Doing, Who
from commands.effects import Target
from commands.model import Args, Gap, Read, Reads, Seen
from commands.plan import Mark, Plan, Progress, Standing, Verdict
from commands.podreads import (
    Controller,
    Network,
    NetworkAgent,
    NetworkView,
    OnePod,
    PodFacts,
    Policies,
    PolicyView,
    Run,
)
from commands.reads import EvidenceKept
from commands.scheduling import QUARANTINE, Budgets, Owners, OwnerView
from commands.site import ClusterSite
from commands.workloads import Members, MemberView, ServicesOf, ServiceView
from tests import build

SITE = ClusterSite()
WHO = Who("R2345ABCD", "U0ALICE0001", "it mines coins", build.NOW)
NS, NAME, UID = "sre-shop", "web-5f-abcde", "uid-web"
PATH = f"{NS}/{NAME}"
TARGET = Target("Pod", NS, NAME, UID)
LABELS = {"app": "web", "pod-template-hash": "5f", "team": "shop"}
REPLICA_SET = Controller("ReplicaSet", "web-5f", "uid-rs")
GAP = Gap("nobody answers", "start somebody")
POLICY = Target("NetworkPolicy", NS, "sre-bot-quarantine-r2345abcd", "uid-policy")
DENIAL = PolicyView(POLICY, {"matchLabels": {QUARANTINE: WHO.request}})


def pod(**changes: Any) -> PodFacts:
    held: dict[str, Any] = {
        "target": TARGET, "labels": LABELS, "annotations": {}, "node": "node-1", "phase": "Running",
        "is_ready": True, "controller": REPLICA_SET, "runs": (Run("web", "shop/web:1", digest="web@sha256:11"),),
    }  # fmt: skip
    return PodFacts(**{**held, **changes})


def owner(ready: int = 3, replicas: int = 3, kind: str = "ReplicaSet", **changes: Any) -> OwnerView:
    target = Target(kind, NS, changes.pop("name", "web-5f"), changes.pop("uid", "uid-rs"))
    return OwnerView(target, replicas, ready)


def policy(name: str, selector: Mapping[str, Any], *allows: str) -> PolicyView:
    return PolicyView(Target("NetworkPolicy", NS, name, f"uid-{name}"), selector, frozenset(allows))


CILIUM = NetworkView((NetworkAgent("kube-system", "cilium", ()),))
WORLD: Mapping[type[Read], Any] = {
    OnePod: pod(),
    Owners: (owner(),),
    Budgets: (),
    EvidenceKept: frozenset({UID}),
    ServicesOf: (ServiceView("web", {"app": "web"}), ServiceView("other", {"app": "other"})),
    Policies: (),
    Network: CILIUM,
    Members: (MemberView(NAME, UID),),
}


def told(generator: Generator[Reads, Seen, Any], **changes: Any) -> Any:
    """What the generator returns over this world; a read is named by its type. What is not in it is a KeyError."""
    world = {kind.__name__: answer for kind, answer in WORLD.items()} | changes
    try:
        wanted = next(generator)
        while True:
            assert wanted and len(set(wanted)) == len(wanted)
            wanted = generator.send(Seen({read: world[type(read).__name__] for read in wanted}))
    except StopIteration as end:
        return end.value


def args(verb: str, name: str = NAME, **flags: str) -> Args:
    return Args("pod", verb, name, flags=flags)


def light(plan: Plan, key: str) -> str:
    [found] = [finding for finding in plan.findings if finding.key == key]
    return found.light.value


def doing(plan: Plan, standing: Standing = Standing.PROVED, **changes: Any) -> Doing:
    marks = {step.key: Mark(standing, build.NOW) for step in plan.steps}
    progress = Progress("worker", build.NOW, build.NOW + timedelta(minutes=5), marks)
    return Doing(Args("pod"), plan, progress, **changes)


def verdict(generator: Generator[Reads, Seen, Any], **changes: Any) -> Verdict:
    found = told(generator, **changes)
    assert isinstance(found, Verdict)
    return found

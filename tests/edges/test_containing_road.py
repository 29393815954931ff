"""A freeze, a block and their ends on the whole road: planned from real reads, agreed to by people, carried out on the
stand-in and on moto, read back, and undone by the line that the plan names."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from test_aws import use
from test_awswrites import Net
from test_effects import cron_job

from bot.state import State
from commands import grammar
from commands.catalog import Catalog
from commands.effects import FROZEN, Freeze
from commands.model import Request
from commands.model import State as Standing
from commands.plan import Approval
from commands.site import ClusterSite, Security, Site
from sandbox import aws as sandbox
from sandbox.kube import KubeStandIn, build
from tests import build as records
from workers.aws import Aws
from workers.awswrites import AwsWrites
from workers.clients import Own
from workers.cluster import Cluster
from workers.effects import Effects, Rehearsals
from workers.engine import Engine
from workers.reader import Reader, Source

SPACE = "sre-shop"
REGION = "eu-central-1"
CLUSTER = ClusterSite(security=Security(own_cidrs=("198.51.100.0/24",)))
SITE = replace(Site(), clusters={CLUSTER.name: CLUSTER})
CATALOG = Catalog.load(zone=ZoneInfo("UTC"))
CIDR = "203.0.113.0/24"


class Road:
    """A worker that carries out what is typed, approved by as many people as it takes; controllers move meanwhile."""

    def __init__(self, kube: KubeStandIn, state: State, config: Path) -> None:
        self.kube, self.state = kube, state
        self.cluster = Cluster(CLUSTER, config)
        containing = AwsWrites(REGION)
        self.effects = Effects(self.cluster.api, containing=containing)
        self.sources: tuple[Source, ...] = (
            self.cluster,
            Rehearsals(self.cluster.api, containing=containing),
            Aws(CLUSTER),
            Own(state, "webhook"),
        )
        self.number = 0

    def typed(self, line: str) -> Request:
        self.number += 1
        id, parsed = f"RTEST000{self.number}", grammar.parse(line, CATALOG.commands)
        made = records.request(id, cluster=CLUSTER.name, sections=(), text=line, args=parsed.args)
        self.state.change().put(made, was="").show(made).wake(made, timedelta()).commit()
        deadline = time.monotonic() + 60
        while self.request(id).is_open:
            assert time.monotonic() < deadline, self.request(id)
            if self.request(id).state is Standing.AWAITING:
                self.approve(id)
            self.engine().answer(id)
        return self.request(id)

    def request(self, id: str) -> Request:
        stored = self.state.request(id)
        assert stored
        return stored.record

    def approve(self, id: str) -> None:
        """What the desk writes down."""
        stored = self.state.request(id)
        assert stored and stored.record.asking
        people = ("U0BOB", "U0CAROL")[: stored.record.asking.needed]
        asking = replace(
            stored.record.asking, approvals=tuple(Approval(each, records.NOW) for each in people)
        )
        approved = stored.record.move(Standing.APPROVED, asking=asking)
        self.state.change().put(approved, was=stored.version).line_up(approved).commit()

    def engine(self) -> Engine:
        return Engine(
            self.state, CATALOG, SITE, lambda _: Reader(self.sources), effects=lambda _: self.effects,
            now=lambda: records.NOW,
        )  # fmt: skip

    def spec(self, resource: str, name: str) -> Any:
        found = self.kube.get(resource, name, SPACE)
        return found and found["spec"]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[sandbox.Aws]:
    with sandbox.Aws(REGION) as server:
        use(monkeypatch, server.endpoint_url)
        yield server


@pytest.fixture
def road(aws: sandbox.Aws, state: State, tmp_path: Path) -> Iterator[Road]:
    stop = Event()
    with KubeStandIn() as kube:
        kube.apply([build.node("node-1"), build.node("node-2")])
        kube.apply(build.deployment("backend", SPACE, replicas=3, labels={"app": "backend"}))
        kube.apply(build.hpa("backend", SPACE, low=3, high=9))
        kube.apply(cron_job(SPACE))
        kube.settle()

        def move() -> None:
            while not stop.wait(0.05):
                kube.tick()

        controllers = Thread(target=move)
        controllers.start()
        made = Road(kube, state, kube.kubeconfig(tmp_path / "config"))
        yield made
        stop.set()
        controllers.join()
        made.cluster.close()


# --- Freezing ---------------------------------------------------------------------------------------


PARTS = (
    ("deployments.apps", "backend"),
    ("horizontalpodautoscalers.autoscaling", "backend"),
    ("cronjobs.batch", "report"),
)


def test_a_freeze_stops_every_write_and_its_end_puts_all_of_it_back(road: Road) -> None:
    before = [road.spec(*each) for each in PARTS]
    frozen = road.typed("incident freeze backend")
    assert frozen.state is Standing.SUCCEEDED, (frozen.plan, frozen.verdict)
    assert frozen.asking and frozen.asking.needed == 2
    assert road.spec(*PARTS[0])["replicas"] == 0 and road.kube.list("pods", SPACE) == []
    assert road.spec(*PARTS[2])["suspend"] is True
    again = road.typed("incident freeze backend")
    assert again.state is Standing.ANSWERED, "there is nothing left to freeze, and no record to lose"
    assert frozen.plan
    thawed = road.typed(frozen.plan.undo)
    assert thawed.state is Standing.SUCCEEDED, (thawed.plan, thawed.verdict)
    assert [road.spec(*each) for each in PARTS] == before
    assert all(
        FROZEN not in (road.kube.get(*each, SPACE) or {})["metadata"].get("annotations", {}) for each in PARTS
    )
    assert road.typed("incident unfreeze backend").state is Standing.BLOCKED


@pytest.mark.parametrize("done", [0, 1, 2])
def test_a_freeze_whose_worker_died_half_way_is_undone_as_far_as_it_came(road: Road, done: int) -> None:
    """The record is on the object itself, so nothing of the request that died is needed."""
    before = [road.spec(*each) for each in PARTS]
    plan = road.typed("incident freeze backend --dry-run").plan
    assert plan and len(plan.steps) == 3
    for step in plan.steps[done : done + 2]:
        assert isinstance(step.effect, Freeze)
        road.effects.apply(step.effect, time.monotonic() + 10)
    thawed = road.typed("incident unfreeze backend")
    assert thawed.state is Standing.SUCCEEDED, (thawed.plan, thawed.verdict)
    assert [road.spec(*each) for each in PARTS] == before


def test_what_was_changed_meanwhile_is_told_and_still_comes_back(road: Road) -> None:
    assert road.typed("incident freeze backend").state is Standing.SUCCEEDED
    held = road.kube.get("deployments.apps", "backend", SPACE)
    assert held and json.loads(held["metadata"]["annotations"][FROZEN])["was"] == 3
    road.kube.patch("deployments.apps", "backend", {"spec": {"replicas": 1}}, SPACE)
    thawed = road.typed("incident unfreeze backend")
    assert thawed.plan and [f.key for f in thawed.plan.findings] == ["unfreeze.differs"]
    assert road.spec(*PARTS[0])["replicas"] == 3


# --- Blocking ---------------------------------------------------------------------------------------


@pytest.fixture
def net(aws: sandbox.Aws) -> Net:
    return Net(aws, CLUSTER.name)


def test_a_block_by_network_acl_is_in_force_and_lifted_by_its_own_note(road: Road, net: Net) -> None:
    before = net.entries()
    blocked = road.typed(f"incident block {CIDR} --for 4h")
    assert blocked.state is Standing.SUCCEEDED, (blocked.plan, blocked.verdict)
    assert blocked.asking and blocked.asking.needed == 2
    assert net.entries() - before == {(99, False, False, CIDR), (99, True, False, CIDR)}
    assert f"by={blocked.id} in=99 out=99" in net.tags()[f"sre-bot/blocked/{CIDR}"]
    assert road.typed(f"incident block {CIDR}").state is Standing.ANSWERED
    assert blocked.plan
    lifted = road.typed(blocked.plan.undo)
    assert lifted.state is Standing.SUCCEEDED, (lifted.plan, lifted.verdict)
    assert (net.entries(), net.tags()) == (before, {})
    assert road.typed(f"incident unblock {CIDR}").state is Standing.BLOCKED


def test_our_own_network_is_not_blocked(road: Road, net: Net) -> None:
    before = net.entries()
    for own in ("10.9.0.0/16", "10.9.1.7", "198.51.100.9", "0.0.0.0/0"):
        assert road.typed(f"incident block {own}").state is Standing.BLOCKED
    assert net.entries() == before

"""The verbs that keep or change a pod on their whole road: from the cluster to the thread, and back into it."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from zoneinfo import ZoneInfo

import pytest
from slack_sdk import WebClient
from test_courier import QUICK, deliver, roots
from test_courier_files import content_of
from test_pod_changes import NS, Shop, kube, shop

from bot.courier import Courier
from bot.secret import Redactor, Secret
from bot.state import State
from commands.catalog import Catalog
from commands.model import Args, Request, Section
from commands.model import State as Standing
from commands.plan import Approval
from commands.reads import EvidenceKept
from commands.scheduling import QUARANTINE
from commands.site import Site
from sandbox.slack import SlackStandIn
from tests import build
from workers.clients import Own
from workers.engine import Engine
from workers.reader import Reader

__all__ = ["kube", "shop"]  # fixtures
SITE = Site()
CHANNEL = "C0SREDAILY1"


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn(rate_limits="off") as stand_in:
        yield stand_in


def asked(shop: Shop, state: State, name: str, id: str = "RTEST0001") -> Request:
    """Submitted, and worked on by a worker."""
    request = build.request(
        id,
        text=f"pod evidence {NS}/{name}",
        args=Args("pod", "evidence", name, flags={"namespace": NS}),
        cluster=SITE.default_cluster,
        created=datetime.now(UTC),
        sections=(Section("evidence", "Evidence"),),
    )
    change = state.change().put(request, was="").show(request)
    change.work(request, timeout=timedelta(minutes=1)).commit()
    reader = Reader((shop.cluster, Own(state, "webhook")))
    Engine(state, Catalog.load(zone=ZoneInfo("UTC")), SITE, lambda _: reader).answer(request.id)
    stored = state.request(request.id)
    assert stored
    return stored.record


def test_the_thread_gets_a_masked_copy_and_the_hash_of_the_original(
    shop: Shop, state: State, slack: SlackStandIn, slack_client: WebClient
) -> None:
    name = shop.pods[0]
    shop.kube.log(NS, name, "2026-11-23T08:00:00Z password=hunter2 for db\n2026-11-23T08:00:01Z xapp-1-abc")
    request = asked(shop, state, name)
    assert request.state is Standing.ANSWERED
    [section] = request.sections
    [file] = section.attachments
    original = state.file(file.stored)
    assert original and b"password=hunter2" in original
    assert file.sha256 == hashlib.sha256(original).hexdigest()
    deliver(Courier(state, slack_client, Redactor((Secret("for db"),)), QUICK), state)
    root = roots(slack, CHANNEL)[0]
    _, shared = slack.thread(CHANNEL, root["ts"])[1:]
    assert file.sha256 in shared["text"]
    assert "hunter2" not in str(slack.thread(CHANNEL, root["ts"])), "the content is in no message"
    copy = content_of(slack, shared["files"][0]).decode()
    assert "password=***" in copy
    assert not any(secret in copy for secret in ("hunter2", "xapp-1-abc", "for db"))


def test_a_pod_whose_evidence_was_kept_is_known_to_be(shop: Shop, state: State) -> None:
    name = shop.pods[0]
    uid = shop.pod(name)["metadata"]["uid"]
    assert shop.read(EvidenceKept((uid,))) == frozenset()
    asked(shop, state, name)
    assert shop.read(EvidenceKept((uid,))) == frozenset({uid})


def test_a_pod_of_which_a_log_was_not_read_is_not(shop: Shop, state: State) -> None:
    name = shop.pods[0]
    shop.kube.deny("get", "pods/log")
    asked(shop, state, name)
    assert shop.read(EvidenceKept((shop.pod(name)["metadata"]["uid"],))) == frozenset()


# --- The whole road of a change -----------------------------------------------------------------------


class Road:
    """A shop whose controllers move by themselves, and a worker that carries out what a second person approves."""

    def __init__(self, shop: Shop, state: State) -> None:
        self.shop, self.state = shop, state
        self.number = 0

    def worked_on(self, verb: str, name: str) -> Request:
        """From its submission to its end, approved where it asks."""
        self.number += 1
        id, args = f"RTEST000{self.number}", Args("pod", verb, name, flags={"namespace": NS})
        made = build.request(
            id, cluster=SITE.default_cluster, sections=(), text=f"pod {verb} {NS}/{name}", args=args
        )
        self.state.change().put(made, was="").show(made).wake(made, timedelta()).commit()
        while self.request(id).is_open:
            if self.request(id).state is Standing.AWAITING:
                self.approve(id)
            self.engine().answer(id)
        return self.request(id)

    def request(self, id: str) -> Request:
        stored = self.state.request(id)
        assert stored
        return stored.record

    def approve(self, id: str) -> None:
        """What the desk writes down, of as many people as it takes."""
        stored = self.state.request(id)
        assert stored and stored.record.asking
        people = ("U0BOB", "U0CAROL")[: stored.record.asking.needed]
        approvals = tuple(Approval(user, build.NOW) for user in people)
        asking = replace(stored.record.asking, approvals=approvals)
        approved = stored.record.move(Standing.APPROVED, asking=asking)
        self.state.change().put(approved, was=stored.version).line_up(approved).commit()

    def engine(self) -> Engine:
        sources = (self.shop.cluster, Own(self.state, "webhook"))
        return Engine(
            self.state, Catalog.load(zone=ZoneInfo("UTC")), SITE, lambda _: Reader(sources),
            effects=lambda _: self.shop.effects, now=lambda: build.NOW,
        )  # fmt: skip


@pytest.fixture
def road(shop: Shop, state: State) -> Iterator[Road]:
    stop = Event()

    def move() -> None:
        while not stop.wait(0.05):
            shop.kube.tick()

    controllers = Thread(target=move)
    controllers.start()
    yield Road(shop, state)
    stop.set()
    controllers.join()


def test_a_pod_is_isolated_kept_and_deleted_and_never_deleted_before_it_is_kept(road: Road) -> None:
    name = road.shop.pods[0]
    isolated = road.worked_on("isolate", name)
    assert isolated.state is Standing.SUCCEEDED, isolated.verdict
    assert isolated.plan and isolated.plan.undo == f"pod release {NS}/{name}"
    assert road.shop.pod(name)["metadata"]["labels"] == {QUARANTINE: isolated.id}
    refused = road.worked_on("delete", name)
    assert refused.state is Standing.BLOCKED
    assert road.shop.pod(name)
    asked(road.shop, road.state, name, "RTEST0009")
    deleted = road.worked_on("delete", name)
    assert deleted.state is Standing.SUCCEEDED, deleted.verdict
    assert deleted.asking and deleted.asking.needed == 2, "its controller has let it go: it never comes back"
    assert road.shop.pod(name) is None


def test_the_undo_of_an_isolation_is_a_change_like_any_other(road: Road) -> None:
    name = road.shop.pods[0]
    labels = dict(road.shop.pod(name)["metadata"]["labels"])
    assert road.worked_on("isolate", name).state is Standing.SUCCEEDED
    released = road.worked_on("release", name)
    assert released.state is Standing.SUCCEEDED, released.verdict
    back = road.shop.pod(name)
    assert back is None or back["metadata"]["labels"] == labels
    assert road.shop.kube.list("networkpolicies.networking.k8s.io", NS) == []

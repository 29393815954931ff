"""`pod evidence` from the cluster to the thread: read, kept, shared, and known to whoever would delete the pod."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
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
from commands.reads import EvidenceKept
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


def asked(shop: Shop, state: State, name: str) -> Request:
    """Submitted, and worked on by a worker."""
    request = build.request(
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

"""Deploys that nobody told the bot of: in the timeline of an active incident, each once, at the time they were made."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.state import State
from commands.model import Gap, Read, Seen
from commands.response.events import Kind, draft
from commands.site import ClusterSite, ServiceSite, Site
from commands.triagereads import Changes, ChangeSeen, ChangesSeen
from tests.build import ALICE, NOW
from tests.edges.test_records import Post
from workers.sightings import Sightings

MINUTE = timedelta(minutes=1)
CLUSTER = ClusterSite(services={"checkout": ServiceSite(namespace="shop")})
SITE = Site(clusters={CLUSTER.name: CLUSTER})
ROLLOUT = ChangeSeen(
    "Deployment", "shop", "checkout", "rollout of revision 7", NOW - 10 * MINUTE, "argocd", ("image app: 1.4 → 1.5",)
)  # fmt: skip


class Cluster:
    """What a look into the cluster sees, and what was asked."""

    def __init__(self, answer: ChangesSeen | Gap) -> None:
        self.answer, self.asked = answer, list[Read]()

    def see(self, reads: Sequence[Read], deadline: float) -> Seen:
        self.asked += reads
        return Seen({read: self.answer for read in reads})


class Watched(Post):
    def __init__(self, state: State) -> None:
        super().__init__(state, SITE)
        self.cluster = Cluster(ChangesSeen((ROLLOUT,)))
        cluster: Any = self.cluster
        self.sightings = Sightings(state, SITE, lambda _: cluster, self.clock)
        self.id = self.declare("sev1 checkout is down --service checkout").id

    def look(self) -> list[str]:
        self.state.redis.delete(*self.state.redis.keys("sre:once:sighted*"), "none")
        self.sightings.look_in_turn()
        return [event.text for event in self.records.events(self.id) if event.kind == Kind.ROLLOUT]


@pytest.fixture
def watched(state: State) -> Watched:
    return Watched(state)


def test_a_deploy_is_told_once_at_its_time_with_what_it_changed(watched: Watched) -> None:
    told = "Deployment shop/checkout: rollout of revision 7 by argocd (image app: 1.4 → 1.5)"
    assert watched.look() == watched.look() == [told]
    (event,) = [event for event in watched.records.events(watched.id) if event.kind == Kind.ROLLOUT]
    assert event.at == ROLLOUT.at and event.by == ""


def test_only_the_namespace_of_its_service_is_looked_at(watched: Watched) -> None:
    watched.look()
    (read,) = watched.cluster.asked
    assert isinstance(read, Changes) and read.namespace == "shop" and read.window == timedelta(hours=2)


def test_what_the_bot_did_itself_and_what_was_long_before_is_not_told_again(watched: Watched) -> None:
    own = replace(ROLLOUT, by="sre-bot", at=NOW)
    old = replace(ROLLOUT, at=NOW - timedelta(hours=3))
    watched.cluster.answer = ChangesSeen((own, old))
    assert watched.look() == []


def test_it_is_looked_at_once_a_minute_whoever_looks(watched: Watched) -> None:
    watched.look()
    watched.sightings.look_in_turn()
    assert len(watched.cluster.asked) == 1


def test_a_cluster_that_does_not_answer_adds_nothing(watched: Watched) -> None:
    watched.cluster.answer = Gap("no answer")
    assert watched.look() == []


def test_one_that_is_resolved_is_not_looked_at(watched: Watched) -> None:
    resolved = replace(draft(Kind.STATUS, "over", to="resolved"), by=ALICE.user)
    watched.records.append(watched.id, lambda _: [resolved])
    assert watched.look() == [] and watched.cluster.asked == []

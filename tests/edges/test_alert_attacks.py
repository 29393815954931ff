"""Attacks on the way of an alert, with a real Redis: what stays for ever, what is too large, what hits the wrong one."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from bot import web
from bot.casebook import Casebook
from bot.desk import Desk, Said
from bot.intake import Intake
from bot.outbox import Outbox, Sent
from bot.people import People
from bot.state import GIVEN_UP, JOB_TIMEOUT, KEEP, TRIAGE, State, connect
from commands.alertreads import AmAlert
from commands.catalog import Catalog
from commands.model import AlertGroup, Place
from commands.site import ClusterSite, Site
from sandbox.redis_server import RedisServer
from tests import build
from tests.build import ALICE, NOW
from tests.edges.test_alert_intake import Door
from tests.edges.test_casebook import Book, numbered
from workers.lookout import Lookout
from workers.rounds import Rounds
from workers.scheduler import TRIAGES, Scheduler

CATALOG = Catalog.load()
MINUTE = timedelta(minutes=1)
SEVERAL = replace(
    Site(), clusters={name: ClusterSite(name=name) for name in ("eu", "us")}, default_cluster="eu"
)


@pytest.fixture
def door(redis_server: RedisServer) -> Iterator[Door]:
    opened = Door(redis_server.url)
    opened.state.redis.flushall()
    yield opened
    opened.close()


# --- what stays for ever ---


def test_what_slack_has_of_a_message_goes_with_its_record_whenever_it_was_sent(state: State) -> None:
    """A whisper, a notice, an alert that is over: nobody writes their records again once they were sent."""
    outbox, note = Outbox(state), build.whisper()
    state.change().put(note, was="", keep=MINUTE).show(note).commit()
    claim = outbox.claim(MINUTE)
    assert claim is not None
    outbox.attempt(claim, "whisper", Sent("C0", "whispered"))
    group = build.group(id="A" + "0" * 16)
    state.change().put(group, was="", keep=KEEP).commit()
    outbox.note_sent(f"alert:{group.id}", "1:card", Sent("C0", "1.1"))
    for card in (f"whisper:{note.id}", f"alert:{group.id}"):
        assert 0 < state.redis.pttl(f"sre:sent:{card}") <= state.redis.pttl(f"sre:{card}") + 1_000
    outbox.note_sent("alert:gone", "1:card", Sent("C0", "1.1"))
    assert state.redis.ttl("sre:sent:alert:gone") > 0
    fires = build.group(id="A" + "1" * 16)
    state.change().put(fires, was="").commit()
    outbox.note_sent(f"alert:{fires.id}", "1:card", Sent("C0", "1.2"))
    assert state.redis.ttl(f"sre:sent:alert:{fires.id}") == -1, "as long as it fires"


def test_a_group_that_comes_and_goes_for_a_year_keeps_the_messages_of_its_last_episodes(state: State) -> None:
    book, outbox = Book(state), Outbox(state)
    group = book.put(numbered(1, episode=3_000))
    for episode in range(2_001, 3_001):
        for key in ("card", "1"):
            sent = Sent("C0", f"{episode}.{key == 'card':d}")
            outbox.note_sent(f"alert:{group.id}", f"{episode}:{key}", sent)
    Casebook(state, Site()).trim(NOW)
    kept = outbox.sent(f"alert:{group.id}")
    assert f"{group.episode}:card" in kept and len(kept) < 200
    assert {place.decode() for place in state.redis.hkeys("sre:threads")} == {
        f"C0 {sent.ts}" for key, sent in kept.items() if key.endswith("card")
    }


# --- which cluster ---


def test_a_triage_that_is_asked_for_looks_into_the_cluster_of_its_alert(state: State) -> None:
    """Its button says the alert alone, and stands in a channel of alerts of every cluster."""
    group = Book(state, SEVERAL).put(numbered(1, cluster="us"))
    people = People(state, SEVERAL)
    people._remember("team", ALICE.team)
    desk = Desk(state, CATALOG, SEVERAL, people, now=lambda: NOW)
    receipt = desk.submit(Said(ALICE, Place("C0ALERTS"), f"alert triage {group.id}", "d1"))
    assert receipt.accepted, receipt.text
    (key,) = state.redis.keys("sre:request:*")
    stored = state.request(key.decode().rpartition(":")[2])
    assert stored is not None and stored.record.cluster == "us"


# --- too many ---


def body(count: int, status: str = "firing", first: int = 0) -> bytes:
    told = [
        {"status": status, "labels": {"alertname": "PodDown", "namespace": "shop", "pod": f"web-{n}", "n": "x" * 60},
         "annotations": {"description": "y" * 200}, "startsAt": "2026-11-23T05:58:00Z", "fingerprint": f"{n:016x}",
         "endsAt": "2026-11-23T06:30:00Z"} for n in range(first, first + count)
    ]  # fmt: skip
    return orjson.dumps(
        {"version": "4", "receiver": "r", "groupLabels": {"alertname": "PodDown"}, "alerts": told}
    )


def test_a_group_of_forty_thousand_alerts_is_stored_by_the_front_with_its_short_patience(
    redis_server: RedisServer, state: State
) -> None:
    front = State(connect(redis_server.url, patient=False), GIVEN_UP)
    now = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
    Intake(front, CATALOG, Site(), now=lambda: now).take(body(40_000))
    (stored,) = front.groups([id.decode() for id in front.redis.zrange("sre:groups:ids", 0, -1)])
    group = stored.record
    assert len(group.alerts) + group.truncated == 40_000, "what is not kept is counted"
    front.redis.close()


def test_large_bodies_that_come_at_once_leave_threads_for_people(door: Door) -> None:
    heavy = body(9_000)
    assert len(heavy) > web._LARGE
    with door.app._large, ThreadPoolExecutor(8) as pool:  # one is being taken, and takes long
        assert set(pool.map(door.post, [heavy] * 8)) == {503}, "Alertmanager sends it again"
        assert door.post(body(1)) == 200, "a small one does not wait for it"
    assert door.post(heavy) == 200


def test_triages_that_wait_for_a_place_do_not_stand_before_people_in_the_queue(state: State) -> None:
    for n in range(3 * TRIAGES):
        waits = build.request(f"{TRIAGE}{n:08d}")
        state.change().put(waits, was="").work(waits, timeout=JOB_TIMEOUT).wake(waits, timedelta(0)).commit()
    asked = build.request("R00000001")
    state.change().put(asked, was="").work(asked, timeout=JOB_TIMEOUT).wake(asked, timedelta(0)).commit()
    state.redis.delete(state.queue.key)
    time.sleep(0.005)  # the score of what is due is in whole milliseconds
    Scheduler(state, CATALOG, Site(), now=lambda: NOW).sweep()
    queued = [id.split("-")[1] for id in state.queue.job_ids]
    assert asked.id in queued and len(queued) == TRIAGES + 1


def test_a_storm_whose_first_group_was_never_stored_is_told_to_nobody_and_ends(state: State) -> None:
    book, now = Casebook(state, Site()), [NOW]
    book._storm(numbered(1), NOW)  # and here the front is killed
    rounds = Rounds(state, Site(), now=lambda: now[0])
    for minutes in (1, 2, 11):
        now[0] = NOW + minutes * MINUTE
        rounds.tell_storms()
    assert Outbox(state).depth() == 0
    assert not state.mark(f"storm:{numbered(1).channel}"), "its channel is free for the next one"


# --- what is called over ---


def test_what_grafana_sends_is_not_over_because_alertmanager_does_not_have_it(state: State) -> None:
    """Both send to the same address of the bot, and with one cluster both are of that."""
    book, now = Book(state), [NOW]
    ours = book.put(numbered(1, external_url="http://am:9093"))
    theirs = book.put(numbered(2, external_url="http://grafana:3000/"))
    lookout = Lookout(state, Site(), reader=None, now=lambda: now[0])  # type: ignore[arg-type]
    (alert,) = ours.alerts
    lookout.compare(
        "training", (AmAlert(alert.fingerprint, alert.labels, {}, alert.starts_at, "active", (), (), (), ""),)
    )
    for _ in range(3):
        now[0] += 15 * MINUTE
        lookout.compare("training", ())
    assert not _group(state, ours.id).firing and _group(state, theirs.id).firing


def _group(state: State, id: str) -> AlertGroup:
    stored = state.alert_group(id)
    assert stored is not None
    return stored.record

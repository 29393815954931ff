"""The records of incidents on a real Redis: opened once, added to in order, folded alike, sealed, found again."""

from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier, Thread

import pytest

from bot.access import Kind
from bot.desk import Desk, Receipt, Said
from bot.people import People
from bot.records import Records
from bot.state import State, connect
from commands.catalog import Catalog
from commands.ledger import Draft, faults
from commands.model import Actor, Place
from commands.response import fold
from commands.response.events import Kind as K
from commands.response.events import draft
from commands.response.incident import Incident, Status
from commands.site import Site
from sandbox.redis_server import RedisServer
from tests.build import ALICE, BOB, NOW, TEAM

CATALOG = Catalog.load()
SITE = Site()
ROOM = "C0INCROOM01"
MEMBERS = (ALICE, BOB, Actor("U0CAROL0001", TEAM), Actor("U0DAVE00001", TEAM))


class Post:
    """A desk at a settable time, whose members may act; Slack itself is not needed."""

    def __init__(self, state: State, site: Site = SITE) -> None:
        self.state, self.site, self.now = state, site, NOW
        state.remember("team", TEAM, timedelta(days=1))
        for member in MEMBERS:
            state.remember(f"kind-of-{member.user}", Kind.MEMBER, timedelta(days=1))
        self.records = Records(state, site, self.clock)
        self.desk = Desk(state, CATALOG, site, People(state, site), now=self.clock)
        self._deliveries = 0

    def clock(self) -> datetime:
        return self.now

    def later(self, **span: float) -> "Post":
        self.now += timedelta(**span)
        return self

    def type(self, text: str, by: Actor = ALICE, channel: str = "C0SREDAILY1", thread: str = "") -> Receipt:
        self._deliveries += 1
        return self.desk.submit(Said(by, Place(channel, thread), text, f"{by.user} {self._deliveries}"))

    def declare(self, text: str = "sev1 checkout is down", by: Actor = ALICE) -> Incident:
        """Declared, with a channel of its own where it wants one, as the courier would have made it."""
        receipt = self.type(f"incident declare {text}", by)
        assert receipt.accepted, receipt.text
        id = receipt.text.partition(" ")[0]
        if self.incident(id).wants_channel:
            room = draft(K.ROOM, "its channel", channel=ROOM, name="inc-x", own="yes")
            self.records.append(id, lambda _: [room])
        return self.incident(id)

    def incident(self, id: str) -> Incident:
        stored = self.records.incident(id)
        assert stored is not None
        return stored.record


@pytest.fixture
def post(state: State) -> Post:
    return Post(state)


def note(text: str, key: str = "") -> Draft:
    return Draft(K.NOTE, text, by=ALICE.user, key=key)


def test_a_line_declares_an_incident_with_the_first_number_of_the_day(post: Post) -> None:
    incident = post.declare("sev2 checkout is slow")
    assert incident.id == f"INC-{NOW.date()}-001"
    assert (incident.title, incident.severity, incident.by) == ("checkout is slow", 2, ALICE.user)
    assert incident.status is Status.DECLARED and incident.opened == NOW
    assert post.declare("sev2 login fails").id == f"INC-{NOW.date()}-002"


def test_what_is_kept_is_the_fold_of_its_events_and_the_chain_holds(post: Post) -> None:
    id = post.declare().id
    for text in ("one", "two"):
        post.records.append(id, lambda _, text=text: [note(text)])  # type: ignore[misc]
    events, incident = post.records.events(id), post.incident(id)
    assert [event.text for event in events[-2:]] == ["one", "two"]
    assert fold.fold(id, events) == incident
    assert faults(events, incident.head, incident.erased) == ()


def test_another_telling_of_the_same_thing_adds_nothing(post: Post) -> None:
    id = post.declare().id
    before = post.incident(id).head.seq
    for _ in range(3):
        post.records.append(id, lambda _: [note("seen", key="slack:1.2")])
    assert post.incident(id).head.seq == before + 1


def test_twenty_writers_at_once_lose_nothing_and_keep_one_chain(
    post: Post, redis_server: RedisServer
) -> None:
    id = post.declare().id
    start = Barrier(20)

    def write(number: int) -> None:
        records = Records(State(connect(redis_server.url, patient=True)), SITE, post.clock)
        start.wait()
        records.append(id, lambda _: [note(f"note {number}")])

    threads = [Thread(target=write, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events, incident = post.records.events(id), post.incident(id)
    assert {event.text for event in events} >= {f"note {number}" for number in range(20)}
    assert faults(events, incident.head, {}) == ()


def test_two_who_declare_the_same_at_once_open_one(post: Post, redis_server: RedisServer) -> None:
    start, told = Barrier(2), []

    def declare(by: Actor) -> None:
        desk = Post(State(connect(redis_server.url, patient=True)))
        start.wait()
        told.append(
            desk.desk.submit(Said(by, Place("C0SREDAILY1"), "declare sev1 checkout is down", by.user))
        )

    threads = [Thread(target=declare, args=(by,)) for by in (ALICE, BOB)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(receipt.accepted for receipt in told) == [False, True]
    (refusal,) = [receipt.text for receipt in told if not receipt.accepted]
    (open_one,) = post.records.open_incidents()
    assert f"{open_one.id} is open" in refusal


def test_a_line_delivered_twice_declares_once(post: Post) -> None:
    said = Said(ALICE, Place("C0SREDAILY1"), "declare sev3 disk of node-1 fills", "the same delivery")
    first, second = post.desk.submit(said), post.desk.submit(said)
    assert first.accepted and len(post.records.open_incidents()) == 1
    assert (second.text, second.accepted) == (first.text, True)


def test_a_changed_event_is_named(post: Post) -> None:
    id = post.declare().id
    post.records.append(id, lambda _: [note("one"), note("two")])
    incident = post.incident(id)
    events = list(post.records.events(id))
    assert events[1].content is not None
    events[1] = replace(events[1], content=replace(events[1].content, text="something else"))
    assert [fault.seq for fault in faults(events, incident.head, {})] == [2]
    del events[1]
    assert [fault.seq for fault in faults(events, incident.head, {})] == [3]


def test_secrets_do_not_enter_the_record(state: State, redis_server: RedisServer) -> None:
    state.redact = lambda text: text.replace("hunter2", "[redacted]")
    post = Post(state)
    id = post.declare().id
    post.records.append(id, lambda _: [note("password hunter2")])
    body = b"".join(state.redis.lrange(f"sre:events:{id}", 0, -1)) + state.redis.hget(
        f"sre:incident:{id}", "body"
    )
    assert b"hunter2" not in body and b"[redacted]" in body

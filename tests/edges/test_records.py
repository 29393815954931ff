"""The records of incidents on a real Redis: opened once, added to in order, folded alike, sealed, found again."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier, Thread

import pytest

from bot.access import Kind
from bot.desk import Desk, Receipt, Said
from bot.people import People
from bot.records import Records
from bot.state import THREADS, Change, State, connect
from commands.catalog import Catalog
from commands.ledger import Draft, faults, sealed
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


def test_those_who_declare_at_once_use_numbers_one_after_another(
    post: Post, redis_server: RedisServer
) -> None:
    start = Barrier(len(MEMBERS))

    def declare(by: Actor) -> None:
        desk = Post(State(connect(redis_server.url, patient=True)))
        start.wait()
        said = f"declare sev3 disk of {by.user} fills --anyway"
        receipt = desk.desk.submit(Said(by, Place("C0SREDAILY1"), said, by.user))
        assert receipt.accepted, receipt.text

    with ThreadPoolExecutor(len(MEMBERS)) as pool:
        list(pool.map(declare, MEMBERS))
    numbers = sorted(each.id[-3:] for each in post.records.open_incidents())
    assert numbers == [f"{number:03d}" for number in range(1, len(MEMBERS) + 1)]


def test_the_thread_of_an_alert_stays_its_own_when_an_incident_is_told_there(post: Post) -> None:
    ts = "1700000000.000100"
    place = f"C0SREDAILY1 {ts}"
    post.state.redis.hset(THREADS, place, "alert:ATEST 1:card")
    id = post.declare().id
    room = draft(K.ROOM, "in the alert's thread", channel="C0SREDAILY1", thread=ts)
    link = draft(K.ALERT, "fires", group="ATEST", name="Checkout5xx", state="firing")
    post.records.append(id, lambda _: [link, room])
    assert post.state.redis.hget(THREADS, place) == b"alert:ATEST 1:card"
    assert post.records.in_room("C0SREDAILY1", ts) == id


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


# --- what must not happen to a record -----------------------------------------------------------------


def test_the_same_thing_told_twice_in_one_breath_is_there_once(post: Post) -> None:
    id = post.declare().id
    before = post.incident(id).head.seq
    post.records.append(
        id, lambda _: [note("seen", key="slack:1.2"), note("seen", key="slack:1.2"), note("hm")]
    )
    assert post.incident(id).head.seq == before + 2


class LostAnswer(Change):
    """Its first answer is lost, and before it is asked for again somebody writes the same record."""

    def commit(self) -> None:
        super().commit()
        state = self._state
        assert isinstance(state, Losing)
        if state.meanwhile:
            state.meanwhile.pop()()
            super().commit()


class Losing(State):
    meanwhile: list[Callable[[], object]]

    def change(self) -> Change:
        return LostAnswer(self)


def test_what_was_written_is_not_written_again_when_the_answer_was_lost(
    post: Post, redis_server: RedisServer
) -> None:
    id = post.declare().id
    losing = Losing(connect(redis_server.url, patient=True))
    losing.meanwhile = [lambda: post.records.append(id, lambda _: [note("another's")])]
    Records(losing, SITE, post.clock).append(id, lambda _: [note("mine")])
    assert [event.text for event in post.records.events(id)[-2:]] == ["mine", "another's"]


def test_one_that_a_later_version_wrote_is_read_as_far_as_it_is_understood_and_hides_no_other(
    post: Post,
) -> None:
    later, other = post.declare("sev2 checkout is slow"), post.declare("sev2 login fails")
    post.records.append(later.id, lambda _: [note("one")])
    post.state.redis.hset(f"sre:incident:{later.id}", "body", b'{"id": "a form of which nobody knows here"}')
    assert [each.id for each in post.records.open_incidents()] == [other.id, later.id]
    assert post.incident(later.id) == fold.fold(later.id, post.records.events(later.id))
    assert post.type(f"incident note --incident {later.id} two").accepted
    events = post.records.events(later.id)
    assert events[-1].text == "two" and faults(events, post.incident(later.id).head, {}) == ()


def test_what_an_earlier_version_did_not_keep_is_made_of_the_events(post: Post) -> None:
    """A record is what a version knew to make of the events: a field that came later is empty in it."""
    incident = post.declare("sev2 checkout is slow")
    key, body = f"sre:incident:{incident.id}", b'"title":"checkout is slow"'
    old = post.state.redis.hget(key, "body")
    assert body in old
    post.state.redis.hset(key, mapping={"body": old.replace(body, b'"title":""'), "shape": "another"})
    assert post.incident(incident.id) == incident
    post.records.append(incident.id, lambda _: [note("one")])
    assert b'"title":""' not in post.state.redis.hget(key, "body")


def test_an_event_that_says_what_this_version_does_not_understand_changes_nothing(post: Post) -> None:
    incident = post.declare()
    strange = [
        Draft(K.STATUS, "asleep", facts={"to": "asleep"}), Draft(K.SEVERITY, "?", facts={}),
        Draft(K.ITEMS, "?", facts={"a": "[]"}), Draft("never heard of", "?"), Draft(K.MILESTONE, "?", facts={"name": "x"}),
    ]  # fmt: skip
    more = sealed(strange, incident.head, NOW, "abcde")
    replayed = fold.fold(incident.id, (*post.records.events(incident.id), *more))
    assert replayed.head.seq == incident.head.seq + 5
    assert replace(replayed, head=incident.head, report=incident.report) == incident
    with pytest.raises(ValueError, match="asleep"):  # nobody writes what he does not understand himself
        post.records.append(incident.id, lambda _: strange[:1])
    assert post.incident(incident.id) == incident


def test_one_whose_events_are_damaged_too_is_in_no_list_and_the_others_are(post: Post) -> None:
    damaged, other = post.declare("sev2 checkout is slow"), post.declare("sev2 login fails")
    post.state.redis.hset(f"sre:incident:{damaged.id}", "body", b"{}")
    post.state.redis.lset(f"sre:events:{damaged.id}", 0, b"{}")
    assert [each.id for each in post.records.open_incidents()] == [other.id]


class Endless(Records):
    def _consequences(self, before: Incident | None, record: Incident) -> Iterable[Draft]:
        return [note("and so on")] if before else []


def test_what_follows_from_itself_for_ever_is_refused_and_nothing_is_written(post: Post) -> None:
    incident = post.declare()
    with pytest.raises(RuntimeError, match="never ends, the last is: and so on"):
        Endless(post.state, SITE, post.clock).append(incident.id, lambda _: [note("begin")])
    assert post.incident(incident.id) == incident


def test_of_a_time_those_are_told_that_were_open_or_written_in_then(post: Post) -> None:
    old = post.declare("sev2 checkout is slow")
    then = post.later(days=40).declare("sev2 login fails")
    new = post.later(days=40).declare("sev2 search is empty")
    span = (NOW + timedelta(days=30), NOW + timedelta(days=60))
    assert [each.id for each in post.records.told_between(*span)] == [then.id]
    post.records.append(old.id, lambda _: [note("the cause")])
    assert [each.id for each in post.records.told_between(*span)] == [old.id, then.id]
    assert [each.id for each in post.records.named("001")] == [new.id, then.id, old.id]
    assert post.records.whole(new.id.lower()) == new.id and post.records.whole("001") == ""


def test_a_number_that_is_given_already_is_drawn_anew(post: Post) -> None:
    """The store was restored from a copy in which fewer had been counted."""
    first = post.declare("sev2 checkout is slow")
    post.state.redis.delete(f"sre:number:INC:{NOW.date()}")
    second = post.declare("sev2 login fails --anyway")
    assert (first.id, second.id) == (f"INC-{NOW.date()}-001", f"INC-{NOW.date()}-002")
    assert post.incident(first.id).title == "checkout is slow"

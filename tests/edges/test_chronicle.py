"""The timeline writes itself: what the audit says of an incident's room and its alerts becomes its events, once."""

from dataclasses import replace
from datetime import UTC, datetime
from threading import Thread

import pytest

from bot.state import State, connect
from commands.ledger import Draft
from commands.model import AlertGroup
from commands.response.events import Kind
from commands.response.incident import Milestone
from sandbox.redis_server import RedisServer
from tests.build import ALICE, BOB
from tests.edges.test_casebook import Book, numbered
from tests.edges.test_records import ROOM, Post
from workers.chronicle import Chronicle


class Told(Post):
    """A post whose chronicle has been followed to its end once."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.chronicle = Chronicle(state, self.site, self.clock)
        self.chronicle.follow()
        self.book = Book(state, self.site)

    def follow(self) -> None:
        while self.chronicle.follow():
            pass

    def texts(self, id: str, kind: Kind) -> list[str]:
        return [event.text for event in self.records.events(id) if event.kind == kind]

    def fires(self, group: AlertGroup) -> AlertGroup:
        stored = self.book.put(group)
        self.state.change().audit(
            "alert", id=group.id, cluster=group.cluster, firing="1", resolved="0"
        ).commit()
        return stored


@pytest.fixture
def told(state: State) -> Told:
    return Told(state)


def test_a_command_typed_in_the_room_is_in_the_timeline_and_one_typed_elsewhere_is_not(told: Told) -> None:
    id = told.declare().id
    told.type("health", BOB, ROOM)
    told.type("health", BOB, "C0SREDAILY1")
    told.type(f"health --incident {id}", BOB, "C0SREDAILY1")
    told.follow()
    asked = told.texts(id, Kind.RUN)
    assert asked == ["asked for `health`", f"asked for `health --incident {id}`"]
    assert [event.by for event in told.records.events(id)[-2:]] == [BOB.user, BOB.user]


def test_what_was_told_before_is_not_told_again_by_a_second_follower(told: Told) -> None:
    id = told.declare().id
    told.type("health", BOB, ROOM)
    told.follow()
    told.state.redis.hset(
        "sre:chronicle", "entry", "0-0"
    )  # as if it had died before it wrote down where it was
    told.follow()
    assert len(told.texts(id, Kind.RUN)) == 1


def test_an_alert_of_the_incident_fires_is_acknowledged_and_ends_in_its_timeline(told: Told) -> None:
    group = numbered(1)
    told.fires(group)
    id = told.declare(f"sev2 checkout is slow --alert {group.id}").id
    told.later(minutes=2).state.change().audit(
        "acked", id=group.id, by=BOB.user, cluster=group.cluster
    ).commit()
    told.book.ends(group)
    told.state.change().audit("alert", id=group.id, cluster=group.cluster, firing="0", resolved="1").commit()
    told.follow()
    incident = told.incident(id)
    assert incident.firing == () and incident.milestones[Milestone.ACKNOWLEDGED].by == BOB.user
    assert told.texts(id, Kind.ALERT)[-2:] == [f"acknowledged {group.name}", f"{group.name} is resolved"]


def test_an_alert_about_its_service_joins_an_open_incident_by_itself(told: Told) -> None:
    id = told.declare("sev2 checkout is slow --service checkout").id
    group = numbered(7)
    lead = replace(group.lead, labels={**group.lead.labels, "service": "checkout"})
    other = numbered(8)
    told.fires(replace(group, alerts=(lead,), cluster=told.incident(id).cluster))
    told.fires(replace(other, cluster=told.incident(id).cluster))
    told.follow()
    assert [link.group for link in told.incident(id).alerts] == [group.id]
    assert told.records.of_group(group.id) == id


def over(told: Told, group: AlertGroup, *, drill: bool = False) -> str:
    """An incident of this alert that Bob led and resolved once it was quiet."""
    told.fires(group)
    id = told.declare(f"sev2 checkout is slow --alert {group.id}{' --drill' if drill else ''}").id
    told.type("incident assign ic me", BOB, ROOM)
    told.book.ends(group)
    told.state.change().audit("alert", id=group.id, cluster=group.cluster, firing="0", resolved="1").commit()
    told.follow()
    assert told.type("incident resolve", BOB, ROOM).accepted
    return id


@pytest.mark.parametrize(("drill", "mention"), [(False, BOB.user), (True, "")])
def test_an_alert_that_fires_again_within_half_an_hour_opens_it_again(
    told: Told, drill: bool, mention: str
) -> None:
    group = numbered(1)
    id = over(told, group, drill=drill)
    told.later(minutes=29)
    told.fires(group)
    told.follow()
    incident = told.incident(id)
    assert incident.is_active and incident.reopened == 1 and incident.alerts[0].refired == 1
    assert told.texts(id, Kind.REOPENED) == [f"opened again: {group.name} fires again"]
    assert [(line.text, line.mention) for line in incident.lines][-1:] == [
        (f"opened again: {group.name} fires again", mention)
    ]


def test_an_alert_that_fires_again_later_does_not_and_makes_another_one_that_is_linked(told: Told) -> None:
    group = numbered(1)
    first = over(told, group)
    told.later(minutes=31)
    told.fires(group)
    told.follow()
    assert told.texts(first, Kind.REOPENED) == [] and told.incident(first).alerts[0].refired == 1
    assert told.type(f"incident declare sev2 checkout again --alert {group.id}", BOB).accepted
    (second,) = (each for each in told.records.open_incidents() if each.id != first)
    assert second.related == (first,) and told.incident(first).related == (second.id,)
    assert told.records.of_group(group.id) == second.id


def test_an_incident_that_is_over_hears_nothing_more(told: Told) -> None:
    id = told.declare().id
    told.records.append(id, lambda _: [Draft(Kind.STATUS, "closed", by=ALICE.user, facts={"to": "closed"})])
    told.type("health", BOB, ROOM)
    told.follow()
    assert told.texts(id, Kind.RUN) == []


def test_a_follower_that_was_overtaken_writes_nothing(told: Told) -> None:
    """A paused process holds no lease any more, and has judged the lines of its page by what was true before."""
    group = numbered(1)
    told.fires(group)
    id = told.declare(f"sev2 checkout is slow --alert {group.id}").id
    told.follow()
    slow = Chronicle(told.state, told.site, told.clock)
    left = slow.left()
    for firing in ("1", "0"):
        told.state.change().audit("alert", id=group.id, cluster=group.cluster, firing=firing).commit()
    told.follow()
    before = told.incident(id)
    slow.read(left)
    assert told.incident(id) == before and before.firing == ()


def test_many_followers_at_once_tell_an_alert_that_flaps_fifty_times_as_one_would(
    told: Told, redis_server: RedisServer
) -> None:
    group = numbered(1)
    told.fires(group)
    id = told.declare(f"sev2 checkout is slow --alert {group.id}").id
    told.follow()
    for _ in range(50):
        for firing in ("0", "0", "1", "1"):
            told.state.change().audit("alert", id=group.id, cluster=group.cluster, firing=firing).commit()

    def follow() -> None:
        state = State(connect(redis_server.url, patient=True))
        chronicle, last = Chronicle(state, told.site, told.clock), state.trail.last()
        while chronicle.left().entry != last:
            chronicle.read(chronicle.left())  # without a lease, as if each had lost it

    threads = [Thread(target=follow) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    texts = told.texts(id, Kind.ALERT)[1:]
    assert texts == [f"{group.name} is resolved", f"{group.name} fires again: 1 alert"] * 50
    (link,) = told.incident(id).alerts
    assert (link.refired, link.ended) == (50, None)


def test_an_alert_that_is_over_does_not_join_because_somebody_marks_it(told: Told) -> None:
    id = told.declare("sev2 checkout is slow --service checkout").id
    group = numbered(7)
    lead = replace(group.lead, labels={**group.lead.labels, "service": "checkout"})
    told.book.put(replace(group, alerts=(lead,), cluster=told.incident(id).cluster))
    told.book.ends(replace(group, alerts=(lead,), cluster=told.incident(id).cluster))
    told.state.change().audit("marked", id=group.id, by=BOB.user, judgement="noise").commit()
    told.follow()
    assert told.incident(id).alerts == ()


def test_a_line_that_cannot_be_read_holds_up_none_behind_it(told: Told) -> None:
    id = told.declare().id
    group = numbered(1)
    told.fires(group)
    told.state.redis.hset(f"sre:alert:{group.id}", "body", b'{"of": "a later version"}')
    told.state.change().audit("alert", id=numbered(2).id, firing="some").commit()
    told.type("health", BOB, ROOM)
    told.follow()
    assert told.texts(id, Kind.RUN) == ["asked for `health`"]


def test_the_first_follower_of_all_tells_what_was_asked_before_it_came(state: State) -> None:
    post = Post(state)
    post.type("health", BOB, ROOM)
    post.now = datetime.now(UTC)
    id = post.declare().id
    post.type("health cluster", BOB, ROOM)
    chronicle = Chronicle(state, post.site, post.clock)
    while chronicle.follow():
        pass
    asked = [event.text for event in post.records.events(id) if event.kind == Kind.RUN]
    assert asked[-1] == "asked for `health cluster`"

"""The life of incidents through the whole house, as people play it: from the alert to the end of its record."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from commands import timeline
from commands.ledger import faults
from commands.response.events import Kind
from commands.response.incident import Milestone, Role, Status
from commands.review.telling import lasting
from sandbox.slack.cast import ALICE, BOB, CAROL
from tests.stories.alerting import body
from tests.stories.faults import payload
from tests.stories.responding import ALERTS, CROWD, DAILY, INCIDENTS, ResponseWorld, ago

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def world() -> Iterator[ResponseWorld]:
    with ResponseWorld() as world:
        yield world


def test_a_sev1_from_its_alert_to_its_end_with_a_rollback_inside(world: ResponseWorld) -> None:
    began = datetime.now(UTC) - timedelta(minutes=20)
    world.roll_out("1.5.0")
    alert = body("CheckoutErrors", severity="critical", began=began, deployment="web")
    world.alert(alert)

    card = world.wait_told(ALERTS, "Open incident…")
    assert world.press("alice", ALERTS, card, "Open incident…").ok
    world.fill("alice", severity="1", title="checkout fails")
    world.whispered("alice", "Its channel follows")
    (incident,) = world.records.open_incidents()
    id, of = incident.id, f"incident:{incident.id}"
    room = world.wait_room(id)
    place = world.slack.workspace.channel(room)
    world.wait(lambda: {ALICE.id, CAROL.id} <= set(place.members), "who is on call is there")
    world.wait(lambda: place.topic.startswith("🔴 Sev1 · declared"), "its topic")
    world.wait_told(INCIDENTS, f"<#{room}>")
    world.wait_told(room, "What changed · shop/web")
    world.wait_told(room, "rollout of revision 2")
    world.wait_told(room, "5 · Infrastructure")

    # who does what
    world.press("alice", room, world.card(room, of), "I am on it")
    world.whispered("alice", "You are on INC-")
    world.type("alice", room, f"incident assign ic <@{BOB.id}>")
    world.press("bob", room, world.wait_card(room, of, "is asked to be incident commander"), "Accept")
    world.wait_incident(id, lambda incident: incident.holder(Role.IC) == BOB.id, "Bob leads")
    world.type("bob", room, f"incident assign comms <@{CAROL.id}>")
    world.type("carol", room, "incident accept comms")
    world.type("bob", room, "incident assign scribe me")
    world.type("bob", room, "incident set impact every third payment fails")

    # what is told
    assert world.type("carol", room, "incident update") == ""
    world.fill("carol", conditions="a third of the payments fail", actions="rolling back", next="30m")
    world.wait_event(id, "a third of the payments fail")
    said = world.slack.post_as("carol", room, "the pool of connections is full")
    reply = world.slack.post_as("alice", room, "since 1.5.0, it seems", thread_ts=said.ts)
    for message in (said, reply):
        world.slack.react("bob", room, message.ts, "pushpin")
        world.slack.react("alice", room, message.ts, "pushpin")
    world.wait_event(id, "the pool of connections is full")
    world.wait_event(id, "since 1.5.0, it seems")
    world.type("bob", room, f"incident note {ago(minutes=7)} the payment provider says all is well")
    world.type("bob", room, "incident identify 1.5.0 opens a connection per request")

    # the way back, by two people
    asked = world.ask("alice", room, "deploy rollback web --namespace shop --why 'errors since 1.5.0'")
    plan = world.wait_card(room, f"request:{asked}", "wants approval")
    world.slack.press("alice", room, plan["ts"], "approve")
    world.whispered("alice", "somebody else must approve it")
    assert world.slack.press("bob", room, plan["ts"], "approve").ok
    world.wait_card(room, f"request:{asked}", "done in")
    world.wait_event(id, '1.5.0"` is done')
    assert len(world.images()) == 1 and "1.5.0" not in str(world.images())

    # its end
    refused = world.type("bob", room, "incident resolve")
    assert "CheckoutErrors fires still" in refused and "Nothing was done" in refused
    assert world.incident(id).status is Status.IDENTIFIED
    world.type("bob", room, "incident mitigate rolled back to 1.4.2")
    ended = body("CheckoutErrors", 0, 1, severity="critical", began=began, deployment="web")
    world.alert(ended)
    world.wait_incident(id, lambda incident: not incident.firing, "its alert is over")
    assert "is resolved after" in world.type("bob", room, "incident resolve")
    world.wait_card(room, of, "resolved")
    learn(world, id, room)

    world.wait_sent()
    world.assert_holds(id)
    world.assert_drawn_once(id)
    assert_told_in_order(world, id)
    assert_the_room_is_calm(world, id, room)
    assert_export_reads_back(world, id, room)
    assert_numbers_are_of_the_record(world, id)


def learn(world: ResponseWorld, id: str, room: str) -> None:
    """The postmortem: its draft, what people write into it, what follows, and then the end of all."""
    name = f"{id}-postmortem.md"
    draft = world.wait(lambda: world.shared(room, name), "a draft of the postmortem")
    assert "every third payment fails" in draft and "limit every pool" not in draft
    refused = world.type("bob", room, "incident publish")
    assert "cannot be published yet" in refused and "--lessons" in refused and "Nothing was done" in refused
    refused = world.type("bob", room, "incident close")
    assert "Still on duty" in refused and "incident action" in refused and "Nothing was done" in refused

    world.type("alice", room, "incident postmortem --lessons every pool needs a limit")
    world.wait_incident(id, lambda incident: incident.report.version >= 2, "another draft follows by itself")
    said = world.type("bob", room, "incident action 'limit every pool' --owner me --due 2w")
    assert "is written down: limit every pool" in said
    world.ask("bob", room, "incident postmortem")
    drafts = 3  # at the end, with the lessons, and the one that was asked for
    world.wait_incident(
        id,
        lambda incident: incident.report.version >= drafts and incident.report.seq >= incident.report.moved,
        "the draft is of now",
    )
    drafted = world.incident(id).report.sha256
    read = world.wait(lambda: of_hash(world.shared(room, name), drafted), "the last draft is in the room")
    assert "every pool needs a limit" in read and "limit every pool" in read
    assert "is published: version" in world.type("bob", room, "incident publish")
    assert world.incident(id).report.editions[-1].sha256 == drafted
    world.type("bob", room, "incident leave all")
    assert f"{id} is closed" in world.type("bob", room, "incident close")


def of_hash(text: str, sha256: str) -> str:
    """The text, "" for another one."""
    return text if hashlib.sha256(text.encode()).hexdigest() == sha256 else ""


# What happened, as the timeline tells it: each once, in this order; the note is of some minutes before.
TOLD = (
    (Kind.NOTE, "the payment provider says all is well"),
    (Kind.DECLARED, "declared Sev1: checkout fails"),
    (Kind.ALERT, "CheckoutErrors fires"),
    (Kind.ROOM, "its channel is #inc-"),
    (Kind.RUN, "`change recent web --since 2h`"),
    (Kind.MILESTONE, "acknowledged"),
    (Kind.OFFERED, "to be incident commander"),
    (Kind.ACCEPTED, "is the incident commander"),
    (Kind.OFFERED, "to be communications"),
    (Kind.ACCEPTED, "is the communications"),
    (Kind.ACCEPTED, "is the scribe"),
    (Kind.FIELD, "impact: every third payment fails"),
    (Kind.UPDATE, "Conditions: a third of the payments fail"),
    (Kind.MESSAGE, "the pool of connections is full"),
    (Kind.MESSAGE, "since 1.5.0, it seems"),
    (Kind.STATUS, "identified: 1.5.0 opens"),
    (Kind.RUN, "asked for `deploy rollback"),
    (Kind.RUN, "planned `deploy rollback"),
    (Kind.RUN, "was not let approve `deploy rollback"),
    (Kind.RUN, "approved `deploy rollback"),
    (Kind.RUN, "begins"),
    (Kind.RUN, "is done"),
    (Kind.STATUS, "mitigated: rolled back"),
    (Kind.ALERT, "CheckoutErrors is resolved"),
    (Kind.STATUS, "resolved"),
    (Kind.REPORT, "postmortem drafted, version 1"),
    (Kind.REPORT, "into the postmortem what was learned"),
    (Kind.TASK, "limit every pool"),
    (Kind.REPORT, "postmortem published"),
    (Kind.ENDED, "is no longer the incident commander"),
    (Kind.STATUS, "closed"),
)


def assert_told_in_order(world: ResponseWorld, id: str) -> None:
    told = [(line.kind, line.text) for line in timeline.lines(world.events(id))]
    places = [[n for n, (k, text) in enumerate(told) if k == kind and words in text] for kind, words in TOLD]
    shown = "\n".join(f"{place} {kind} {words}" for place, (kind, words) in zip(places, TOLD, strict=True))
    assert all(len(each) == 1 for each in places), f"{shown}\n{told}"
    assert places == sorted(places), f"{shown}\n{told}"


def assert_the_room_is_calm(world: ResponseWorld, id: str, room: str) -> None:
    """One card that is edited; beside it the incident writes only what somebody did, and what a timer asks."""
    told = [event for event in world.events(id) if event.is_told]
    assert [event.text for event in told if not event.by and event.source != "timer"] == []
    own = [payload(m)["key"] for m in world.told(room) if payload(m)["card"] == f"incident:{id}"]
    assert Counter(key.partition(" ")[0] for key in own) == {"card": 1, "line": len(told)}
    cards = {payload(m)["card"] for m in world.told(room) if m.get("thread_ts", m["ts"]) == m["ts"]}
    assert not [card for card in cards if card.startswith("request:F")], "what it looks up is under the card"


def assert_export_reads_back(world: ResponseWorld, id: str, room: str) -> None:
    """As files in the room; the JSON is the record."""
    asked = world.ask("bob", room, "incident export")
    names = [f"{id}.{ending}" for ending in ("md", "csv", "json")]
    files = {name: world.wait(lambda name=name: world.shared(room, name), name) for name in names}
    read = timeline.read_back(files[f"{id}.json"])
    assert read.events == world.records.events(id)[: read.head.seq] and asked
    assert faults(read.events, read.head, read.erased) == ()
    assert "payment provider says all is well" in files[f"{id}.md"]
    assert files[f"{id}.csv"].count("since 1.5.0, it seems") == 1


def assert_numbers_are_of_the_record(world: ResponseWorld, id: str) -> None:
    marked = world.incident(id).milestones
    started, mitigated, resolved = (
        marked[each].at for each in (Milestone.STARTED, Milestone.MITIGATED, Milestone.RESOLVED)
    )
    world.ask("bob", DAILY, "review metrics --window 7d")
    world.wait_told(DAILY, f"{lasting((mitigated - started).total_seconds())} (n=1)")
    world.wait_told(DAILY, f"Time to resolve: {lasting((resolved - started).total_seconds())} (n=1)")


# --- several at once ------------------------------------------------------------------------------


def at_once(*deeds: Callable[[], str]) -> list[str]:
    """What each is answered with, all done in the same moment."""
    start = Barrier(len(deeds))

    def do(deed: Callable[[], str]) -> str:
        start.wait()
        return deed()

    with ThreadPoolExecutor(len(deeds)) as threads:
        return list(threads.map(do, deeds))


def test_of_two_who_declare_at_once_one_opens_it_and_the_other_is_told_which(world: ResponseWorld) -> None:
    line = "incident declare sev3 login is slow"
    told = at_once(*(lambda user=user: world.type(user, DAILY, line) for user in ("alice", "bob")))
    (opened,) = [each for each in told if "is declared" in each]
    (refused,) = [each for each in told if "is declared" not in each]
    id = opened.partition(" ")[0]
    assert f"{id} is open already: login is slow" in refused and "Nothing was done" in refused
    found = [each for each in world.records.open_incidents() if each.title == "login is slow"]
    assert [each.id for each in found] == [id]
    world.type("alice", DAILY, f"incident cancel {id} it is not")


def test_two_who_press_open_incident_at_once_open_one_and_both_are_in_it(world: ResponseWorld) -> None:
    alert = body("LoginErrors", severity="critical", began=datetime.now(UTC), namespace="login")
    world.alert(alert)
    card = world.wait_told(ALERTS, "LoginErrors is broken")
    for user in ("alice", "bob"):
        assert world.press(user, ALERTS, card, "Open incident…").ok
    at_once(*(lambda user=user: world.fill(user, severity="2").text for user in ("alice", "bob")))
    (id,) = [each.id for each in world.records.open_incidents() if each.title == "LoginErrors is broken"]
    world.wait_incident(id, lambda incident: {ALICE.id, BOB.id} <= set(incident.people), "both are in it")
    room = world.wait_room(id)
    told = [told for user in ("alice", "bob") for told in world.slack.ephemerals(user) if id in told["text"]]
    assert sum("is declared" in each["text"] for each in told) == 1
    assert sum("You joined it" in each["text"] for each in told) == 1
    world.type("bob", room, "incident false-alarm the probe was wrong")
    world.wait_sent()
    world.assert_holds(id)
    world.assert_drawn_once(id)


def test_ten_people_who_write_at_once_lose_nothing(world: ResponseWorld) -> None:
    id, room = world.declared("sev2 search answers nothing")
    for person in CROWD:
        world.slack.join(person, room)

    def write(person: str) -> str:
        return "".join(world.type(person, room, f"incident note {person} saw it {n}") for n in range(3))

    told = at_once(*(lambda person=person: write(person) for person in CROWD))
    assert all(each.count(f"Noted in {id}") == 3 for each in told), told
    notes = Counter(event.text for event in world.events(id, Kind.NOTE))
    assert notes == Counter(f"{person} saw it {n}" for person in CROWD for n in range(3))
    world.wait_incident(id, lambda incident: len(incident.people) >= 2 + len(CROWD), "all are in it")
    joined = Counter(event.by for event in world.events(id, Kind.JOINED))
    assert set(joined.values()) == {1}
    world.type("alice", room, "incident false-alarm it was the test")
    world.wait_sent()
    world.assert_holds(id)
    world.assert_drawn_once(id)


# --- its channel ----------------------------------------------------------------------------------


def test_a_channel_that_is_renamed_stays_bound_and_one_that_is_archived_is_followed(
    world: ResponseWorld,
) -> None:
    id, room = world.declared("sev2 images do not load")
    for user in ("alice", "carol"):
        world.whispered(user, f"{id} · images do not load")  # how it stands, to who came
    world.slack.rename_channel("alice", room, "images-are-gone")
    world.wait_event(id, "its channel is called #images-are-gone now")
    assert f"Noted in {id}" in world.type("alice", room, "incident note the bucket is private")
    world.wait_told(room, "the bucket is private")

    world.slack.archive("alice", room)
    world.wait_event(id, "#images-are-gone was archived")
    world.wait_card(INCIDENTS, f"incident:{id}", "images do not load")
    assert "is mitigated" in world.type("bob", INCIDENTS, f"incident mitigate {id} the bucket is open")
    assert "is resolved" in world.type("bob", INCIDENTS, f"incident resolve {id}")
    world.wait_card(INCIDENTS, f"incident:{id}", "resolved")
    world.wait_sent()
    world.assert_holds(id)

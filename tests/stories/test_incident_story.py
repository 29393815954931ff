"""The life of incidents through the whole house, as people play it: from the alert to the end of its record."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from commands import timeline
from commands.ledger import faults
from commands.response.events import Kind
from commands.response.incident import Milestone, Role, Status
from commands.review.telling import lasting
from sandbox.slack.cast import ALICE, BOB, CAROL
from tests.stories.alerting import body
from tests.stories.responding import ALERTS, DAILY, INCIDENTS, ResponseWorld

pytestmark = pytest.mark.timeout(300)

ZONE = ZoneInfo("Europe/Berlin")  # of a house that does not say


@pytest.fixture(scope="module")
def world() -> Iterator[ResponseWorld]:
    with ResponseWorld() as world:
        yield world


def test_a_sev1_from_its_alert_to_its_end_with_a_rollback_inside(world: ResponseWorld) -> None:
    began = datetime.now(UTC) - timedelta(minutes=20)
    world.roll_out("1.5.0")
    alert = body("CheckoutErrors", severity="critical", began=began, deployment="web")
    assert world.house.post_alerts(alert)[0] == 200

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
    ago = (datetime.now(ZONE) - timedelta(minutes=7)).strftime("%H:%M")
    world.type("bob", room, f"incident note {ago} the payment provider says all is well")
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
    assert world.house.post_alerts(ended)[0] == 200
    world.wait_incident(id, lambda incident: not incident.firing, "its alert is over")
    assert "is resolved after" in world.type("bob", room, "incident resolve")
    world.wait_card(room, of, "resolved")

    world.wait_sent()
    world.assert_holds(id)
    world.assert_drawn_once(id)
    assert_told_in_order(world, id)
    assert_export_reads_back(world, id, room)
    assert_numbers_are_of_the_record(world, id)


# What happened, as the record tells it: each once, in this order.
TOLD = (
    (Kind.DECLARED, "declared Sev1: checkout fails"),
    (Kind.ALERT, "CheckoutErrors fires"),
    (Kind.ROOM, "its channel is #inc-"),
    (Kind.RUN, "`change recent web --since 2h`"),
    (Kind.MILESTONE, "acknowledged"),
    (Kind.OFFERED, "the incident commander"),
    (Kind.ACCEPTED, "is the incident commander"),
    (Kind.OFFERED, "the communications"),
    (Kind.ACCEPTED, "is the communications"),
    (Kind.ACCEPTED, "is the scribe"),
    (Kind.FIELD, "impact: every third payment fails"),
    (Kind.UPDATE, "Conditions: a third of the payments fail"),
    (Kind.MESSAGE, "the pool of connections is full"),
    (Kind.MESSAGE, "since 1.5.0, it seems"),
    (Kind.NOTE, "the payment provider says all is well"),
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
)


def assert_told_in_order(world: ResponseWorld, id: str) -> None:
    events = world.events(id)
    places = [[e.seq for e in events if e.kind == kind and words in e.text] for kind, words in TOLD]
    assert all(len(each) == 1 for each in places), (dict(zip(TOLD, places, strict=True)), world.report(id))
    assert places == sorted(places), (dict(zip(TOLD, places, strict=True)), world.report(id))


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

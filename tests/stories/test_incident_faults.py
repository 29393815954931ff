"""Incidents whose house is struck: the bot, the workers, Redis and Slack away; scopes nobody granted; nothing but Slack.

Afterwards each thing that happened is in the record once, and Slack shows one channel, one card, one pin.
"""

from collections import Counter
from collections.abc import Iterator

import pytest

from bot.scribe import AWAY
from commands.ledger import Event
from commands.response.events import Kind
from commands.response.incident import Incident, Role, Status
from commands.timeline import lines
from sandbox.slack.cast import ALICE
from tests.stories.responding import INCIDENTS, ResponseWorld, ago

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def world() -> Iterator[ResponseWorld]:
    with ResponseWorld() as world:
        yield world


# --- the bot --------------------------------------------------------------------------------------


def test_what_happens_in_the_room_while_the_bot_is_dead_appears_once_afterwards(world: ResponseWorld) -> None:
    id, room = world.declared("sev2 checkout is slow")
    texts = (kept, edited, deleted, freed) = (
        "the cache is cold",
        "the pool is full",
        "it rains",
        "lunch at noon",
    )
    said = {text: world.slack.post_as("carol", room, text).ts for text in texts}
    for ts in said.values():
        world.slack.react("alice", room, ts, "pushpin")
    for text in texts:
        world.wait_event(id, text)

    world.slack.lose_events()
    world.house.bot.kill()
    world.slack.edit("carol", room, said[edited], "the pool was full")
    world.slack.delete("carol", room, said[deleted])
    world.slack.unreact("alice", room, said[freed], "pushpin")
    new = world.slack.post_as("alice", room, "nobody hears this")
    reply = world.slack.post_as("carol", room, "nor this", thread_ts=new.ts)
    world.slack.react("carol", room, new.ts, "pushpin")
    world.slack.pin("alice", room, reply.ts)
    for line in ("incident note lost", "incident mitigate it is over", "incident declare sev1 all is down"):
        failed = world.slack.command("alice", room, line)
        assert not failed.ok and "failed with the error" in world.slack.ephemerals("alice")[-1]["text"]
    assert not world.events(id, Kind.NOTE, Kind.STATUS) and len(world.records.open_incidents()) == 1

    away_for_ten_minutes(world)
    world.slack.lose_events(False)
    world.house.bot.restart()
    world.wait_event(id, "nor this")
    again = compared_again(world, id)
    told = {line.text: line for line in lines(again) if line.kind == Kind.MESSAGE}
    assert len([each for each in again if each.kind == Kind.MESSAGE]) == len(texts) + 2
    assert set(told) == {kept, "the pool was full", deleted, freed, "nobody hears this", "nor this"}
    assert told["the pool was full"].earlier == (edited,)
    assert "deleted in Slack" in told[deleted].gone and "taken out" in told[freed].gone
    changes = Counter(each.kind for each in again)
    assert [changes[kind] for kind in (Kind.REVISED, Kind.REMOVED, Kind.RELEASED)] == [1, 1, 1]
    ended(world, id, room)


def away_for_ten_minutes(world: ResponseWorld) -> None:
    """As far as the bot can tell when it comes back."""
    heard = world.state.heard("scribe")
    assert heard is not None
    world.state.redis.set("sre:beat:scribe", repr(heard.timestamp() - 10 * AWAY.total_seconds()))


SAID = (Kind.MESSAGE, Kind.REVISED, Kind.REMOVED, Kind.RELEASED)


def compared_again(world: ResponseWorld, id: str) -> list[Event]:
    """What the record holds of what was said, when the room was compared once more."""
    mark = f"caught-up:{id}"
    world.wait(lambda: world.state.marked(mark), "the room is compared")
    before = world.events(id, *SAID)
    world.state.redis.delete(f"sre:once:{mark}")
    world.wait(lambda: world.state.marked(mark), "the room is compared once more")
    assert world.events(id, *SAID) == before
    return before


def ended(world: ResponseWorld, id: str, room: str) -> None:
    """Nothing of it is due any more, and all of it holds."""
    assert "was a false alarm" in world.type("alice", room, "incident false-alarm it was the test")
    world.wait_sent()
    world.assert_holds(id)
    world.assert_drawn_once(id)


# --- Redis and Slack ------------------------------------------------------------------------------


def test_redis_killed_in_the_middle_loses_nothing_that_was_accepted(world: ResponseWorld) -> None:
    id, room = world.declared("sev2 login is slow")
    noted = []

    def note(text: str) -> None:
        said = world.slack.command("alice", room, f"incident note {text}")
        if f"Noted in {id}" in said.text:
            noted.append(text)

    note("before")
    world.redis.kill()
    for number in range(2):
        note(f"meanwhile {number}")
    world.redis.restart()
    world.wait(lambda: (note("after"), "after" in noted)[1], "the store takes notes again")
    assert noted == ["before", "after"], "what is not stored is not called noted"
    assert [event.text for event in world.events(id, Kind.NOTE)] == noted
    world.wait_told(room, "after")
    ended(world, id, room)


def test_a_slack_that_limits_and_fails_while_the_room_is_made_gets_one_of_each(world: ResponseWorld) -> None:
    world.slack.fault("*", "ratelimited", times=20, retry_after=0)
    for method in ("conversations.create", "chat.postMessage", "pins.add", "conversations.invite"):
        world.slack.fault(method, "status", times=1, status=503)
        world.slack.fault(method, "drop_after", times=1)
    id, room = world.declared("sev2 search is slow")
    place = world.slack.workspace.channel(room)
    world.wait(lambda: ALICE.id in place.members, "its people are there")
    world.wait_told(INCIDENTS, f"<#{room}>")
    ended(world, id, room)
    assert not world.slack.faults.planned()
    assert len([m for m in world.told(INCIDENTS, f"<#{room}>")]) == 1


# --- scopes, and nothing but Slack ----------------------------------------------------------------


@pytest.fixture
def bare() -> Iterator[ResponseWorld]:
    """Slack alone: no cluster, no Prometheus, no AWS."""
    with ResponseWorld(has_cluster=False, worker_count=1) as world:
        yield world


def test_with_nothing_but_slack_an_incident_goes_its_whole_way_and_says_what_it_cannot_know(
    bare: ResponseWorld,
) -> None:
    bare.withhold("pins:write", "bookmarks:write", "canvases:write")
    id = bare.declare("sev1 checkout is down")
    room = bare.wait_incident(
        id, lambda incident: incident.room.is_own and incident.room.channel, "its channel"
    )
    card = bare.wait_card(room, f"incident:{id}", "scope pins:write is missing")
    assert not bare.slack.workspace.channel(room).pins
    bare.wait_told(room, "What changed")
    bare.wait_told(room, "2 · Kubernetes")
    for line in ("change recent --since 2h", "debug layers"):
        assert "green" not in bare.wait_event(id, f"`{line}`").text
    assert "⚪" in bare.slack.transcript(room), "what could not be read is unknown"
    live_through(bare, id, room)
    bare.wait_sent()
    assert bare.card(room, f"incident:{id}")["ts"] == card["ts"]
    bare.assert_holds(id)

    bare.withhold("channels:manage")
    id = bare.declare("sev1 login is down")
    bare.wait_incident(id, lambda incident: incident.room.lost, "it has no channel of its own")
    root = bare.wait_card(INCIDENTS, f"incident:{id}", "scope channels:manage is missing")
    bare.type("alice", INCIDENTS, f"incident note --incident {id} told in a thread")
    bare.wait(lambda: "told in a thread" in str(bare.slack.thread(INCIDENTS, root["ts"])), "its thread")
    said = bare.slack.post_as("bob", INCIDENTS, "the pool is full", root["ts"])
    bare.slack.react("alice", INCIDENTS, said.ts, "pushpin")
    bare.wait_event(id, "the pool is full")
    live_through(bare, id, INCIDENTS, f" --incident {id}")
    bare.wait_sent()
    bare.assert_holds(id)


def live_through(world: ResponseWorld, id: str, room: str, which: str = "") -> None:
    """From the first who is on it to the end of all, by typed lines."""
    for line in (
        "ack", "assign ic me", f"set started {ago(minutes=20)}", f"set detected {ago(minutes=15)}",
        "set impact nobody can pay", "identify the certificate has expired", "mitigate it is renewed", "resolve",
    ):  # fmt: skip
        verb, _, rest = line.partition(" ")
        said = world.type("alice", room, f"incident {verb}{which} {rest}")
        assert "Nothing was done" not in said, said
    name = f"{id}-postmortem.md"
    draft = world.wait(lambda: world.shared(room, name), "a draft of the postmortem")
    assert "nobody can pay" in draft
    for line in ("postmortem --lessons renew it by a machine", "leave ic"):
        verb, _, rest = line.partition(" ")
        said = world.type("alice", room, f"incident {verb}{which} {rest}")
        assert "Nothing was done" not in said, said
    world.ask("alice", room, f"incident postmortem {id}")
    world.wait_incident(id, drafted_of_now, "the draft is of now")
    assert "is published" in world.type("alice", room, f"incident publish{which}")
    assert f"{id} is closed" in world.type("alice", room, f"incident close{which}")


def drafted_of_now(incident: Incident) -> bool:
    return incident.report.seq >= incident.report.moved


# --- the workers; last, because their clock moves on ----------------------------------------------


def test_what_was_due_while_no_worker_lived_is_told_once_and_says_that_it_is_late(
    world: ResponseWorld,
) -> None:
    id, room = world.declared("sev1 nobody can pay")
    world.type("alice", room, f"incident assign ic <@{ALICE.id}>")
    world.type("alice", room, "incident assign comms <@U0CAROL0001>")
    for worker in world.house.workers:
        worker.kill()
    world.move_on(minutes=10)
    for worker in world.house.workers:
        worker.start()
    world.wait_told(
        room, "min ago and nobody accepted: take it with `/sre incident assign comms me` (was due "
    )
    late = {event.facts["key"]: event.facts.get("late") for event in world.events(id, Kind.FIRED)}
    assert "min" in late["item:facts"] and "min" in late["offer:comms"]
    assert {"item:ack", "item:ic"}.isdisjoint(late), "what was done is not due any more"

    before = Counter(event.facts["key"] for event in world.events(id, Kind.FIRED))
    for worker in world.house.workers:
        worker.kill()
        worker.start()
    world.type("alice", room, "incident page U0BOB000001 you know this queue")
    world.wait_event(id, "page:")
    fired = Counter(event.facts["key"] for event in world.events(id, Kind.FIRED))
    assert fired.keys() > before.keys() and set(fired.values()) == {1}
    assert (
        world.incident(id).status is Status.INVESTIGATING and world.incident(id).holder(Role.IC) == ALICE.id
    )
    ended(world, id, room)

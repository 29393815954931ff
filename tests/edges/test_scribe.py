"""The scribe on a real Redis and the Slack stand-in: what people mark, edit, delete and share is in the timeline once."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from slack_sdk import WebClient

from bot.ears import HEARD, Ears
from bot.outbox import Outbox, Sent
from bot.records import Records
from bot.scribe import DONE, EVERY, Scribe
from bot.state import State
from bot.wire import Wire
from commands import timeline
from commands.ledger import Draft, Event, faults
from commands.response import fold
from commands.response.events import Kind, draft
from commands.site import Site
from commands.timeline import Line
from commands.transcript import hashed
from sandbox.slack import SlackStandIn

PIN = "pushpin"
SITE = Site()


@pytest.fixture(scope="module")
def standing_slack() -> Iterator[SlackStandIn]:
    with SlackStandIn(rate_limits="off") as stand_in:
        yield stand_in


class Desk:
    """An incident with a channel of its own, in which alice and bob are, and a scribe that listens."""

    def __init__(self, state: State, slack: SlackStandIn) -> None:
        self.state, self.slack = state, slack
        self.client = WebClient(slack.bot_token, base_url=slack.api_url, timeout=5, retry_handlers=[])
        self.me = self.client.auth_test()["user_id"]
        self.records = Records(state, SITE)
        self.room = self.client.conversations_create(name="inc-20261123-001-checkout")["channel"]["id"]
        self.client.conversations_invite(
            channel=self.room, users=",".join(self.user(n) for n in ("alice", "bob"))
        )
        self.greeted: list[tuple[str, str]] = []
        self.offered: list[tuple[str, str, str]] = []
        self.waits: list[float] = []  # it would have paused for so long
        self.scribe = Scribe(
            state, self.records, Wire(state, self.client, timedelta(minutes=1)), me=lambda: self.me,
            greet=lambda user, channel, delivery: self.greeted.append((user, channel)),
            offer=lambda heard, text, step: self.offered.append((heard.by, heard.thread, step.text)),
            pause=self.waits.append,
        )  # fmt: skip
        self.ears = Ears(state, self.records)
        self.id = "INC-2026-11-23-001"
        declared = draft(Kind.DECLARED, "declared", title="checkout", severity="1", channel="yes")
        room = draft(Kind.ROOM, "room", channel=self.room, name="inc", own="yes")
        change = state.change()
        self.records.open(change, self.id, (replace(declared, by=self.user("alice")), room), "")
        change.commit()

    def user(self, name: str) -> str:
        return self.slack.workspace.user(name).id

    def say(self, text: str, by: str = "bob", thread: str | None = None) -> str:
        return self.slack.post_as(by, self.room, text, thread).ts

    def hears(self, *deliveries: object) -> None:
        """As if Slack had delivered these events, and then the scribe had its time."""
        for delivery in deliveries:
            self.ears.hear(delivery)  # type: ignore[arg-type]
        self.works()

    def works(self) -> None:
        while self.scribe.step():
            pass

    def marked(self, ts: str, by: str = "alice", *, is_added: bool = True) -> dict[str, object]:
        kind = "reaction_added" if is_added else "reaction_removed"
        item = {"type": "message", "channel": self.room, "ts": ts}
        return {"type": kind, "user": self.user(by), "reaction": PIN, "item": item, "event_ts": "1.0"}

    def pin(self, ts: str, by: str = "alice") -> None:
        self.slack.react(by, self.room, ts, PIN)
        self.hears(self.marked(ts, by))

    def events(self, *kinds: Kind) -> list[Event]:
        return [event for event in self.records.events(self.id) if event.kind in kinds]

    def lines(self) -> list[Line]:
        told = timeline.lines(self.records.events(self.id))
        return [line for line in told if line.kind == Kind.MESSAGE]


@pytest.fixture
def desk(state: State, standing_slack: SlackStandIn) -> Desk:
    standing_slack.reset()
    return Desk(state, standing_slack)


def test_a_marked_message_is_captured_as_it_was_said_and_gets_a_check_mark(desk: Desk) -> None:
    ts = desk.say("errors began after the rollout")
    desk.pin(ts)
    (line,) = desk.lines()
    assert (line.text, line.by) == ("errors began after the rollout", desk.user("bob"))
    assert line.at.timestamp() == pytest.approx(float(ts)) and ts.replace(".", "") in line.permalink
    marks = desk.client.reactions_get(channel=desk.room, timestamp=ts, full=True)["message"]["reactions"]
    assert DONE in [mark["name"] for mark in marks]


def test_what_slack_writes_by_name_stands_as_it_was_typed(desk: Desk) -> None:
    ts = desk.say("errors > 5 % & rising")
    delivered = desk.client.conversations_history(channel=desk.room, latest=ts, inclusive=True, limit=1)
    assert delivered["messages"][0]["text"] == "errors &gt; 5 % &amp; rising"
    desk.pin(ts)
    assert desk.lines()[0].text == "errors > 5 % & rising"
    desk.scribe.catch_up(desk.records.open_incidents()[0])
    assert desk.lines()[0].edits == 0


def test_a_marked_reply_is_captured_and_not_its_parent(desk: Desk) -> None:
    parent = desk.say("what is it?")
    desk.pin(desk.say("the cache", thread=parent))
    assert [line.text for line in desk.lines()] == ["the cache"]


def test_three_people_mark_and_slack_repeats_itself_and_it_is_there_once(desk: Desk) -> None:
    ts = desk.say("the cache")
    for by in ("alice", "bob"):
        desk.pin(ts, by)
    desk.hears(desk.marked(ts), desk.marked(ts))
    assert len(desk.events(Kind.MESSAGE)) == 1


def test_taking_the_mark_away_takes_it_out_and_marking_again_brings_it_back(desk: Desk) -> None:
    ts = desk.say("the cache")
    desk.pin(ts)
    desk.slack.unreact("alice", desk.room, ts, PIN)
    desk.hears(desk.marked(ts, is_added=False))
    assert "taken out" in desk.lines()[0].gone
    desk.pin(ts)
    assert desk.lines()[-1].gone == "" and len(desk.events(Kind.MESSAGE)) == 2


def test_an_edit_is_a_revision_and_each_text_is_kept(desk: Desk) -> None:
    ts = desk.say("the cache")
    desk.pin(ts)
    for text in ("the cache of eu-1", "the cache of eu-2"):
        desk.slack.edit("bob", desk.room, ts, text)
        said = desk.client.conversations_history(channel=desk.room, latest=ts, inclusive=True, limit=1)
        changed = {"type": "message", "subtype": "message_changed", "channel": desk.room}
        desk.hears({**changed, "message": said["messages"][0]})
    (line,) = desk.lines()
    assert (line.text, line.earlier) == ("the cache of eu-2", ("the cache", "the cache of eu-1"))


def test_an_edit_that_was_overtaken_by_another_is_kept_from_its_event(desk: Desk) -> None:
    ts = desk.say("one")
    desk.pin(ts)
    first = {
        "ts": ts,
        "text": "two",
        "user": desk.user("bob"),
        "edited": {"user": desk.user("bob"), "ts": "5.0"},
    }
    desk.slack.edit("bob", desk.room, ts, "three")
    changed = {"type": "message", "subtype": "message_changed", "channel": desk.room}
    desk.hears({**changed, "message": first})
    desk.scribe.catch_up(desk.records.open_incidents()[0])
    assert (desk.lines()[0].text, desk.lines()[0].earlier) == ("three", ("one", "two"))


def test_a_preview_of_a_link_is_no_edit(desk: Desk) -> None:
    ts = desk.say("see https://grafana.example/d/1")
    desk.pin(ts)
    desk.slack.unfurl(desk.room, ts, "https://grafana.example/d/1", "Dashboard")
    desk.scribe.catch_up(desk.records.open_incidents()[0])
    assert desk.lines()[0].edits == 0


def test_a_deleted_message_leaves_its_text_and_a_tombstone(desk: Desk) -> None:
    ts = desk.say("my password is hunter2")
    desk.pin(ts)
    desk.slack.delete("bob", desk.room, ts)
    gone = {"type": "message", "subtype": "message_deleted", "channel": desk.room, "deleted_ts": ts}
    desk.hears(gone, gone)
    (line,) = desk.lines()
    assert line.text == "my password is hunter2" and "deleted in Slack" in line.gone
    assert len(desk.events(Kind.REMOVED)) == 1


def test_a_parent_that_was_deleted_is_gone_although_its_replies_stay(desk: Desk) -> None:
    parent = desk.say("it is the cache")
    desk.say("are you sure?", thread=parent)
    desk.pin(parent)
    desk.slack.delete("bob", desk.room, parent)
    desk.scribe.catch_up(desk.records.open_incidents()[0])
    (line,) = desk.lines()
    assert (line.text, line.edits) == ("it is the cache", 0) and "deleted in Slack" in line.gone


def test_what_nobody_marked_is_not_captured(desk: Desk) -> None:
    ts = desk.say("lunch?")
    desk.slack.react("alice", desk.room, ts, "eyes")
    desk.hears({**desk.marked(ts), "reaction": "eyes"})
    desk.slack.edit("bob", desk.room, ts, "late lunch?")
    desk.scribe.catch_up(desk.records.open_incidents()[0])
    assert desk.lines() == []


def test_an_image_without_a_word_is_captured_with_its_hash(desk: Desk) -> None:
    content = b"\x89PNG\r\n" + b"0" * 5000
    ts = desk.slack.upload("bob", desk.room, "graph.png", content).ts
    desk.pin(ts)
    (kept,) = desk.lines()[0].files
    assert (kept.name, kept.size, kept.missing) == ("graph.png", len(content), "")
    assert kept.sha256 == hashlib.sha256(content).hexdigest()
    assert desk.state.file(kept.stored) == content


def test_a_file_that_is_not_kept_says_why(desk: Desk) -> None:
    ts = desk.slack.upload("bob", desk.room, "tool.exe", b"MZ" * 40).ts
    desk.pin(ts)
    (kept,) = desk.lines()[0].files
    assert kept.stored == "" and "is not kept" in kept.missing


def test_after_ten_minutes_away_everything_that_happened_appears_once(desk: Desk) -> None:
    kept, gone, edited, quiet = (desk.say(text) for text in ("kept", "gone", "edited", "quiet"))
    for ts in (kept, gone, edited):
        desk.pin(ts)
    # Nobody listens now: only the history tells.
    desk.slack.delete("bob", desk.room, gone)
    desk.slack.edit("bob", desk.room, edited, "edited twice")
    reply = desk.say("in a thread", thread=quiet)
    desk.slack.react("alice", desk.room, reply, PIN)
    late = desk.say("said meanwhile")
    desk.slack.react("alice", desk.room, late, PIN)
    (incident,) = desk.records.open_incidents()
    for _ in range(3):
        desk.scribe.catch_up(incident)
    told = {line.text: (line.edits, bool(line.gone)) for line in desk.lines()}
    assert told == {
        "kept": (0, False), "gone": (0, True), "edited twice": (1, False),
        "in a thread": (0, False), "said meanwhile": (0, False),
    }  # fmt: skip


def test_a_room_of_many_pages_is_read_whole(desk: Desk) -> None:
    first = desk.say("the first of many")
    for number in range(230):
        desk.say(f"noise {number}")
    desk.slack.react("alice", desk.room, first, PIN)
    desk.scribe.catch_up(desk.records.open_incidents()[0])
    assert [line.text for line in desk.lines()] == ["the first of many"]


def test_what_happens_in_other_channels_is_not_even_kept(desk: Desk) -> None:
    ts = desk.slack.post_as("bob", "#sre-daily", "hello").ts
    item = {"type": "message", "channel": desk.slack.workspace.channel("sre-daily").id, "ts": ts}
    desk.ears.hear({**desk.marked(ts), "item": item})
    assert desk.state.redis.llen("sre:scribe") == 0


def test_who_joins_is_in_the_timeline_and_is_told_how_it_stands_once(desk: Desk) -> None:
    joined = {
        "type": "member_joined_channel",
        "user": desk.user("carol"),
        "channel": desk.room,
        "event_ts": "17.5",
    }
    desk.hears(joined, joined)
    assert desk.greeted == [(desk.user("carol"), desk.room)]
    assert desk.user("carol") in desk.records.open_incidents()[0].people
    desk.hears({**joined, "user": desk.me, "event_ts": "17.6"})
    assert len(desk.events(Kind.JOINED)) == 1


def test_who_puts_a_check_box_under_a_message_is_offered_to_make_an_action_of_it(desk: Desk) -> None:
    parent = desk.say("what now?")
    ts = desk.say("limit the pool to 20", thread=parent)
    box = {**desk.marked(ts, "bob"), "reaction": "ballot_box_with_check"}
    desk.hears(box, {**box, "type": "reaction_removed"})
    line = f'incident action "limit the pool to 20" --owner {desk.user("bob")} --incident {desk.id}'
    assert desk.offered == [(desk.user("bob"), parent, line)]
    assert desk.lines() == []


def test_a_missing_scope_is_reported_once_and_is_not_fatal(desk: Desk) -> None:
    ts = desk.say("the cache")
    desk.slack.fault("conversations.replies", "error", times=None, error="missing_scope")
    desk.slack.react("alice", desk.room, ts, PIN)
    desk.hears(desk.marked(ts), desk.marked(ts, "bob"))
    desk.slack.clear_faults()
    (incident,) = desk.records.open_incidents()
    assert len(incident.scopes) == 1 and "may not read what is marked" in incident.scopes[0]


def test_an_answer_that_never_came_is_asked_for_again(desk: Desk) -> None:
    ts = desk.say("the cache")
    desk.slack.react("alice", desk.room, ts, PIN)
    desk.slack.fault("conversations.replies", "ratelimited", times=1)
    desk.hears(desk.marked(ts))
    assert [line.text for line in desk.lines()] == ["the cache"]


def test_the_bots_own_pinned_card_is_no_timeline_entry(desk: Desk) -> None:
    ts = desk.client.chat_postMessage(channel=desk.room, text="the card")["ts"]
    desk.client.pins_add(channel=desk.room, timestamp=ts)
    desk.scribe.catch_up(desk.records.open_incidents()[0])
    assert desk.lines() == []


def test_rooms_are_compared_now_and_then_and_at_once_after_being_away(desk: Desk) -> None:
    ts = desk.say("unheard")
    desk.slack.react("alice", desk.room, ts, PIN)
    desk.scribe.look_in_turn()
    assert [line.text for line in desk.lines()] == ["unheard"]
    assert (
        timedelta() < timedelta(milliseconds=desk.state.redis.pttl(f"sre:once:caught-up:{desk.id}")) <= EVERY
    )


def test_under_its_card_too_all_that_was_missed_appears_once(desk: Desk) -> None:
    moved = draft(Kind.ROOM, "told there", channel=desk.slack.workspace.channel("incidents").id)
    desk.records.append(desk.id, lambda _: [moved])
    (incident,) = desk.records.open_incidents()
    card = desk.client.chat_postMessage(channel=incident.room.channel, text="the card")["ts"]
    Outbox(desk.state).note_sent(f"incident:{desk.id}", "card", Sent(channel=incident.room.channel, ts=card))
    reply = desk.slack.post_as("bob", incident.room.channel, "unheard", card)
    desk.slack.react("alice", incident.room.channel, reply.ts, PIN)
    desk.scribe.catch_up(incident)
    desk.scribe.catch_up(incident)
    assert [line.text for line in desk.lines()] == ["unheard"]


def test_what_was_said_in_the_room_of_before_is_not_gone_because_it_is_told_elsewhere(desk: Desk) -> None:
    desk.pin(desk.say("the cache"))
    other = desk.client.conversations_create(name="inc-another")["channel"]["id"]
    moved = draft(Kind.ROOM, "its channel", channel=other, name="inc-another", own="yes")
    desk.records.append(desk.id, lambda _: [moved])
    desk.scribe.catch_up(desk.records.open_incidents()[0])
    assert [line.gone for line in desk.lines()] == [""]


def test_an_incident_that_is_over_is_not_written_on(desk: Desk) -> None:
    closed = Draft(Kind.STATUS, "closed", facts={"to": "closed"})
    desk.records.append(desk.id, lambda _: [closed])
    ts = desk.say("afterthought")
    desk.pin(ts)
    assert desk.lines() == []


# --- what must not keep the others waiting ----------------------------------------------------------


def test_what_cannot_be_understood_or_read_keeps_no_other_message_waiting(desk: Desk) -> None:
    first, second = desk.say("one"), desk.say("two")
    desk.state.redis.rpush(HEARD, b"{", b'{"what": "marked", "of a later version": 1}')
    for ts in (first, second):
        desk.slack.react("alice", desk.room, ts, PIN)
    desk.slack.fault("conversations.replies", "error", times=4, error="internal_error")
    desk.hears(desk.marked(first), desk.marked(second))
    assert sorted(line.text for line in desk.lines()) == ["one", "two"]
    assert len(desk.waits) == 3 and min(desk.waits) > 0  # then the others had their turn


def test_a_message_without_a_link_is_captured_all_the_same(desk: Desk) -> None:
    desk.slack.fault("chat.getPermalink", "error", times=None, error="message_not_found")
    desk.pin(desk.say("errors began after the rollout"))
    missed = desk.say("and in eu-2")
    desk.slack.react("bob", desk.room, missed, PIN)
    desk.scribe.catch_up(desk.records.open_incidents()[0])
    desk.slack.clear_faults()
    assert [(line.text, line.permalink) for line in desk.lines()] == [
        ("errors began after the rollout", ""), ("and in eu-2", ""),
    ]  # fmt: skip
    assert desk.events(Kind.SCOPE) == []


def test_a_room_that_cannot_be_compared_keeps_no_other_from_it_and_is_tried_again_soon(desk: Desk) -> None:
    desk.slack.react("alice", desk.room, desk.say("two"), PIN)
    younger, nowhere = draft(Kind.DECLARED, "declared", title="login", channel="yes"), "C0NOWHERE01"
    change = desk.state.change()
    place = draft(Kind.ROOM, "room", channel=nowhere, name="inc-2", own="yes")
    desk.records.open(change, "INC-2026-11-24-001", (younger, place), desk.records.register())
    change.commit()
    desk.slack.fault("conversations.history", "status", times=1, status=502)
    desk.scribe.look_in_turn()
    assert [line.text for line in desk.lines()] == ["two"]
    assert 0 < desk.state.redis.pttl("sre:once:caught-up:INC-2026-11-24-001") <= 30_000


def test_an_edit_told_late_does_not_take_the_place_of_the_one_after_it(desk: Desk) -> None:
    """The room was compared before the scribe came to the event: it knows the last text already."""
    ts = desk.say("one")
    desk.pin(ts)
    desk.slack.edit("bob", desk.room, ts, "three")
    desk.scribe.catch_up(desk.records.open_incidents()[0])
    edited = {"user": desk.user("bob"), "ts": "5.0"}
    first = {"ts": ts, "text": "two", "user": desk.user("bob"), "edited": edited}
    desk.hears({"type": "message", "subtype": "message_changed", "channel": desk.room, "message": first})
    assert (desk.lines()[0].text, desk.lines()[0].earlier) == ("three", ("one",))
    desk.scribe.catch_up(desk.records.open_incidents()[0])
    assert desk.lines()[0].edits == 1


def test_what_stays_of_an_edit_that_was_erased_does_not_tell_its_text(desk: Desk) -> None:
    ts = desk.say("one")
    desk.pin(ts)
    desk.slack.edit("bob", desk.room, ts, "4711")
    desk.scribe.catch_up(desk.records.open_incidents()[0])
    (revised,) = desk.events(Kind.REVISED)
    stays = replace(revised, content=None)
    assert hashed("4711") in str(revised.content) and hashed("4711") not in repr(stays)


def test_with_a_message_its_edits_and_its_files_are_erased(desk: Desk) -> None:
    ts = desk.slack.upload("bob", desk.room, "notes.txt", b"hunter2", "the password is hunter2").ts
    desk.pin(ts)
    desk.slack.edit("bob", desk.room, ts, "the password was hunter2")
    desk.scribe.catch_up(desk.records.open_incidents()[0])
    (said,), (revised,) = desk.events(Kind.MESSAGE), desk.events(Kind.REVISED)
    stored, change = desk.records.incident(desk.id), desk.state.change()
    assert stored is not None and len(desk.state.redis.keys("sre:file:*")) == 1
    wish = draft(Kind.ERASED, "erased", seq=str(revised.seq), why="a password", asked=desk.user("alice"))
    desk.records.erase(change, stored, revised.seq, wish)
    change.commit()
    desk.scribe.catch_up(desk.records.open_incidents()[0])
    events, after = desk.records.events(desk.id), desk.records.incident(desk.id)
    assert after is not None and after.record.erased.keys() == {said.seq, revised.seq}
    assert fold.fold(desk.id, events) == after.record
    assert faults(events, after.record.head, after.record.erased) == ()
    assert "hunter2" not in repr(events) and desk.state.redis.keys("sre:file:*") == []
    assert desk.lines()[0].gone == "erased: a password"

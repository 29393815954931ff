"""How much of what people mark is kept, and what not: the files of one incident do not fill the store of all."""

from datetime import timedelta

from bot.state import THREADS
from commands import transcript
from commands.response.events import Kind, draft
from tests.edges.test_scribe import Desk, desk, standing_slack

__all__ = ["desk", "standing_slack"]  # fixtures


def test_files_of_one_incident_are_kept_up_to_a_bound_and_the_rest_says_why(desk: Desk) -> None:
    first = desk.slack.upload("bob", desk.room, "graph.png", b"\x89PNG" + b"0" * 5000).ts
    desk.pin(first)
    assert desk.state.recall(f"said-bytes-{desk.id}") == "5004"
    desk.state.remember(f"said-bytes-{desk.id}", str(transcript.ALL - 10), timedelta(hours=1))
    second = desk.slack.upload("bob", desk.room, "other.png", b"\x89PNG" + b"1" * 50).ts
    desk.pin(second)
    kept, refused = (line.files[0] for line in desk.lines())
    assert kept.stored and not refused.stored and "100 MiB of files are kept" in refused.missing
    assert refused.name == "other.png"


def test_a_secret_in_the_name_of_a_file_is_masked_before_it_is_kept(desk: Desk) -> None:
    desk.state.redact = lambda text: text.replace("hunter2", "[redacted]")
    desk.pin(desk.slack.upload("bob", desk.room, "hunter2.png", b"\x89PNG").ts)
    (kept,) = desk.lines()[0].files
    assert kept.name == "[redacted].png"
    assert b"hunter2" not in b"".join(desk.state.redis.lrange(f"sre:events:{desk.id}", 0, -1))


def test_in_the_thread_of_its_alert_nobody_else_learns_of_a_private_incident(desk: Desk) -> None:
    hidden = draft(Kind.FIELD, "private", name="private", value="yes")
    elsewhere = draft(Kind.ROOM, "room", channel="C0ELSEWHERE", name="inc", own="yes")
    desk.records.append(desk.id, lambda _: [hidden, elsewhere])
    ts = desk.say("keys are public")
    desk.state.redis.hset(THREADS, f"{desk.room} {ts}", f"incident:{desk.id} card")
    desk.state.redis.hdel("sre:incidents:rooms", desk.room)
    box = {"reaction": transcript.TASK}
    desk.slack.react("bob", desk.room, ts, "pushpin")
    desk.hears(desk.marked(ts, "bob"), {**desk.marked(ts, "bob"), **box})
    assert desk.lines() == [] and desk.offered == []
    desk.slack.react("alice", desk.room, ts, "pushpin")
    desk.hears(desk.marked(ts, "alice"), {**desk.marked(ts, "alice"), **box})
    assert len(desk.lines()) == 1 and [by for by, *_ in desk.offered] == [desk.user("alice")]

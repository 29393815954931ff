"""Tasks: which day is meant, when their owner is reminded, what is told of them, and what the lists say."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st
from test_render import check

from bot import render
from commands import taskclock, tasking
from commands.alertreads import Called
from commands.catalog import Catalog
from commands.errors import UsageError
from commands.finding import Light
from commands.ledger import START, sealed
from commands.model import Gap, Inquiry, Section, Seen
from commands.reads import Now
from commands.response import events, taskfold
from commands.response.task import Kind, Task, TaskState, draft
from commands.responsereads import Asker, Awaiting, HouseZone, OpenIncidents, Tasks
from commands.site import Site
from commands.task import listing
from tests import build
from tests.build import ALICE, BOB, INCIDENT, grown, incident

BERLIN = Site(timezone="Europe/Berlin")
MONDAY = date(2026, 11, 23)
NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)  # in Berlin


def made(*drafts: Any, at: datetime = NOON, **facts: Any) -> Task:
    """Opened by Alice for Bob, due on the first of December; then these events."""
    said = {
        "title": "limit every pool",
        "owner": BOB.user,
        "due": "2026-12-01",
        "channel": "C0SREDAILY1",
        **facts,
    }
    found = None
    for each in (draft(Kind.OPENED, "opened", ALICE.user, **said), *drafts):
        (event,) = sealed([each], found.head if found else START, at, ["salt"])
        found = taskfold.after(found, event) if found else taskfold.begun("TSK-2026-11-23-001", event)
    assert found is not None
    return found


# --- the day --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2026-12-01", date(2026, 12, 1)), ("today", MONDAY), ("tomorrow", date(2026, 11, 24)),
        ("3d", date(2026, 11, 26)), ("2w", date(2026, 12, 7)), ("Friday", date(2026, 11, 27)),
        ("monday", date(2026, 11, 30)), (" 1D ", date(2026, 11, 24)), ("0d", MONDAY),
    ],
)  # fmt: skip
def test_a_day_is_meant_in_the_ways_people_say_it(said: str, meant: date) -> None:
    assert tasking.day(said, MONDAY) == meant


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("2026-11-22", "is over"), ("2030-01-01", "too far away"), ("soon", "is no day"), ("", "is no day"),
        ("2026-02-30", "is no day"), ("9999d", "is no day"), ("999d", "too far away"), ("`x`", "`x` is no day"),
    ],
)  # fmt: skip
def test_a_day_that_cannot_be_is_refused(said: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        tasking.day(said, MONDAY)


# --- reminders ------------------------------------------------------------------------------------


def reminders(due: str, days: int, *, opened: datetime = NOON, site: Site = BERLIN) -> list[tuple[str, str]]:
    """When its owner is reminded within so many days, as (local time, text), if the house is always there."""
    found, told, now = made(due=due, at=opened), [], opened
    found = _grown(found, taskclock.consequences(None, found, opened, site), opened)
    while found.next_due and found.next_due <= opened + timedelta(days=days):
        now = found.next_due
        said = taskclock.due(found, now, site)
        told += [(f"{now.astimezone(_zone(site)):%m-%d %H:%M}", each.text) for each in said if each.is_told]
        found = _grown(found, said, now)
    return told


def _zone(site: Site) -> ZoneInfo:
    return ZoneInfo(site.timezone)


def _grown(found: Task, drafts: Any, now: datetime) -> Task:
    for each in drafts:
        (event,) = sealed([each], found.head, now, ["salt"])
        found = taskfold.after(found, event)
    return found


def test_its_owner_is_reminded_two_days_before_on_the_day_and_every_day_it_is_late() -> None:
    name = "limit every pool (TSK-2026-11-23-001)"
    assert reminders("2026-12-01", 10) == [
        ("11-29 09:00", f"⏰ due in 2 days: {name}"),
        ("12-01 09:00", f"⏰ due today: {name}"),
        ("12-02 09:00", f"⏰ late by 1 day: {name}"),
        ("12-03 09:00", f"⏰ late by 2 days: {name}"),
    ]


def test_what_is_due_soon_has_fewer_reminders() -> None:
    assert [when for when, _ in reminders("2026-11-24", 3)] == ["11-24 09:00", "11-25 09:00", "11-26 09:00"]
    assert [when for when, _ in reminders("2026-11-23", 1)] == ["11-24 09:00"]


def test_a_reminder_that_comes_at_night_waits_for_the_morning() -> None:
    found = made(events_timer(datetime(2026, 11, 29, 8, 0, tzinfo=UTC)))
    night = datetime(2026, 11, 29, 23, 30, tzinfo=UTC)  # half past midnight
    (again,) = taskclock.due(found, night, BERLIN)
    assert not again.is_told and again.kind == Kind.TIMER
    assert events.read(again.facts["due"]) == datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
    late = replace(found, due=date(2026, 11, 28))
    (again,) = taskclock.due(late, night, BERLIN)
    assert events.read(again.facts["due"]) == datetime(2026, 11, 30, 8, 0, tzinfo=UTC)


def events_timer(due: datetime) -> Any:
    return draft(Kind.TIMER, "remind", due=events.written(due))


def test_nobody_is_called_for_a_drill() -> None:
    when = datetime(2026, 11, 29, 8, 0, tzinfo=UTC)
    real, drill = (
        taskclock.due(made(events_timer(when), drill=said), when, BERLIN)[0] for said in ("", "yes")
    )
    assert (real.mention, drill.mention) == (BOB.user, "")


@pytest.mark.parametrize("ended", [draft(Kind.DONE, "done"), draft(Kind.SKIPPED, "left out", why="moot")])
def test_reminders_stop_once_it_is_done_or_left_out(ended: Any) -> None:
    before = made(events_timer(NOON))
    after = _grown(before, [ended], NOON)
    after = _grown(after, taskclock.consequences(before, after, NOON, BERLIN), NOON)
    assert after.next_due is None and taskclock.due(after, NOON + timedelta(days=9), BERLIN) == ()


@examples(st.integers(0, 60), st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)))
def test_a_reminder_always_lies_ahead_and_never_at_night(days: int, opened: datetime) -> None:
    now = opened.replace(tzinfo=UTC)
    found = replace(made(), due=tasking.today(now, BERLIN) + timedelta(days=days))
    following = taskclock.following(found, now, BERLIN)
    assert following is not None and following > now
    assert following.astimezone(_zone(BERLIN)).hour == 9


# --- the record -----------------------------------------------------------------------------------


def test_when_it_was_done_first_never_moves() -> None:
    later = NOON + timedelta(days=3)
    first = _grown(made(), [draft(Kind.DONE, "done", BOB.user)], NOON)
    again = _grown(
        first, [draft(Kind.REOPENED, "again", ALICE.user, why="came back")], NOON + timedelta(days=1)
    )
    assert (again.state, again.finished, again.done, again.reopened) == (TaskState.OPEN, None, NOON, 1)
    done = _grown(again, [draft(Kind.DONE, "done", BOB.user)], later)
    assert (done.done, done.finished) == (NOON, later)


# --- in Slack -------------------------------------------------------------------------------------


def drawn(found: Task) -> tuple[Any, ...]:
    messages = render.messages(found, lambda text: text.replace("hunter2", "[redacted]"))
    check(messages)
    return messages


def test_a_card_names_owner_and_day_and_has_the_ways_on() -> None:
    (card,) = drawn(made(title="limit <!channel> hunter2"))
    text = str(card.blocks)
    assert f"<@{BOB.user}> · due Tue 1 Dec 2026" in text and "task done TSK-2026-11-23-001" in text
    assert "<!channel>" not in text and "hunter2" not in text and not card.in_thread


def test_an_action_is_told_under_the_card_of_its_incident() -> None:
    found = made(incident=INCIDENT, channel="")
    (card,) = drawn(found)
    assert found.under == f"incident:{INCIDENT} card" and card.in_thread


def test_a_reminder_calls_its_owner_under_the_card() -> None:
    told = taskclock.due(made(events_timer(NOON)), NOON, BERLIN)
    _, reminder = drawn(_grown(made(), told, NOON))
    assert reminder.text.startswith(f"<@{BOB.user}> ⏰ due in") and reminder.in_thread


def test_in_direct_messages_who_had_it_before_sees_whose_it_is() -> None:
    given = draft(Kind.ASSIGNED, "yours", ALICE.user, is_told=True, mention=ALICE.user, owner=ALICE.user)
    card, *_, farewell = drawn(_grown(made(channel=""), [given], NOON))
    assert (card.key, farewell.key) == (f"{ALICE.user} card", f"{BOB.user} card")
    assert farewell.only_edit and f"now <@{ALICE.user}>" in farewell.text


def test_one_that_is_done_says_by_whom_and_can_be_opened_again() -> None:
    (card,) = drawn(_grown(made(), [draft(Kind.DONE, "done", BOB.user)], NOON))
    assert f"done by <@{BOB.user}>" in str(card.blocks) and "task reopen" in str(card.blocks)


def test_a_check_mark_under_a_message_offers_a_line_that_opens_the_window() -> None:
    text, button = tasking.offer('pool "x" is\nfull `now`', ALICE.user, incident())
    parsed = Catalog.load().parse(button.text)
    assert (parsed.args.verb, parsed.args.name) == ("action", "pool 'x' is full `now`")
    assert parsed.args.flags == {"owner": ALICE.user, "incident": INCIDENT} and "needs a day" in text


# --- lists ----------------------------------------------------------------------------------------


def answered(inquiry: Inquiry, **answers: Any) -> Section:
    known = {Now: NOON, HouseZone: "Europe/Berlin", Asker: BOB.user, Called: {BOB.user: "Bob"}}
    own = {Tasks: "tasks", OpenIncidents: "incidents", Awaiting: "waiting"}
    known |= {read: answers.get(name, ()) for read, name in own.items()}
    try:
        reads = next(inquiry)
        while True:
            reads = inquiry.send(Seen({each: known[type(each)] for each in reads}))
    except StopIteration as done:
        section: Section = done.value
        return section


LATE = replace(made(), id="TSK-2", due=date(2026, 11, 20), title="late one")


def test_the_list_has_the_longest_due_first_and_says_how_many_are_late() -> None:
    found = answered(listing.listed("", everything=False), tasks=(made(), LATE))
    assert (found.light, found.findings[0].value) == (Light.YELLOW, "2 tasks open, 1 late")
    assert "late one" in found.table[1] and "3 days late" in found.table[1] and "Bob" in found.table[1]


def test_a_list_of_a_topic_has_only_that() -> None:
    talk = made(topic="techtalk", title="on queues")
    found = answered(listing.listed("techtalk", everything=False), tasks=(made(), talk))
    assert len(found.table) == 2 and "on queues" in found.table[1]


def test_mine_are_my_tasks_and_the_open_lines_of_the_roles_i_hold() -> None:
    led = replace(events.draft(events.Kind.ACCEPTED, "leads", role="ic", user=BOB.user), by=BOB.user)
    fact = '{"phase": "first 15 min", "text": "facts are said", "role": "ic", "due": "2026-11-23T10:00:00+00:00"}'
    lines = events.draft(events.Kind.ITEMS, "checklist", facts_=fact)
    of = grown(incident(led), replace(lines, facts={"facts": fact}))
    hers = replace(made(), id="TSK-3", owner=ALICE.user)
    found = answered(listing.mine(), tasks=(made(), hers), incidents=(of,))
    assert [each.value for each in found.findings] == ["1 task", "1 line, 1 late"]
    assert found.findings[1].suggestions[0].text == f"incident done facts --incident {INCIDENT}"


def test_what_waits_for_my_approval_is_mine_too() -> None:
    asked = build.change_request(build.plan(), created=NOON - timedelta(minutes=5))
    found = answered(listing.mine(), waiting=(asked,)).findings[-1]
    assert (found.label, found.value) == ("Wait for an approval", "1 change")
    assert found.evidence == ("RTEST0001 `drain node-3`, asked for 5 min ago",)


def test_a_list_that_cannot_be_read_is_unknown() -> None:
    found = answered(listing.listed("", everything=False), tasks=Gap("the store does not answer"))
    assert found.light is Light.UNKNOWN

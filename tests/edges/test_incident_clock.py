"""An incident's clock on a real Redis: the Sev1 lines, what completes them, what is due, once, and late ones too."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot import render
from bot.ears import Ears
from bot.state import State
from commands.ledger import Draft
from commands.response import fold
from commands.response.events import Kind, draft, written
from commands.response.incident import ItemState, Milestone, Role, Status
from commands.site import OnCall, Roles, Site
from tests.build import ALICE, BOB, NOW
from tests.edges.test_records import MEMBERS, ROOM, Post
from workers.rounds import TICK
from workers.timers import Timers

CAROL, DAVE = MEMBERS[2], MEMBERS[3]
ROTA = OnCall(rota=(ALICE.user, BOB.user, CAROL.user), start=NOW.replace(tzinfo=None) - timedelta(hours=1))
SITE = Site(roles=Roles(oncall=ROTA, sre_lead=(DAVE.user,)))
MINUTE = timedelta(minutes=1)


class Clock(Post):
    """A post whose timers fire as its time goes on."""

    def __init__(self, state: State) -> None:
        super().__init__(state, SITE)
        self.timers = Timers(state, SITE, self.clock)
        self.id = ""

    def begin(self, text: str = "sev1 checkout is down") -> str:
        self.id = self.declare(text).id
        return self.id

    def add(self, kind: Kind, text: str, by: str = "", **facts: str) -> None:
        self.records.append(self.id, lambda _: [replace(draft(kind, text, **facts), by=by)])

    def wait(self, minutes: float, *, step: float = 0.5) -> list[tuple[str, str]]:
        """What was told meanwhile, as (whom, what)."""
        before = self.incident(self.id).head.seq
        end = self.now + timedelta(minutes=minutes)
        while self.now < end:
            self.now = min(self.now + timedelta(minutes=step), end)
            self.timers.fire()
        events = self.records.events(self.id, before)
        return [(event.mention, event.text) for event in events if event.is_told or event.mention]

    def state_of(self, key: str) -> ItemState:
        return next(item.state for item in self.incident(self.id).items if item.key == key)

    def lead(self, by: str = ALICE.user) -> None:
        self.add(Kind.ACCEPTED, "leads", by, role="ic", user=by)


@pytest.fixture
def clock(state: State) -> Clock:
    return Clock(state)


@pytest.mark.parametrize(("verb", "rings"), [("security", CAROL.user), ("declare", BOB.user)])
def test_the_clock_tells_nobody_outside_of_a_private_incident(state: State, verb: str, rings: str) -> None:
    clock = Clock(state)
    clock.site = replace(SITE, roles=replace(SITE.roles, security=(CAROL.user,)))
    clock.timers = Timers(state, clock.site, clock.clock)
    flag = "" if verb == "security" else " --private"
    assert clock.type(f"incident {verb} sev1 keys are public{flag}", DAVE).accepted
    (incident,) = clock.records.open_incidents()
    clock.id = incident.id
    told = clock.wait(minutes=20)
    asides = [event for event in clock.records.events(clock.id) if event.mention and not event.is_told]
    assert {event.mention for event in asides} <= {DAVE.user, CAROL.user}
    assert [whom for whom, text in told if "nobody leads" in text][:1] == [rings]


def test_a_sev1_has_the_lines_of_the_manual_with_absolute_times(clock: Clock) -> None:
    clock.begin()
    incident = clock.incident(clock.id)
    due = {item.key: (item.due - incident.opened) / MINUTE for item in incident.items}
    assert due == {
        "ack": 1, "ic": 3, "facts": 5, "changes": 5, "roles": 10, "update": 15, "rollback": 20, "lead": 30,
        "ideas": 45, "case": 60, "relief": 120, "data": 180, "handover": 240,
    }  # fmt: skip
    assert incident.next_due == incident.opened + MINUTE


def test_sev2_has_twice_the_time_and_a_change_of_severity_sets_the_times_anew(clock: Clock) -> None:
    clock.begin("sev2 checkout is slow")
    opened = clock.incident(clock.id).opened
    ack = clock.incident(clock.id).items[0]
    assert ack.due == opened + 2 * MINUTE
    clock.add(Kind.SEVERITY, "graver", ALICE.user, to="1")
    assert next(i.due for i in clock.incident(clock.id).items if i.key == "ack") == opened + MINUTE
    clock.add(Kind.SEVERITY, "less grave", ALICE.user, to="4")
    states = {item.key: item.state for item in clock.incident(clock.id).items}
    assert states["ic"] is ItemState.SKIPPED and states["ack"] is ItemState.OPEN


def test_a_line_is_completed_by_evidence_and_by_nothing_else(clock: Clock) -> None:
    clock.begin()
    clock.wait(30)
    assert clock.state_of("ic") is ItemState.OPEN
    clock.lead()
    assert clock.state_of("ic") is ItemState.AUTO
    clock.add(Kind.FIELD, "service", ALICE.user, name="service", value="checkout")
    assert clock.state_of("facts") is ItemState.OPEN
    clock.add(Kind.FIELD, "impact", ALICE.user, name="impact", value="nobody can pay")
    assert clock.state_of("facts") is ItemState.AUTO


def test_who_is_on_it_begins_the_investigation(clock: Clock) -> None:
    clock.begin()
    clock.lead()
    assert clock.incident(clock.id).status is Status.INVESTIGATING


def test_nobody_leads_so_the_next_on_call_is_asked_and_then_the_lead(clock: Clock) -> None:
    clock.begin()
    told = [each for each in clock.wait(7) if "lead" in each[1]]
    assert told == [
        (BOB.user, "nobody leads this incident yet: `/sre incident assign ic me` takes command"),
        (DAVE.user, "still nobody leads this incident: `/sre incident assign ic` names somebody"),
    ]


def test_at_the_end_of_a_phase_the_commander_is_told_what_is_open(clock: Clock) -> None:
    clock.begin()
    clock.lead()
    phase = [each for each in clock.wait(16) if "are over" in each[1]]
    assert len(phase) == 1 and phase[0][0] == ALICE.user
    assert "the first 15 min are over, 3 lines still open" in phase[0][1]


def test_a_phase_ends_within_ten_seconds_of_its_time_as_the_rounds_look(clock: Clock) -> None:
    clock.begin()
    clock.wait(14.5)
    clock.wait(1, step=TICK / MINUTE)
    fired = {
        event.facts["key"]: event for event in clock.records.events(clock.id) if event.kind == Kind.FIRED
    }
    due = clock.incident(clock.id).opened + 15 * MINUTE
    late = {key: (fired[key].recorded - due).total_seconds() for key in ("phase:immediate", "item:update")}
    assert all(0 <= seconds <= 10 for seconds in late.values()), late


@pytest.mark.parametrize(("minutes", "phase"), [(60, "15 to 60 min"), (240, "1 to 4 h")])
def test_the_later_phases_end_likewise(clock: Clock, minutes: int, phase: str) -> None:
    clock.begin()
    clock.lead()
    clock.wait(minutes - 1, step=10)
    (told,) = [each for each in clock.wait(2) if "are over" in each[1]]
    assert told[0] == ALICE.user and f"the {phase} are over" in told[1]


def test_what_was_due_while_nobody_ran_fires_once_and_says_it_is_late(clock: Clock) -> None:
    clock.begin()
    clock.later(minutes=12)
    clock.timers.fire()
    clock.timers.fire()
    events = clock.records.events(clock.id)
    fired = [event.facts for event in events if event.kind == Kind.FIRED]
    assert [each["key"] for each in fired].count("item:ack") == 1
    assert {each["key"]: each.get("late") for each in fired}["item:ack"] == "11 min"
    keys = [each["key"] for each in fired]
    assert sorted(keys) == ["item:ack", "item:changes", "item:facts", "item:ic", "item:roles"]
    told = {event.mention: event.text for event in events if event.mention}
    assert told == {
        ALICE.user: "⏰ 3 reminders are overdue, the oldest first:\n"
        "• was due 11 min ago: somebody is on it (on call)\n"
        "• was due 7 min ago: faulty service and impact are said (incident commander)\n"
        "• was due 2 min ago: communications and scribe are named (incident commander)",
        BOB.user: "nobody leads this incident yet: `/sre incident assign ic me` takes command (was due 9 min ago)",
    }


@pytest.mark.parametrize(("minutes", "said"), [(1, "is due now"), (2.5, "was due 1 min ago")])
def test_a_line_says_either_that_it_is_due_or_since_when(clock: Clock, minutes: float, said: str) -> None:
    clock.begin()
    assert clock.wait(minutes, step=minutes) == [(ALICE.user, f"⏰ {said}: somebody is on it (on call)")]


def test_a_sev1_after_hours_away_tells_each_who_is_to_act_once(clock: Clock) -> None:
    clock.begin()
    clock.lead()
    told = clock.wait(150, step=150)
    assert [(whom, text.partition("\n")[0]) for whom, text in told] == [
        (ALICE.user, "⏰ 8 reminders are overdue, the oldest first:"),
        (ALICE.user, "⏰ 2 reminders are overdue, the oldest first:"),
    ]
    in_the_room = told[1][1]
    assert "the 15 to 60 min are over" in in_the_room and "the first 15 min are over" not in in_the_room
    assert "nothing was heard for 2 h 30 min: is somebody still on it? (was due 2 h ago)" in in_the_room


def test_a_page_that_was_due_while_nobody_ran_is_a_call_of_its_own(clock: Clock) -> None:
    clock.begin()
    for id in ("P1", "P2"):
        clock.add(Kind.PAGED, "paged", ALICE.user, id=id, user=ALICE.user, rung="0")
        clock.add(Kind.TIMER, "page", key=f"page:{id}", due=written(clock.now + 5 * MINUTE))
    told = [text for whom, text in clock.wait(20, step=20) if whom == BOB.user]
    assert [text.partition(":")[0] for text in told] == [
        "📟 page P1",
        "📟 page P2",
        "nobody leads this incident yet",
    ]
    assert told[0] == (
        "📟 page P1: nobody answered in 20 min, you are next. Answer with `/sre incident ack` (was due 15 min ago)"
    )


def test_in_a_drill_what_comes_late_says_once_that_nobody_is_called(clock: Clock) -> None:
    clock.begin("sev1 checkout is down --drill")
    told = dict(clock.wait(17, step=17))
    assert told[""].count("drill, nobody is called") == 1
    assert told[""].startswith("drill, nobody is called: nobody leads this incident yet")


def test_a_role_nobody_accepted_in_three_minutes_is_offered_to_the_next(clock: Clock) -> None:
    clock.begin()
    clock.add(Kind.OFFERED, "offered", ALICE.user, role="scribe", user=CAROL.user)
    assert not [each for each in clock.wait(2) if "scribe was offered" in each[1]]
    (told,) = [each for each in clock.wait(2) if "scribe was offered" in each[1]]
    assert told[0] == ALICE.user  # the first of the rota who is not the one that was asked
    assert told[1].endswith("nobody accepted: take it with `/sre incident assign scribe me`")
    clock.add(Kind.OFFERED, "offered", ALICE.user, role="comms", user=CAROL.user)
    clock.add(Kind.ACCEPTED, "accepts", CAROL.user, role="comms", user=CAROL.user)
    assert not [each for each in clock.wait(5) if "communications lead was offered" in each[1]]


def test_a_page_climbs_the_rota_until_somebody_answers(clock: Clock) -> None:
    clock.begin()
    clock.add(Kind.PAGED, "paged", ALICE.user, id="P1", user=ALICE.user, rung="0")
    clock.add(Kind.TIMER, "page", key="page:P1", due=written(clock.now + 5 * MINUTE))
    paged = [each[0] for each in clock.wait(11) if "page P1" in each[1]]
    assert paged == [BOB.user, CAROL.user]
    clock.add(Kind.PAGE_ACKED, "answers", CAROL.user, id="P1")
    assert not [each for each in clock.wait(20) if "page P1" in each[1]]


def test_nobody_is_called_in_a_drill(clock: Clock) -> None:
    clock.begin("sev1 checkout is down --drill")
    clock.add(Kind.PAGED, "paged", ALICE.user, id="P1", user=ALICE.user, rung="0")
    clock.add(Kind.TIMER, "page", key="page:P1", due=written(clock.now + 5 * MINUTE))
    assert [each for each in clock.wait(6) if "page P1" in each[1]] == [
        ("", "📟 page P1: nobody answered in 5 min, you are next. Answer with `/sre incident ack`")
    ]


def test_whoever_has_no_part_in_a_drill_is_not_reminded_of_it(clock: Clock) -> None:
    clock.begin("sev1 checkout is down --drill")
    told = clock.wait(40)
    assert {whom for whom, _ in told} == {"", ALICE.user}  # who declared it
    assert any(text.startswith("drill, nobody is called: still nobody leads") for _, text in told)


def test_a_postmortem_that_is_not_published_in_time_is_told_to_the_lead_as_well(clock: Clock) -> None:
    clock.begin()
    clock.lead()
    for to in ("mitigated", "resolved"):
        clock.add(Kind.STATUS, to, ALICE.user, to=to)
    told = clock.wait(60 * 49, step=60)
    asked = [(whom, text.partition(":")[2].partition("(")[0].strip()) for whom, text in told if "⏰" in text]
    assert asked == [
        (ALICE.user, "all milestones are known and in order"),
        (ALICE.user, "the postmortem is published"),
        (DAVE.user, "the postmortem is published"),
        (ALICE.user, "what follows has an owner and a date"),
    ]


def test_a_missed_update_goes_to_its_writer_then_the_deputy_then_the_lead_and_an_update_ends_it(
    clock: Clock,
) -> None:
    clock.begin()
    clock.lead()
    clock.add(Kind.ACCEPTED, "accepts", BOB.user, role="comms", user=BOB.user)
    clock.add(Kind.ACCEPTED, "accepts", CAROL.user, role="deputy", user=CAROL.user)
    clock.add(Kind.UPDATE, "we look", BOB.user)
    assert clock.state_of("update") is ItemState.AUTO
    due = [each[0] for each in clock.wait(26) if "a status update is due" in each[1]]
    assert due == [BOB.user, CAROL.user, DAVE.user]
    clock.add(Kind.UPDATE, "we know", BOB.user)
    assert not [each for each in clock.wait(14) if "a status update is due" in each[1]]


def test_silence_in_a_sev1_is_asked_after_and_then_calls_the_next(clock: Clock) -> None:
    clock.begin()
    clock.lead()
    told = [each for each in clock.wait(36) if "nothing was heard" in each[1]]
    assert [each[0] for each in told] == [ALICE.user, BOB.user]
    clock.add(Kind.NOTE, "still here", ALICE.user)
    assert not [each for each in clock.wait(28) if "nothing was heard" in each[1]]


def test_who_talks_in_its_room_is_on_it_though_nobody_marks_a_message(clock: Clock) -> None:
    clock.begin()
    clock.lead()
    clock.wait(20, step=5)
    ears = Ears(clock.state, clock.records)
    said = {"type": "message", "channel": ROOM, "user": BOB.user, "ts": f"{clock.now.timestamp():.6f}"}
    ears.hear(said)
    assert not [each for each in clock.wait(25, step=1) if "nothing was heard" in each[1]]
    for other in (
        {**said, "bot_id": "B1"},
        {**said, "channel": "C0SREDAILY1"},
        {**said, "subtype": "channel_topic"},
    ):
        ears.hear({**other, "ts": f"{clock.now.timestamp():.6f}"})
    assert [each[0] for each in clock.wait(7, step=1) if "nothing was heard" in each[1]] == [ALICE.user]


def test_half_an_hour_of_watching_without_an_alert_is_told_to_who_leads(clock: Clock) -> None:
    clock.begin()
    clock.lead()
    for state in ("firing", "resolved"):
        clock.add(Kind.ALERT, state, group="A1", name="5xx", state=state)
    clock.add(Kind.STATUS, "watched", ALICE.user, to="monitoring")
    assert not [each for each in clock.wait(29, step=1) if "no alert of it fired" in each[1]]
    told = [each for each in clock.wait(2, step=1) if "no alert of it fired" in each[1]]
    assert told == [
        (ALICE.user, "no alert of it fired for 30 min: if users are well, `/sre incident resolve`")
    ]


def test_an_alert_that_comes_back_while_it_is_watched_opens_the_search_again(clock: Clock) -> None:
    clock.begin()
    clock.lead()
    for state in ("firing", "resolved"):
        clock.add(Kind.ALERT, state, group="A1", name="5xx", state=state)
    for to in ("mitigated", "monitoring"):
        clock.add(Kind.STATUS, to, ALICE.user, to=to)
    clock.add(Kind.ALERT, "fires", group="A1", name="5xx", state="firing")
    incident = clock.incident(clock.id)
    assert incident.status is Status.INVESTIGATING and Milestone.MITIGATED not in incident.milestones
    assert (incident.lines[-1].text, incident.lines[-1].mention) == (
        "looked into again: 5xx fires again",
        ALICE.user,
    )
    assert not [timer for timer in incident.timers if timer.key.startswith("stable:") and timer.fired is None]


def test_nothing_urgent_is_due_of_one_that_is_resolved_and_the_report_is(clock: Clock) -> None:
    clock.begin()
    clock.lead()
    clock.wait(5)
    clock.add(Kind.STATUS, "mitigated", ALICE.user, to="mitigated")
    clock.add(Kind.STATUS, "resolved", ALICE.user, to="resolved")
    waiting = {timer.key for timer in clock.incident(clock.id).timers if timer.fired is None}
    assert waiting == {"item:draft", "item:milestones", "item:published", "item:actions"}
    assert clock.wait(600, step=30) == []


def test_one_that_was_no_incident_is_due_nothing(clock: Clock) -> None:
    clock.begin()
    clock.add(Kind.STATUS, "false alarm", ALICE.user, to="false alarm")
    assert clock.incident(clock.id).next_due is None
    assert clock.records.due(clock.now + timedelta(days=9)) == ()


def test_two_workers_fire_each_timer_once(clock: Clock) -> None:
    clock.begin()
    clock.later(minutes=2)
    other = Timers(clock.state, SITE, clock.clock)
    for timers in (clock.timers, other, clock.timers):
        timers.fire()
    fired = [event.facts["key"] for event in clock.records.events(clock.id) if event.kind == Kind.FIRED]
    assert fired == ["item:ack"]


def test_a_note_keeps_the_order_of_a_replayed_clock(clock: Clock) -> None:
    """What the rules added is part of the chain: a replay gives the record without asking them again."""
    clock.begin()
    clock.records.append(clock.id, lambda _: [Draft(Kind.NOTE, "hm", by=ALICE.user)])
    clock.wait(20)
    assert fold.fold(clock.id, clock.records.events(clock.id)) == clock.incident(clock.id)
    assert clock.incident(clock.id).holder(Role.IC) == ""


# --- updates and ticks, typed -----------------------------------------------------------------------


def test_an_update_is_told_and_the_next_one_promised(clock: Clock) -> None:
    clock.begin()
    said = '"half of the payments fail" --actions "rolling back" --next 30m --to stakeholders'
    receipt = clock.type(f"incident update {said} --incident {clock.id}")
    assert (
        receipt.accepted
        and receipt.text == "Told here and in #general-status. The next update is due in 30 min."
    )
    (told,) = clock.incident(clock.id).updates
    assert told.parts == {"conditions": "half of the payments fail", "actions": "rolling back"}
    assert (told.by, told.audience, told.next_due) == (ALICE.user, "stakeholders", clock.now + 30 * MINUTE)
    assert (
        clock.incident(clock.id).lines[-1].text
        == "Conditions: half of the payments fail\nActions: rolling back"
    )


def test_a_bare_update_asks_by_a_window_that_holds_what_was_said_last(clock: Clock) -> None:
    clock.begin()
    clock.type(f'incident update "half of the payments fail" --incident {clock.id}')
    receipt = clock.type(f"incident update --incident {clock.id}")
    assert receipt.form is not None and not receipt.accepted
    initial = {field.name: field.initial for field in receipt.form.fields}
    assert initial["conditions"] == "half of the payments fail" and initial["next"] == "15m"


def test_a_line_without_evidence_is_ticked_by_hand_and_reminds_nobody(clock: Clock) -> None:
    clock.begin()
    clock.lead()
    assert clock.type(f"incident done case 4711 at AWS --incident {clock.id}", BOB).accepted
    item = next(item for item in clock.incident(clock.id).items if item.key == "case")
    assert (item.state, item.why, item.by) == (ItemState.DONE, "4711 at AWS", BOB.user)
    assert not [each for each in clock.wait(61) if "AWS or the vendor" in each[1]]


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("incident done ic", "ticks itself when the record shows it"),
        ("incident skip case", "Say why"),
        ("incident done nothing", "Which line? `ack` somebody is on it"),
        ("incident update bad --to everybody", "`--to` is one of channel, stakeholders, public"),
    ],
)
def test_a_tick_that_says_too_little_is_refused_with_what_to_type(clock: Clock, typed: str, why: str) -> None:
    clock.begin()
    before = clock.incident(clock.id).head
    receipt = clock.type(f"{typed} --incident {clock.id}")
    assert not receipt.accepted and why in receipt.text and "Nothing was done." in receipt.text
    assert clock.incident(clock.id).head == before


def test_outside_an_incident_its_verbs_say_what_to_name(clock: Clock) -> None:
    said = clock.type("incident update all is lost").text
    assert "This is no incident's channel" in said and "Nothing was done." in said


def test_what_the_stakeholders_are_told_goes_to_their_channels_and_of_a_drill_nothing(clock: Clock) -> None:
    for text, channels in (
        ("sev1 checkout is down", ["#general-status"]),
        ("sev1 login is down --drill", []),
    ):
        clock.begin(text)
        clock.type(f'incident update "half <!channel> fail" --to stakeholders --incident {clock.id}')
        told = render.messages(clock.incident(clock.id), lambda said: said)
        outside = [each for each in told if each.key.startswith("update")]
        assert [each.channel for each in outside] == channels
        assert all("<!channel>" not in str(each.blocks) + each.text for each in outside)


def test_who_is_to_act_is_asked_alone_and_the_room_stays_quiet(clock: Clock) -> None:
    clock.begin()
    clock.lead()
    clock.wait(6)
    drawn = render.messages(clock.incident(clock.id), lambda said: said)
    asked = [each for each in drawn if "faulty service and impact are said" in each.text]
    assert [each.channel for each in asked if each.key.startswith("line")] == [f"@{ALICE.user}"]
    assert f"<#{clock.incident(clock.id).room.channel}>" in asked[-1].text


def test_of_a_whole_sev1_the_room_hears_but_people_timers_and_what_came_back(clock: Clock) -> None:
    """At most one message in five minutes that nobody typed and no timer fired: all else edits the card."""
    clock.begin()
    clock.lead()
    for minute in range(0, 100, 5):
        clock.wait(5, step=5)
        for state in ("resolved", "firing"):
            clock.add(Kind.ALERT, f"5xx is {state}", group="A1", name="5xx", state=state)
        clock.add(Kind.RUN, "`health` is answered", id=f"R{minute}", line="health", state="answered")
        clock.add(Kind.ROLLOUT, "deployment shop/web: image", object=f"deployment/shop/web-{minute}")
        clock.add(Kind.FIELD, "impact", ALICE.user, name="impact", value=f"{minute} % fail")
    for to in ("mitigated", "resolved"):
        clock.add(Kind.STATUS, to, ALICE.user, to=to)
    for state in ("resolved", "firing"):
        clock.add(Kind.ALERT, f"5xx is {state}", group="A1", name="5xx", state=state)
    events = clock.records.events(clock.id)
    unasked = [event.text for event in events if event.is_told and not event.by and event.source != "timer"]
    assert unasked == ["opened again: 5xx fires again"]
    drawn = render.messages(clock.incident(clock.id), lambda said: said)
    assert [each.key for each in drawn if each.key == "card"] == ["card"]

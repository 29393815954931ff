"""The verbs of an incident on a real Redis: from the typed line, button or window into the record, and who may not."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from test_records import CATALOG, ROOM, SITE, Post

from bot.casebook import Casebook
from bot.clerk import following
from bot.desk import Desk, Receipt, Said
from bot.people import People
from bot.state import THREADS, State, connect
from commands.form import FieldErrors
from commands.ledger import faults
from commands.model import Actor, AlertGroup, Args, Place, Request, Severity
from commands.model import State as Standing
from commands.reads import AuditPage, AuditTrail
from commands.response import fold
from commands.response.events import Kind as K
from commands.response.events import draft
from commands.response.incident import Incident, Milestone, Role, Status
from commands.site import AccessRule, Roles, Site
from sandbox.redis_server import RedisServer
from tests import build
from tests.build import ALICE, BOB, TEAM
from workers.trail import TrailSource
from workers.withheld import Withheld

CAROL, DAVE = Actor("U0CAROL0001", TEAM), Actor("U0DAVE00001", TEAM)
ELSEWHERE, OTHER_ROOM = "C0SREDAILY1", "C0INCROOM02"
THREAD = "1700000000.000100"


@pytest.fixture
def post(state: State) -> Post:
    return Post(state)


def done(receipt: Receipt) -> Receipt:
    assert receipt.accepted, receipt.text
    return receipt


def holds(post: Post, id: str) -> None:
    """What is kept is what its events make, and nobody changed one."""
    events, incident = post.records.events(id), post.incident(id)
    assert fold.fold(id, events) == incident
    assert faults(events, incident.head, incident.erased) == ()


def told(post: Post, id: str) -> list[str]:
    return [line.text for line in post.incident(id).lines]


def refusals(post: Post) -> list[str]:
    return [line["reason"] for line in build.audit_lines(post.state) if line["what"] == "refused"]


def entered(post: Post) -> list[str]:
    return [line["act"] for line in build.audit_lines(post.state) if line["what"] == "entered"]


# --- a whole one ---


def test_an_incident_is_run_from_its_room_and_the_record_holds(post: Post) -> None:
    id = post.declare("sev1 backend is down --from customer").id
    lines: tuple[tuple[Actor, str], ...] = (
        (BOB, "incident ack"),
        (BOB, "incident assign ic me"),
        (BOB, f"incident assign comms <@{CAROL.user}|carol>"),
        (CAROL, "incident accept"),
        (ALICE, "incident set impact a third of payments fail"),
        (ALICE, "incident set started 09:12"),
        (ALICE, "incident set detected 09:15"),
        (DAVE, "incident note 09:20 the pool is full"),
        (BOB, "incident identify the pool of connections is full"),
        (BOB, "incident sev 2 reads work again"),
        (BOB, "incident mitigate rolled back"),
        (BOB, "incident monitor"),
        (BOB, "incident resolve"),
        (BOB, "incident leave all"),
        (CAROL, "incident waive same cause as yesterday"),
        (BOB, "incident close"),
    )
    for by, line in lines:
        done(post.later(seconds=30).type(line, by, ROOM))
    incident = post.incident(id)
    assert incident.status is Status.CLOSED and incident.is_over
    assert {*Milestone} - {*incident.milestones} == {Milestone.ALERTED, Milestone.PAGED, Milestone.PUBLISHED}
    assert {BOB.user, CAROL.user} <= {*incident.people}
    assert len(entered(post)) == len(lines) + 1 and post.records.open_incidents() == ()
    holds(post, id)


def test_a_line_with_its_id_is_the_same_anywhere(post: Post) -> None:
    incident = post.declare()
    for line in (f"incident ack {incident.id}", f"incident sev 2 --incident {incident.id} --why calmer"):
        done(post.type(line, BOB))
    done(post.type(f"incident note {incident.id} seen from afar", CAROL))
    done(post.type("incident mitigate 001 it is well", BOB))
    made = post.incident(incident.id)
    assert made.severity == 2 and made.status is Status.MITIGATED
    assert "seen from afar" in told(post, incident.id)


def test_a_number_in_a_note_is_no_incident(post: Post) -> None:
    id = post.declare().id
    done(post.type("incident note 500 errors a second", BOB, ROOM))
    done(post.type("incident note 001 is the first node", BOB, ROOM))
    assert told(post, id)[-2:] == ["500 errors a second", "001 is the first node"]


# --- the wrong place ---


def test_away_from_its_room_the_answer_names_the_room_and_offers_it(post: Post) -> None:
    id = post.declare().id
    receipt = post.type("incident ack", BOB, ELSEWHERE)
    assert not receipt.accepted and f"`{id}` checkout is down in #inc-x" in receipt.text
    (offer,) = receipt.suggestions
    done(post.type(offer.text, BOB, ELSEWHERE))
    assert refusals(post) == [receipt.text]


def test_one_that_does_not_exist_is_said_to_be_none(post: Post) -> None:
    assert "There is no incident `INC-2026-01-01-001`" in post.type("incident ack INC-2026-01-01-001").text
    assert "none is open" in post.type("incident ack").text


# --- people at the same moment ---


def at_once(post: Post, server: RedisServer, *calls: Callable[[Desk], Receipt]) -> list[Receipt]:
    start, receipts = Barrier(len(calls)), []

    def run(call: Callable[[Desk], Receipt]) -> None:
        desk = Post(State(connect(server.url, patient=True)), post.site).desk
        start.wait()
        receipts.append(call(desk))

    threads = [Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return receipts


def typing(by: Actor, line: str, channel: str = ROOM, thread: str = "") -> Callable[[Desk], Receipt]:
    return lambda desk: desk.submit(Said(by, Place(channel, thread), line, f"{by.user} {line}"))


def test_two_who_take_command_at_once_make_one_commander(post: Post, redis_server: RedisServer) -> None:
    id = post.declare().id
    receipts = at_once(post, redis_server, *(typing(by, "incident assign ic me") for by in (BOB, CAROL)))
    assert sorted(receipt.accepted for receipt in receipts) == [False, True]
    (late,) = [receipt for receipt in receipts if not receipt.accepted]
    assert late.form is not None and "say why" in late.text
    assert len([e for e in post.records.events(id) if e.kind == K.ACCEPTED]) == 1


def test_an_offer_that_is_accepted_and_taken_back_at_once_is_one_of_both(
    post: Post, redis_server: RedisServer
) -> None:
    id = post.declare().id
    done(post.type(f"incident assign ic @{BOB.user}", ALICE, ROOM))
    receipts = at_once(
        post, redis_server, typing(BOB, "incident accept ic"), typing(ALICE, "incident decline ic")
    )
    assert sorted(receipt.accepted for receipt in receipts) == [False, True]
    assert post.incident(id).offers == ()
    holds(post, id)


def test_ten_notes_at_once_are_ten_lines(post: Post, redis_server: RedisServer) -> None:
    id = post.declare().id
    at_once(post, redis_server, *(typing(BOB, f"incident note number {n}") for n in range(10)))
    assert {f"number {n}" for n in range(10)} <= {*told(post, id)}
    holds(post, id)


def test_an_offer_waits_three_minutes_and_its_timer_goes_with_it(post: Post) -> None:
    id = post.declare().id
    done(post.type(f"incident assign ic @{BOB.user}", ALICE, ROOM))
    due = {timer.key: timer.due - post.now for timer in post.incident(id).timers}
    assert due["offer:ic"] == timedelta(minutes=3)
    done(post.type("incident accept", BOB, ROOM))
    assert "offer:ic" not in {timer.key for timer in post.incident(id).timers}


# --- what follows ---


def requests(post: Post, id: str) -> list[Request]:
    cards = [card.decode().removeprefix("request:") for card in post.state.redis.zrange("sre:outbox", 0, -1)
             if card.startswith(b"request:F")]  # fmt: skip
    found = [stored.record for card in cards if (stored := post.state.request(card))]
    return [request for request in found if request.place.under == f"incident:{id} card"]


def test_a_grave_one_asks_at_once_what_changed_and_for_the_five_layers(post: Post) -> None:
    id = post.declare("sev1 backend is down").id
    asked = {request.text for request in requests(post, id)}
    assert asked == {"change recent backend --since 2h", "debug layers backend"}
    assert all(request.actor.is_scheduler for request in requests(post, id))


@pytest.mark.parametrize("line", ["no such word", "capacity trend", "node drain node-1", "help"])
def test_what_is_not_built_or_would_change_something_does_not_follow(post: Post, line: str) -> None:
    assert following(CATALOG, SITE, line, post.declare(), post.now) is None


# --- from an alert ---


@pytest.fixture
def alert(post: Post) -> AlertGroup:
    lead = build.alert("Checkout5xx", service="backend-service")
    group = build.group(
        lead, id="A1b2c3d4e5f6a7b8c", cluster="sre-training-cluster", severity=Severity.CRITICAL, channel=ELSEWHERE
    )  # fmt: skip
    Casebook(post.state, post.site).put(post.state.change(), None, group, post.now).commit()
    post.state.redis.hset(THREADS, f"{ELSEWHERE} {THREAD}", f"alert:{group.id} 1:card")
    return group


def test_the_button_of_an_alert_opens_the_window_and_the_window_the_incident(
    post: Post, alert: AlertGroup
) -> None:
    pressed = post.type(f"incident declare --alert {alert.id}", BOB, ELSEWHERE, THREAD)
    assert pressed.form is not None and not pressed.accepted
    flags = {**pressed.form.args.flags, **{field.name: field.initial for field in pressed.form.fields}}
    filled = post.desk.fill(BOB, Place(ELSEWHERE, THREAD), Args("incident", "declare", "", flags), "view 1")
    assert filled.accepted
    (made,) = post.records.open_incidents()
    assert (made.severity, made.service, made.detection) == (2, "backend", "alert")
    assert made.at(Milestone.STARTED) == alert.lead.starts_at
    assert post.records.of_group(alert.id) == made.id


def test_two_who_press_it_at_once_open_one_and_both_are_in_it(
    post: Post, alert: AlertGroup, redis_server: RedisServer
) -> None:
    line = f"incident declare sev1 --title checkout --alert {alert.id}"
    receipts = at_once(post, redis_server, *(typing(by, line, ELSEWHERE, THREAD) for by in (BOB, CAROL)))
    assert all(receipt.accepted for receipt in receipts)
    (made,) = post.records.open_incidents()
    (late,) = [receipt for receipt in receipts if "already" in receipt.text]
    assert late.suggestions[0].text == f"incident brief {made.id}" and len(made.people) == 1


def test_typed_in_its_thread_it_is_about_that_alert_and_verbs_there_are_about_the_incident(
    post: Post, alert: AlertGroup
) -> None:
    done(post.type("incident declare sev3 slow", BOB, ELSEWHERE, THREAD))
    (made,) = post.records.open_incidents()
    assert made.alert == f"alert:{alert.id} 1:card" and not made.wants_channel
    done(post.type("incident ack", CAROL, ELSEWHERE, THREAD))
    assert post.incident(made.id).people == (CAROL.user,)
    done(post.type("incident promote", CAROL, ELSEWHERE, THREAD))
    assert post.incident(made.id).wants_channel


def test_who_acknowledges_is_offered_to_quiet_its_alert(post: Post, alert: AlertGroup) -> None:
    post.declare(f"sev1 backend --alert {alert.id}")
    offered = {each.label: each.text for each in done(post.type("incident ack", BOB, ROOM)).suggestions}
    assert offered["Silence it for 2 h"].startswith(f"alert silence {alert.id} --for 2h")
    done(post.type(offered["Acknowledge the alert"], BOB, ROOM))
    assert post.state.groups([alert.id])[0].record.care.acked_by == BOB.user


def test_it_is_not_resolved_while_the_alert_fires(post: Post, alert: AlertGroup) -> None:
    id = post.declare(f"sev1 backend --alert {alert.id}").id
    refused = post.type("incident resolve", BOB, ROOM)
    assert not refused.accepted and alert.name in refused.text
    form = post.type("incident resolve --force", BOB, ROOM).form
    assert form is not None and form.args.flags == {"force": "", "incident": id}
    flags = {**form.args.flags, "why": "it looks at old pods"}
    assert post.desk.fill(BOB, Place(ROOM), Args("incident", "resolve", "", flags), "view 2").accepted
    assert post.incident(id).status is Status.RESOLVED


def test_one_of_the_service_that_is_not_linked_keeps_it_open_as_well(post: Post, alert: AlertGroup) -> None:
    done(post.type("incident declare sev1 x --service backend-service", BOB))
    (made,) = post.records.open_incidents()
    assert "backend-service is red" in post.type(f"incident resolve {made.id}", BOB).text


# --- windows ---


def test_what_is_wrong_in_a_window_is_said_at_its_field(post: Post) -> None:
    post.declare()
    with pytest.raises(FieldErrors) as wrong:
        post.desk.fill(BOB, Place(ROOM), Args("incident", "set", "title", {}, "x" * 201), "view 3")
    assert list(wrong.value.errors) == ["rest"]


def test_what_a_window_sends_is_cleaned(post: Post) -> None:
    id = post.declare().id
    text = "line one\r\nline\x00 two\u202e <!channel>\n\n"
    assert post.desk.fill(BOB, Place(ROOM), Args("incident", "note", "", {}, text), "view 4").accepted
    assert told(post, id)[-1] == "line one\nline two <!channel>"


def test_a_repeated_delivery_is_answered_alike_and_enters_nothing(post: Post) -> None:
    id = post.declare().id
    said = Said(BOB, Place(ROOM), "incident ack", "the same")
    first, again = post.desk.submit(said), post.desk.submit(said)
    assert first == again and first.suggestions
    assert [event.kind for event in post.records.events(id)].count(K.JOINED) == 1


# --- two of them ---


def second(post: Post) -> Incident:
    id = done(post.type("incident declare sev2 payments fail", CAROL)).text.partition(" ")[0]
    room = draft(K.ROOM, "its channel", channel=OTHER_ROOM, name="inc-y", own="yes")
    post.records.append(id, lambda _: [room])
    return post.incident(id)


def test_a_merged_one_hands_over_its_alerts_for_good(post: Post, alert: AlertGroup) -> None:
    one, two = post.declare(f"sev1 backend --alert {alert.id}"), second(post)
    done(post.type(f"incident merge {two.id}", BOB, ROOM))
    assert post.incident(one.id).status is Status.MERGED and post.incident(two.id).merged == (one.id,)
    assert post.records.of_group(alert.id) == two.id
    done(post.type("incident note too late", BOB, ROOM))
    assert post.records.of_group(alert.id) == two.id
    assert f"was merged into {two.id}" in post.type("incident ack", BOB, ROOM).text
    done(post.type("incident unmerge", BOB, ROOM))
    assert post.incident(one.id).is_active and post.incident(two.id).merged == ()
    done(post.type("incident note stands by itself", BOB, OTHER_ROOM))
    assert post.records.of_group(alert.id) == one.id
    holds(post, one.id)
    holds(post, two.id)


def test_what_comes_back_later_is_another_one_and_both_know(post: Post) -> None:
    one = post.declare()
    done(post.type("incident resolve", BOB, ROOM))
    done(post.later(minutes=20).type("incident reopen not over", BOB, ROOM))
    assert post.incident(one.id).reopened == 1
    done(post.type("incident resolve", BOB, ROOM))
    answer = done(post.later(minutes=31).type("incident reopen again", BOB, ROOM)).text
    (new,) = [each for each in post.records.open_incidents() if each.id != one.id]
    assert answer.startswith(new.id) and new.related == (one.id,)
    assert post.incident(one.id).related == (new.id,) and new.title == one.title
    holds(post, one.id)


# --- behind closed doors ---

GUARDED = Site(roles=Roles(security=(DAVE.user,)))


@pytest.fixture
def hidden(state: State) -> tuple[Post, Incident]:
    post = Post(state, GUARDED)
    return post, post.declare("sev2 a key is public --private")


def lines_of(receipt: Receipt) -> str:
    return f"{receipt.text} {receipt.sections} {receipt.suggestions}"


@pytest.mark.parametrize(
    "line",
    [
        "incident list",
        "incident list --all",
        "incident",
        "incident ack",
        "incident declare sev2 a key is public",
    ],
)
def test_to_others_a_private_one_does_not_exist(hidden: tuple[Post, Incident], line: str) -> None:
    post, incident = hidden
    seen = lines_of(post.type(line, BOB))
    assert incident.id not in seen


@pytest.mark.parametrize(
    "line",
    [
        "incident ack {}",
        "incident status {}",
        "incident brief {}",
        "incident merge {}",
        "incident note {} x",
        "incident ack --incident {}",
        "incident timeline {}",
        "incident export {}",
        "incident verify {} --private",
        "incident postmortem {}",
    ],
)
def test_nor_is_it_there_by_its_name(hidden: tuple[Post, Incident], line: str) -> None:
    post, incident = hidden
    before = incident.head
    here, gone = lines_of(post.type(line.format(incident.id), BOB)), line.format("INC-2026-01-01-001")
    assert "a key is public" not in here and post.incident(incident.id).head == before
    assert here.replace(incident.id, "X") == lines_of(post.type(gone, BOB)).replace("INC-2026-01-01-001", "X")


@pytest.mark.parametrize(("by", "channel"), [(ALICE, ELSEWHERE), (DAVE, ELSEWHERE), (BOB, ROOM)])
def test_its_people_the_security_team_and_its_room_know_of_it(
    hidden: tuple[Post, Incident], by: Actor, channel: str
) -> None:
    post, incident = hidden
    assert post.type(f"incident ack {incident.id}", by, channel).accepted


@pytest.mark.parametrize("line", ["incident", "incident status", "incident brief", "incident list"])
def test_who_was_let_into_its_room_reads_there_how_it_stands(
    hidden: tuple[Post, Incident], line: str
) -> None:
    post, _ = hidden
    assert "a key is public" in lines_of(post.type(line, BOB, ROOM))
    assert "a key is public" not in lines_of(post.type(line, BOB, ELSEWHERE))


@pytest.mark.parametrize(
    "line",
    [
        "incident",
        "incident status",
        "incident status 001",
        "incident brief",
        "incident timeline",
        "incident timeline 001",
        "incident export",
        "incident verify --private",
        "incident postmortem",
    ],
)
def test_nor_has_it_a_number_in_the_thread_of_its_alert(hidden: tuple[Post, Incident], line: str) -> None:
    post, incident = hidden
    post.state.redis.hset(THREADS, f"{ELSEWHERE} {THREAD}", f"incident:{incident.id} card")
    assert incident.id not in lines_of(post.type(line, BOB, ELSEWHERE, THREAD))
    assert incident.id in lines_of(post.type("incident timeline --private", ALICE, ELSEWHERE, THREAD))


def test_nor_by_being_in_the_thread_in_which_it_is_told(hidden: tuple[Post, Incident]) -> None:
    post, incident = hidden
    post.state.redis.hset(THREADS, f"{ELSEWHERE} {THREAD}", f"incident:{incident.id} card")
    refused = post.type("incident note a word", BOB, ELSEWHERE, THREAD)
    assert "This is no incident's channel" in refused.text and incident.id not in lines_of(refused)
    assert post.incident(incident.id).head == incident.head


def test_nor_into_what_another_was_merged_into(hidden: tuple[Post, Incident]) -> None:
    post, incident = hidden
    other = done(post.type("incident declare sev2 a token is public --private", DAVE)).text.partition(" ")[0]
    done(post.type(f"incident merge {other} --incident {incident.id}", DAVE))
    refused = post.type(f"incident unmerge {incident.id}", ALICE)
    assert "Who is in what" in refused.text and not refused.accepted
    done(post.type(f"incident unmerge {incident.id}", DAVE))


def test_nobody_else_writes_into_it_by_its_number(hidden: tuple[Post, Incident]) -> None:
    post, incident = hidden
    for named in (incident.id, "INC-2026-01-01-001"):
        refused = post.type(f"pod list --incident {named}", BOB)
        assert not refused.accepted and f"There is no incident `{named}`" in refused.text
    done(post.type(f"pod list --incident {incident.id}", ALICE))


def test_the_audit_that_everybody_reads_does_not_say_what_it_is_about(hidden: tuple[Post, Incident]) -> None:
    post, incident = hidden
    refused = post.type("incident resolve again", DAVE, ELSEWHERE)
    assert "a key is public" in refused.text
    assert "a key is public" not in str(build.audit_lines(post.state)) and incident.id in refusals(post)[-1]
    done(post.type("incident join", ALICE, ROOM))
    there = post.type("incident join", ALICE, ROOM)
    assert f"{incident.id} already in #inc-x" in there.text and "#(private)" in refusals(post)[-1]


def test_the_trail_shows_lines_of_it_only_where_nobody_else_reads_them(hidden: tuple[Post, Incident]) -> None:
    post, _ = hidden
    done(post.type("pod list", ALICE, ROOM))
    done(post.type("pod list -n other", BOB))
    post.state.change().audit("succeeded", id="RLONGAGO01", text="pod isolate keys").commit()
    trail = TrailSource(post.state.trail, None, withheld=Withheld(post.state, post.records).among)

    def shown(*, is_private: bool) -> tuple[list[str], int]:
        read = AuditTrail(since=timedelta(days=400), limit=100, is_private=is_private)
        page: AuditPage = trail.read(read, time.monotonic() + 5)
        return [line.facts.get("act") or line.facts["text"] for line in reversed(page.lines)], page.withheld

    everything = ["incident declare", "pod list", "pod list --namespace other", "pod isolate keys"]
    assert shown(is_private=True) == (everything, 0)
    assert shown(is_private=False) == (["pod list --namespace other"], 3)


def test_who_is_asked_to_help_sees_it(hidden: tuple[Post, Incident]) -> None:
    post, incident = hidden
    done(post.type(f"incident assign ops @{BOB.user}", ALICE, ROOM))
    assert incident.id in lines_of(post.type("incident list", BOB))
    done(post.type(f"incident accept ops --incident {incident.id}", BOB))


def test_a_security_incident_reminds_of_the_evidence_first(state: State) -> None:
    post = Post(state, GUARDED)
    done(post.type("incident security a key of ci is public", BOB))
    (made,) = post.records.open_incidents()
    assert made.is_private and made.is_security and made.lines[0].mention == DAVE.user


def test_who_may_know_of_it_is_told_its_timeline_where_nobody_else_reads_it(
    hidden: tuple[Post, Incident],
) -> None:
    post, incident = hidden
    line = f"incident timeline {incident.id}"
    aloud = post.type(line, ALICE)
    assert not aloud.accepted and "is private" in aloud.text
    done(post.type(line, ALICE, ROOM))
    done(post.type(f"{line} --private", ALICE))
    done(post.type(line, ALICE, "D0ALICE0001"))


# --- looking ---


def test_the_looks_answer_at_once_and_to_the_asker_alone(post: Post) -> None:
    id = post.declare().id
    for line in ("incident list", f"incident status {id}", f"incident brief {id}"):
        (section,) = post.type(line, BOB).sections
        assert section.done and section.findings
    (here,) = post.type("incident status", BOB, ROOM).sections
    assert here.title == f"{id} · checkout is down"
    assert post.type("incident", BOB, ROOM).sections == (here,)


# --- erasing ---


def test_two_people_erase_a_text_and_the_chain_still_holds(post: Post) -> None:
    id = post.declare().id
    done(post.type("incident note the password is hunter2", ALICE, ROOM))
    seq = post.incident(id).head.seq
    done(post.type(f"incident redact {seq} a password", BOB, ROOM))
    for by in (ALICE, BOB):  # who wrote it, and who asked
        assert not post.type(f"incident redact {seq}", by, ROOM).accepted
    assert "hunter2" in told(post, id)[0]
    done(post.type(f"incident redact {seq}", CAROL, ROOM))
    body = b"".join(post.state.redis.lrange(f"sre:events:{id}", 0, -1))
    record = post.state.redis.hget(f"sre:incident:{id}", "body")
    assert b"hunter2" not in body + record and post.incident(id).erased.keys() == {seq}
    assert "erased already" in post.type(f"incident redact {seq} x", BOB, ROOM).text
    holds(post, id)


@pytest.mark.parametrize("number", ["0", "00", "999", "x", "99999999999999999999"])
def test_a_number_that_no_event_has_is_asked_back(post: Post, number: str) -> None:
    post.declare()
    assert "by its number" in post.type(f"incident redact {number} x", BOB, ROOM).text


# --- alone ---

TRUSTED = Site(
    roles=Roles(approvers=(CAROL.user,)),
    access=(
        AccessRule((BOB.user, ALICE.user), ("submit",), ("node *",)),
        AccessRule(("approvers",), ("approve",), ("node *",)),
    ),
)


@pytest.fixture
def waiting(state: State) -> Post:
    """A drain asked for by Bob in the room of a Sev1 that Alice commands; two people must approve it."""
    post = Post(state, TRUSTED)
    post.declare()
    done(post.type("incident assign ic me", ALICE, ROOM))
    change = build.change_request(build.plan(approvers=2), id="R1A2B", place=Place(ROOM), actor=BOB)
    state.change().put(change, was="").commit()
    return post


GLASS = "incident break-glass R1A2B --confirm R1A2B nobody else is awake"


def change(post: Post) -> Request:
    stored = post.state.request("R1A2B")
    assert stored is not None
    return stored.record


def test_the_commander_alone_lets_it_begin_and_the_audit_says_so(waiting: Post) -> None:
    (id,) = [each.id for each in waiting.records.open_incidents()]
    done(waiting.type(GLASS, ALICE, ROOM))
    moved = change(waiting)
    assert (
        moved.state is Standing.APPROVED and moved.asking is not None and moved.asking.broken_by == ALICE.user
    )
    assert any("R1A2B" in job for job in waiting.state.queue.job_ids)
    (line,) = [each for each in build.audit_lines(waiting.state) if each["what"] == "approved"]
    assert (line["by"], line["glass"], line["requester"]) == (ALICE.user, id, BOB.user)
    assert waiting.incident(id).glass[0].request == "R1A2B"
    assert "it is approved" in waiting.type(GLASS, ALICE, ROOM).text
    done(waiting.type("incident review r1a2b it was right", CAROL, ROOM))
    assert waiting.incident(id).glass[0].reviewed_by == CAROL.user
    holds(waiting, id)


def test_who_may_not_even_ask_for_the_like_breaks_no_glass(waiting: Post) -> None:
    done(waiting.type("incident assign ic me Alice is away", DAVE, ROOM))
    refused = waiting.type(GLASS, DAVE, ROOM)
    assert not refused.accepted and change(waiting).state is Standing.AWAITING
    assert waiting.records.open_incidents()[0].glass == () and refusals(waiting)[-1] == refused.text


def test_what_expired_is_not_approved_by_breaking_the_glass(waiting: Post) -> None:
    assert "expired at" in waiting.later(minutes=16).type(GLASS, ALICE, ROOM).text
    assert change(waiting).state is Standing.AWAITING


def test_a_change_that_is_approved_at_the_same_moment_begins_once(
    waiting: Post, redis_server: RedisServer
) -> None:
    receipts = at_once(waiting, redis_server, *(typing(ALICE, f"{GLASS} {n}") for n in range(4)))
    assert sorted(receipt.accepted for receipt in receipts) == [False, False, False, True]
    assert len(waiting.records.open_incidents()[0].glass) == 1


# --- pages ---


def test_a_page_is_answered_by_whoever_acknowledges(state: State) -> None:
    site = replace(
        SITE, roles=replace(SITE.roles, oncall=replace(SITE.roles.oncall, rota=(BOB.user, CAROL.user)))
    )
    post = Post(state, site)
    id = post.declare().id
    answer = done(post.type("page oncall the database is read-only", ALICE, ROOM)).text
    assert "Without an answer: 09:35 CET U0CAROL0001" in answer
    assert post.incident(id).lines[-1].mention == BOB.user and post.incident(id).next_due is not None
    done(post.later(minutes=1).type("incident ack", CAROL, ROOM))
    (page,) = post.incident(id).pages
    assert (page.user, page.acked_by, page.acked) == (BOB.user, CAROL.user, post.now)
    assert [timer for timer in post.incident(id).timers if timer.key.startswith("page:")] == []
    holds(post, id)


def test_guests_and_strangers_enter_nothing(post: Post) -> None:
    incident = post.declare()
    stranger = Actor("U0STRANGE01", "T0OTHERTEAM")
    assert not post.type("incident ack", stranger, ROOM).accepted
    assert post.incident(incident.id).head == incident.head and Role.IC not in incident.roles


def test_a_desk_of_another_process_sees_the_same(post: Post, state: State) -> None:
    id = post.declare().id
    other = Desk(state, CATALOG, SITE, People(state, SITE), now=lambda: post.now + timedelta(minutes=1))
    assert other.submit(Said(BOB, Place(ROOM), "incident ack", "x")).accepted
    assert post.incident(id).people == (BOB.user,)

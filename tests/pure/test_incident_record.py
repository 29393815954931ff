"""What people write into the record: corrections, notes, erasures, and what one of them approved alone."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from bot import render
from commands import clockwork, consequences
from commands.entry import Entry
from commands.errors import Denied, SayBack, Stale, UsageError
from commands.form import FieldErrors, NeedsForm
from commands.ledger import START, Draft, Event, sealed
from commands.model import Args, Place, Request, State
from commands.response import fold
from commands.response.events import Kind, draft, written
from commands.response.incident import Incident, Milestone
from commands.site import Approvals, Site
from tests import build
from tests.build import ALICE, BOB, INCIDENT, NOW, decided, given, grown, incident

CAROL = replace(ALICE, user="U0CAROL0001")  # 09:30 in the house's zone


def told(line: str, known: Incident, by: build.Actor = ALICE, **more: object) -> Draft:
    return decided(line, known, by, **more).writes[0].drafts[0]


def window(line: str, known: Incident, **more: object) -> NeedsForm:
    with pytest.raises(NeedsForm) as asked:
        decided(line, known, **more)
    return asked.value


# --- set ---


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("set title cart and checkout are down", "title", "cart and checkout are down"),
        ("set impact a third of payments fail", "impact", "a third of payments fail"),
        ("set service backend", "service", "backend"),
        ("set affected cart, login ,", "affected", ("cart", "login")),
        ("set detection Customer", "detection", "customer"),
        ("set lessons look at the pool first", "lessons", "look at the pool first"),
    ],
)
def test_what_the_record_says_can_be_corrected(line: str, name: str, value: object) -> None:
    made = grown(incident(), *decided(line, incident()).writes[0].drafts)
    assert getattr(made, name) == value


def test_only_what_people_feel_is_told_in_the_room() -> None:
    assert told("set impact half of it", incident()).is_told
    assert not told("set service backend", incident()).is_told


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("set colour red", "cannot be set. What can: `title`"),
        ("set declared 09:00", "cannot be set"),
        ("set detection rumour", "is one of `alert`"),
        (f"set title {'x' * 201}", "here fit 200"),
        ('set title "\u200d"', "no text that anybody can read"),
    ],
)
def test_what_cannot_be_set_is_said(line: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        decided(line, incident())
    assert said in str(refused.value) and "Nothing was done." in str(refused.value)


@pytest.mark.parametrize("line", ["set", "set impact", "set started", "set detection"])
def test_what_is_missing_is_asked_in_a_window(line: str) -> None:
    asked = window(line, incident())
    assert asked.form.fields[-1].name == "rest" and asked.form.args.flags == {"incident": INCIDENT}


@pytest.mark.parametrize(
    ("line", "at", "about"),
    [
        ("set started 09:02", NOW - timedelta(minutes=28), False),
        ('set mitigated "about 09:20"', NOW - timedelta(minutes=10), True),
        ("set started yesterday 23:50", datetime.fromisoformat("2026-11-22T22:50+00:00"), False),
        ("set started 08:02 UTC", NOW - timedelta(minutes=28), False),
    ],
)
def test_a_milestone_is_set_by_the_clock_of_the_house(line: str, at: datetime, about: bool) -> None:
    made = grown(incident(), *decided(line, incident()).writes[0].drafts)
    marked = made.milestones[Milestone(line.split()[1])]
    assert (marked.at, marked.is_approximate, marked.by) == (at, about, ALICE.user)


def test_a_correction_tells_what_stood_there() -> None:
    known = incident(draft(Kind.MILESTONE, "…", name="started", at=written(NOW)))
    assert told("set started 09:02", known).text == "started 09:02 CET, not 09:30 CET"
    assert told("set started 09:02 --why 'by the graph'", known).text.endswith(": by the graph")


def test_nothing_is_set_ahead_of_time_or_out_of_order() -> None:
    with pytest.raises(UsageError, match="still to come: it is 09:30 now"):
        decided("set mitigated 15:00", incident())
    known = incident(draft(Kind.MILESTONE, "…", name="mitigated", at=written(NOW - timedelta(minutes=5))))
    with pytest.raises(
        UsageError, match="`started` would be later than `mitigated`: the other stands at 09:25 CET"
    ):
        decided("set started 09:28", known)
    begun = incident(draft(Kind.MILESTONE, "…", name="started", at=written(NOW - timedelta(minutes=5))))
    with pytest.raises(UsageError, match="`started` would be later than `identified`"):
        decided("set identified 09:20", begun)


# --- note ---


def test_a_note_happened_when_it_says_and_is_echoed_by_whoever_wrote_it() -> None:
    made = told("note 09:02 restarted the database", incident(), BOB)
    assert (made.at, made.by, made.is_told) == (NOW - timedelta(minutes=28), BOB.user, True)
    assert made.text == "[09:02 CET] restarted the database"
    assert told("note restarted it", incident()).text == "restarted it"
    night = told("note yesterday 23:50 first errors", incident())
    assert night.text == "[2026-11-22 23:50 CET] first errors"
    assert told("note about 09:02: it fell", incident()).text == "[about 09:02 CET] it fell"


@pytest.mark.parametrize(
    "line",
    [
        "note 503s from deploy/backend",
        "note 500 errors a minute",
        "note shop/backend is slow",
        'note pool="50" service=backend',
        "note update sent",
    ],
)
def test_no_word_of_a_note_is_taken_for_anything_else(line: str) -> None:
    assert told(line, incident()).text.replace('"', "") == line.removeprefix("note ").replace('"', "")


def test_a_note_without_words_is_asked_for_and_a_very_long_one_has_a_way() -> None:
    assert window("note", incident()).form.fields[0].kind == "text"
    assert window("note 09:02", incident()).form.fields[0].initial == "09:02"
    long = replace(given("note", incident()), args=Args("incident", "note", "", {}, "x " * 1501 + "x"))
    with pytest.raises(FieldErrors, match="Share the text as a file"):
        entered(long)


def entered(known: object) -> Entry:
    entry = next(each.entry for each in build.VERBS if each.verbs == ("note",))
    assert entry is not None
    return entry(known)  # type: ignore[arg-type]


@drawn(st.text(max_size=400))
def test_any_note_is_folded_alike_and_calls_nobody(text: str) -> None:
    known = incident()
    try:
        entry = entered(replace(given("note", known), args=Args("incident", "note", "", {}, text)))
    except (NeedsForm, UsageError):
        return
    events = sealed(entry.writes[0].drafts, known.head, NOW, ("a", "b"))
    made = fold.after(known, events[0])
    again = fold.after(known, events[0])
    (line,) = [each for each in render.messages(made, lambda text: text) if each.key.startswith("line")]
    assert made == again and made.lines[-1].text.strip()
    assert "<!" not in f"{line.text}".replace("<!date", "")
    assert "\x00" not in line.text


# --- redact ---


def event(kind: Kind = Kind.NOTE, by: str = ALICE.user, seq: int = 3) -> Event:
    (made,) = sealed((replace(draft(kind, "hunter2"), by=by),), START, NOW, ("salt",))
    return replace(made, seq=seq)


def asked(by: str = ALICE.user) -> Incident:
    wish = replace(draft(Kind.ERASE_ASKED, "…", seq="3", why="a password"), by=by)
    return incident(draft(Kind.NOTE, "hunter2"), wish)


def test_one_asks_and_another_confirms() -> None:
    first = decided("redact 3 it holds a password", incident(), BOB, event=event())
    assert first.writes[0].erases == 0 and "it holds a password" in first.writes[0].drafts[0].text
    second = decided("redact 3", asked(BOB.user), CAROL, event=event())
    (write,) = second.writes
    assert (write.erases, write.drafts[0].facts["asked"]) == (3, BOB.user)


def test_neither_who_asked_nor_who_wrote_it_confirms() -> None:
    with pytest.raises(Denied, match="You asked for it yourself"):
        decided("redact 3", asked(BOB.user), BOB, event=event())
    with pytest.raises(Denied, match="You wrote event 3"):
        decided("redact 3", asked(BOB.user), ALICE, event=event())
    same = Site(team=replace(Site().team, people={"bob": (BOB.user, CAROL.user)}))
    with pytest.raises(Denied, match="You asked for it yourself"):
        decided("redact 3", asked(BOB.user), CAROL, event=event(), site=same)


def test_only_words_can_be_erased_and_only_once() -> None:
    with pytest.raises(UsageError, match="the record is made of it"):
        decided("redact 3 x", incident(), event=event(Kind.SEVERITY))
    with pytest.raises(Stale, match="erased already"):
        decided("redact 3 x", incident(), event=replace(event(), content=None))
    with pytest.raises(UsageError, match="Name the event by its number"):
        decided("redact", incident())
    assert "Say why" in str(window("redact 3", incident(), event=event()))


def test_an_erased_line_is_gone_from_the_room_and_folds_alike() -> None:
    drafts = [
        replace(draft(Kind.DECLARED, "declared", title="x", severity="1"), by=ALICE.user),
        replace(draft(Kind.NOTE, "hunter2"), is_told=True),
        draft(Kind.ERASED, "event 2 is erased", seq="2", why="a password", asked=BOB.user),
    ]
    events = sealed(drafts, START, NOW, ("a", "b", "c"))
    made = fold.fold(INCIDENT, events)
    assert [line.text for line in made.lines] == ["(erased)"] and 2 in made.erased
    kept = (events[0], replace(events[1], content=None), events[2])
    assert fold.fold(INCIDENT, kept) == made


# --- break-glass ---


def led(*more: Draft, **said: str) -> Incident:
    return incident(draft(Kind.ACCEPTED, "took it", role="ic", user=ALICE.user), *more, **said)


def change(**said: object) -> Request:
    made = replace(build.change_request(build.plan()), id="R1A2B", place=Place("C0INCROOM01"), actor=BOB)
    return replace(made, **said)  # type: ignore[arg-type]


GLASS = "break-glass R1A2B --confirm R1A2B"


def test_the_commander_approves_one_change_alone_and_it_is_to_be_reviewed() -> None:
    entry = decided(f"{GLASS} nobody else is awake", led(), request=change())
    assert entry.breaks == "R1A2B"
    made = grown(led(), *entry.writes[0].drafts)
    (glass,) = made.glass
    assert (glass.request, glass.by, glass.requester) == ("R1A2B", ALICE.user, BOB.user)
    assert "nobody else is awake" in made.lines[-1].text
    (timer,) = made.timers
    assert (timer.key, timer.due) == ("review:R1A2B", NOW + timedelta(hours=24))


def test_it_says_what_else_the_same_person_did_and_calls_another() -> None:
    site = Site(roles=replace(Site().roles, sre_lead=(ALICE.user, CAROL.user)))
    entry = decided(GLASS, led(), request=change(actor=ALICE), site=site)
    (told, _) = entry.writes[0].drafts
    assert "The same person declared the incident and asked for the change." in told.text
    assert told.is_told and told.mention == CAROL.user
    (told, _) = decided(GLASS, led(), request=change()).writes[0].drafts
    assert "The same person declared the incident. Somebody else" in told.text and told.mention == ""


def test_where_nobody_else_sees_it_no_glass_is_broken() -> None:
    with pytest.raises(Denied, match="nobody but you is in it"):
        decided(GLASS, led(private="yes"), request=change())
    joined = draft(Kind.JOINED, "joined", user=CAROL.user)
    assert decided(GLASS, led(joined, private="yes"), request=change()).breaks


@pytest.mark.parametrize("line", ["break-glass R1A2B", "break-glass R1A2B --confirm R1A2C"])
def test_its_id_is_typed_twice(line: str) -> None:
    assert "--confirm R1A2B" in str(window(line, led(), request=change()))


@pytest.mark.parametrize(
    ("known", "by", "more", "said"),
    [
        (led(), BOB, {}, "Only the incident commander"),
        (incident(), ALICE, {}, "Only the incident commander"),
        (led(severity="3"), ALICE, {}, "only in an open Sev1 or Sev2"),
        (led(draft(Kind.STATUS, "resolved", to="resolved")), ALICE, {}, "only in an open Sev1 or Sev2"),
        (led(drill="yes"), ALICE, {}, "no glass is broken"),
        (
            led(),
            ALICE,
            {"site": Site(approvals=Approvals(sev1_break_glass="nobody"))},
            "Nobody approves alone",
        ),
        (led(), ALICE, {"request": None}, "Name the change"),
        (led(), ALICE, {"request": change(state=State.APPROVED)}, "it is approved"),
        (led(), ALICE, {"request": change(place=Place("C0ELSEWHERE"))}, "was not asked for in"),
    ],
)
def test_nobody_else_nothing_else_and_nowhere_else(
    known: Incident, by: build.Actor, more: dict[str, object], said: str
) -> None:
    with pytest.raises(SayBack) as refused:
        decided(GLASS, known, by, **{"request": change(), **more})
    assert said in str(refused.value) and "Nothing was done." in str(refused.value)


def test_a_change_belongs_to_it_by_its_room_its_flag_or_its_timeline() -> None:
    elsewhere = change(place=Place("C0ELSEWHERE"))
    flagged = replace(elsewhere, args=replace(elsewhere.args, flags={"incident": INCIDENT}))
    assert decided(GLASS, led(), request=flagged).breaks
    assert decided(GLASS, led(draft(Kind.RUN, "…", id="R1A2B")), request=elsewhere).breaks


def broken() -> Incident:
    return grown(led(), *decided(GLASS, led(), request=change()).writes[0].drafts)


def test_a_second_person_reviews_it_and_the_reminder_ends() -> None:
    made = grown(broken(), *decided("review R1A2B it was right", broken(), CAROL).writes[0].drafts)
    assert made.glass[0].reviewed_by == CAROL.user and made.timers == ()
    with pytest.raises(Stale, match="What does: nothing"):
        decided("review R1A2B again", made, CAROL)


def test_until_then_it_is_asked_for_every_day_also_when_all_is_over() -> None:
    site = Site(roles=replace(Site().roles, sre_lead=(ALICE.user, CAROL.user)))
    known, later = grown(broken(), draft(Kind.STATUS, "closed", to="closed")), NOW + timedelta(hours=24)
    assert consequences.of(broken(), known, NOW, site) == ()
    assert clockwork.due(known, later - timedelta(seconds=1), site) == ()
    fired, asked, again = clockwork.due(known, later, site)
    assert asked.is_told and asked.mention == CAROL.user  # not who approved it
    assert "`/sre incident review R1A2B`" in asked.text and "1 d ago" in asked.text
    made = grown(known, fired, asked, again, at=later)
    assert [timer.due for timer in made.timers] == [NOW + timedelta(hours=48)]


def test_neither_who_approved_it_nor_who_asked_for_it_reviews_it() -> None:
    with pytest.raises(Denied, match="You approved it alone"):
        decided("review R1A2B x", broken(), ALICE)
    with pytest.raises(Denied, match="You asked for it"):
        decided("review R1A2B x", broken(), BOB)
    assert "Say what you found" in str(window("review R1A2B", broken(), by=CAROL))

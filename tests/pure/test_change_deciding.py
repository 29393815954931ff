"""Who may decide on a change request, on what, until when; windows, freezes, texts: tables of decisions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot import forms
from commands import changeclock
from commands.changes.deciding import approve, cancel, reject
from commands.changes.draft import payload as payload_from
from commands.changes.new import edit, new
from commands.changes.window import begins, frozen, lasts, overlapping
from commands.entry import Entry
from commands.errors import Denied, SayBack, Stale, UsageError
from commands.form import FieldErrors, NeedsForm
from commands.ledger import Draft
from commands.model import Actor, Place
from commands.response.changeevents import Kind, timer
from commands.response.changerequest import Risk, Stage
from commands.site import Change, FreezePeriod, Rollback, Team
from tests.build import ALICE, BOB, NOW, TEAM
from tests.pure.change_world import SITE, given, payload, standing

CAROL = Actor("U0CAROL0001", TEAM)
MAY = frozenset({"approvers"})
OWNER = frozenset({"approvers", "service-owner"})


def agreed(by: Actor) -> Draft:
    return Draft(Kind.AGREED, "agrees", by=by.user, facts={"digest": payload().digest})


def moves(entry: Entry) -> list[str]:
    return [each.facts.get("move", each.kind) for write in entry.writes for each in write.drafts]


# --- Quorum ---------------------------------------------------------------------------------------


def with_teams(**teams: tuple[str, ...]) -> Any:
    cluster = replace(next(iter(SITE.clusters.values())), change=Change(teams=teams))
    return replace(SITE, clusters={cluster.name: cluster})


@pytest.mark.parametrize(
    ("risk", "roles", "site", "earlier", "is_granted"),
    [
        (Risk.LOW, MAY, SITE, (), True),
        (Risk.MEDIUM, MAY, SITE, (), False),
        (Risk.MEDIUM, OWNER, SITE, (), True),
        (Risk.HIGH, OWNER, SITE, (), False),
        (Risk.HIGH, MAY, SITE, (CAROL,), True),
        (Risk.HIGH, MAY, with_teams(shop=(BOB.user, CAROL.user)), (CAROL,), False),
        (Risk.HIGH, MAY, with_teams(shop=(BOB.user,), platform=(CAROL.user,)), (CAROL,), True),
        (Risk.HIGH, MAY, with_teams(shop=(BOB.user,)), (CAROL,), False),
    ],
)
def test_how_many_and_who_must_agree_follows_from_the_risk(
    risk: Risk, roles: frozenset[str], site: Any, earlier: tuple[Actor, ...], is_granted: bool
) -> None:
    digest = payload(risk=risk).digest
    before = (Draft(Kind.AGREED, "agrees", by=who.user, facts={"digest": digest}) for who in earlier)
    change = standing(Stage.PENDING, *before, risk=risk)
    holders = {who.user: MAY for who in earlier}
    entry = approve(given("approve", change, BOB, roles=roles, site=site, holders=holders))
    assert ("grant" in moves(entry)) is is_granted


def test_whoever_lost_the_role_meanwhile_counts_no_more() -> None:
    digest = payload(risk=Risk.HIGH).digest
    early = Draft(Kind.AGREED, "agrees", by=CAROL.user, facts={"digest": digest})
    change = standing(Stage.PENDING, early, risk=Risk.HIGH)
    entry = approve(given("approve", change, BOB, roles=MAY, holders={CAROL.user: frozenset()}))
    assert "grant" not in moves(entry) and "needs two people" in entry.answer


TWINS = replace(
    SITE, team=Team(people={"alice": (ALICE.user, "U0ALICE0002"), "bob": (BOB.user, "U0BOB000002")})
)


@pytest.mark.parametrize(
    ("by", "roles", "said"),
    [
        (ALICE, OWNER, "You asked for"),
        (Actor("U0ALICE0002", TEAM), OWNER, "You asked for"),
        (CAROL, frozenset(), "that is for `approvers` or `platform`"),
    ],
)
def test_who_may_not_approve_is_told_why(by: Actor, roles: frozenset[str], said: str) -> None:
    with pytest.raises(Denied, match=said):
        approve(given("approve", standing(Stage.PENDING), by, roles=roles, site=TWINS))


def test_a_second_id_of_the_same_human_counts_once() -> None:
    digest = payload(risk=Risk.HIGH).digest
    early = Draft(Kind.AGREED, "agrees", by="U0BOB000002", facts={"digest": digest, "person": "bob"})
    change = standing(Stage.PENDING, early, risk=Risk.HIGH)
    with pytest.raises(Stale, match="You approved"):
        approve(given("approve", change, BOB, roles=MAY, site=TWINS))


def test_where_the_rules_let_nobody_the_refusal_says_what_to_write() -> None:
    site = replace(SITE, access=())
    with pytest.raises(Denied, match=r'verbs: \["change start"\]'):
        approve(given("approve", standing(Stage.PENDING), BOB, roles=OWNER, site=site))


@pytest.mark.parametrize("stage", [each for each in Stage if each is not Stage.PENDING])
def test_only_what_waits_for_approval_is_approved(stage: Stage) -> None:
    with pytest.raises(Stale):
        approve(given("approve", standing(stage), BOB, roles=OWNER))


@pytest.mark.parametrize(("late", "is_in_time"), [(-1, True), (0, False), (1, False)])
def test_an_approval_counts_until_its_time_and_not_a_second_longer(late: int, is_in_time: bool) -> None:
    at = NOW + timedelta(hours=4)
    change = standing(Stage.PENDING, timer(changeclock.EXPIRE, at))
    asked = given("approve", change, BOB, roles=OWNER, now=at + timedelta(seconds=late))
    try:
        granted = "grant" in moves(approve(asked))
    except Stale:
        granted = False
    assert granted is is_in_time


@pytest.mark.parametrize(
    ("cleared", "granted", "window", "expires"),
    [
        (NOW, None, NOW, NOW + timedelta(hours=4)),
        (NOW, NOW, NOW, NOW + timedelta(minutes=30)),  # its window is over
        (NOW, NOW, NOW + timedelta(days=1), NOW + timedelta(days=1, minutes=30)),
        (NOW, NOW + timedelta(minutes=10), NOW, NOW + timedelta(minutes=30)),
    ],
)
def test_when_it_expires(
    cleared: datetime, granted: datetime | None, window: datetime, expires: datetime
) -> None:
    stage = Stage.APPROVED if granted else Stage.PENDING
    change = replace(standing(stage, at=window), cleared=cleared, granted=granted)
    change = replace(change, payload=replace(change.payload, at=window))
    assert changeclock.expires(change, SITE) == expires


def test_what_is_approved_for_a_long_window_is_begun_within_an_hour_of_its_opening() -> None:
    change = replace(standing(Stage.APPROVED, duration=timedelta(hours=8)), granted=NOW)
    assert changeclock.expires(change, SITE) == NOW + timedelta(hours=1)


def test_a_requester_cancels_and_does_not_reject() -> None:
    change = standing(Stage.PENDING)
    with pytest.raises(Denied, match="takes it back"):
        reject(given("reject no", change, ALICE, roles=OWNER))
    assert moves(cancel(given("cancel", change, ALICE))) == ["cancel"]
    with pytest.raises(NeedsForm):
        reject(given("reject", change, BOB, roles=OWNER))
    with pytest.raises(Denied):
        cancel(given("cancel", change, CAROL))


# --- Times ----------------------------------------------------------------------------------------

BERLIN = "Europe/Berlin"  # 09:30 there


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("now", NOW),
        ("+30m", NOW + timedelta(minutes=30)),
        ("22:00", datetime(2026, 11, 23, 21, 0, tzinfo=UTC)),
        ("2026-11-24 22:00", datetime(2026, 11, 24, 21, 0, tzinfo=UTC)),
        ("2026-11-24T22:00:00+00:00", datetime(2026, 11, 24, 22, 0, tzinfo=UTC)),
        ("9:30", NOW),
        ("9:25", NOW - timedelta(minutes=5)),  # while the window was filled in
    ],
)
def test_a_time_is_read_in_the_zone_of_the_configuration(text: str, at: datetime) -> None:
    assert begins(text, NOW, BERLIN) == at


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-10-25 02:30", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # the first of the two
        ("2026-10-25T02:30:00+01:00", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        ("2026-03-29 03:30", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
    ],
)
def test_in_a_night_of_another_length_the_clock_is_read_as_it_goes(text: str, at: datetime) -> None:
    assert begins(text, datetime(2026, 3, 1, tzinfo=UTC), BERLIN) == at


def test_a_time_that_the_clock_skips_is_refused() -> None:
    with pytest.raises(UsageError, match="is skipped by the clock: that night goes on at 03:30"):
        begins("2026-03-29 02:30", datetime(2026, 3, 1, tzinfo=UTC), BERLIN)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("9:24", "in the past"),
        ("2026-11-22 10:00", "in the past"),
        ("soon", "is no time"),
        ("25:00", "is no time"),
    ],
)
def test_a_time_that_is_over_or_none_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        begins(text, NOW, BERLIN)


@pytest.mark.parametrize(
    ("text", "length"), [("30m", timedelta(minutes=30)), ("2h", timedelta(hours=2)), ("none", None)]
)
def test_a_length_is_30m_2h_or_none(text: str, length: timedelta | None) -> None:
    assert lasts(text) == length
    with pytest.raises(UsageError, match="is no length"):
        lasts("a while")


FREEZE = FreezePeriod("Sale", datetime(2026, 11, 27), datetime(2026, 11, 28), ("cart",))


@pytest.mark.parametrize(
    ("service", "start", "hours", "is_frozen"),
    [
        ("backend", datetime(2026, 11, 26, 22, 0, tzinfo=UTC), 1, False),  # it ends at midnight in Berlin
        ("backend", datetime(2026, 11, 26, 22, 0, tzinfo=UTC), 2, True),
        ("backend", datetime(2026, 11, 27, 22, 59, tzinfo=UTC), 1, True),
        ("backend", datetime(2026, 11, 27, 23, 0, tzinfo=UTC), 1, False),
        ("cart", datetime(2026, 11, 27, 12, 0, tzinfo=UTC), 1, False),
    ],
)
def test_a_freeze_is_of_local_days_and_spares_whom_it_names(
    service: str, start: datetime, hours: int, is_frozen: bool
) -> None:
    found = frozen((FREEZE,), service, start, start + timedelta(hours=hours), BERLIN)
    assert (found is FREEZE) is is_frozen


def test_windows_that_share_a_moment_overlap() -> None:
    other = standing(Stage.APPROVED)
    assert overlapping(payload(at=NOW + timedelta(minutes=29)), (other,)) == (other,)
    assert overlapping(payload(at=NOW + timedelta(minutes=30)), (other,)) == ()
    assert overlapping(payload(), (standing(Stage.CANCELED),)) == ()
    entry = new(given("new", flags=FIELDS, changes=(other,)))
    assert f"overlaps {other.id}" in entry.answer


# --- What is filled in ----------------------------------------------------------------------------

FIELDS = {
    "title": "checkout 2.0", "at": "now", "for": "30m", "rollback": "/sre deploy rollback backend",
    "why": "fixes the lost orders", "steps": "/sre health app; switch the flag",
}  # fmt: skip


def road(line: str) -> Any:
    if line.startswith("nonsense"):
        raise UsageError("there is no word `nonsense`")
    if line.startswith("incident"):
        return "enters"
    return "changes" if line.startswith("deploy") else "looks"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("for", "a while", "is no length"),
        ("at", "yesterday", "is no time"),
        ("at", "8:00", "in the past"),
        ("rollback", "undo it", "at least 10 characters"),
        ("why", "because", "at least 15 characters"),
        ("risk", "huge", "is no risk"),
        ("service", "nothing", "nothing"),
        ("steps", "/sre nonsense now", "no word `nonsense`"),
        ("steps", "/sre incident resolve", "cannot stand here"),
        ("verify", "/sre deploy restart backend", "only what looks"),
        ("rollback", "/sre nonsense of all kinds", "no word `nonsense`"),
    ],
)
def test_what_is_wrong_is_said_under_its_field(name: str, value: str, said: str) -> None:
    with pytest.raises(FieldErrors) as wrong:
        payload_from(given("new", road=road), {**FIELDS, name: value})
    assert list(wrong.value.errors) == [name] and said in wrong.value.errors[name]


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(FieldErrors) as wrong:
        payload_from(given("new"), {**FIELDS, "for": "x", "why": "x", "rollback": "x"})
    assert set(wrong.value.errors) == {"for", "why", "rollback"}


def test_without_a_rollback_plan_it_is_refused() -> None:
    known = {name: value for name, value in FIELDS.items() if name != "rollback"}
    with pytest.raises(FieldErrors, match="Say how it is taken back"):
        new(given("new", flags=known))


@pytest.mark.parametrize("gone", ["title", "at", "for", "why"])
def test_the_five_fields_of_the_manual_are_asked_for_in_a_window(gone: str) -> None:
    known = {name: value for name, value in FIELDS.items() if name != gone}
    with pytest.raises(NeedsForm) as asked:
        new(given("new", flags=known))
    form = asked.value.form
    assert {"title", "at", "for", "rollback", "why"} <= {field.name for field in form.fields}
    assert {field.name: field.initial for field in form.fields}["why"] == known.get("why", "")
    assert len(form.title) <= 24 and len(form.submit) <= 24


@pytest.mark.parametrize("at", ["22:00", "+30m", "now", "soon", "2026-11-24 22:00"])
def test_the_window_is_drawn_with_what_was_typed_and_read_back(at: str) -> None:
    with pytest.raises(NeedsForm) as asked:
        new(given("new", flags={"at": at, "title": "checkout 2.0"}))
    drawn = forms.view(asked.value.form, Place("C0CHANGES01"))
    times = [block["element"] for block in drawn["blocks"] if block.get("block_id") == "at"]
    assert [("initial_date_time" in element) for element in times] == [at != "soon"]
    change = standing(Stage.PENDING)
    with pytest.raises(NeedsForm) as edited:
        edit(given("edit", change))
    window = forms.view(edited.value.form, Place("C0CHANGES01"))
    assert {"title", "at", "for", "rollback", "why"} <= {block["block_id"] for block in window["blocks"]}


def test_what_cannot_be_taken_back_needs_no_way_back_and_never_rolls_back_by_itself() -> None:
    fields = {**FIELDS, "rollback": "", "irreversible": ""}
    assert payload_from(given("new"), fields).is_irreversible
    with pytest.raises(FieldErrors, match="may be rolled back by itself"):
        payload_from(given("new"), {**fields, "auto": "yes"})
    with pytest.raises(FieldErrors, match="may be rolled back by itself"):
        payload_from(given("new"), {**FIELDS, "rollback": "somebody does it by hand", "auto": "yes"})
    assert payload_from(given("new"), {**FIELDS, "auto": "yes"}).is_auto


@pytest.mark.parametrize(
    ("fields", "is_auto"),
    [
        ({}, True),
        ({"auto": "no"}, False),
        ({"rollback": "somebody does it by hand"}, False),
        ({"irreversible": ""}, False),
    ],
)
def test_where_a_request_does_not_say_it_rolls_back_by_itself_as_configured(
    fields: dict[str, str], is_auto: bool
) -> None:
    cluster = replace(next(iter(SITE.clusters.values())), change=Change(rollback=Rollback(auto=True)))
    site = replace(SITE, clusters={cluster.name: cluster})
    assert payload_from(given("new", site=site), {**FIELDS, **fields}).is_auto is is_auto
    assert not payload_from(given("new"), {**FIELDS, **fields}).is_auto


def test_an_edit_is_for_who_asked_and_must_say_something_else() -> None:
    change = standing(Stage.PENDING)
    entry = edit(given("edit", change, flags={"for": "20m"}))
    assert moves(entry) == [Kind.EDITED, "submit"] and entry.runs == (f"change check {change.id}",)
    with pytest.raises(UsageError, match="says this already"):
        edit(given("edit", change, flags={"for": "30m"}))
    with pytest.raises(NeedsForm):
        edit(given("edit", change))
    with pytest.raises(Denied):
        edit(given("edit", change, BOB, flags={"for": "20m"}))
    for stage in (Stage.EXECUTING, Stage.SUCCEEDED, Stage.REJECTED):
        with pytest.raises(SayBack):
            edit(given("edit", standing(stage), flags={"for": "20m"}))

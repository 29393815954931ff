"""`incident postmortem` with a section, `incident publish`, `incident action`: what is entered, and what is refused."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from commands import checklists
from commands.entry import Otherwise
from commands.errors import Denied, Stale, UsageError
from commands.form import FieldErrors, NeedsForm
from commands.incident.postmortem import POSTMORTEM
from commands.ledger import Draft
from commands.model import Args
from commands.response.events import Kind, draft, written
from commands.response.incident import Incident
from commands.response.order import NEEDED
from commands.response.task import Kind as TaskKind
from tests.build import ALICE, BOB, INCIDENT, NOW, decided, grown, incident, kinds

SHA = "ab" * 32


def milestone(name: str, minutes: float = 0) -> Draft:
    return draft(Kind.MILESTONE, name, name=name, at=written(NOW + timedelta(minutes=minutes)))


def section(text: str = "limits", name: str = "lessons") -> Draft:
    return draft(Kind.REPORT, f"wrote the {name}", step="section", name=name, said=text)


def ended(*drafts: Draft, known: bool = True, lessons: bool = True, severity: str = "1") -> Incident:
    """Resolved, with all its milestones and a lesson unless not."""
    said = [milestone(each.value, -5) for each in NEEDED] if known else []
    resolved = draft(Kind.STATUS, "resolved", to="resolved")
    led = replace(draft(Kind.ACCEPTED, "leads", role="ic", user=ALICE.user), by=ALICE.user)
    return incident(led, resolved, *said, *([section()] if lessons else []), *drafts, severity=severity)


def drafted(of: Incident, **changes: str) -> Incident:
    facts = {"seq": str(of.head.seq), "stored": "F1:postmortem:0", "sha256": SHA, **changes}
    return grown(of, draft(Kind.REPORT, "drafted", step="drafted", **facts))


# --- publish --------------------------------------------------------------------------------------


def test_what_is_published_is_the_last_draft_with_its_hash_and_its_file_is_kept_for_good() -> None:
    of = drafted(ended())
    entry = decided("publish", of)
    ((told,),) = [write.drafts for write in entry.writes]
    assert (told.facts["sha256"], told.facts["version"], told.facts["stored"]) == (
        SHA,
        "1",
        "F1:postmortem:0",
    )
    assert entry.keeps == ("F1:postmortem:0",) and told.is_told
    after = grown(of, told)
    assert after.report.published == NOW and [each.sha256 for each in after.report.editions] == [SHA]


LONG_AGO = draft(Kind.REPORT, "drafted", step="drafted", seq="99", stored="F1", sha256=SHA)
LACKING = {
    "no milestones": (ended(known=False), "Nobody has said when it was `started`, `detected`"),
    "an inverted pair": (drafted(ended(milestone("mitigated", -30))), "`started` is later than `mitigated`"),
    "no lessons": (drafted(ended(lessons=False)), "Nobody has written what was learned"),
    "no draft": (ended(), "It is not drafted yet"),
    "a draft that could not be kept": (drafted(ended(), stored=""), "could not be kept"),
    "a stale draft": (grown(drafted(ended()), section("more")), "The record has moved on since draft 1"),
    "an old draft": (grown(ended(), LONG_AGO, at=NOW - timedelta(days=26)), "too old"),
}  # fmt: skip


@pytest.mark.parametrize("name", LACKING)
def test_publishing_is_refused_while_something_is_missing(name: str) -> None:
    of, why = LACKING[name]
    with pytest.raises(Otherwise, match="cannot be published yet") as refusal:
        decided("publish", of)
    assert why in str(refusal.value) and str(refusal.value).endswith("Nothing was done.")
    assert refusal.value.suggestions


def test_all_that_is_missing_is_said_in_one_answer() -> None:
    with pytest.raises(Otherwise) as refusal:
        decided("publish", ended(milestone("started", 60), known=False, lessons=False))
    assert all(f"({n})" in str(refusal.value) for n in (1, 2, 3, 4))
    assert "`started` is later than `resolved`" in str(refusal.value)


def test_a_small_incident_needs_neither_lessons_nor_every_milestone() -> None:
    small = ended(
        milestone("started", -5), milestone("mitigated", -1), known=False, lessons=False, severity="3"
    )
    assert kinds(decided("publish", drafted(small))) == [Kind.REPORT]


@pytest.mark.parametrize(
    ("drafts", "why"),
    [
        ((), "is published once it is resolved"),
        ((draft(Kind.STATUS, "x", to="false alarm"),), "has no postmortem"),
        ((draft(Kind.MERGED, "x", into="INC-2026-11-23-002"),), "has no postmortem"),
    ],
)
def test_what_is_not_over_or_was_none_is_not_published(drafts: tuple[Draft, ...], why: str) -> None:
    with pytest.raises(Stale, match=why):
        decided("publish", incident(*drafts))


def test_the_same_version_is_not_published_twice_and_another_one_is() -> None:
    of = drafted(ended())
    (write,) = decided("publish", of).writes
    published = grown(of, *write.drafts)
    with pytest.raises(Stale, match="Version 1 is published already"):
        decided("publish", published)
    anew = drafted(grown(published, section("more")), sha256="cd" * 32)
    (write,) = decided("publish", anew).writes
    assert [each.version for each in grown(anew, *write.drafts).report.editions] == [1, 2]


def test_only_the_commander_lets_deleted_messages_in_and_then_it_is_drafted_anew() -> None:
    of = drafted(ended())
    with pytest.raises(Denied, match="only if the incident commander"):
        decided("publish --with-deleted", of, by=BOB)
    entry = decided("publish --with-deleted", of)
    ((told,),) = [write.drafts for write in entry.writes]
    assert told.facts["step"] == "deleted" and entry.runs == ("incident postmortem {id}",)
    let_in = grown(of, told)
    assert let_in.report.has_deleted
    with pytest.raises(Otherwise, match="moved on since draft 1"):
        decided("publish --with-deleted", let_in)


def test_who_commanded_it_may_still_when_the_role_has_ended() -> None:
    of = drafted(ended(draft(Kind.ENDED, "lays it down", role="ic", user=ALICE.user)))
    assert decided("publish --with-deleted", of).runs


def test_who_corrects_the_time_or_takes_command_afterwards_did_not_command_it() -> None:
    ended_role = draft(Kind.ENDED, "lays it down", role="ic", user=ALICE.user)
    of = drafted(ended(ended_role))
    corrected = replace(draft(Kind.MILESTONE, "…", name="commanded", at=written(NOW)), by=BOB.user)
    late = draft(Kind.ACCEPTED, "took it", role="ic", user=BOB.user)
    for known in (grown(of, corrected), grown(of, late)):
        with pytest.raises(Denied, match="only if the incident commander"):
            decided("publish --with-deleted", known, by=BOB)


# --- what people write ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "enters"),
    [("postmortem", False), ("postmortem --lessons", True), ("postmortem --factors x", True)],
)
def test_a_section_is_entered_and_without_one_the_draft_is_looked_at(line: str, enters: bool) -> None:
    _, *flags = line.split(" --")
    assert (
        POSTMORTEM.enters(Args("incident", "postmortem", flags={f.split()[0]: "" for f in flags})) is enters
    )


def test_a_section_is_kept_as_it_was_written_and_drafted_anew() -> None:
    entry = decided("postmortem --lessons every pool has a limit", ended(lessons=False))
    ((told,),) = [write.drafts for write in entry.writes]
    assert (told.facts["name"], told.facts["said"]) == ("lessons", "every pool has a limit")
    assert entry.runs == ("incident postmortem {id}",)
    assert grown(ended(lessons=False), told).lessons == "every pool has a limit"


def test_while_it_goes_on_nothing_is_drafted() -> None:
    assert decided("postmortem --factors no limit", incident()).runs == ()


def test_without_a_text_a_window_opens_with_what_stands_there() -> None:
    with pytest.raises(NeedsForm) as asked:
        decided("postmortem --lessons", ended())
    (field,) = asked.value.form.fields
    assert (field.kind, field.initial) == ("text", "limits")
    assert asked.value.form.args.flags == {"lessons": "", "incident": INCIDENT}


@pytest.mark.parametrize(
    ("line", "error", "why"),
    [
        ("postmortem --lessons --well good", UsageError, "One section at a time"),
        ("postmortem --lessons limits", Stale, "stands there already"),
    ],
)
def test_what_cannot_be_written_is_refused(line: str, error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        decided(line, ended())


def test_a_section_that_is_too_long_is_named_at_its_field() -> None:
    filled = Args("incident", "postmortem", flags={"well": ""}, rest="x" * 3001)
    with pytest.raises(FieldErrors, match="3,001 characters; here fit 3,000"):
        decided("postmortem --well x", ended(), args=filled)


# --- actions --------------------------------------------------------------------------------------


def test_an_action_is_a_task_with_an_owner_and_a_day_and_the_incident_names_it() -> None:
    task, action = decided('action "limit every pool" --owner @U0BOB000001 --due 3d', incident()).writes
    (opened,), (named,) = task.drafts, action.drafts
    assert (task.word, opened.kind) == ("task", TaskKind.OPENED)
    assert (opened.facts["owner"], opened.facts["due"]) == (BOB.user, "2026-11-26")
    assert opened.facts["incident"] == INCIDENT and "channel" not in opened.facts
    assert (action.id, named.kind, named.facts["id"]) == (INCIDENT, Kind.TASK, "{id}")


@pytest.mark.parametrize(
    "line",
    [
        "action",
        "action limit every pool",
        "action limit every pool --owner me",
        "action limit every pool --due 3d",
    ],
)
def test_without_an_owner_and_a_day_it_is_none_and_a_window_asks(line: str) -> None:
    with pytest.raises(NeedsForm, match="has an owner and a day") as asked:
        decided(line, incident())
    assert [(field.name, field.kind) for field in asked.value.form.fields] == [
        ("rest", "line"), ("owner", "person"), ("due", "date"),
    ]  # fmt: skip


def test_why_nothing_follows_is_noted_and_an_action_takes_its_place() -> None:
    of = ended()
    ((told,),) = [write.drafts for write in decided("action --none the vendor mends it", of).writes]
    assert grown(of, told).no_tasks == "the vendor mends it"
    assert checklists.is_shown("actions", grown(of, told)) and not checklists.is_shown("actions", of)
    named = grown(of, told, draft(Kind.TASK, "an action", id="TSK-2026-11-23-001"))
    assert (named.no_tasks, named.tasks) == ("", ("TSK-2026-11-23-001",))
    with pytest.raises(Stale, match="has actions already"):
        decided("action --none after all", named)


def test_an_action_of_a_drill_or_a_private_one_says_so() -> None:
    for fact in ("drill", "private"):
        task, _ = decided("action x --owner me --due today", incident(**{fact: "yes"})).writes
        assert task.drafts[0].facts[fact] == "yes"


def test_the_day_of_an_action_is_one_of_the_calendar() -> None:
    task, _ = decided("action x --owner me --due 2026-12-24", incident()).writes
    assert date.fromisoformat(task.drafts[0].facts["due"]) == date(2026, 12, 24)

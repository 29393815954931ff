"""How an incident goes on and ends: severity, steps, resolving, opening again, merging, closing."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from commands.entry import Entry, Otherwise
from commands.errors import Denied, SayBack, Stale, UsageError
from commands.form import NeedsForm
from commands.ledger import Draft
from commands.model import AlertGroup, Care, Severity, Silenced
from commands.response.events import Kind, draft, written
from commands.response.incident import Dismissed, Incident, Milestone, Status
from commands.site import OnCall, Roles, Site
from tests import build
from tests.build import ALICE, BOB, INCIDENT, NOW, decided, grown, incident, kinds

OTHER, EARLIER = "INC-2026-11-23-002", "INC-2026-11-22-001"
SITE = Site(roles=Roles(oncall=OnCall(rota=(BOB.user,))))


def status(to: str) -> Draft:
    return draft(Kind.STATUS, to, to=to)


def reached(name: str, at: datetime = NOW) -> Draft:
    return draft(Kind.MILESTONE, name, name=name, at=written(at))


def after(line: str, known: Incident, by: build.Actor = ALICE, **more: object) -> Incident:
    return grown(known, *decided(line, known, by, **more).writes[0].drafts)


def window(line: str, known: Incident, **more: object) -> NeedsForm:
    with pytest.raises(NeedsForm) as asked:
        decided(line, known, **more)
    return asked.value


# --- severity ---


def test_a_graver_severity_is_taken_at_once_and_sev1_calls_who_is_on_call() -> None:
    made = after("sev 1", incident(severity="3"), site=SITE)
    assert (made.severity, made.lines[-1].mention) == (1, BOB.user)
    assert after("sev sev2", incident(severity="3"), site=SITE).lines[-1].mention == ""
    assert after("sev 1", incident(severity="3", drill="yes"), site=SITE).lines[-1].mention == ""


def test_a_milder_one_needs_a_reason() -> None:
    asked = window("sev 3", incident())
    assert (asked.form.args.name, asked.form.args.flags) == ("3", {"incident": INCIDENT})
    made = after("sev 3 one node of nine", incident())
    assert made.severity == 3 and made.lines[-1].text == "Sev1 → Sev3: one node of nine"


def test_the_severity_is_chosen_by_what_it_means_where_none_is_said() -> None:
    field = window("sev", incident(severity="3")).form.fields[0]
    assert field.initial == "3" and "burn ≥ 14.4" in field.options[0][1]


@pytest.mark.parametrize("said", ["0", "5", "grave", "١"])
def test_there_are_four_severities(said: str) -> None:
    with pytest.raises(UsageError, match=r"1 \(gravest\) to 4"):
        decided(f"sev {said} x", incident())


def test_what_is_so_already_is_said_and_nothing_is_written() -> None:
    with pytest.raises(Stale, match="Sev1 already"):
        decided("sev 1", incident())
    with pytest.raises(Stale, match="identified already"):
        decided("identify", incident(status("identified")))


def test_a_grave_one_in_a_thread_is_offered_a_channel() -> None:
    small = replace(incident(severity="3"), wants_channel=False, room=replace(incident().room, is_own=False))
    assert [each.text for each in decided("sev 2", small).suggestions] == [f"incident promote {INCIDENT}"]
    made = after("promote", small)
    assert made.wants_channel and made.head.seq == small.head.seq + 1
    with pytest.raises(Stale, match="a channel of its own already"):
        decided("promote", incident())


# --- steps ---


@pytest.mark.parametrize(
    ("verb", "to", "milestone"),
    [
        ("investigate", Status.INVESTIGATING, None),
        ("identify", Status.IDENTIFIED, Milestone.IDENTIFIED),
        ("mitigate", Status.MITIGATED, Milestone.MITIGATED),
        ("monitor", Status.MONITORING, None),
    ],
)
def test_any_step_forward_may_be_the_next(verb: str, to: Status, milestone: Milestone | None) -> None:
    made = after(f"{verb} the pool was full", incident())
    assert made.status is to and made.lines[-1].text == f"{to}: the pool was full"
    assert {*made.milestones} - {Milestone.DECLARED} == ({milestone} - {None})


def test_back_needs_a_reason_and_what_users_feel_again_was_not_mitigated() -> None:
    known = after("mitigate", incident())
    assert "Back to identified needs a reason" in str(window("identify", known))
    made = after("identify errors are back", known)
    assert made.status is Status.IDENTIFIED and Milestone.MITIGATED not in made.milestones


def test_from_watching_back_to_mitigated_users_still_feel_nothing() -> None:
    watched = after("monitor", after("mitigate", incident()))
    made = after("mitigate not yet safe", watched)
    assert made.status is Status.MITIGATED and Milestone.MITIGATED in made.milestones


def test_after_mitigation_the_next_steps_are_offered() -> None:
    offered = [each.text for each in decided("mitigate", incident()).suggestions]
    assert offered == [f"incident monitor --incident {INCIDENT}", f"incident resolve --incident {INCIDENT}"]


# --- resolve ---


def fires(id: str = "ATEST", **changes: object) -> AlertGroup:
    return build.group(id=id, severity=Severity.CRITICAL, **changes)


def linked() -> Incident:
    link = draft(Kind.ALERT, "fires", group="ATEST", name="Checkout5xx", state="firing")
    return incident(link, service="backend")


def quiet() -> AlertGroup:
    return build.group(build.alert(ends_after=timedelta(minutes=1)))


@pytest.mark.parametrize(
    ("groups", "around", "said"),
    [
        ((fires(),), (), "PodCrashLooping fires still"),
        ((), (), "Checkout5xx fires still"),  # its group is not known any more: the record counts
        ((quiet(),), (fires("AELSE"),), "backend is red: PodCrashLooping fires"),
    ],
)
def test_it_is_not_over_while_an_alert_fires_or_its_service_is_red(
    groups: tuple[AlertGroup, ...], around: tuple[AlertGroup, ...], said: str
) -> None:
    with pytest.raises(Stale) as refused:
        decided("resolve", linked(), groups=groups, around=around)
    assert said in str(refused.value) and "`/sre incident resolve --force REASON`" in str(refused.value)
    assert (
        "Why is it over"
        in window("resolve --force", linked(), groups=groups, around=around).form.fields[0].label
    )
    made = after("resolve --force the alert looks at old pods", linked(), groups=groups, around=around)
    assert made.status is Status.RESOLVED
    assert made.lines[-1].text == f"resolved after 5 min: the alert looks at old pods, although {said}"


def test_it_is_over_when_all_is_quiet_and_the_lengths_are_told() -> None:
    known = incident(
        reached("started", NOW - timedelta(minutes=52)), reached("mitigated", NOW - timedelta(minutes=12))
    )
    entry = decided("resolve", known, around=(replace(fires(), severity=Severity.WARNING),))
    assert entry.answer.startswith(
        f"{INCIDENT} is resolved after 52 min. Users felt it for 40 min. The postmortem is next."
    )
    assert "How long users felt it is not known" in decided("resolve", incident()).answer


@pytest.mark.parametrize(("hours", "offered"), [(1, ["alert unsilence ATEST"]), (-1, [])])
def test_what_was_silenced_for_it_is_offered_to_be_heard_again(hours: int, offered: list[str]) -> None:
    until = NOW + timedelta(hours=hours)
    quiet = replace(fires(), alerts=(), care=Care(silences=(Silenced("s1", ALICE.user, until),)))
    entry = decided("resolve --force it is over", linked(), groups=(quiet,))
    assert [each.text for each in entry.suggestions if "unsilence" in each.text] == offered


def test_one_that_no_alert_told_of_in_time_opens_the_action_to_have_an_alert() -> None:
    led = incident(draft(Kind.ACCEPTED, "leads", role="ic", user=BOB.user))
    entry = decided("resolve", led)
    own, new = entry.writes
    (opened,) = new.drafts
    assert (new.word, new.id, opened.facts["owner"]) == ("task", "", BOB.user)
    assert "add detection" in opened.facts["title"] and opened.facts["due"] == "2026-12-07"
    assert opened.facts["incident"] == INCIDENT == own.id
    assert [each.facts.get("id") for each in own.drafts if each.kind == Kind.TASK] == ["{id}"]
    assert entry.answer.endswith("No alert told of it in time: {id} is to add one.")


@pytest.mark.parametrize(
    "known",
    [
        incident(drill="yes"),
        incident(status("resolved"), draft(Kind.REOPENED, "again", why="x")),
        incident(draft(Kind.ALERT, "f", group="A", name="n", state="firing", started=written(NOW - timedelta(minutes=6))),
                 draft(Kind.ALERT, "r", group="A", name="n", state="resolved", ended=written(NOW))),
    ],
    ids=["a drill", "told already", "an alert told of it"],
)  # fmt: skip
def test_no_such_action_follows_from(known: Incident) -> None:
    assert [write.word for write in decided("resolve", known).writes] == ["incident"]


def test_what_is_resolved_is_not_resolved_again() -> None:
    with pytest.raises(Stale, match="resolved already"):
        decided("resolve", incident(status("resolved")))


# --- reopen ---


def over(minutes: int, **said: str) -> Incident:
    known = grown(incident(**said), status("resolved"), at=NOW - timedelta(minutes=minutes))
    return replace(known, service="backend")


def test_within_half_an_hour_the_same_one_goes_on() -> None:
    entry = decided("reopen errors are back", over(30))
    assert kinds(entry) == [Kind.REOPENED] and entry.writes[0].id == INCIDENT
    made = grown(over(30), *entry.writes[0].drafts)
    assert (
        made.status is Status.INVESTIGATING
        and made.reopened == 1
        and Milestone.RESOLVED not in made.milestones
    )


def test_later_it_is_another_one_and_the_two_know_of_each_other() -> None:
    entry = decided("reopen errors are back", over(31), groups=(fires(),))
    new, old = entry.writes
    assert (new.id, old.id) == ("", INCIDENT)
    assert [each.kind for each in new.drafts] == [Kind.DECLARED, Kind.LINKED, Kind.ALERT]
    assert new.drafts[0].facts["title"] == "checkout is down" and new.drafts[1].facts["id"] == INCIDENT
    assert old.drafts[0].facts["id"] == "{id}" and "came back after 31 min" in old.drafts[0].text
    assert "counted as another one" in entry.answer


def test_what_came_back_already_is_not_opened_a_second_time() -> None:
    gone = grown(
        over(31), draft(Kind.LINKED, "came back", id=OTHER), draft(Kind.LINKED, "before", id=EARLIER)
    )
    again, earlier = another(), replace(another(), id=EARLIER, opened=NOW - timedelta(hours=2))
    with pytest.raises(Otherwise, match=f"is back already, as {OTHER}") as refused:
        decided("reopen errors are back", gone, BOB, open=(again, earlier))
    assert [each.text for each in refused.value.suggestions] == [f"incident join {OTHER}"]
    for others in ((earlier,), (grown(again, status("resolved")),)):
        assert decided("reopen errors are back", gone, BOB, open=others).writes


def test_nor_by_the_dozen() -> None:
    young = tuple(replace(incident(), id=f"INC-2026-11-23-10{n}") for n in range(5))
    with pytest.raises(Denied, match="You declared 5 incidents"):
        decided("reopen errors are back", over(31), open=young)


def test_a_private_one_that_comes_back_is_private_again() -> None:
    again = decided("reopen x", over(31, private="yes", security="yes")).writes[0].drafts[0].facts
    assert (again["private"], again["security"], again["channel"]) == ("yes", "yes", "yes")


def test_opening_again_needs_a_reason_and_something_that_is_over() -> None:
    assert "Say why" in str(window("reopen", over(5)))
    with pytest.raises(Stale, match="it is not over"):
        decided("reopen x", incident())
    with pytest.raises(Stale, match="unmerge"):
        decided("reopen x", incident(draft(Kind.MERGED, "gone", into=OTHER)))


# --- merge ---


def another(**said: str) -> Incident:
    return replace(incident(**{"title": "payments fail", **said}), id=OTHER)


def test_this_one_goes_into_that_one_with_its_alerts_and_can_be_taken_back() -> None:
    entry = decided(f"merge {OTHER}", linked(), other=another())
    this, that = entry.writes
    gone, stays = grown(linked(), *this.drafts), grown(another(), *that.drafts)
    assert (gone.status, gone.merged_into) == (Status.MERGED, OTHER)
    assert stays.merged == (INCIDENT,) and [link.group for link in stays.firing] == ["ATEST"]
    back = decided(f"unmerge {INCIDENT}", gone, other=stays)
    assert [write.id for write in back.writes] == [OTHER, INCIDENT]
    left = grown(stays, *back.writes[0].drafts)
    assert (left.merged, left.alerts) == ((), ())
    alone = grown(gone, *back.writes[1].drafts)
    assert alone.is_active and [link.group for link in alone.firing] == ["ATEST"]


def test_an_alert_that_ended_while_it_belonged_to_another_comes_back_ended() -> None:
    this, that = decided(f"merge {OTHER}", linked(), other=another()).writes
    ended = draft(Kind.ALERT, "is resolved", group="ATEST", state="resolved", ended=written(NOW))
    gone, stays = grown(linked(), *this.drafts), grown(another(), *that.drafts, ended)
    back = decided(f"unmerge {INCIDENT}", gone, other=stays).writes[1]
    assert [link.ended for link in grown(gone, *back.drafts).alerts] == [NOW]


@pytest.mark.parametrize(
    ("this", "other", "said"),
    [
        (incident(), incident(), "is this one"),
        (incident(), replace(another(), status=Status.CLOSED), "is over: closed"),
        (incident(drill="yes"), another(), "A drill"),
        (incident(private="yes"), another(), "is private"),
        (incident(), another(private="yes"), "where it went"),
    ],
)
def test_what_cannot_be_merged(this: Incident, other: Incident, said: str) -> None:
    with pytest.raises(SayBack) as refused:
        decided(f"merge {OTHER}", this, other=other)
    assert said in str(refused.value) and "Nothing was done." in str(refused.value)


def test_the_other_one_is_chosen_among_the_open_ones() -> None:
    asked = window("merge", incident(), open=(incident(), another()))
    assert asked.form.fields[0].options == ((OTHER, f"{OTHER}: payments fail"),)
    with pytest.raises(UsageError, match="No other incident is open"):
        decided("merge", incident())


def test_into_one_that_the_actor_may_not_know_of_nobody_writes() -> None:
    gone = grown(incident(), *decided(f"merge {OTHER}", incident(), other=another()).writes[0].drafts)
    with pytest.raises(Stale, match="Who is in what"):
        decided(f"unmerge {INCIDENT}", gone, BOB)


def test_what_is_not_merged_is_not_taken_apart() -> None:
    with pytest.raises(Stale, match="is not merged: it is declared"):
        decided("unmerge", incident())


# --- the end ---


@pytest.mark.parametrize(
    ("line", "to"),
    [("false-alarm the probe was wrong", Status.FALSE_ALARM), ("cancel a rehearsal", Status.CANCELED)],
)
def test_what_was_nothing_ends_at_the_side(line: str, to: Status) -> None:
    made = after(line, incident())
    assert made.status is to and made.is_over

    assert made.dismissed == Dismissed(ALICE.user, NOW, line.partition(" ")[2])


@pytest.mark.parametrize(
    ("line", "asks"), [("cancel", "Say why it is none"), ("false-alarm", "Say what was wrong")]
)
def test_what_is_in_no_numbers_any_more_says_why(line: str, asks: str) -> None:
    assert asks in str(window(line, incident()))


def test_what_was_one_after_all_is_dismissed_no_more() -> None:
    again = draft(Kind.REOPENED, "it fires again")
    assert after("false-alarm the probe was wrong", incident()).dismissed
    assert grown(after("false-alarm the probe was wrong", incident()), again).dismissed is None


def complete(*more: Draft, **said: str) -> Incident:
    times = [reached(name) for name in ("started", "detected", "acknowledged", "identified", "mitigated")]
    learned = draft(Kind.FIELD, "…", name="lessons", value="look at the pool first")
    nothing = draft(Kind.TASK, "no action is needed", why="it was the last of its kind")
    return incident(*times, status("resolved"), learned, nothing, *more, **said)


def published() -> Draft:
    return replace(draft(Kind.REPORT, "published", step="published"), by=BOB.user)


def refusal(known: Incident, by: build.Actor = ALICE) -> Otherwise:
    with pytest.raises(Otherwise) as refused:
        decided("close", known, by)
    return refused.value


def test_all_that_is_missing_is_said_in_one_answer() -> None:
    late = reached("mitigated", NOW + timedelta(minutes=1))
    known = incident(
        reached("started"),
        late,
        status("resolved"),
        draft(Kind.ACCEPTED, "took it", role="ic", user=ALICE.user),
    )
    said = str(refusal(known))
    for part in (
        "(1) Nobody has said when it was `detected`, `acknowledged`, `identified`",
        "(2) `mitigated` is later than `resolved`",
        "(3) Still on duty: incident commander",
        "(4) No action follows from it",
        "(5) Nobody has said what was learned",
        "(6) Its postmortem is not published",
        "Nothing was done.",
    ):
        assert part in said
    assert [each.text for each in refusal(known).suggestions] == [
        f"incident leave all --incident {INCIDENT}", f"incident set detected --incident {INCIDENT}",
        f"incident action --incident {INCIDENT}",
    ]  # fmt: skip


@pytest.mark.parametrize("known", [complete(published()), complete(severity="3"), complete(drill="yes")])
def test_when_all_is_there_it_is_closed(known: Incident) -> None:
    made = after("close", known)
    assert made.status is Status.CLOSED and made.at(Milestone.CLOSED) == NOW


def test_what_one_person_approved_alone_is_reviewed_before_it_is_closed() -> None:
    known = complete(published(), draft(Kind.BROKEN, "…", request="R1A2B"))
    assert "(1) Nobody has reviewed R1A2B" in str(refusal(known))
    reviewed = grown(known, draft(Kind.REVIEWED, "…", request="R1A2B"))
    assert after("close", reviewed).status is Status.CLOSED


def test_it_is_resolved_before_it_is_closed() -> None:
    assert refusal(incident()).suggestions[0].text == f"incident resolve --incident {INCIDENT}"


def test_a_grave_one_without_postmortem_needs_a_second_person() -> None:
    known = complete(draft(Kind.ACCEPTED, "took it", role="ic", user=ALICE.user))
    known = grown(known, draft(Kind.ENDED, "ended", role="ic", user=ALICE.user))
    waived = after("waive the same cause as yesterday", known, BOB)
    assert waived.report.waived_by == BOB.user
    assert after("close", waived).status is Status.CLOSED
    assert "somebody else must close it" in str(refusal(waived, BOB))


def test_who_commands_does_not_waive_the_postmortem() -> None:
    led = incident(draft(Kind.ACCEPTED, "took it", role="ic", user=ALICE.user))
    with pytest.raises(Denied, match="You commanded"):
        decided("waive x", led)
    left = grown(led, draft(Kind.ENDED, "ended", role="ic", user=ALICE.user))
    with pytest.raises(Denied, match="You commanded"):
        decided("waive x", left)
    two_ids = replace(SITE, team=replace(SITE.team, people={"alice": (ALICE.user, BOB.user)}))
    with pytest.raises(Denied, match="You commanded"):
        decided("waive x", led, BOB, site=two_ids)
    assert "Say why" in str(window("waive", incident()))
    with pytest.raises(Stale, match="published already"):
        decided("waive x", complete(published()), BOB)


def test_an_entry_is_what_the_actor_did_now() -> None:
    entry: Entry = decided("mitigate", incident(), BOB)
    (told,) = entry.writes[0].drafts
    assert (told.by, told.at, told.source) == (BOB.user, NOW, "command")

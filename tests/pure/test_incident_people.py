"""Who does what: acknowledging, roles that are offered and taken, handovers, pages, and where nobody is meant."""

from dataclasses import replace
from datetime import timedelta

import pytest

from commands.entry import Otherwise
from commands.errors import Denied, Stale, UsageError
from commands.form import NeedsForm
from commands.ledger import Draft
from commands.response.events import Kind, draft
from commands.response.incident import Incident, Milestone, Role
from commands.site import OnCall, Roles, Site
from tests import build
from tests.build import ALICE, BOB, INCIDENT, NOW, decided, incident, kinds

CAROL = replace(ALICE, user="U0CAROL0001")
ROTA = Site(roles=Roles(oncall=OnCall(rota=(ALICE.user, BOB.user, CAROL.user)), security=("S0SECURITY",)))


def held(role: str = "ic", user: str = ALICE.user) -> Draft:
    return draft(Kind.ACCEPTED, "took it", role=role, user=user)


def offered(role: str = "ic", user: str = BOB.user) -> Draft:
    return replace(draft(Kind.OFFERED, "is asked", role=role, user=user), by=ALICE.user)


def paged(user: str = BOB.user, id: str = "P9") -> Draft:
    return draft(Kind.PAGED, "is called", id=id, user=user, rung="0")


def drafts(line: str, known: Incident, by: build.Actor = ALICE, **more: object) -> tuple[Draft, ...]:
    return tuple(each for write in decided(line, known, by, **more).writes for each in write.drafts)


def after(line: str, known: Incident, by: build.Actor = ALICE) -> Incident:
    return build.grown(known, *drafts(line, known, by))


# --- nobody is meant ---


def test_away_from_any_incident_the_open_ones_are_named_with_their_channels() -> None:
    with pytest.raises(Otherwise, match="checkout is down in #inc-20261123-001-checkout") as refused:
        decided("ack", None, open=(incident(),))
    assert [each.text for each in refused.value.suggestions] == [f"incident ack --incident {INCIDENT}"]


def test_where_none_is_open_it_says_how_one_is_opened() -> None:
    with pytest.raises(UsageError, match=r"`/sre incident declare` opens one\. Nothing was done\."):
        decided("resolve", None)


@pytest.mark.parametrize(
    "line",
    ["ack", "assign ic me", "sev 2", "identify x", "resolve", "page oncall x", "merge", "close", "promote"],
)
def test_of_one_that_is_over_nothing_is_changed_and_it_says_how_it_goes_on(line: str) -> None:
    over = incident(draft(Kind.STATUS, "closed", to="closed"))
    with pytest.raises(
        Stale, match=f"`/sre incident reopen {INCIDENT} REASON` opens it again. Nothing was done."
    ):
        decided(line, over)


def test_one_that_was_merged_points_to_where_it_goes_on() -> None:
    gone = incident(draft(Kind.MERGED, "merged", into="INC-2026-11-23-002"))
    with pytest.raises(Stale, match="was merged into INC-2026-11-23-002"):
        decided("ack", gone)


# --- ack ---


def test_the_first_who_acknowledges_sets_the_time_and_is_offered_the_command() -> None:
    entry = decided("ack", incident(), BOB)
    assert kinds(entry) == [Kind.MILESTONE, Kind.STATUS, Kind.JOINED]
    assert entry.suggestions[0].text == f"incident assign ic me --incident {INCIDENT}"
    made = after("ack", incident(), BOB)
    assert made.at(Milestone.ACKNOWLEDGED) == NOW and made.status == "investigating"
    assert made.people == (BOB.user,)


def test_the_second_joins_without_moving_the_time() -> None:
    known = after("ack", incident(), BOB)
    assert kinds(decided("ack", known, CAROL)) == [Kind.JOINED]
    assert "Nobody commands" not in decided("ack", build.grown(known, held()), CAROL).answer


def test_who_is_in_it_already_is_told_so() -> None:
    with pytest.raises(Stale, match="acknowledged already"):
        decided("ack", after("ack", incident(), BOB), BOB)


def test_it_answers_every_page_and_takes_its_timer_away() -> None:
    known = incident(paged(), paged(CAROL.user, "P10"))
    made = after("ack", known, CAROL)
    assert [page.acked_by for page in made.pages] == [CAROL.user, CAROL.user]
    assert Milestone.ACKNOWLEDGED in made.milestones and made.timers == ()


def test_joining_is_told_once() -> None:
    made = after("join", incident(), BOB)
    assert made.people == (BOB.user,) and made.lines[-1].by == BOB.user
    with pytest.raises(Stale, match="You are in"):
        decided("join", made, BOB)


# --- roles ---


@pytest.mark.parametrize("word", ["ic", "IC", "commander", "lead"])
def test_who_takes_a_free_role_has_it_at_once(word: str) -> None:
    made = after(f"assign {word} me", incident(), BOB)
    assert made.holder(Role.IC) == BOB.user and Milestone.COMMANDED in made.milestones


def test_a_role_is_offered_and_the_one_who_is_asked_is_called() -> None:
    entry = decided(f"assign ic <@{BOB.user}|bob>", incident())
    made = build.grown(incident(), *entry.writes[0].drafts)
    assert made.holder(Role.IC) == "" and [offer.user for offer in made.offers] == [BOB.user]
    assert made.lines[-1].mention == BOB.user
    assert made.lines[-1].text == (
        "asks you to be incident commander: press Accept on the card, or type `/sre incident accept ic` (or `decline`)."
    )
    assert entry.writes[0].drafts[0].text == f"asks {BOB.user} to be incident commander", (
        "as the timeline says it"
    )
    assert after("accept", made, BOB).holder(Role.IC) == BOB.user


def test_in_a_drill_nobody_is_called_so_the_offer_names_who_is_meant() -> None:
    made = after(f"assign ic <@{BOB.user}|bob>", incident(drill="yes"))
    assert (made.lines[-1].mention, made.lines[-1].text.partition(":")[0]) == (
        "",
        f"asks {BOB.user} to be incident commander",
    )


def test_the_holder_keeps_the_role_until_the_next_one_accepts_and_both_hear_how_it_stands() -> None:
    known = incident(held(), draft(Kind.FIELD, "…", name="impact", value="a third of payments fail"))
    asked = after(f"assign ic @{BOB.user}", known)
    assert asked.holder(Role.IC) == ALICE.user
    assert "Sev1, declared: checkout is down. Users: a third of payments fail." in asked.lines[-1].text
    taken = after("accept ic", asked, BOB)
    assert taken.holder(Role.IC) == BOB.user and taken.offers == ()
    assert taken.lines[-1].mention == ALICE.user  # who is relieved hears it
    assert list(taken.roles) == [Role.IC]


def test_to_take_a_role_from_somebody_one_says_why() -> None:
    with pytest.raises(NeedsForm) as asked:
        decided("assign ic me", incident(held()), BOB)
    args = asked.value.form.args
    assert (args.name, args.rest, args.flags) == ("ic", BOB.user, {"incident": INCIDENT})
    made = after("assign ic me Alice is in a tunnel", incident(held()), BOB)
    assert made.holder(Role.IC) == BOB.user and "Alice is in a tunnel" in made.lines[-1].text


@pytest.mark.parametrize("line", ["assign", "assign ic", "assign ops"])
def test_what_is_missing_of_an_assignment_is_asked(line: str) -> None:
    with pytest.raises(NeedsForm) as asked:
        decided(line, incident())
    assert [field.kind for field in asked.value.form.fields] == ["choice", "person"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("assign king me", "no role of an incident. Roles: `ic`, `deputy`"),
        ("assign ic bob", "mention them"),
        ("assign ic <!subteam^S0TEAM01>", "A role is one person's"),
        ("assign ic <!channel>", "mention them"),
    ],
)
def test_a_role_is_one_persons_and_one_of_five(line: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        decided(line, incident())
    assert said in str(refused.value)


def test_who_has_a_role_is_not_given_it_again() -> None:
    with pytest.raises(Stale, match="You are the incident commander"):
        decided("assign ic me", incident(held()))
    with pytest.raises(Stale, match="Bob is the incident commander"):
        decided(f"assign ic @{BOB.user}", incident(held("ic", BOB.user)), names={BOB.user: "Bob"})


def test_nobody_accepts_what_they_were_not_asked() -> None:
    with pytest.raises(Stale, match="`/sre incident assign ic me`"):
        decided("accept ic", incident(offered()), CAROL)
    with pytest.raises(UsageError, match="`ic`, `ops`"):
        decided("accept", incident(offered(), offered("ops")), BOB)


def test_an_offer_is_refused_by_who_was_asked_and_taken_back_by_who_asked() -> None:
    refused = after("decline ic I am on a train", incident(offered()), BOB)
    assert refused.lines[-1].text == "cannot be incident commander (I am on a train)"
    assert refused.offers == () and refused.lines[-1].mention == ALICE.user
    assert "(I am on a train)" in refused.lines[-1].text
    back = after("decline ic", incident(offered()), ALICE)
    assert back.lines[-1].text == "takes back the offer to be incident commander"
    assert back.offers == () and back.lines[-1].mention == BOB.user


def test_a_lost_commander_is_told_to_who_is_on_call() -> None:
    entry = decided("leave ic", incident(held()), site=ROTA)
    (told,) = entry.writes[0].drafts
    assert told.mention == ALICE.user and "who does?" in told.text
    assert entry.suggestions[0].text.startswith("incident assign")


def test_only_the_holder_and_the_commander_end_a_role_while_it_goes_on() -> None:
    known = incident(held(), held("scribe", BOB.user))
    with pytest.raises(Denied, match="takes it over"):
        decided("leave scribe", known, CAROL)
    assert after("leave scribe", known).holder(Role.SCRIBE) == ""
    assert after("leave", known, BOB).holder(Role.SCRIBE) == ""


def test_when_it_is_over_anybody_ends_all_roles_at_once() -> None:
    known = incident(held(), held("scribe", BOB.user))
    with pytest.raises(Stale, match="name the role that ends"):
        decided("leave all", known)
    over = build.grown(known, draft(Kind.STATUS, "resolved", to="resolved"))
    assert after("leave all", over, CAROL).roles == {}
    with pytest.raises(Stale, match="Nobody holds that role"):
        decided("leave ops", over)


# --- pages ---


@pytest.mark.parametrize(
    ("who", "user"),
    [
        ("oncall", ALICE.user),
        ("@oncall", ALICE.user),
        (f"<@{BOB.user}|bob>", BOB.user),
        ("<!subteam^S0TEAM01|@db>", "S0TEAM01"),
        ("security", "S0SECURITY"),
        ("scribe", CAROL.user),
    ],
)
def test_people_groups_roles_and_who_is_on_call_can_be_called(who: str, user: str) -> None:
    known = incident(held("scribe", CAROL.user))
    told, timer = drafts(f"page {who} the database is read-only", known, site=ROTA)
    assert (told.mention, told.facts["user"], told.is_told) == (user, user, True)
    assert timer.facts["key"] == f"page:{told.facts['id']}"


def test_the_whole_plan_is_told_with_the_page() -> None:
    names = {BOB.user: "Bob", CAROL.user: "Carol"}
    told, timer = drafts("page oncall it is read-only", incident(), site=ROTA, names=names)
    assert "Without an answer: 09:35 CET Bob, 09:40 CET Carol." in told.text
    assert timer.facts["due"] == (NOW + timedelta(minutes=5)).isoformat()


def test_two_pages_are_two_escalations() -> None:
    known = incident()
    first = build.grown(known, *drafts("page oncall x", known, site=ROTA))
    second = drafts(f"page @{BOB.user} y", first, site=ROTA)
    assert second[0].facts["id"] != first.pages[0].id


def test_who_has_not_answered_is_not_called_twice() -> None:
    with pytest.raises(Stale, match="The next one is called by itself"):
        decided(f"page @{BOB.user} again", incident(paged()), site=ROTA)


def test_in_a_drill_nobody_is_called() -> None:
    told, _ = drafts("page oncall x", incident(drill="yes"), site=ROTA)
    assert told.mention == "" and "drill" in told.text


@pytest.mark.parametrize("line", ["page", "page oncall"])
def test_a_page_says_why(line: str) -> None:
    with pytest.raises(NeedsForm) as asked:
        decided(line, incident(), site=ROTA)
    assert [field.name for field in asked.value.form.fields] == ["name", "why"]


def test_who_cannot_be_called_is_told_with_who_can() -> None:
    with pytest.raises(UsageError, match=r"`backend`.*`oncall`"):
        decided("page nobody x", incident(), site=ROTA)
    with pytest.raises(Stale, match="Nobody is `oncall` now: set it under `roles`"):
        decided("page oncall x", incident())

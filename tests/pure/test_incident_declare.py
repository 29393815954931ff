"""`incident declare` and `incident security`: what is wished, from which alert, what follows, and who was quicker."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from bot import render
from commands.entry import Entry, Otherwise
from commands.errors import Denied, UsageError
from commands.form import FieldErrors, Form, NeedsForm
from commands.ledger import START, Draft, sealed
from commands.model import AlertGroup, Args, Care, Place, Severity
from commands.response import fold
from commands.response.events import Kind, draft
from commands.response.incident import Incident, Milestone
from tests import build
from tests.build import ALICE, BOB, NOW, decided, given


def facts(entry: Entry, kind: Kind = Kind.DECLARED) -> dict[str, str]:
    return dict(next(each.facts for write in entry.writes for each in write.drafts if each.kind == kind))


def folded(entry: Entry) -> Incident:
    (write,) = entry.writes
    return fold.fold(build.INCIDENT, sealed(write.drafts, START, NOW, map(str, range(99))))


def form(line: str, **changes: Any) -> Form:
    with pytest.raises(NeedsForm) as asked:
        decided(line, **changes)
    return asked.value.form


def alert(**labels: str) -> AlertGroup:
    return build.group(
        build.alert("Checkout5xx", **labels), cluster="sre-training-cluster", severity=Severity.CRITICAL
    )


# --- the line ---


@pytest.mark.parametrize(
    ("line", "severity", "title"),
    [
        ("declare sev1 checkout is down", "1", "checkout is down"),
        ("declare SEV-2: checkout is slow", "2", "checkout is slow"),
        ("declare sev 3 - node-7 is slow", "3", "node-7 is slow"),
        ("declare s4 one pod", "4", "one pod"),
        ('declare "sev2 20 % of payments fail"', "2", "20 % of payments fail"),
        ("declare checkout is down --severity 1", "1", "checkout is down"),
        ("declare sev1 deploy/backend and shop/web fail", "1", "deploy/backend and shop/web fail"),
        ("declare sev1 日本語 🔥 Ausfall", "1", "日本語 🔥 Ausfall"),
    ],
)
def test_one_line_says_how_grave_and_what(line: str, severity: str, title: str) -> None:
    told = facts(decided(line))
    assert (told["severity"], told["title"]) == (severity, title)


@pytest.mark.parametrize(
    "line", ["declare", "declare sev1", "declare 4 nodes are down", "declare sev12 x", "declare sev1 \u200d"]
)
def test_what_is_missing_is_asked_in_a_window_that_keeps_what_was_said(line: str) -> None:
    asked = form(line)
    assert [field.name for field in asked.fields] == ["title", "severity", "from"]
    assert asked.args.verb == "declare"


def test_a_number_in_front_of_a_title_is_no_severity() -> None:
    assert form("declare 4 nodes are down").fields[0].initial == "4 nodes are down"


def test_the_window_says_what_each_severity_means_in_numbers() -> None:
    options = form("declare").fields[1].options
    assert [value for value, _ in options] == ["1", "2", "3", "4"]
    assert all(len(words) <= 75 for _, words in options)
    assert "burn ≥ 14.4" in options[0][1] and "5 to 25 %" in options[1][1]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("declare sev1 x --from rumour", "from"),
        (f"declare sev1 {'x' * 201}", "title"),
        ("declare x --severity 7", "severity"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(line: str, field: str) -> None:
    with pytest.raises(FieldErrors) as refused:
        decided(line)
    assert list(refused.value.errors) == [field] and "Nothing was done." in str(refused.value)


# --- what follows from it ---


@pytest.mark.parametrize(
    ("line", "has_channel"),
    [
        ("declare sev1 x", True),
        ("declare sev2 x", True),
        ("declare sev3 x", False),
        ("declare sev4 x --channel", True),
        ("declare sev1 x --thread", False),
        ("declare sev4 x --private", True),
    ],
)
def test_a_grave_or_private_one_has_a_channel_and_others_a_thread(line: str, has_channel: bool) -> None:
    assert folded(decided(line)).wants_channel is has_channel


def test_one_that_is_declared_in_a_direct_message_is_told_where_others_read_it() -> None:
    alone = Place("D0ALICE0001")
    assert folded(decided("declare sev4 x", place=alone)).wants_channel
    with pytest.raises(UsageError, match="Nobody else reads this"):
        decided("declare sev1 x --thread", place=alone)


def test_a_private_one_is_never_told_in_a_thread() -> None:
    with pytest.raises(UsageError, match="leave `--thread` out"):
        decided("declare sev1 x --private --thread")


@pytest.mark.parametrize(
    ("line", "runs"),
    [
        ("declare sev1 backend is down", ("change recent backend --since 2h", "debug layers backend")),
        ("declare sev2 backend is slow", ("change recent backend --since 2h",)),
        ("declare sev1 all is down", ("change recent --since 2h", "debug layers")),
        ("declare sev1 x --service unheard-of", ("change recent --since 2h", "debug layers")),
    ],
)
def test_what_changed_is_looked_up_and_of_the_gravest_the_five_layers(
    line: str, runs: tuple[str, ...]
) -> None:
    assert decided(line).runs == runs


@pytest.mark.parametrize(
    ("line", "service"),
    [
        ("declare sev1 backend is down", "backend"),
        ("declare sev1 the Backend: 500", "backend"),
        ("declare sev1 backends are down", ""),
        ("declare sev1 backend and traffic-generator", ""),
        ("declare sev1 x --service BACKEND", "backend"),
        ("declare sev1 x --service payments", "payments"),
    ],
)
def test_the_service_is_the_one_that_is_named(line: str, service: str) -> None:
    assert facts(decided(line)).get("service", "") == service


def test_what_nobody_said_is_asked_by_buttons_afterwards() -> None:
    texts = [each.text for each in decided("declare sev1 x").suggestions]
    assert "incident set detection customer --incident {id}" in texts
    assert [each.label for each in decided("declare sev1 x --from customer").suggestions] == [
        "I take command"
    ]
    assert facts(decided("declare sev1 x --from customer"))["detection"] == "customer"


# --- from an alert ---


def test_an_alert_gives_its_times_its_service_and_how_it_was_detected() -> None:
    acked = NOW + timedelta(minutes=2)
    group = replace(alert(service="backend-service"), care=Care(acked=acked, acked_by=BOB.user))
    made = folded(decided("declare sev1 x --alert ATEST", groups=(group,)))
    assert (made.service, made.detection, made.cluster) == ("backend", "alert", "sre-training-cluster")
    assert made.at(Milestone.STARTED) == made.at(Milestone.DETECTED) == group.lead.starts_at
    assert made.at(Milestone.ACKNOWLEDGED) == acked
    assert [(link.group, link.name) for link in made.firing] == [("ATEST", group.name)]


def test_a_small_one_is_told_in_the_thread_of_its_alert() -> None:
    made = folded(decided("declare sev3 x", groups=(alert(),)))
    assert (made.alert, made.room.channel, made.wants_channel) == ("alert:ATEST 1:card", "#sre-alerts", False)
    assert folded(decided("declare sev1 x", groups=(alert(),))).alert == ""


@pytest.mark.parametrize(
    ("severity", "shown"), [(Severity.CRITICAL, "2"), (Severity.WARNING, "3"), (Severity.INFO, "4")]
)
def test_its_button_opens_the_window_with_what_the_alert_knows(severity: Severity, shown: str) -> None:
    asked = form("declare --alert ATEST", groups=(replace(alert(), severity=severity),))
    assert asked.fields[1].initial == shown and asked.fields[2].initial == "alert"
    assert asked.fields[0].initial == alert().lead.annotations["summary"]
    assert asked.args.flags["alert"] == "ATEST"


@pytest.mark.parametrize(
    ("labels", "service"),
    [
        ({"deployment": "backend"}, "backend"),
        ({"app": "backend", "service": "elsewhere"}, "backend"),
        ({"service": "payments"}, "payments"),
        ({"pod": "backend-1"}, ""),
    ],
)
def test_the_labels_name_the_service(labels: dict[str, str], service: str) -> None:
    assert facts(decided("declare sev1 x", groups=(alert(**labels),))).get("service", "") == service


def test_an_alert_that_nobody_knows_and_several_are_refused() -> None:
    with pytest.raises(UsageError, match="no alert `A99`"):
        decided("declare sev1 x --alert A99")
    with pytest.raises(UsageError, match="Several alerts"):
        decided("declare sev1 x", groups=(alert(), alert()))


# --- somebody was quicker ---


def opened(*drafts: Draft, **said: str) -> Incident:
    return build.incident(*drafts, **{"service": "backend", **said})


def linked() -> Incident:
    return opened(draft(Kind.ALERT, "fires", group="ATEST", name="Checkout5xx", state="firing"))


def test_the_same_alert_is_joined_and_another_is_one_press_away() -> None:
    entry = decided("declare sev1 x --alert ATEST", open=(linked(),), groups=(alert(),), by=BOB)
    assert build.kinds(entry) == [Kind.JOINED] and entry.writes[0].id == build.INCIDENT
    assert "about this alert already: checkout is down" in entry.answer
    anyway = entry.suggestions[-1].text
    again = decided(anyway.removeprefix("incident "), open=(linked(),), groups=(alert(),), by=BOB)
    assert build.kinds(again)[0] == Kind.DECLARED


@pytest.mark.parametrize(("flag", "others"), [("", [build.INCIDENT]), (" --private", [])])
def test_what_comes_back_is_linked_with_what_was_before_unless_one_of_them_is_private(
    flag: str, others: list[str]
) -> None:
    group = alert()
    fired = draft(Kind.ALERT, "fires", group=group.id, name=group.name, state="firing")
    past = build.incident(fired, draft(Kind.STATUS, "resolved", to="resolved"))
    entry = decided(f"declare sev2 checkout again{flag}", groups=(group,), other=past, open=(past,))
    assert [write.id for write in entry.writes] == ["", *others]


def test_who_is_in_it_already_changes_nothing_by_declaring_it_again() -> None:
    known = opened(
        draft(Kind.ALERT, "fires", group="ATEST", state="firing"), draft(Kind.JOINED, "joined", user=BOB.user)
    )
    assert build.kinds(decided("declare sev1 x", open=(known,), groups=(alert(),), by=BOB)) == []


@pytest.mark.parametrize(
    "line",
    ["declare sev2 backend is slow", "declare sev1 CHECKOUT IS DOWN", "declare sev4 x --service backend"],
)
def test_what_looks_the_same_is_shown_first_with_both_ways_on(line: str) -> None:
    with pytest.raises(Otherwise, match=f"{build.INCIDENT} is open for backend") as refused:
        decided(line, open=(opened(),), by=BOB)
    join, anyway = refused.value.suggestions
    assert join.text == f"incident join {build.INCIDENT}"
    assert (
        build.kinds(decided(anyway.text.removeprefix("incident "), open=(opened(),), by=BOB))[0]
        == Kind.DECLARED
    )


def test_the_button_for_another_one_keeps_all_that_was_said() -> None:
    line = 'declare sev2 "backend says \\"no\\" & <@U1>" --from customer --drill --service backend'
    with pytest.raises(Otherwise) as refused:
        decided(line, open=(opened(drill="yes"),))
    again = facts(
        decided(refused.value.suggestions[1].text.removeprefix("incident "), open=(opened(drill="yes"),))
    )
    first = facts(decided(f"{line} --anyway"))
    assert again == first


@pytest.mark.parametrize(
    "other",
    [
        opened(drill="yes"),
        opened(cluster="another"),
        replace(opened(), opened=NOW - timedelta(minutes=31)),
        opened(draft(Kind.STATUS, "resolved", to="resolved")),
        opened(service="payments", title="something else"),
    ],
)
def test_a_drill_another_cluster_an_old_one_and_one_that_is_over_are_not_the_same(other: Incident) -> None:
    assert build.kinds(decided("declare sev1 backend is down", open=(other,)))[0] == Kind.DECLARED


# --- behind closed doors ---


def test_a_security_incident_is_private_grave_and_reminds_of_the_evidence() -> None:
    made = folded(decided("security a key of ci is public"))
    assert (made.severity, made.is_private, made.is_security, made.wants_channel) == (1, True, True, True)
    (line,) = made.lines
    assert "pod evidence POD" in line.text and "before anything is drained" in line.text
    assert folded(decided("security sev3 a key of ci is public")).severity == 3


def test_the_security_team_is_called_and_not_for_a_drill() -> None:
    site = replace(given("list").site, roles=replace(given("list").site.roles, security=("S0SECURITY",)))
    assert folded(decided("security x", site=site)).lines[0].mention == "S0SECURITY"
    assert folded(decided("security x --drill", site=site)).lines[0].mention == ""


def test_a_security_incident_without_a_title_is_asked_for_one() -> None:
    assert form("security").args.verb == "security"


# --- what people type ---


@drawn(st.text(max_size=250), st.sampled_from(["1", "2", "3", "4", "", "x"]))
def test_any_title_makes_an_incident_or_is_asked_back(title: str, severity: str) -> None:
    """As a window sends it: uncleaned. What is told of it calls nobody."""
    args = Args("incident", "declare", "", {"title": title, "severity": severity})
    known = replace(given("declare"), args=args)
    try:
        entry = next(each.entry for each in build.VERBS if each.verbs == ("declare",))(known)  # type: ignore[misc]
    except (FieldErrors, NeedsForm):
        return
    made = folded(entry)
    shown = render.messages(replace(made, room=build.incident().room), lambda text: text)
    assert made.title.strip() and len(made.title) <= 200 and "\n" not in made.title
    assert all("<!channel" not in each.text and "<!here" not in each.text for each in shown)


@pytest.mark.parametrize("title", ["<!channel> wake up", "<@U0BOB000001> look", "<https://evil.example|ok>"])
def test_no_title_calls_anybody_or_makes_a_link(title: str) -> None:
    args = Args("incident", "declare", "", {"title": title, "severity": "1"})
    known = replace(given("declare"), args=args, actor=ALICE)
    entry = next(each.entry for each in build.VERBS if each.verbs == ("declare",))(known)  # type: ignore[misc]
    made = replace(folded(entry), room=build.incident().room)
    shown = [f"{each.text} {each.blocks}" for each in render.messages(made, lambda text: text)]
    assert shown and all(title[:8] not in each for each in shown)


def test_one_person_does_not_open_them_by_the_dozen_and_another_still_may() -> None:
    open_ones = tuple(replace(build.incident(title=f"no {n}"), id=f"INC-2026-11-23-00{n}") for n in range(5))
    with pytest.raises(
        Denied, match="You declared 5 incidents in 10 min, all of them open: INC-2026-11-23-000"
    ):
        decided("declare sev3 one more", open=open_ones)
    with pytest.raises(Denied, match="You declared 5 incidents"):
        decided("security one more", open=open_ones)
    assert decided("declare sev3 one more", open=open_ones[1:]).writes
    assert decided("declare sev3 one more", by=BOB, open=open_ones).writes
    old = tuple(replace(each, opened=NOW - timedelta(minutes=10)) for each in open_ones)
    assert decided("declare sev3 one more", open=old).writes

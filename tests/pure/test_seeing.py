"""Who may know of a private incident, and whether its milestones are complete and in order."""

from dataclasses import replace
from datetime import timedelta

import pytest

from commands.response import escalation
from commands.response.events import Kind, draft, written
from commands.response.incident import Milestone, Page
from commands.response.order import inverted, missing, times
from commands.response.seeing import may_see
from tests.build import ALICE, BOB, NOW, incident

CAROL = "U0CAROL0001"


@pytest.mark.parametrize(
    ("user", "roles", "channel", "sees"),
    [
        (ALICE.user, (), "", True),  # declared it
        (BOB.user, (), "", False),
        (BOB.user, ("oncall", "approvers"), "C0SREDAILY1", False),
        (BOB.user, ("security",), "", True),
        (BOB.user, (), "C0INCROOM01", True),  # speaks in its own channel
    ],
)
def test_a_private_incident_is_known_to_its_people_alone(
    user: str, roles: tuple[str, ...], channel: str, sees: bool
) -> None:
    assert may_see(incident(private="yes"), user, roles, channel) is sees
    assert may_see(incident(), user, roles, channel)


@pytest.mark.parametrize("kind", [Kind.JOINED, Kind.OFFERED, Kind.ACCEPTED])
def test_who_is_let_in_or_asked_to_help_may_know_of_it(kind: Kind) -> None:
    told = draft(kind, "…", user=CAROL, role="ops")
    assert may_see(incident(told, private="yes"), CAROL, ())
    left = incident(told, draft(Kind.LEFT, "left", user=CAROL), private="yes")
    assert may_see(left, CAROL, ()) is (kind is not Kind.JOINED)


def test_a_thread_that_others_share_lets_nobody_in() -> None:
    shared = replace(incident(private="yes").room, is_own=False)
    assert not may_see(replace(incident(private="yes"), room=shared), BOB.user, (), shared.channel)


def test_of_a_grave_incident_seven_times_are_needed_and_of_a_small_one_three() -> None:
    assert [each.value for each in missing(incident())] == [
        "started", "detected", "acknowledged", "identified", "mitigated", "resolved",
    ]  # fmt: skip
    assert [each.value for each in missing(incident(severity="3"))] == ["started", "mitigated", "resolved"]
    begun = draft(Kind.MILESTONE, "began", name="started", at=written(NOW))
    assert Milestone.STARTED not in missing(incident(begun))


def test_the_time_that_somebody_said_stays_when_the_status_follows() -> None:
    said = draft(Kind.MILESTONE, "…", name="mitigated", at=written(NOW - timedelta(minutes=10)))
    later = draft(Kind.STATUS, "mitigated", to="mitigated")
    assert times(incident(said, later))[Milestone.MITIGATED] == NOW - timedelta(minutes=10)


def test_what_comes_too_late_is_named_with_what_it_should_come_before() -> None:
    begun = draft(Kind.MILESTONE, "began", name="started", at=written(NOW))
    better = draft(Kind.MILESTONE, "…", name="mitigated", at=written(NOW - timedelta(minutes=1)))
    assert inverted(times(incident(begun, better))) == ((Milestone.STARTED, Milestone.MITIGATED),)
    over = draft(Kind.MILESTONE, "…", name="resolved", at=written(NOW - timedelta(minutes=1)))
    assert inverted(times(incident(begun, better, over)))[1:] == ((Milestone.STARTED, Milestone.RESOLVED),)
    at_once = draft(Kind.MILESTONE, "…", name="mitigated", at=written(NOW))
    assert inverted(times(incident(begun, at_once))) == ()


def test_users_may_be_well_again_before_anybody_declares_it() -> None:
    before = written(NOW - timedelta(hours=2))
    begun, better = (draft(Kind.MILESTONE, "…", name=name, at=before) for name in ("started", "mitigated"))
    assert inverted(times(incident(begun, better))) == ()


def test_the_plan_of_a_page_shows_who_was_called_and_who_will_be() -> None:
    first, second = NOW, NOW + timedelta(minutes=5)
    called = [Page("P9", BOB.user, first), Page("P9", CAROL, second, 1)]
    plan = escalation.plan(called, (ALICE.user, BOB.user, CAROL, "U0DAVE00001"), timedelta(minutes=5))
    assert [(rung.user, rung.at - NOW, rung.is_done) for rung in plan] == [
        (BOB.user, timedelta(), True),
        (CAROL, timedelta(minutes=5), True),
        (ALICE.user, timedelta(minutes=10), False),
        ("U0DAVE00001", timedelta(minutes=15), False),
    ]
    assert escalation.plan((), (ALICE.user,), timedelta(minutes=5)) == ()


def test_whoever_answers_ends_the_whole_escalation() -> None:
    paged = [
        draft(Kind.PAGED, "…", id="P9", user=user, rung=rung)
        for user, rung in ((BOB.user, "0"), (CAROL, "1"))
    ]
    assert escalation.waiting(incident(*paged)) == ("P9",)
    answered = replace(draft(Kind.PAGE_ACKED, "…", id="P9"), by="U0DAVE00001")
    assert escalation.waiting(incident(*paged, answered)) == ()

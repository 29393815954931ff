"""What being on call cost: of all together for everybody, of one person for that person alone."""

from dataclasses import replace

import pytest
from alert_history import FALSE, HOUR, INFO, MINUTE, TRUE, lights, line, occurrence, typed
from incident_history import (
    ALICE,
    BOB,
    DAY,
    answered,
    at,
    incident,
    over,
    paged,
    simple,
)
from review_world import LONG_AGO, NOW, cards, given, review, week

from commands.alertreads import Called, OccurrencePage
from commands.finding import Light
from commands.reads import Whoami, WhoamiView
from commands.responsereads import (
    CommandCount,
    CommandPage,
    Duty,
    Turn,
)

# --- the team -------------------------------------------------------------------------------------


def team(*alerts, **changes):
    return review(Occurrences=cards(*alerts), **changes)["team"]


@pytest.mark.parametrize(("count", "light"), [(42, Light.GREEN), (43, Light.RED)])
def test_fewer_than_ten_actionable_in_a_person_week(count, light):
    found = line(team(*week(count, TRUE)), "Actionable alerts")  # 30 d are 4.3 weeks
    assert found.light is light


def test_two_people_on_call_at_once_are_two_person_weeks_a_week():
    def duty(read):
        return Duty(tuple(Turn(user, read.start, read.end) for user in (ALICE, BOB)), "UTC")

    found = line(team(*week(43, TRUE), OnCallTurns=duty), "Actionable alerts")
    assert (found.light, found.value) == (Light.GREEN, "5.0 (43 in 8.6 person-weeks on call) ↑ from 0.0")


def test_what_nobody_marked_may_be_actionable():
    assert line(team(*week(40, TRUE), *week(9, None, "B")), "Actionable alerts").light is Light.UNKNOWN


def test_without_a_rota_nobody_can_say_how_many_each_got():
    found = line(team(*week(1, TRUE), OnCallTurns=Duty()), "Actionable alerts")
    assert (found.light, "roles.oncall" in found.mend) == (Light.UNKNOWN, True)


def test_noise_is_said_with_how_much_is_classified_and_whose_it_is():
    marks = [TRUE, FALSE, INFO, None]
    found = team(*(occurrence(ago=n * DAY, lasted=HOUR, judged=mark, service="backend-service", namespace="sre-shop")
                   for n, mark in enumerate(marks, 1)))  # fmt: skip
    noise = line(found, "Alert noise")
    assert noise.value == "66.7 % noise (2 of 3), 3 of 4 classified (75.0 %)"
    assert "false of true and false ones: 50.0 % (1 of 2)" in noise.evidence[1]
    assert found.table[1].split() == [
        "HighErrorRate", "sre-shop", "backend-service", "4", "2", "=", "66.7", "%", "1",
        "service-owner",
    ]  # fmt: skip


def test_before_the_store_began_nothing_is_said_of_alerts():
    young = OccurrencePage((), NOW - 3 * DAY)
    found = review(Occurrences=young)["team"]
    assert {lights(found)[label] for label in ("Actionable alerts", "Alert noise", "Work on call")} == {
        Light.UNKNOWN
    }
    assert "reaches back to 28 Nov 00:00 UTC only" in line(found, "Alert noise").value


@pytest.mark.parametrize(("minutes", "light"), [(119, Light.GREEN), (120, Light.RED)])
def test_under_two_hours_a_week_for_each(minutes, light):
    alert = occurrence(ago=DAY, lasted=minutes * MINUTE)
    worked = cards(alert)
    (one,) = worked.occurrences
    page = OccurrencePage((replace(one, acked=one.starts_at, acked_by=ALICE),), LONG_AGO)
    found = line(review("review weekly", Occurrences=page)["team"], "Work on call")
    assert found.light is light


def test_nobody_is_named_in_what_all_can_read():
    mine = simple(1, at(20, "10:00:00"), HOUR)
    found = review(Incidents=(mine,), Occurrences=cards(*week(5, TRUE)))["team"]
    said = repr(found)
    assert ALICE not in said and BOB not in said
    assert "per person only to themselves and sre-lead" in found.note


def test_twenty_restarts_of_one_service_are_the_first_line_of_toil():
    counts = (
        CommandCount("deploy restart", "backend", 20, 3), CommandCount("pod list", "", 300, 9),
        CommandCount("task done", "", 400, 9),
    )  # fmt: skip
    found = line(
        review(CommandCounts=lambda read: CommandPage(counts, read.start))["team"],
        "Done by hand again and again",
    )
    assert found.value == "about 3 h 20 min, most of it deploy restart backend (20 times)"


def test_a_trail_that_was_not_read_to_its_end_counts_no_toil():
    found = review(CommandCounts=lambda read: CommandPage((), read.start + DAY))["team"]
    assert line(found, "Done by hand again and again").light is Light.UNKNOWN


def mine(text="review mine", user=ALICE, roles=(), **changes):
    who = WhoamiView(roles=roles, user=user)
    felt = simple(1, NOW - DAY, 119 * MINUTE)
    acked = incident(
        "INC-2", NOW - 2 * DAY, 1, "checkout", paged(NOW - 2 * DAY, BOB), answered(NOW - 2 * DAY + MINUTE, BOB),
        *over(NOW - 2 * DAY, NOW - 2 * DAY + 3 * HOUR, NOW - 2 * DAY + 3 * HOUR),
    )  # fmt: skip
    world = given(Incidents=(felt, acked), **changes) | {Whoami: who, Called: {BOB: "bob"}}
    return typed(text, world)["mine"]


def test_everybody_sees_their_own_numbers_alone():
    found = mine()
    assert [(each.label, each.value) for each in found.findings] == [("You", "0 s of work a week, 0 calls")]
    theirs = line(mine(user=BOB), "You")
    assert (theirs.light, theirs.value) == (
        Light.RED,
        "2 h 59 min of work a week, 1 call (1 in sleeping hours)",
    )
    assert line(mine(user="U0CAROL0001"), "You").value.startswith("none")


def test_the_lead_sees_everybody_by_name():
    found = mine(roles=("sre-lead",))
    assert lights(found) == {"You": Light.GREEN, "bob": Light.RED}


def test_of_a_month_the_work_of_a_week_is_told():
    assert line(mine("review mine --window 28d", user=BOB), "You").value.startswith(
        "44 min 45 s of work a week"
    )

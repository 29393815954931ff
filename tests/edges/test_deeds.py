"""What people did, read back from a real trail: how changes ended, what was asked for by hand, who was on call."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from bot.changerecords import ChangeRecords
from bot.state import State
from commands.model import Gap
from commands.numbers.turns import turns
from commands.response.changeevents import Kind, draft, moving, payload_facts
from commands.response.changemoves import Move
from commands.response.changerequest import Payload
from commands.responsereads import (
    ChangeOutcomes,
    CommandCount,
    CommandCounts,
    CommandPage,
    Duty,
    OnCallTurns,
    Outcome,
    Road,
    Turn,
)
from commands.site import OnCall, Site
from workers.deeds import DeedsSource
from workers.reader import Reader

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
ALICE, BOB = "U0ALICE0001", "U0BOB000001"
SITE = replace(Site(), timezone="Europe/Berlin")
CLUSTER = SITE.default_cluster
WEB = "deployment/sre-shop/backend"


def site(*rota: str, start: datetime | None = None) -> Site:
    return replace(SITE, roles=replace(SITE.roles, oncall=OnCall(rota=rota, start=start)))


class Deeds:
    def __init__(self, state: State) -> None:
        self.state = state

    def tell(self, what: str, text: str = "deploy restart backend", id: str = "R1", **facts: str) -> None:
        self.state.change().audit(what, id=id, text=text, **facts).commit()

    def ended(self, *whats: str, **told: str) -> None:
        for what in whats:
            self.tell(what, objects=WEB, **told)

    def outcomes(self) -> list[tuple[str, Outcome]]:
        return [(each.id, each.outcome) for each in self.asked(ChangeOutcomes(*around()))]

    def asked(self, read: Any) -> Any:
        answer = Reader([DeedsSource(self.state.trail, ChangeRecords(self.state, SITE), SITE)]).see((read,))[
            read
        ]
        assert not isinstance(answer, Gap), answer
        return answer


def around() -> tuple[datetime, datetime]:
    """A window with the present in its middle: the trail writes its own time."""
    now = datetime.now(UTC)
    return now - HOUR, now + HOUR


@pytest.fixture
def deeds(state: State) -> Iterator[Deeds]:
    yield Deeds(state)


# --- changes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "text", "outcome"),
    [
        (("submitted", "awaiting", "applying", "succeeded"), "deploy restart backend", Outcome.SUCCEEDED),
        (("applying", "partial"), "deploy scale backend --replicas 5", Outcome.FAILED),
        (("applying", "failed"), "node drain n1", Outcome.FAILED),
        (("awaiting", "failed"), "node drain n1", Outcome.PRECHECK_FAILED),
        (("blocked",), "node drain n1", Outcome.PRECHECK_FAILED),
        (("awaiting", "rejected"), "pod delete web-1", Outcome.REJECTED),
        (("awaiting", "expired"), "pod delete web-1", Outcome.EXPIRED),
        (("approved", "cancelled"), "pod delete web-1", Outcome.CANCELED),
        (("applying", "succeeded"), "deploy rollback backend", Outcome.ROLLED_BACK),
        (("applying", "partial"), "deploy rollback backend", Outcome.ROLLBACK_FAILED),
    ],
)
def test_a_change_that_was_asked_of_the_bot_ended_as_the_trail_says(
    deeds: Deeds, lines: tuple[str, ...], text: str, outcome: Outcome
) -> None:
    deeds.ended(*lines, text=text)
    assert deeds.outcomes() == [("R1", outcome)]


@pytest.mark.parametrize("text", ["alert silence A1", "pod list", "health", "deploy"])
def test_what_changes_nothing_that_runs_is_no_change_of_production(deeds: Deeds, text: str) -> None:
    deeds.ended("submitted", "applying", "succeeded", "failed", text=text)
    assert deeds.outcomes() == []


def test_a_change_is_of_the_service_whose_workload_it_changed(deeds: Deeds) -> None:
    deeds.ended("applying", "succeeded")
    deeds.tell("succeeded", text="node drain n1", id="R2", objects="node/n1")
    (first, second) = deeds.asked(ChangeOutcomes(*around()))
    assert (first.service, first.objects, first.road) == ("backend", (WEB,), Road.BOT)
    assert (second.service, second.objects) == ("", ("node/n1",))


def test_a_rollback_that_worked_says_when_users_were_well_again(deeds: Deeds) -> None:
    deeds.ended("applying", "succeeded", text="deploy rollback backend")
    (found,) = deeds.asked(ChangeOutcomes(*around()))
    assert found.restored == found.ended


def test_changes_of_another_cluster_and_another_time_are_left_out(deeds: Deeds) -> None:
    deeds.ended("succeeded", cluster="prod")
    start, end = around()
    assert deeds.asked(ChangeOutcomes(start, end, "staging")) == ()
    assert deeds.asked(ChangeOutcomes(start - 2 * HOUR, start)) == ()
    assert len(deeds.asked(ChangeOutcomes(start, end, "prod"))) == 1


MOVES = (Move.SUBMIT, Move.CLEAR, Move.GRANT, Move.START, Move.FINISH)


def announced(state: State, *moves: Move, emergency: str = "") -> None:
    """A change request whose events came about long ago, one after the other."""
    records, change = ChangeRecords(state, SITE), state.change()
    payload = Payload(
        "a new image", "backend", CLUSTER, "sre-shop", datetime.now(UTC), None, "back", "it is time"
    )
    opened = draft(Kind.OPENED, "opened", emergency=emergency, **payload_facts(payload))
    records.open(change, "CR-1", [opened, *(moving(move, move.value) for move in moves)], records.register())
    change.commit()


@pytest.mark.parametrize(
    ("moves", "outcome"),
    [
        ((*MOVES, Move.PASS), Outcome.SUCCEEDED),
        ((*MOVES, Move.ROLL_BACK, Move.RECOVER), Outcome.ROLLED_BACK),
        ((*MOVES, Move.ROLL_BACK, Move.NOT_RECOVER), Outcome.ROLLBACK_FAILED),
        ((*MOVES, Move.GIVE_UP), Outcome.FAILED),
        ((Move.SUBMIT, Move.CLEAR, Move.REJECT), Outcome.REJECTED),
        ((Move.CANCEL,), Outcome.CANCELED),
    ],
)
def test_a_change_request_that_is_over_stands_beside_what_was_asked_of_the_bot(
    deeds: Deeds, moves: tuple[Move, ...], outcome: Outcome
) -> None:
    announced(deeds.state, *moves)
    deeds.ended("succeeded", text="pod delete web-1", id="R2")
    assert dict(deeds.outcomes()) == {"CR-1": outcome, "R2": Outcome.SUCCEEDED}


def test_one_that_is_under_way_is_no_outcome_yet(deeds: Deeds) -> None:
    announced(deeds.state, *MOVES)
    assert deeds.outcomes() == []


def test_an_emergency_repairs_the_incident_it_was_done_in(deeds: Deeds) -> None:
    announced(deeds.state, *MOVES, Move.PASS, emergency="INC-7")
    (found,) = deeds.asked(ChangeOutcomes(*around(), CLUSTER))
    assert (found.is_emergency, found.hotfix_for, found.objects) == (True, "INC-7", (WEB,))
    assert deeds.asked(ChangeOutcomes(*around(), "other")) == ()


# --- by hand --------------------------------------------------------------------------------------


def test_what_people_asked_for_is_counted_by_object_and_neither_the_calendar_nor_what_is_written_down(
    deeds: Deeds,
) -> None:
    for by in (ALICE, ALICE, BOB):
        deeds.tell("submitted", by=by)
    deeds.tell("submitted", text="deploy restart cart --why 'a leak'", by=BOB)
    deeds.tell("submitted", text="node list --top", by=BOB)
    deeds.tell("scheduled", text="health")
    for act in ("task done", "change start"):
        deeds.state.change().audit("entered", act=act, by=ALICE).commit()
    start, end = around()
    assert deeds.asked(CommandCounts(start, end)) == CommandPage(
        (
            CommandCount("deploy restart", "backend", 3, 2),
            CommandCount("deploy restart", "cart", 1, 1),
            CommandCount("node list", "", 1, 1),
        ),
        start,
    )


def test_without_time_the_trail_says_how_far_back_it_was_read(state: State) -> None:
    change = state.change()
    for n in range(1200):
        change.audit("submitted", id=f"R{n}", text="deploy restart backend", by=ALICE)
    change.commit()
    start, end = around()
    source = DeedsSource(state.trail, ChangeRecords(state, SITE), SITE)
    page = source.read(CommandCounts(start, end), deadline=0.0)
    assert page.since > start
    assert [each.times for each in page.counts] == [500]


# --- on call --------------------------------------------------------------------------------------

MONDAY = datetime(2026, 11, 2, 8, tzinfo=UTC)  # 09:00 in Berlin


def test_a_rota_is_turns_one_after_the_other() -> None:
    rota = site(ALICE, BOB, start=datetime(2026, 11, 2, 9))
    assert turns(rota, MONDAY + DAY, MONDAY + 2 * WEEK) == (
        Turn(ALICE, MONDAY + DAY, MONDAY + WEEK),
        Turn(BOB, MONDAY + WEEK, MONDAY + 2 * WEEK),
    )


def test_before_the_rota_begins_nobody_is_on_call() -> None:
    rota = site(ALICE, start=datetime(2026, 11, 2, 9))
    assert turns(rota, MONDAY - WEEK, MONDAY + DAY) == (Turn(ALICE, MONDAY, MONDAY + DAY),)
    assert turns(site(), MONDAY, MONDAY + DAY) == ()


def test_without_a_start_the_first_is_always_on_call() -> None:
    assert turns(site(ALICE, BOB), MONDAY, MONDAY + DAY) == (Turn(ALICE, MONDAY, MONDAY + DAY),)


@pytest.mark.parametrize("day", [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)])
def test_when_the_clocks_change_the_turns_still_cover_all_of_the_time(day: datetime) -> None:
    rota = site(ALICE, BOB, start=datetime(2026, 1, 1, 2, 30))
    hourly = replace(rota, roles=replace(rota.roles, oncall=replace(rota.roles.oncall, shift=HOUR)))
    for start in (day, day + timedelta(minutes=70), day + timedelta(minutes=100)):
        found = turns(hourly, start, day + 6 * HOUR)
        assert found[0].start == start and found[-1].end == day + 6 * HOUR
        assert all(one.end == two.start for one, two in pairwise(found))
        assert all(turn.start < turn.end for turn in found)


def test_the_duty_names_the_zone(deeds: Deeds) -> None:
    start, end = around()
    assert deeds.asked(OnCallTurns(start, end)) == Duty((), "Europe/Berlin")

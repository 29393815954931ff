"""The numbers of a real store: what was declared, changed and answered there, as `review` tells it, and to whom."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.casebook import Casebook
from bot.changerecords import ChangeRecords
from bot.desk import Desk, Said
from bot.people import People
from bot.records import Records
from bot.state import State
from bot.taskrecords import TaskRecords
from commands.alertreads import QueryRange
from commands.catalog import Catalog
from commands.errors import Unanswered
from commands.finding import Finding, Light
from commands.ledger import Draft
from commands.model import Actor, Place, Read, Section
from commands.reads import Now, Query
from commands.response.events import Kind, draft, written
from commands.site import ClusterSite, OnCall, Roles, Site
from commands.triagereads import Changes, ChangesSeen
from tests.build import ALICE, BOB
from workers.casebook import CasebookSource
from workers.deeds import DeedsSource
from workers.reader import Reader
from workers.records import RecordsSource
from workers.tasks import TasksSource
from workers.walk import walk

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ROLES = replace(
    Roles(), oncall=OnCall(rota=(ALICE.user, BOB.user), start=datetime(2026, 1, 5)), sre_lead=(BOB.user,)
)
SITE = Site(clusters={"training": ClusterSite(name="training")}, roles=ROLES, timezone="UTC")
CATALOG = Catalog.load()
CAROL = Actor("U0CAROL0001", ALICE.team)


class Elsewhere:
    """The cluster and Prometheus: nothing was rolled out, and nobody measures."""

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        return ((Now, Changes, Query, QueryRange),)

    def read(self, read: Read, deadline: float) -> Any:
        if isinstance(read, Now):
            return datetime.now(UTC)
        if isinstance(read, Changes):
            return ChangesSeen(())
        raise Unanswered("Prometheus is away")


class House:
    def __init__(self, state: State, client: WebClient) -> None:
        self.state, self.records = state, Records(state, SITE)
        people = People(state, SITE, client)
        people.refresh(client)
        self.desk = Desk(state, CATALOG, SITE, people)

    def declared(self, id: str, started: datetime, lasted: timedelta, **facts: str) -> None:
        """An incident that is over; Alice took it a minute after it began."""
        told = (
            draft(Kind.DECLARED, "declared", title="down", severity="1", cluster="training", service="backend", **facts),
            draft(Kind.MILESTONE, "started", name="started", at=written(started)),
            at(draft(Kind.PAGED, "paged", id="P1", user=ALICE.user), started),
            at(draft(Kind.PAGE_ACKED, "acknowledged", id="P1"), started + MINUTE),
            draft(Kind.MILESTONE, "mitigated", name="mitigated", at=written(started + lasted)),
            at(draft(Kind.STATUS, "resolved", to="resolved"), started + lasted),
        )  # fmt: skip
        change = self.state.change()
        self.records.open(change, id, [at(told[0], started + MINUTE), *told[1:]], self.records.register())
        change.commit()

    def sections(self, text: str) -> dict[str, Section]:
        parsed = CATALOG.parse(text)
        sources = (
            RecordsSource(self.records, SITE.timezone), DeedsSource(self.state.trail, ChangeRecords(self.state, SITE), SITE),
            CasebookSource(Casebook(self.state, SITE)), TasksSource(TaskRecords(self.state, SITE)), Elsewhere(),
        )  # fmt: skip
        reader = Reader(sources)
        parts = parsed.command.parts(parsed.args, SITE.cluster_for(""))
        return {key: walk(part.inquiry, reader, float("inf")) for key, part in parts.items()}

    def mine(self, actor: Actor) -> dict[str, Finding]:
        said = Said(actor, Place("C0SREDAILY1"), "review mine", f"{actor.user} asks")
        return {each.label: each for section in self.desk.submit(said).sections for each in section.findings}


def at(told: Draft, when: datetime) -> Draft:
    return replace(told, at=when, by=ALICE.user)


def line(section: Section, label: str) -> Finding:
    (found,) = (each for each in section.findings if each.label == label)
    return found


@pytest.fixture
def house(state: State, slack_client: WebClient) -> House:
    return House(state, slack_client)


@pytest.fixture
def lately() -> Callable[[timedelta], datetime]:
    """The trail and the turns know the real time."""
    now = datetime.now(UTC)
    return lambda ago: now - ago


def test_what_was_declared_and_changed_is_counted(
    house: House, lately: Callable[[timedelta], datetime]
) -> None:
    house.declared("INC-1", lately(5 * HOUR), 40 * MINUTE)
    house.declared("INC-2", lately(9 * HOUR), HOUR, drill="yes")
    for what in ("applying", "succeeded"):
        house.state.change().audit(what, id="R1", text="deploy restart backend").commit()
    found = house.sections("review metrics --window 7d")
    operations = found["operations"]
    assert line(operations, "Time to restore").value == "40 min (n=1)"
    assert line(operations, "Time to restore").light is Light.RED
    assert line(operations, "Change failure rate").value == "0.0 % (0 of 1)"
    assert operations.note == "1 incident resolved · left out: drill 1 · still open: 0"
    assert {each.light for each in found["users"].findings} == {Light.UNKNOWN}


@pytest.mark.parametrize(
    "text", ["review weekly", "review monthly", "review metrics --months 3", "review export"]
)
def test_every_review_reads_only_what_somebody_answers(house: House, text: str) -> None:
    found = house.sections(text)
    assert all(section.done and section.findings for section in found.values())


def test_only_the_asker_and_the_lead_see_what_somebody_worked(
    house: House, lately: Callable[[timedelta], datetime]
) -> None:
    house.declared("INC-1", lately(5 * HOUR), 3 * HOUR)
    assert house.mine(ALICE)["You"].value.startswith("2 h 59 min of work a week, 1 call")
    house.state.remember(f"called-{ALICE.user}", "alice", HOUR)
    assert house.mine(BOB)["alice"].light is Light.RED
    assert house.mine(CAROL)["You"].value.startswith("none")
    assert set(house.mine(CAROL)) == {"You"}

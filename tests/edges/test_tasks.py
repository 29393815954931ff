"""Tasks on a real Redis: entered by typing and by windows, reminded of, private ones hidden, replay gives the record."""

from datetime import timedelta

import pytest
from slack_sdk import WebClient

from bot.desk import Said
from bot.state import State, lane_of
from bot.taskrecords import TaskRecords
from commands.ledger import faults
from commands.model import Actor, Args, Place
from commands.response import taskfold
from commands.response.task import Task, TaskState
from sandbox.slack import SlackStandIn
from tests.build import ALICE, BOB, NOW
from tests.edges.test_desk import Bench
from tests.edges.test_records import MEMBERS, ROOM, SITE, Post
from workers.timers import Timers

CAROL = MEMBERS[2]
LINE = 'task new "limit every pool" --owner @U0BOB000001 --due 2026-12-01'


class Office(Post):
    """A post that keeps tasks, too."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.tasks = TaskRecords(state, SITE, self.clock)
        self.timers = Timers(state, SITE, self.clock)

    def task(self, line: str = LINE, channel: str = "C0SREDAILY1") -> Task:
        receipt = self.type(line, channel=channel)
        assert receipt.accepted, receipt.text
        return self.now_of(receipt.text.partition(" ")[0])

    def now_of(self, id: str) -> Task:
        stored = self.tasks.stored(id)
        assert stored is not None
        return stored.record

    def listed(self, line: str = "task list", by: Actor = ALICE) -> str:
        return str(self.type(line, by).sections)


@pytest.fixture
def office(state: State) -> Office:
    return Office(state)


def test_a_line_opens_a_task_with_its_owner_and_its_day(office: Office) -> None:
    made = office.task()
    assert (made.id, made.title, made.owner, str(made.due)) == (
        f"TSK-{NOW.date()}-001", "limit every pool", BOB.user, "2026-12-01",
    )  # fmt: skip
    assert made.by == ALICE.user and lane_of(made) == "C0SREDAILY1"
    assert office.task().id.endswith("-002")


def test_without_an_owner_or_a_day_nothing_is_entered_and_a_window_asks(office: Office) -> None:
    receipt = office.type("task new limit every pool --owner me")
    assert receipt.form is not None and not receipt.accepted
    filled = Args("task", "new", "", {"owner": BOB.user, "due": "2026-12-01"}, "limit every pool")
    done = office.desk.fill(ALICE, Place("C0SREDAILY1"), filled, "w1")
    assert done.accepted and office.tasks.open_records()[0].title == "limit every pool"


def test_replaying_its_events_gives_the_record_again_and_the_chain_holds(office: Office) -> None:
    id = office.task().id
    for line in (f"done {id}", f"reopen {id} came back", f"assign {id} me --due 3d", f"skip {id} moot"):
        assert office.type(f"task {line}").accepted
    first, *rest = office.tasks.events(id)
    again = taskfold.begun(id, first)
    for event in rest:
        again = taskfold.after(again, event)
    assert again == office.now_of(id) and again.state is TaskState.SKIPPED
    assert faults(office.tasks.events(id), again.head, {}) == ()


def test_a_task_is_done_once_and_opened_again(office: Office) -> None:
    id = office.task().id
    assert office.type(f"task done {id}", BOB).accepted
    first = office.now_of(id).done
    assert "is done already" in office.later(hours=1).type(f"task done {id}").text
    assert office.type("task reopen 001 it came back").accepted  # by the end of its id
    assert office.later(hours=1).type(f"task done {id}").accepted
    assert office.now_of(id).done == first == NOW


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("task done TSK-2026-11-23-009", "There is no task"), ("task done", "Name the task"),
        ("task assign TSK-2026-11-23-001 the-team", "is nobody the bot knows"),
        ("task assign TSK-2026-11-23-001 --due 2020-01-01", "is over"),
        ("task assign TSK-2026-11-23-001 @U0BOB000001", "is so already"),
        ("task reopen TSK-2026-11-23-001", "is open"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_nothing_is_written(office: Office, line: str, why: str) -> None:
    before = office.task().head
    receipt = office.type(line)
    assert why in receipt.text and not receipt.accepted
    assert office.now_of("TSK-2026-11-23-001").head == before


def test_leaving_out_needs_a_reason(office: Office) -> None:
    id = office.task().id
    asked = office.type(f"task skip {id}")
    assert asked.form is not None and office.now_of(id).state is TaskState.OPEN
    assert office.type(f"task skip {id} another team does it").accepted
    assert office.now_of(id).why == "another team does it"


def test_its_owner_is_reminded_in_the_morning_once_by_however_many_workers(office: Office) -> None:
    id = office.task().id
    for _ in range(24 * 10):
        office.later(hours=1)
        office.timers.fire()
        office.timers.fire()
    told = [(line.mention, line.text.partition(":")[0]) for line in office.now_of(id).lines]
    days = ("due in 2 days", "due today", "late by 1 day", "late by 2 days")
    assert told == [(BOB.user, f"⏰ {day}") for day in days]
    office.type(f"task done {id}", BOB)
    assert office.tasks.due(office.now + timedelta(days=30)) == ()


def test_whoever_gets_it_is_told_and_reminded_from_then_on(office: Office) -> None:
    id = office.task().id
    assert office.type(f"task assign {id} @{CAROL.user} --due tomorrow").accepted
    office.later(hours=25)
    office.timers.fire()
    assert [line.mention for line in office.now_of(id).lines] == [CAROL.user, "", CAROL.user]


def test_in_a_direct_message_it_is_told_to_its_owner(office: Office) -> None:
    assert lane_of(office.task(channel="D0ALICE")) == f"@{BOB.user}"


# --- of incidents ---------------------------------------------------------------------------------


def test_an_action_stands_in_both_records_and_is_told_under_the_card_of_the_incident(office: Office) -> None:
    incident = office.declare()
    made = office.task('incident action "limit every pool" --owner me --due 3d', ROOM)
    assert office.incident(incident.id).tasks == (made.id,) and made.incident == incident.id
    assert made.under == f"incident:{incident.id} card"
    assert [each.id for each in office.tasks.of_incident(incident.id)] == [made.id]
    assert office.records.events(incident.id)[-1].text.startswith(f"action {made.id}: limit every pool")


def test_a_task_that_is_asked_for_in_an_incidents_channel_is_its_action(office: Office) -> None:
    incident = office.declare()
    assert office.task(channel=ROOM).incident == incident.id


def test_a_task_of_a_private_incident_is_known_to_its_people_and_its_owner_alone(office: Office) -> None:
    office.declare("sev1 keys are out --private")
    made = office.task('incident action "rotate all keys" --owner @U0BOB000001 --due 3d', ROOM)
    assert made.is_private
    assert "rotate all keys" in office.listed(by=ALICE) and "rotate all keys" in office.listed(by=BOB)
    assert "rotate all keys" not in office.listed(by=CAROL)
    assert "There is no task" in office.type(f"task done {made.id}", CAROL).text
    assert office.type(f"task done {made.id}", BOB).accepted


# --- lists ----------------------------------------------------------------------------------------


def test_mine_are_mine_and_all_are_everybodys(office: Office) -> None:
    office.task()
    office.task('task new "look at dashboards" --owner me --due 2w --topic techtalk')
    assert "limit every pool" in office.listed("task mine", BOB) and "dashboards" not in office.listed(
        "task mine", BOB
    )
    assert all(each in office.listed() for each in ("limit every pool", "dashboards"))
    assert "limit every pool" not in office.listed("task list --topic techtalk")


def test_what_is_done_stands_in_the_list_of_all_only(office: Office) -> None:
    office.type(f"task done {office.task().id}")
    assert "limit every pool" not in office.listed()
    assert "limit every pool" in office.listed("task list --all")


def test_changes_of_others_that_i_may_approve_are_mine_and_my_own_are_not(
    state: State, slack: SlackStandIn, slack_client: WebClient
) -> None:
    bench = Bench(state, slack, slack_client)
    bench.put()
    waiting = bench.record
    state.change().wake(
        waiting, timedelta(minutes=1)
    ).commit()  # as the engine leaves it: the sweeper looks after it

    def mine(by: Actor) -> str:
        return str(bench.desk.submit(Said(by, Place("C0SREDAILY1"), "task mine", f"{by.user} asks")).sections)

    assert "RTEST0001 `drain node-3`" in mine(BOB)
    assert "RTEST0001" not in mine(ALICE) and "RTEST0001" not in mine(CAROL)

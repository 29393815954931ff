"""Two workers at one change, a store that answers late, plans that change while people decide: on a real Redis."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from rq.timeouts import JobTimeoutException

from bot.state import JOB_TIMEOUT, LEASE, State
from commands.catalog import Catalog, Declared
from commands.change import Change
from commands.command import Command
from commands.effects import Blocked, Done, Rejected
from commands.errors import Unreachable
from commands.finding import Light
from commands.model import Args
from commands.model import State as Standing
from commands.plan import Mark, Plan, Progress, Result, Verdict, Wave
from commands.plan import Standing as Stands
from commands.reads import Now
from tests import build
from tests.edges.test_change import CORDON, ID, NAME, Road, evict, said
from tests.fakes import FakeEffects, FakeReader
from workers.engine import Engine

DRAIN = f"sre:line:{NAME}:drain"
OTHER = "RTEST0002"


@pytest.fixture
def road(state: State) -> Road:
    return Road(state)


def under_way(road: Road, **marks: Stands) -> None:
    """Approved, begun and left by a worker called "slow", with these marks on the evictions."""
    road.upto_approved()
    stored = road.state.request(ID)
    assert stored
    plan = Plan("Drain", waves=(Wave("evict", tuple(road.world.pods)),), locks=road.world.locks)
    made = {f"evict uid-{name}": Mark(standing, road.clock()) for name, standing in marks.items()}
    progress = Progress("slow", road.clock(), road.clock() + timedelta(minutes=5), made)
    begun = stored.record.move(Standing.APPLYING, plan=plan, progress=progress)
    road.state.change().put(begun, was=stored.version).wake(begun, timedelta()).commit()


class Interrupted(State):
    """Lets somebody else write just before its first change of a record that is being applied."""

    def __init__(self, state: State, meanwhile: Callable[[], None]) -> None:
        super().__init__(state.redis)
        self._meanwhile = iter([meanwhile])

    def change(self) -> Any:
        change = super().change()
        for meanwhile in self._meanwhile:
            meanwhile()
        return change


# --- taken over ---------------------------------------------------------------------------------------


def test_who_takes_over_keeps_what_the_slow_one_wrote_at_the_last_moment(road: Road) -> None:
    """Its lease had run out, it was not dead: between the other's look and claim it wrote an outcome."""
    under_way(road)

    def late() -> None:
        stored = road.state.request(ID)
        assert stored and stored.record.progress
        no = Mark(Stands.FAILED, road.clock(), "the budget of two", 1)
        progress = replace(stored.record.progress, marks={"evict uid-a": no})
        road.state.change().put(replace(stored.record, progress=progress), was=stored.version).commit()

    road.engine(Interrupted(road.state, late)).answer(ID)
    request = road.request()
    assert road.names == ["b"], "what was refused for good is not sent again"
    assert request.state is Standing.PARTIAL and request.progress
    assert request.progress.marks["evict uid-a"].note == "the budget of two"


def test_who_lost_the_race_to_take_over_sends_nothing(road: Road) -> None:
    under_way(road)

    def quicker() -> None:
        stored = road.state.request(ID)
        assert stored and stored.record.progress
        other = replace(stored.record, progress=replace(stored.record.progress, owner="quicker"))
        road.state.change().put(other, was=stored.version).commit()

    road.engine(Interrupted(road.state, quicker)).answer(ID)
    assert road.names == [] and road.request().state is Standing.APPLYING


def test_a_change_that_was_ended_meanwhile_is_left_as_it_is(road: Road) -> None:
    under_way(road)

    def failed(effect: Any) -> None:
        stored = road.state.request(ID)
        assert stored
        if stored.record.is_open:
            over = stored.record.move(Standing.FAILED, finished=road.clock())
            road.state.change().put(over, was=stored.version).commit()

    road.world.effects.before = failed
    road.engine().answer(ID)
    assert road.request().state is Standing.FAILED and "succeeded" not in said(road.state)


@pytest.mark.parametrize("held", [True, False], ids=["goes on elsewhere", "waits for people"])
def test_a_worker_that_was_held_up_does_not_end_what_goes_on_without_it(road: Road, held: bool) -> None:
    """It was paused past its lease; RQ's alarm is the first thing that it hears when it wakes."""
    road.submit()
    late = road.engine()
    if held:
        with road.state.lease(f"request:{ID}"):
            late.fail(ID, JobTimeoutException("too long"))
        assert road.request().state is Standing.READING
    else:
        road.engine().answer(ID)
        late.fail(ID, JobTimeoutException("too long"))
        assert road.request().state is Standing.AWAITING
        road.approve()
        late.fail(ID, JobTimeoutException("too long"))
        assert road.request().state is Standing.APPROVED


def test_a_plan_that_takes_too_long_ends_it(road: Road) -> None:
    road.submit()
    road.engine().fail(ID, JobTimeoutException("too long"))
    assert road.request().state is Standing.FAILED and road.request().reference


def test_an_approval_during_a_look_at_the_clock_keeps_its_turn(road: Road) -> None:
    """Else it would be looked at again only when the approval expires."""
    road.submit()
    road.engine().answer(ID)
    now = road.state.redis.time()[0] * 1000

    def approved() -> None:
        road.approve()
        stored = road.state.request(ID)
        assert stored
        road.state.change().work(stored.record, timeout=JOB_TIMEOUT).commit()

    road.engine(Interrupted(road.state, approved)).answer(ID)
    assert road.request().state is Standing.APPROVED
    assert road.state.redis.zscore("sre:open", ID) < now + 60_000


def test_what_was_announced_long_ago_is_not_sent(road: Road) -> None:
    """The store took the announcement and answered after the lease: another may have the change by then."""
    road.upto_approved()
    slow = State(road.state.redis)
    script, took = slow.commit_script, Event()

    def commit(**options: Any) -> Any:
        outcome = script(**options)
        progress = road.request().progress
        if progress and progress.marks and not took.is_set():
            took.wait(LEASE.total_seconds() / 2)
            took.set()
        return outcome

    slow.commit_script = commit  # type: ignore[assignment]
    road.engine(slow, stopping=took.is_set).answer(ID)
    progress = road.request().progress
    assert took.is_set() and road.names == [] and progress
    assert "held up" in progress.marks[CORDON.key].note


def test_a_process_that_was_asked_to_stop_begins_nothing_and_hands_over(road: Road) -> None:
    road.upto_approved()
    road.engine(stopping=lambda: True).answer(ID)
    assert road.names == [] and road.request().state is Standing.APPLYING
    assert len(road.state.queue.job_ids) == 1 and len(road.world.looks) == 1
    road.state.queue.empty()  # type: ignore[no-untyped-call]
    road.engine().answer(ID)
    assert road.request().state is Standing.SUCCEEDED


def test_somebody_elses_job_gets_the_worker_at_once(road: Road) -> None:
    road.world.stay = {"b"}
    road.upto_approved()
    road.state.change().work(build.request("ROTHER001"), timeout=JOB_TIMEOUT).commit()
    road.engine().answer(ID)
    assert road.request().state is Standing.APPLYING and len(road.world.looks) <= 2


# --- in line ------------------------------------------------------------------------------------------


def second(road: Road) -> None:
    road.submit(OTHER)
    road.engine().answer(OTHER)
    road.approve(OTHER)


def test_who_waits_waits_however_often_it_is_looked_at(road: Road) -> None:
    road.upto_approved()
    second(road)
    for _ in range(3):
        road.engine().answer(OTHER)
    assert road.request(OTHER).state is Standing.APPROVED and road.names == []
    assert said(road.state).count("queued") == 1


def test_places_in_line_do_not_come_from_a_clock(road: Road) -> None:
    """A clock that is set back, as that of a replica that takes over may be, puts nobody in front."""
    road.world.locks = ("drain", "node/n1")
    road.upto_approved()
    second(road)
    for line in (DRAIN, f"sre:line:{NAME}:node/n1"):
        assert road.state.redis.zrange(line, 0, -1, withscores=True) == [
            (ID.encode(), 1),
            (OTHER.encode(), 2),
        ]


def test_the_nearest_in_front_is_named_and_who_is_over_or_gone_keeps_no_place(road: Road) -> None:
    road.upto_approved()
    second(road)
    third = "RTEST0003"
    road.submit(third)
    road.engine().answer(third)
    road.approve(third)
    road.engine().answer(third)
    assert road.request(third).behind == OTHER
    stored = road.state.request(OTHER)
    assert stored
    over = stored.record.move(Standing.CANCELLED, finished=road.clock())
    road.state.change().put(over, was=stored.version).commit()
    road.engine().answer(third)
    assert road.request(third).behind == ID and road.state.redis.zrank(DRAIN, OTHER) is None
    road.state.redis.delete(f"sre:request:{ID}")
    road.engine().answer(third)
    assert road.request(third).state is Standing.SUCCEEDED and not road.state.redis.exists(DRAIN)


def test_who_lost_a_place_stands_at_the_end_of_every_line(road: Road) -> None:
    """At the end of one and in front in the other, each would wait for the other."""
    road.world.locks = ("drain", "node/n1")
    road.upto_approved()
    second(road)
    road.state.redis.zrem(DRAIN, ID)
    road.engine().answer(ID)
    assert road.request().behind == OTHER
    road.engine().answer(OTHER)
    assert road.request(OTHER).state is Standing.SUCCEEDED
    road.engine().answer(ID)
    assert road.request().state is Standing.SUCCEEDED


def test_a_plan_that_became_impossible_keeps_no_place(road: Road) -> None:
    """A plan that was blocked has no locks, and the one that was lined up had."""
    road.upto_approved()
    road.world.locks, road.world.findings = (), (build.finding(Light.RED),)
    road.engine().answer(ID)
    assert road.request().state is Standing.BLOCKED and not road.state.redis.exists(DRAIN)


def test_who_is_asked_again_gives_its_place_up(road: Road) -> None:
    road.upto_approved()
    road.world.scope = ("another workload",)
    road.engine().answer(ID)
    assert road.request().state is Standing.AWAITING and not road.state.redis.exists(DRAIN)


# --- what an approval covers --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("meanwhile", "says"),
    [
        ({"approvers": 2}, "2 people must agree now"),
        ({"locks": ("drain", "node/n9")}, "also keeps others off: node/n9"),
        ({"findings": (build.finding(Light.UNKNOWN, key="risk", label="Risk"),)}, "new: Risk 99.95 %"),
    ],
    ids=["one more person", "a line it does not stand in", "a known risk nobody can see any more"],
)
def test_a_plan_that_needs_more_is_asked_again(road: Road, meanwhile: dict[str, Any], says: str) -> None:
    road.world.findings = (build.finding(Light.YELLOW, key="risk", label="Risk"),)
    road.upto_approved()
    for name, value in meanwhile.items():
        setattr(road.world, name, value)
    road.engine().answer(ID)
    request = road.request()
    assert request.state is Standing.AWAITING and road.names == []
    assert request.asking and request.asking.changed == (says,)


def test_a_risk_that_went_away_costs_no_second_approval(road: Road) -> None:
    road.world.findings = (build.finding(Light.YELLOW, key="risk"),)
    road.world.approvers, road.world.locks = 1, ("drain", "node/n1")
    road.upto_approved()
    road.world.findings, road.world.locks = (), ("drain",)
    road.engine().answer(ID)
    assert road.request().state is Standing.SUCCEEDED
    assert not road.state.redis.keys("sre:line:*"), "no place is kept in the line of the plan that was shown"


def test_an_approval_of_another_plan_than_the_one_on_record_is_asked_for_again(road: Road) -> None:
    """Somebody altered the record, or another version of the bot writes plans differently."""
    road.upto_approved()
    stored = road.state.request(ID)
    assert stored and stored.record.plan
    wider = replace(stored.record.plan, waves=(Wave("evict", (CORDON, evict("database"))),))
    road.state.change().put(replace(stored.record, plan=wider), was=stored.version).commit()
    road.engine().answer(ID)
    request = road.request()
    assert request.state is Standing.AWAITING and road.names == []
    assert request.asking and "to the letter" in request.asking.changed[0]
    assert request.asking.digest == request.plan.digest if request.plan else False


def test_the_verb_may_ask_for_more_people_than_the_plan(road: Road) -> None:
    rotate = Command(
        "incident", ("rotate",), "x", ("SI-1.0",), change=Change(road.world.plan, road.world.verify),
        names="NAME", examples=("incident rotate ci",),
    )  # fmt: skip
    catalog = Catalog([Declared(rotate, "x")])
    road.submit()
    stored = road.state.request(ID)
    assert stored
    made = replace(stored.record, args=Args("incident", "rotate", "ci"))
    road.state.change().put(made, was=stored.version).commit()
    Engine(road.state, catalog, road.site, lambda _: FakeReader(), now=road.clock).answer(ID)
    asking = road.request().asking
    assert asking and asking.needed == 2


def test_who_is_asked_is_looked_at_again_when_the_time_is_up(road: Road) -> None:
    road.submit()
    road.engine().answer(ID)
    due = road.state.redis.zscore("sre:open", ID) - road.state.redis.time()[0] * 1000
    assert abs(due - road.site.approvals.expire.total_seconds() * 1000) < 5_000


# --- a server that answers nobody -----------------------------------------------------------------------


def patient(road: Road, looks: int) -> Any:
    """An engine that is asked to stop after so many looks."""
    return road.engine(stopping=lambda: len(road.world.looks) >= looks)


def test_a_server_that_says_later_to_everybody_is_left_alone_for_so_long(road: Road) -> None:
    road.world.pods = [evict(f"p{n:02}") for n in range(30)]
    busy = Unreachable("too busy (429)", retry_after=timedelta(seconds=30))
    road.world.effects = FakeEffects({step.effect.target.name: [busy] for step in road.world.pods})
    road.upto_approved()
    patient(road, 4).answer(ID)
    assert road.names == ["node-7", *sorted(road.names[1:])] and len(road.names) == 11


def test_asking_a_server_that_does_not_answer_again_is_no_news_for_the_trail(road: Road) -> None:
    away = Unreachable("no connection", retry_after=timedelta(milliseconds=10))
    road.world.effects = FakeEffects({"a": [away, away, away, Done()]})
    road.upto_approved()
    road.engine().answer(ID)
    lines = [x["what"] for x in build.audit_lines(road.state) if x.get("step") == "evict uid-a"]
    assert road.names.count("a") == 4 and lines == ["trying", "applied", "proved"]


def test_nor_before_its_time_when_others_get_the_worker_in_between(road: Road) -> None:
    no = Blocked("shop/web needs 2 healthy and has 2", by="shop/web", retry_after=30)
    road.world.effects = FakeEffects({"a": [no]})
    road.upto_approved()
    road.state.change().work(build.request("ROTHER001"), timeout=JOB_TIMEOUT).commit()
    engine = road.engine()
    for _ in range(4):
        engine.answer(ID)
    assert road.names.count("a") == 1 and len(road.world.looks) >= 4


def test_what_is_tried_again_is_not_tried_before_its_time(road: Road) -> None:
    no = Blocked("shop/web needs 2 healthy and has 2", by="shop/web", retry_after=30)
    road.world.effects = FakeEffects({"a": [no]})
    road.upto_approved()
    patient(road, 4).answer(ID)
    assert road.names.count("a") == 1


def test_a_budget_is_said_to_block_since_it_first_did(road: Road) -> None:
    no = Blocked("shop/web needs 2 healthy and has 2", by="shop/web", retry_after=0.01)
    road.world.effects = FakeEffects({"a": [no]})
    road.world.effects.before = lambda effect: road.clock.forward(seconds=1)
    road.upto_approved()
    road.engine(stopping=lambda: road.names.count("a") >= 3).answer(ID)
    progress = road.request().progress
    assert progress and progress.marks["evict uid-a"].standing is Stands.BLOCKED
    assert road.clock() - progress.marks["evict uid-a"].at >= timedelta(seconds=3)


# --- nothing is called green that was not seen ------------------------------------------------------------


def test_a_verification_that_only_ever_waits_ends_at_the_deadline_and_is_no_success(road: Road) -> None:
    def waiting(*given: Any) -> Any:
        yield (Now(),)
        return Verdict(Result.WAITING, tuple(step.key for step in given[0].plan.steps), ("nobody knows",))

    road.world.verify = waiting  # type: ignore[method-assign, assignment]
    road.upto_approved()
    road.engine(stopping=lambda: True).answer(ID)
    assert road.request().state is Standing.APPLYING
    road.clock.forward(minutes=6)
    road.engine().answer(ID)
    assert road.request().state is Standing.PARTIAL


def test_what_was_refused_stays_so_though_it_came_true(road: Road) -> None:
    road.world.effects = FakeEffects({"a": [Rejected("forbidden")]})
    road.world.effects.before = lambda effect: road.world.effects.taken.add(effect.target.name)
    road.upto_approved()
    road.engine().answer(ID)
    request = road.request()
    assert request.state is Standing.SUCCEEDED and request.progress
    assert request.progress.marks["evict uid-a"].standing is Stands.FAILED


def test_a_cancel_during_the_last_look_changes_nothing_any_more(road: Road) -> None:
    once = iter([road.cancel])

    def late() -> None:
        if {"a", "b"} <= road.world.effects.taken:
            next(once, lambda: None)()

    road.world.looking = late
    road.upto_approved()
    road.engine().answer(ID)
    assert road.request().state is Standing.SUCCEEDED and said(road.state).count("succeeded") == 1


def test_a_verdict_of_failure_ends_it_though_steps_are_left(road: Road) -> None:
    no = Blocked("shop/web needs 2 healthy and has 2", by="shop/web")
    road.world.effects = FakeEffects({"a": [no]})

    def gloomy(*given: Any) -> Any:
        yield (Now(),)
        return Verdict(Result.FAILED if road.names else Result.WAITING, (), summary="pods crash")

    road.world.verify = gloomy  # type: ignore[method-assign, assignment]
    road.upto_approved()
    road.engine().answer(ID)
    assert road.request().state is Standing.FAILED and road.names == ["node-7"]


def test_a_success_that_leaves_a_step_out_is_a_part_of_one(road: Road) -> None:
    road.world.effects = FakeEffects({"a": [Rejected("forbidden")]})
    verify = road.world.verify

    def rosy(*given: Any) -> Any:
        verdict = yield from verify(*given)
        return Verdict(Result.SUCCEEDED, verdict.proved, summary="all is well")

    road.world.verify = rosy  # type: ignore[method-assign, assignment]
    road.upto_approved()
    road.engine().answer(ID)
    request = road.request()
    assert request.state is Standing.PARTIAL and request.verdict
    assert request.verdict.result is Result.PARTIAL and request.verdict.left == ("shop/a",)

"""The road of a change on a real Redis: planned, asked, applied with checkpoints, resumed, verified, told."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.state import JOB_TIMEOUT, State
from commands.catalog import Catalog, Declared
from commands.change import Change, Doing, Planning, Verifying, Who
from commands.command import Command
from commands.effects import Already, Blocked, Cordon, Done, Evict, Moved, Rejected, Target
from commands.errors import Refused, Unreachable, UsageError
from commands.finding import Finding, Light, Suggestion
from commands.model import Args, Request
from commands.model import State as Standing
from commands.plan import Approval, Go, Plan, Result, Step, Verdict, Wave
from commands.plan import Standing as Mark
from commands.reads import Now
from commands.site import ClusterSite, Site
from tests import build
from tests.fakes import FakeEffects, FakeReader
from workers.applying import AT_ONCE
from workers.engine import Engine

SITE = Site()
NAME = SITE.default_cluster
NODE = Target("Node", "", "node-7", "uid-node")
ID = "RTEST0001"


def evict(name: str, lane: str = "") -> Step:
    target = Target("Pod", "shop", name, f"uid-{name}")
    return Step(f"evict {target.uid}", Evict(target, "node-7"), f"{target.path}", lane)


CORDON = Step("cordon uid-node", Cordon(NODE, "note"), "cordon node-7")


@dataclass
class World:
    """What the toy command plans and sees; a test changes it on the way."""

    pods: list[Step] = field(default_factory=lambda: [evict("a"), evict("b")])
    scope: tuple[str, ...] = ("node uid-node", "workload shop/web")
    findings: tuple[Finding, ...] = ()
    effects: FakeEffects = field(default_factory=FakeEffects)
    locks: tuple[str, ...] = ("drain",)
    stay: set[str] = field(default_factory=set)  # pods that never go
    result: Result = Result.SUCCEEDED
    approvers: int = 1
    timeout: timedelta = timedelta(minutes=5)
    plan_error: Exception | None = None
    looks: list[Doing] = field(default_factory=list)
    asked: list[Who] = field(default_factory=list)
    looking: Callable[[], None] = lambda: None  # takes its time

    def plan(self, args: Args, site: ClusterSite, who: Who) -> Planning:
        yield (Now(),)
        self.asked.append(who)
        if self.plan_error:
            raise self.plan_error
        waves = (Wave("cordon", (CORDON,)), Wave("evict", tuple(self.pods))) if self.pods else ()
        return Plan(
            "Drain node-7", self.findings, waves, scope=self.scope, locks=self.locks,
            approvers=self.approvers, timeout=self.timeout, undo="node uncordon node-7",
        )  # fmt: skip

    def verify(self, doing: Doing, site: ClusterSite) -> Verifying:
        yield (Now(),)
        self.looks.append(doing)
        self.looking()
        gone = self.effects.taken - self.stay
        proved = tuple(step.key for step in doing.plan.steps if step.effect.target.name in gone)
        left = tuple(s.text for s in doing.plan.steps if s.key not in proved)
        if left and doing.is_over:
            return Verdict(Result.PARTIAL, proved, left=left, summary="not all")
        if left:
            return Verdict(Result.WAITING, proved, waiting=left)
        return Verdict(self.result, proved, summary="all gone")


class Clock:
    def __init__(self) -> None:
        self.at = build.NOW

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **span: float) -> None:
        self.at += timedelta(**span)


@dataclass
class Road:
    """A state, a world and a clock, and engines over them as often as wanted."""

    state: State
    world: World = field(default_factory=World)
    clock: Clock = field(default_factory=Clock)
    site: Site = SITE

    def engine(self, state: State | None = None, **options: Any) -> Engine:
        command = Command(
            "node", ("drain",), "x", ("SI-2.3",), change=Change(self.world.plan, self.world.verify),
            names="NODE", examples=("node drain node-7",),
        )  # fmt: skip
        return Engine(
            state or self.state, Catalog([Declared(command, "x")]), self.site, lambda _: FakeReader(),
            effects=lambda _: self.world.effects, now=self.clock, **options,
        )  # fmt: skip

    def submit(self, id: str = ID, **flags: str) -> None:
        made = build.request(id, cluster=NAME, sections=(), text="node drain node-7")
        made = replace(made, args=Args("node", "drain", "node-7", flags), created=self.clock())
        self.state.change().put(made, was="").show(made).wake(made, timedelta()).commit()

    def approve(self, id: str = ID, user: str = "U0BOB") -> None:
        """What the desk writes down."""
        stored = self.state.request(id)
        assert stored and stored.record.asking
        approvals = (*stored.record.asking.approvals, Approval(user, self.clock()))
        asking = replace(stored.record.asking, approvals=approvals)
        to = Standing.APPROVED if asking.is_granted else Standing.AWAITING
        approved = stored.record.move(to, asking=asking)
        change = self.state.change().put(approved, was=stored.version)
        (change.line_up(approved) if asking.is_granted else change).commit()

    def cancel(self) -> None:
        stored = self.state.request(ID)
        assert stored and stored.record.progress
        cancelled = replace(stored.record, progress=replace(stored.record.progress, cancelled_by="U0BOB"))
        self.state.change().put(cancelled, was=stored.version).commit()

    def request(self, id: str = ID) -> Request:
        stored = self.state.request(id)
        assert stored is not None
        return stored.record

    def upto_approved(self) -> None:
        self.submit()
        self.engine().answer(ID)
        self.approve()

    @property
    def names(self) -> list[str]:
        return [effect.target.name for effect in self.world.effects.sent]


@pytest.fixture
def road(state: State) -> Road:
    return Road(state)


def said(state: State) -> list[str]:
    return [line["what"] for line in build.audit_lines(state)]


# --- planning and asking --------------------------------------------------------------------------


def test_a_plan_is_put_before_people_and_nothing_is_touched(road: Road) -> None:
    road.submit()
    road.engine().answer(ID)
    request = road.request()
    assert request.state is Standing.AWAITING and request.plan and request.asking
    assert request.asking.digest == request.plan.digest and request.asking.turn == 1
    assert request.asking.expires == road.clock() + SITE.approvals.expire
    assert road.names == []


def test_a_reason_is_masked_before_it_is_planned_into_anything(road: Road) -> None:
    """Plans put it into annotations and change causes, which everybody reads who may read the object."""
    state = State(road.state.redis, redact=lambda text: text.replace("hunter2", "***"))
    made = replace(build.request(ID, cluster=NAME, sections=()), args=Args("node", "drain", "node-7"))
    made = replace(made, why="with password hunter2", created=road.clock())
    state.change().put(made, was="").show(made).wake(made, timedelta()).commit()
    road.engine(state).answer(ID)
    assert road.world.asked and {who.why for who in road.world.asked} == {"with password ***"}


def test_the_plan_may_ask_for_more_people_than_the_verb(road: Road) -> None:
    road.world.approvers = 2
    road.submit()
    road.engine().answer(ID)
    asking = road.request().asking
    assert asking and asking.needed == 2


@pytest.mark.parametrize(
    ("world", "flags", "ends", "go"),
    [
        ({"findings": (build.finding(Light.RED),)}, {}, Standing.BLOCKED, Go.BLOCKED),
        ({"findings": (build.finding(Light.RED),)}, {"dry-run": ""}, Standing.BLOCKED, Go.BLOCKED),
        ({"pods": []}, {}, Standing.ANSWERED, Go.NOTHING),
        ({}, {"dry-run": ""}, Standing.ANSWERED, Go.GO),
        ({"plan_error": UsageError("two of that name")}, {}, Standing.BLOCKED, Go.BLOCKED),
    ],
)  # fmt: skip
def test_a_plan_that_leads_to_no_change_ends_there(
    road: Road, world: dict[str, Any], flags: dict[str, str], ends: Standing, go: Go
) -> None:
    for name, value in world.items():
        setattr(road.world, name, value)
    road.submit(**flags)
    road.engine().answer(ID)
    request = road.request()
    assert request.state is ends and request.plan and request.plan.go is go
    assert road.names == [] and road.state.depths()["open_requests"] == 0


def test_a_plan_offers_no_button_for_what_is_not_built(road: Road) -> None:
    buttons = (Suggestion("no", "backup prune"), Suggestion("yes", "node drain node-7"))
    road.world.findings = (build.finding(Light.YELLOW, suggestions=buttons),)
    road.submit()
    road.engine().answer(ID)
    plan = road.request().plan
    assert plan and [s.label for s in plan.findings[0].suggestions] == ["yes"]


def test_nobody_deciding_in_time_ends_it(road: Road) -> None:
    road.submit()
    road.engine().answer(ID)
    road.clock.forward(seconds=SITE.approvals.expire.total_seconds() - 1)
    road.engine().answer(ID)
    assert road.request().state is Standing.AWAITING
    road.clock.forward(seconds=1)
    road.engine().answer(ID)
    assert road.request().state is Standing.EXPIRED
    assert road.names == []


# --- between approval and the first effect ----------------------------------------------------------


def test_an_approved_change_is_applied_in_waves_proved_and_told(road: Road) -> None:
    road.upto_approved()
    road.engine().answer(ID)
    request = road.request()
    assert request.state is Standing.SUCCEEDED and request.verdict and request.progress
    assert road.names[0] == "node-7" and sorted(road.names[1:]) == ["a", "b"]
    assert {mark.standing for mark in request.progress.marks.values()} == {Mark.PROVED}
    assert road.state.depths()["open_requests"] == 0
    told = said(road.state)
    assert told.index("planned") < told.index("applying") < told.index("trying") < told.index("succeeded")


def test_what_nobody_approved_is_never_applied(road: Road) -> None:
    """Whoever writes APPROVED into a record without the approvals gets a bug, not a change."""
    road.submit()
    road.engine().answer(ID)
    stored = road.state.request(ID)
    assert stored
    road.state.change().put(stored.record.move(Standing.APPROVED), was=stored.version).commit()
    with pytest.raises(AssertionError):
        road.engine().answer(ID)
    assert road.names == []


def test_one_of_two_approvals_changes_nothing(road: Road) -> None:
    road.world.approvers = 2
    road.upto_approved()
    road.engine().answer(ID)
    assert road.request().state is Standing.AWAITING and road.names == []
    road.approve(user="U0CAROL")
    road.engine().answer(ID)
    assert road.request().state is Standing.SUCCEEDED


@pytest.mark.parametrize(
    "meanwhile",
    [
        {"scope": ("node uid-node", "workload shop/web", "workload shop/db")},
        {"findings": (build.finding(Light.YELLOW, key="drain.emptydir"),)},
    ],
    ids=["another workload", "a new kind of risk"],
)
def test_more_than_was_shown_is_asked_again_and_says_what_changed(
    road: Road, meanwhile: dict[str, Any]
) -> None:
    road.upto_approved()
    for name, value in meanwhile.items():
        setattr(road.world, name, value)
    road.engine().answer(ID)
    request = road.request()
    assert request.state is Standing.AWAITING and request.asking and road.names == []
    assert request.asking.turn == 2 and request.asking.changed and request.asking.approvals == ()
    road.approve()
    road.engine().answer(ID)
    assert road.request().state is Standing.SUCCEEDED


def test_ordinary_churn_of_pods_costs_no_second_approval(road: Road) -> None:
    road.upto_approved()
    road.world.pods = [evict("a"), evict("c")]
    road.engine().answer(ID)
    assert road.request().state is Standing.SUCCEEDED
    assert sorted(road.names) == ["a", "c", "node-7"]


def test_a_plan_that_has_become_impossible_ends_it(road: Road) -> None:
    road.upto_approved()
    road.world.findings = (build.finding(Light.RED, key="drain.budget"),)
    road.engine().answer(ID)
    assert road.request().state is Standing.BLOCKED and road.names == []


def test_an_approval_that_could_not_be_used_for_an_hour_expires(road: Road) -> None:
    road.upto_approved()
    road.clock.forward(minutes=61)
    road.engine().answer(ID)
    assert road.request().state is Standing.EXPIRED and road.names == []


def test_a_second_drain_waits_behind_the_first_and_says_so(road: Road) -> None:
    road.upto_approved()
    road.submit("RTEST0002")
    road.engine().answer("RTEST0002")
    road.approve("RTEST0002")
    road.engine().answer("RTEST0002")
    waiting = road.request("RTEST0002")
    assert waiting.state is Standing.APPROVED and waiting.behind == ID and road.names == []
    assert (waiting.behind_what, waiting.behind_by) == ("node drain node-7", build.ALICE.user)
    road.engine().answer(ID)
    road.engine().answer("RTEST0002")
    assert road.request("RTEST0002").state is Standing.SUCCEEDED


def test_a_change_whose_place_was_lost_lines_up_again(road: Road) -> None:
    road.upto_approved()
    road.state.redis.delete(f"sre:line:{NAME}:drain")
    road.engine().answer(ID)
    assert road.request().state is Standing.SUCCEEDED


# --- what the API server says -----------------------------------------------------------------------


def test_a_budget_that_frees_later_is_waited_for(road: Road) -> None:
    no = Blocked("shop/web needs 2 healthy and has 2", by="shop/web", retry_after=0.01)
    road.world.effects = FakeEffects({"a": [no, no, Done()]})
    road.upto_approved()
    road.engine().answer(ID)
    request = road.request()
    assert request.state is Standing.SUCCEEDED and request.progress
    assert request.progress.marks["evict uid-a"].tries == 3
    assert said(road.state).count("blocked") == 1, "asking a budget again is no news"


def test_steps_of_one_lane_are_tried_one_at_a_time(road: Road) -> None:
    road.world.pods = [evict(name, lane="shop/web") for name in "abc"]
    seen: list[int] = []
    busy: list[str] = []

    def entered(effect: Any) -> None:
        busy.append(effect.target.name)
        seen.append(len({n for n in busy if n in "abc"} - road.world.effects.taken))

    road.world.effects.before = entered
    road.upto_approved()
    road.engine().answer(ID)
    assert road.request().state is Standing.SUCCEEDED and max(seen) == 1


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        (Moved("another uid"), "another uid"),
        (Rejected("two budgets", "delete one"), "two budgets (delete one)"),
        (Refused("forbidden", mend="rule"), "forbidden (rule)"),
    ],
    ids=["moved", "rejected", "refused"],
)
def test_a_step_that_cannot_be_done_leaves_the_others_done_and_is_named(
    road: Road, outcome: Any, word: str
) -> None:
    road.world.effects = FakeEffects({"a": [outcome]})
    road.upto_approved()
    road.engine().answer(ID)
    request = road.request()
    assert request.state is Standing.PARTIAL and request.progress and request.verdict
    assert request.progress.marks["evict uid-a"].note == word
    assert request.verdict.left == ("shop/a",) and "b" in road.world.effects.taken


def test_a_wave_is_not_begun_when_the_one_before_failed(road: Road) -> None:
    road.world.effects = FakeEffects({"node-7": [Rejected("no")]})
    road.upto_approved()
    road.engine().answer(ID)
    assert road.request().state is Standing.PARTIAL and road.names == ["node-7"]


def test_an_effect_without_an_answer_is_sent_again(road: Road) -> None:
    road.world.effects = FakeEffects({"a": [Unreachable("no connection"), Done()]})
    road.upto_approved()
    road.engine().answer(ID)
    assert road.request().state is Standing.SUCCEEDED and road.names.count("a") == 2


def test_what_does_not_come_true_by_the_deadline_is_partial_and_named(road: Road) -> None:
    road.world.stay = {"b"}
    road.upto_approved()
    engine = road.engine(stopping=lambda: bool(road.world.effects.taken >= {"a", "b"}))
    engine.answer(ID)
    assert road.request().state is Standing.APPLYING
    road.clock.forward(minutes=6)
    road.engine().answer(ID)
    request = road.request()
    assert request.state is Standing.PARTIAL and request.verdict and request.verdict.left == ("shop/b",)
    assert road.names.count("b") == 1


def test_a_deadline_that_passes_during_a_look_ends_it_with_what_the_next_one_sees(road: Road) -> None:
    """That look was told that time is left, so it says what it waits for and not what is left."""
    road.world.looking = lambda: road.clock.forward(minutes=6)
    road.upto_approved()
    road.engine().answer(ID)
    request = road.request()
    assert request.state is Standing.PARTIAL and request.verdict
    assert request.verdict.left == ("shop/a", "shop/b") and request.verdict.summary == "not all"


def test_a_verdict_of_failure_ends_it_before_the_deadline(road: Road) -> None:
    road.world.result = Result.FAILED
    road.upto_approved()
    road.engine().answer(ID)
    assert road.request().state is Standing.FAILED


def test_somebody_else_having_done_it_is_as_good(road: Road) -> None:
    road.world.effects = FakeEffects({"a": [Already("gone")]})
    road.world.effects.taken.add("a")
    road.upto_approved()
    road.engine().answer(ID)
    assert road.request().state is Standing.SUCCEEDED


# --- cancelled ----------------------------------------------------------------------------------------


def test_a_cancel_stops_before_the_next_effect_and_says_what_stands(road: Road) -> None:
    road.world.effects.before = lambda effect: road.cancel() if effect.target.name == "node-7" else None
    road.upto_approved()
    road.engine().answer(ID)
    request = road.request()
    assert request.state is Standing.CANCELLED and request.ended_by == "U0BOB" and request.verdict
    assert road.names == ["node-7"] and request.verdict.left == ("shop/a", "shop/b")


def test_a_cancel_between_decision_and_announcement_sends_nothing(road: Road) -> None:
    """The announcement loses the race against the Cancel, so the effect is not sent."""
    road.upto_approved()
    once = iter([True])

    class Late(State):
        def change(self) -> Any:
            change = super().change()
            stored = road.state.request(ID)
            progress = stored.record.progress if stored else None
            if progress and progress.owner and next(once, False):
                road.cancel()
            return change

    road.engine(Late(road.state.redis)).answer(ID)
    assert road.request().state is Standing.CANCELLED and road.names == []


# --- taken over ---------------------------------------------------------------------------------------


class Killed(BaseException):
    """The worker is gone."""


class Mortal(State):
    """Dies at its nth commit, before it or after it."""

    def __init__(self, redis: Any, nth: int, *, after: bool) -> None:
        super().__init__(redis)
        script, self._left = self.commit_script, nth

        def commit(**options: Any) -> Any:
            self._left -= 1
            if self._left == 0 and not after:
                raise Killed
            outcome = script(**options)
            if self._left == 0:
                raise Killed
            return outcome

        self.commit_script = commit


def survived(road: Road, nth: int, *, after: bool) -> bool:
    """Plan, approve and apply with a worker that dies at its nth commit; False when it had no nth."""
    mortal = Mortal(road.state.redis, nth, after=after)
    killed = False
    road.submit()
    try:
        road.engine(mortal).answer(ID)
    except Killed:
        killed = True
        road.engine().answer(ID)
    if road.request().state is Standing.AWAITING:
        road.approve()
    try:
        road.engine(mortal).answer(ID)
    except Killed:
        killed = True
        road.engine().answer(ID)
    return killed


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_worker_killed_at_any_checkpoint_is_continued_and_nothing_is_done_twice(
    road: Road, after: bool
) -> None:
    """Every commit there is, by count; the loop ends when the worker survives them all."""
    nth = 0
    while True:
        nth += 1
        road.state.redis.flushall()
        road.world = World()
        killed = survived(road, nth, after=after)
        request = road.request()
        assert request.state is Standing.SUCCEEDED, (nth, request.state)
        # One that was announced and whose outcome was lost is sent again, with the same precondition.
        assert len(road.names) - len(set(road.names)) <= 2, (nth, road.names)
        assert said(road.state).count("succeeded") == 1
        if not killed:
            break
        assert nth < 50
    assert nth > 6, "the checkpoints were walked"


@pytest.mark.parametrize("name", ["node-7", "a", "b"])
def test_a_worker_killed_while_an_effect_is_on_its_way_is_continued(road: Road, name: str) -> None:
    def die(effect: Any) -> None:
        if effect.target.name == name and name not in road.world.effects.taken:
            road.world.effects.before = lambda effect: None
            raise Killed

    road.world.effects.before = die
    road.upto_approved()
    with pytest.raises(Killed):
        road.engine().answer(ID)
    road.engine().answer(ID)
    assert road.request().state is Standing.SUCCEEDED


def test_a_worker_that_lost_the_change_begins_nothing_more(road: Road) -> None:
    """It was paused past its lease, another took over; its next announcement finds another owner."""
    road.upto_approved()

    def usurped(effect: Any) -> None:
        if effect.target.name == "node-7":
            stored = road.state.request(ID)
            assert stored and stored.record.progress
            other = replace(stored.record, progress=replace(stored.record.progress, owner="other"))
            road.state.change().put(other, was=stored.version).commit()

    road.world.effects.before = usurped
    road.engine().answer(ID)
    assert road.names == ["node-7"] and road.request().state is Standing.APPLYING


def test_a_bug_ends_the_change_and_frees_the_line(road: Road) -> None:
    road.upto_approved()

    def bug(effect: Any) -> None:
        raise ZeroDivisionError

    road.world.effects.before = bug
    with pytest.raises(ZeroDivisionError):
        road.engine().answer(ID)
    road.engine().fail(ID, ZeroDivisionError())
    assert road.request().state is Standing.FAILED
    assert road.state.redis.zcard(f"sre:line:{NAME}:drain") == 0


# --- other people's jobs ------------------------------------------------------------------------------


def test_the_worker_is_given_back_when_others_wait_for_it(road: Road) -> None:
    road.world.stay = {"b"}
    road.upto_approved()
    other = build.request("ROTHER001", cluster=NAME)
    road.state.change().put(other, was="").work(other, timeout=JOB_TIMEOUT).commit()
    road.engine().answer(ID)
    assert road.request().state is Standing.APPLYING
    assert road.state.redis.zscore("sre:open", ID) is not None
    road.world.stay = set()
    road.state.queue.empty()
    road.engine().answer(ID)
    assert road.request().state is Standing.SUCCEEDED


def test_others_need_not_wait_until_every_pod_was_asked_to_go(road: Road) -> None:
    road.world.pods = [evict(f"pod-{number}") for number in range(3 * AT_ONCE)]
    road.upto_approved()
    other = build.request("ROTHER001", cluster=NAME)
    road.state.change().put(other, was="").work(other, timeout=JOB_TIMEOUT).commit()
    for turn in range(1, 4):
        road.engine().answer(ID)
        assert len(road.names) == 1 + (turn - 1) * AT_ONCE
        assert any(ID in job for job in road.state.queue.job_ids)
    road.engine().answer(ID)
    assert len(set(road.names)) == len(road.names) == 1 + 3 * AT_ONCE

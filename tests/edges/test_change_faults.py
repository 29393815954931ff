"""Changes while things go wrong around them: nobody decides, nothing answers, a worker comes late, somebody cheats."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.access import Kind
from bot.state import State
from commands.finding import Light
from commands.model import Actor
from commands.model import State as Standing
from commands.reads import Endpoints
from commands.response.changerequest import ChangeRequest, Stage
from commands.site import Change, FreezePeriod
from sandbox.redis_server import RedisServer
from tests import build
from tests.build import ALICE, BOB, TEAM
from tests.edges.change_desk import CAROL, SITE, Changes, refused
from tests.edges.test_change_requests import another, at_once
from tests.edges.test_change_watch import AUTO, asked_back, begun, done, failing, planned, rolled_back
from workers import autoback

ON_CALL = replace(SITE, roles=replace(SITE.roles, oncall=replace(SITE.roles.oncall, rota=(CAROL.user,))))

STRANGER = Actor("U0STRANGER1", TEAM)


@pytest.fixture
def post(state: State) -> Changes:
    return Changes(state, ON_CALL)


def paged(change: ChangeRequest) -> list[tuple[str, str]]:
    return [(line.mention, line.text) for line in change.lines if line.text.startswith("📟")]


# --- Nothing answers ------------------------------------------------------------------------------


def test_an_hour_in_the_dark_is_held_and_paged_once_and_neither_passed_nor_taken_back(post: Changes) -> None:
    change = done(post, AUTO)
    post.shop.is_dark = True
    post.minutes(65)
    change = post.change(change.id)
    assert (change.stage, change.verdict, change.linked_back) == (Stage.VALIDATING, "blind", ())
    assert [who for who, _ in paged(change)] == [CAROL.user]
    assert "could not be read" in paged(change)[0][1]


def test_whoever_is_seen_again_calls_nobody(post: Changes) -> None:
    change = begun(post)
    post.shop.is_dark = True
    post.minutes(8)
    assert post.change(change.id).timer("held") is not None
    post.shop.is_dark = False
    post.minutes(40)
    change = post.change(change.id)
    assert change.verdict == "watching" and paged(change) == []


def test_a_worker_that_was_away_judges_what_was_measured_and_no_check_of_another_time(post: Changes) -> None:
    change = done(post, AUTO)
    post.minutes(2)
    post.later(minutes=20)  # and nobody behind the service at the moment at which it is back
    post.shop.answers[Endpoints] = ()
    for _ in range(25):
        post.watching.watch()
    taken = post.changes.samples(change.id)
    late = [each for each in taken if each.sample.checks and each.sample.checks[0].is_late]
    assert len(late) >= 12 and len(taken) == 21
    change = post.change(change.id)
    assert change.stage is Stage.SUCCEEDED and not [line for line in change.lines if "🔴" in line.text]


def test_a_service_whose_pods_are_all_gone_fails_at_once_or_after_three_samples(post: Changes) -> None:
    change = begun(post)
    post.shop.answers[Endpoints] = ()
    post.minutes(4)
    change = post.change(change.id)
    assert change.verdict == "fail" and "none is ready" in change.verdict_why


def test_what_is_taken_out_of_the_configuration_is_held_for_somebody(state: State) -> None:
    change = begun(Changes(state, ON_CALL))
    cluster = ON_CALL.clusters[change.payload.cluster]
    gone = replace(cluster, services={n: each for n, each in cluster.services.items() if n != "backend"})
    post = Changes(state, replace(ON_CALL, clusters={change.payload.cluster: gone}))
    post.now = change.started + timedelta(minutes=3) if change.started else post.now
    post.minutes(1)
    lost = post.change(change.id)
    assert (lost.stage, lost.verdict) == (Stage.VALIDATING, "blind")
    assert "cannot be watched any more: it is not configured" in lost.lines[-1].text
    post.minutes(31)
    assert [who for who, _ in paged(post.change(change.id))] == [CAROL.user]
    assert post.type(f"change close {change.id} --why I-looked").accepted


def test_a_rollback_that_nobody_can_see_is_not_verified(state: State) -> None:
    post = Changes(state, ON_CALL)
    change = failing(post)
    rolled_back(post, change, Standing.APPLYING)
    cluster = ON_CALL.clusters[change.payload.cluster]
    other = Changes(state, replace(ON_CALL, clusters={change.payload.cluster: replace(cluster, services={})}))
    other.now = post.now
    other.minutes(2)
    lost = other.change(change.id)
    assert lost.stage is Stage.ROLLBACK_FAILED and lost.incident


# --- Nobody decides -------------------------------------------------------------------------------


def test_a_failure_that_nobody_decides_on_calls_whoever_is_on_call(post: Changes) -> None:
    change = failing(post)
    assert paged(change) == []
    post.minutes(31)
    ((who, text),) = paged(post.change(change.id))
    assert who == CAROL.user and "errors" in text and "Close it or roll it back" in text


def test_a_rollback_that_cannot_go_by_itself_calls_whoever_is_on_call_at_once(post: Changes) -> None:
    change = begun(post, AUTO)
    post.shop.bad = 60
    post.minutes(4)
    assert asked_back(post, change).state is Standing.BLOCKED  # nobody answers what its plan asks
    stuck = post.change(change.id)
    (line,) = [line for line in stuck.lines if "not rolled back by itself" in line.text]
    assert line.mention == CAROL.user and f"{asked_back(post, change).id} is blocked" in line.text


def test_what_is_being_taken_back_for_half_an_hour_calls_whoever_is_on_call(post: Changes) -> None:
    change = failing(post)
    assert post.type(f"change rollback {change.id} it-is-worse").accepted
    post.minutes(31)
    ((who, text),) = paged(post.change(change.id))
    assert who == CAROL.user and f"change rollback {change.id} --done" in text
    assert post.type(f"change rollback {change.id} --done").accepted
    post.shop.bad = 4
    post.minutes(4)
    change = post.change(change.id)
    assert change.stage is Stage.ROLLED_BACK and len(paged(change)) == 1


# --- Somebody cheats, or is quicker ---------------------------------------------------------------


@pytest.mark.parametrize("line", ["it-is-worse", "--done"])
def test_a_passer_by_takes_no_change_back_and_whoever_is_on_call_does(state: State, line: str) -> None:
    roles = replace(SITE.roles, oncall=replace(SITE.roles.oncall, rota=(STRANGER.user,)))
    post = Changes(state)
    state.remember(f"kind-of-{STRANGER.user}", Kind.MEMBER, timedelta(days=1))
    change = failing(post)
    if line == "--done":
        assert post.type(f"change rollback {change.id} it-is-worse").accepted
    before = post.change(change.id)
    said = refused(post, f"change rollback {change.id} {line}", STRANGER)
    assert "or is on call" in said and post.change(change.id) == before
    called = Changes(state, replace(SITE, roles=roles))
    called.now, called._deliveries = post.now, 5000
    assert called.type(f"change rollback {change.id} {line}", STRANGER).accepted


def failed_by_itself(post: Changes, text: str = AUTO) -> ChangeRequest:
    """It is to be rolled back, and nobody has asked for that yet."""
    change = begun(post, text)
    post.shop.bad = 60
    for _ in range(2):
        post.later(minutes=1)
        post.watching.watch()
    return post.change(change.id)


def test_the_approvals_of_a_change_are_those_of_no_change_that_somebody_else_asks_for(post: Changes) -> None:
    change = failed_by_itself(post)
    assert change.stage is Stage.ROLLING_BACK and change.linked_back == ()
    mine = build.request(
        "RMINE0001", text="deploy scale backend 0", state=Standing.READING, why=f"{change.id} rollback",
        created=post.now, actor=CAROL,
    )  # fmt: skip
    post.watching.follow()
    writing = post.state.change().put(mine, was="")
    writing.audit("submitted", id=mine.id, by=CAROL.user, text=mine.text).commit()
    post.watching.follow()
    planned(post, mine, Light.GREEN)
    post.later(seconds=3).watching.watch()
    stored = post.state.request(mine.id)
    assert stored is not None and stored.record.state is Standing.AWAITING
    assert "somebody asked for RMINE0001 first" in post.change(change.id).lines[-1].text


def test_who_began_a_change_that_they_approved_is_none_of_those_who_approve_its_rollback(
    state: State,
) -> None:
    post = Changes(state, ON_CALL)
    change = post.ask(AUTO)
    post.tick(change.id)
    for who in (CAROL, BOB):  # the second is an owner
        assert post.type(f"approve {change.id}", who).accepted
    assert post.type(f"change start {change.id}", CAROL).accepted
    post.watching.watch()
    post.shop.bad = 60
    for _ in range(2):
        post.later(minutes=1)
        post.watching.watch()
    post.watching.watch()
    planned(post, asked_back(post, change), Light.GREEN)
    post.later(seconds=3).watching.watch()
    granted = asked_back(post, change)
    assert granted.asking is not None
    assert [each.user for each in granted.asking.approvals] == [BOB.user]


def test_a_worker_killed_behind_the_approval_of_a_rollback_asks_for_no_second_one(post: Changes) -> None:
    change = failed_by_itself(post)
    post.watching.watch()
    planned(post, asked_back(post, change), Light.GREEN)
    stored = post.state.request(asked_back(post, change).id)
    assert stored is not None
    assert autoback.approve(post.state, stored, post.change(change.id), post.now, ALICE.user)
    other = Changes(post.state, post.site)
    other.now = post.now + timedelta(seconds=3)
    other.watching.watch()
    after = other.change(change.id)
    assert after.timer("rollback") is None and len(after.linked_back) == 1
    assert not [line for line in after.lines if "not rolled back by itself" in line.text]


def test_an_edit_and_a_start_at_once_leave_one_of_both(state: State, redis_server: RedisServer) -> None:
    post = Changes(state, ON_CALL)
    change = post.approved()
    one, two = another(post, redis_server), another(post, redis_server)
    said: dict[str, bool] = {}

    def start() -> None:
        said["start"] = one.type(f"change start {change.id}").accepted

    def edit() -> None:
        said["edit"] = two.type(f"change edit {change.id} --risk low").accepted

    at_once(start, edit)
    assert sum(said.values()) == 1
    stands = post.change(change.id)
    assert (stands.stage is Stage.EXECUTING) is said["start"] and (stands.version == 2) is said["edit"]


def test_of_three_of_one_service_each_waits_for_the_one_before(post: Changes) -> None:
    first, second, third = (post.approved() for _ in range(3))
    assert post.type(f"change start {first.id}").accepted
    for other in (second, third):
        assert f"waits behind {first.id}" in refused(post, f"change start {other.id}", ALICE)
    assert post.type(f"change close {first.id} --failed --why it-broke").accepted
    assert post.type(f"change start {third.id}").accepted
    assert f"waits behind {third.id}" in refused(post, f"change start {second.id}", ALICE)


def test_what_is_private_keeps_a_change_from_beginning_and_is_not_named_in_the_audit(post: Changes) -> None:
    change = post.approved()
    hidden = post.declare("sev1 keys are out --private")
    said = refused(post, f"change start {change.id}", ALICE)
    assert "private is open: Sev1" in said
    assert "keys are out" not in said and hidden.id not in said


def test_a_clock_that_jumps_back_takes_no_sample_twice(post: Changes) -> None:
    change = begun(post)
    post.minutes(6)
    before = post.change(change.id).samples
    post.now -= timedelta(minutes=5)
    post.minutes(4)
    assert post.change(change.id).samples == before
    post.minutes(4)
    taken = [each.sample.at for each in post.changes.samples(change.id)]
    assert taken == sorted(set(taken)) and len(taken) > before


def test_a_freeze_that_begins_inside_the_window_keeps_it_from_beginning(state: State) -> None:
    post = Changes(state)
    local = post.now.replace(tzinfo=None) + timedelta(hours=1)  # Berlin is an hour ahead
    freeze = FreezePeriod("sale", local + timedelta(minutes=20), local + timedelta(hours=5))
    change = post.approved()
    cluster = SITE.clusters[change.payload.cluster]
    clusters = {change.payload.cluster: replace(cluster, change=Change(freezes=(freeze,)))}
    frozen = Changes(state, replace(SITE, clusters=clusters))
    frozen._deliveries = 5000
    assert "sale: nothing is changed until" in refused(frozen, f"change start {change.id}", ALICE)


def test_what_prometheus_does_not_know_any_more_proves_nothing(post: Changes) -> None:
    change = done(post, AUTO)
    post.shop.is_empty = True
    post.minutes(20)
    change = post.change(change.id)
    assert (change.stage, change.verdict, change.linked_back) == (Stage.VALIDATING, "inconclusive", ())

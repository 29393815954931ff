"""Change requests on a real Redis: asked for, checked, approved, begun, done; once each, whoever is quick."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import count
from threading import Barrier, Thread
from typing import Any

import pytest

from bot.desk import Receipt
from bot.state import State, connect
from commands.alertreads import Rules
from commands.ledger import faults
from commands.model import Actor
from commands.response import changefold
from commands.response.changerequest import Stage
from commands.scheduling import Budgets
from commands.site import Change, FreezePeriod
from commands.workloads import Revisions, Workload
from sandbox.redis_server import RedisServer
from tests.build import ALICE, BOB, NOW, TEAM
from tests.edges.change_desk import CAROL, DAVE, LINE, SITE, Changes, refused
from tests.pure.change_world import WELL


@pytest.fixture
def post(state: State) -> Changes:
    return Changes(state)


def test_a_change_request_is_numbered_by_the_day_of_the_zone_and_says_so(post: Changes) -> None:
    receipt = post.type(f"change new {LINE}")
    assert receipt.text.startswith("CR-2026-11-23-001 is written (numbered by the day in Europe/Berlin)")
    assert post.type(f"change new {LINE}").text.startswith("CR-2026-11-23-002")
    post.state.redis.set("sre:number:CR:2026-11-23", 999)
    assert post.type(f"change new {LINE}").text.startswith("CR-2026-11-23-1000")
    post.now = NOW.replace(hour=23, minute=30)  # it is tomorrow in Berlin
    assert post.type(f"change new {LINE}").text.startswith("CR-2026-11-24-001")


def test_what_only_looks_may_verify_it_and_what_enters_something_may_not(post: Changes) -> None:
    assert post.type(f'change new {LINE} --verify "/sre change validate CR-2026-11-23-001"').accepted
    line = f'change new {LINE} --verify "/sre change validate CR-2026-11-23-001 --rebaseline"'
    assert "cannot stand here" in str(refused(post, line, ALICE))


def test_a_number_that_was_given_already_is_given_to_no_other_request(post: Changes) -> None:
    """The store was restored from a copy in which fewer had been counted."""
    first = post.ask()
    post.state.redis.delete(f"sre:number:CR:{NOW.date()}")
    assert post.ask().id == f"CR-{NOW.date()}-002" != first.id


def test_the_pre_checks_tick_themselves_and_put_it_before_people(post: Changes) -> None:
    change = post.ask()
    assert change.stage is Stage.PENDING and change.checks is not None
    assert change.checks.digest == change.digest and "Deployment/sre-shop/backend" in change.checks.target
    lights = {line.key: line.light.value for line in change.checks.lines}
    assert lights["rollback"] == lights["alerts"] == lights["budget"] == lights["freeze"] == "green"
    assert lights["backup"] == lights["staging"] == lights["availability"] == "unknown"


def test_what_is_kept_is_the_fold_of_its_events_and_the_chain_holds(post: Changes) -> None:
    change = post.started()
    events = post.changes.events(change.id)
    folded = changefold.begun(change.id, events[0])
    for event in events[1:]:
        folded = changefold.after(folded, event)
    assert folded == change and faults(events, change.head, {}) == ()


def test_a_way_back_that_is_not_kept_holds_it_up(post: Changes) -> None:
    (view,) = WELL[Workload]
    post.shop.answers[Workload] = (replace(view, history_limit=0),)
    change = post.ask()
    assert change.stage is Stage.DRAFT
    assert "revisionHistoryLimit is 0" in change.lines[-1].text


def test_what_nobody_could_look_at_holds_up_a_high_risk_alone(post: Changes) -> None:
    del post.shop.answers[Budgets]
    assert post.ask().stage is Stage.PENDING
    assert post.ask(LINE.replace("medium", "high")).stage is Stage.DRAFT


def test_a_draft_that_is_well_by_now_goes_on_when_it_is_checked_again(post: Changes) -> None:
    post.shop.answers[Rules] = ()
    change = post.ask()
    assert change.stage is Stage.DRAFT
    post.shop.answers[Rules] = WELL[Rules]
    assert post.type(f"change check {change.id}").accepted
    post.work()
    assert post.change(change.id).stage is Stage.PENDING


# --- Approval -------------------------------------------------------------------------------------


def test_neither_who_asked_nor_their_second_id_nor_who_made_it_nor_a_stranger_approves(post: Changes) -> None:
    change = post.ask(f"{LINE} --authors {CAROL.user}")
    assert "You asked for" in refused(post, f"approve {change.id}", ALICE)
    assert f"as {ALICE.user}" in refused(post, f"approve {change.id}", DAVE)
    assert "You made" in refused(post, f"approve {change.id}", CAROL)
    eve = Actor("U0EVE000001", TEAM)
    post.state.remember(f"kind-of-{eve.user}", "member", timedelta(days=1))
    assert "that is for `approvers`" in refused(post, f"approve {change.id}", eve)
    for kind in ("guest", "bot"):
        post.state.remember(f"kind-of-{eve.user}", kind, timedelta(days=1))
        fresh = Changes(post.state)
        fresh._deliveries = next(_BLOCKS)
        assert kind in refused(fresh, f"approve {change.id}", eve).casefold()
    assert post.change(change.id).agreed == ()


def test_a_medium_risk_needs_an_owner_and_a_high_one_two_people(post: Changes) -> None:
    change = post.ask()
    assert "needs an owner of backend" in post.type(f"approve {change.id}", CAROL).text
    assert post.change(change.id).stage is Stage.PENDING
    assert post.type(f"approve {change.id}", BOB).accepted
    assert post.change(change.id).stage is Stage.APPROVED


def test_an_edit_makes_what_was_agreed_void_and_the_old_button_dead(post: Changes) -> None:
    change = post.ask()
    post.type(f"approve {change.id}", CAROL)
    assert post.type(f"change edit {change.id} --for 20m").accepted
    post.work()
    edited = post.change(change.id)
    assert (edited.stage, edited.version, edited.agreed) == (Stage.PENDING, 2, ())
    assert "was edited since" in refused(
        post, f"change approve {change.id} --digest {change.digest[:16]}", BOB
    )
    assert "was edited since" in refused(post, f"approve {change.id}", BOB)
    assert post.type(f"change approve {change.id} --digest {edited.digest[:16]}", BOB).accepted


def test_an_approval_a_second_after_its_time_is_refused_and_it_expires(post: Changes) -> None:
    change = post.ask()
    post.later(hours=4, seconds=1)
    assert "expired at" in refused(post, f"approve {change.id}", BOB)
    post.now -= timedelta(seconds=2)
    assert post.type(f"approve {change.id}", BOB).accepted


def test_a_rejection_needs_a_reason_and_ends_it(post: Changes) -> None:
    change = post.ask()
    assert post.type(f"reject {change.id}", BOB).form is not None
    assert post.type(f'reject {change.id} "not during the sale"', BOB).accepted
    rejected = post.change(change.id)
    assert (rejected.stage, rejected.ended_why) == (Stage.REJECTED, "not during the sale")
    assert "is rejected" in refused(post, f"change start {change.id}", ALICE)


def at_once(*tasks: Callable[[], Any]) -> None:
    start = Barrier(len(tasks))

    def run(task: Callable[[], Any]) -> None:
        start.wait()
        task()

    threads = [Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


_BLOCKS = count(1000, 1000)  # what one desk was told is not what another was


def another(post: Changes, redis_server: RedisServer) -> Changes:
    desk = Changes(State(connect(redis_server.url, patient=True)), post.site)
    desk.now, desk._deliveries = post.now, next(_BLOCKS)
    return desk


def test_two_last_approvals_at_once_move_it_once(state: State, redis_server: RedisServer) -> None:
    site = replace(SITE, roles=replace(SITE.roles, service_owner=(BOB.user, CAROL.user)))
    post = Changes(state, site)
    change = post.ask()
    told: list[Receipt] = []
    desks = {who: another(post, redis_server) for who in (BOB, CAROL)}
    at_once(*(lambda who=who: told.append(desks[who].type(f"approve {change.id}", who)) for who in desks))
    assert sorted(receipt.accepted for receipt in told) == [False, True]
    granted = [e for e in post.changes.events(change.id) if e.facts.get("move") == "grant"]
    assert len(granted) == 1 and post.change(change.id).stage is Stage.APPROVED


# --- Beginning ------------------------------------------------------------------------------------


def test_a_change_begins_when_all_that_must_hold_does(post: Changes) -> None:
    change = post.started()
    assert change.stage is Stage.EXECUTING and change.started == post.now
    assert change.started_by == ALICE.user


def test_a_line_nobody_ticked_keeps_it_from_beginning_until_an_approver_lets_it_go(post: Changes) -> None:
    change = post.approved()
    post.type(f"change tick {change.id} backup no --no")
    assert "Backup" in refused(post, f"change start {change.id}", ALICE)
    assert "an approver may" in refused(post, f"change tick {change.id} backup --skip --why x", ALICE)
    assert post.type(f"change tick {change.id} backup --skip --why nothing-is-stored", BOB).accepted
    assert post.type(f"change start {change.id}").accepted


def test_who_alone_approved_it_does_not_begin_it(post: Changes) -> None:
    change = post.approved()
    assert "You alone approved" in refused(post, f"change start {change.id}", BOB)
    assert "to begin" in refused(post, f"change start {change.id}", CAROL)


def test_old_pre_checks_run_again_before_it_begins(post: Changes) -> None:
    change = post.approved()
    post.later(minutes=11)
    receipt = post.type(f"change start {change.id}")
    assert "11 min old" in receipt.text and post.change(change.id).stage is Stage.APPROVED
    post.work()
    assert post.type(f"change start {change.id}").accepted
    assert post.change(change.id).stage is Stage.EXECUTING


def test_a_target_that_changed_since_the_approval_needs_another_one(post: Changes) -> None:
    change = post.approved()
    (view,) = WELL[Workload]
    other = {"spec": {"containers": [{"name": "backend", "image": "shop/backend:9"}]}}
    post.shop.answers[Workload] = (replace(view, template=other),)
    post.shop.answers[Revisions] = (replace(WELL[Revisions][0], template=other),)
    post.later(minutes=11)
    post.type(f"change start {change.id}")
    post.work()
    assert "has changed since it was approved" in refused(post, f"change start {change.id}", ALICE)


@pytest.mark.parametrize(
    ("minutes", "said"), [(-1, "opens in 1 min"), (30, "expired at"), (61, "expired at")]
)
def test_the_window_must_be_open(post: Changes, minutes: int, said: str) -> None:
    change = post.approved(LINE.replace("--at now", "--at +90m"))
    post.now = change.payload.at + timedelta(minutes=minutes)
    assert said in refused(post, f"change start {change.id}", ALICE)


def test_a_freeze_and_an_open_sev1_keep_it_from_beginning(state: State) -> None:
    post = Changes(state)
    change = post.approved()
    post.declare("sev1 checkout is down", BOB)
    assert "INC-2026-11-23-001 is open" in refused(post, f"change start {change.id}", ALICE)
    frozen = FreezePeriod("Sale", NOW.replace(tzinfo=None), NOW.replace(tzinfo=None) + timedelta(days=1))
    site = replace(
        SITE,
        clusters={name: replace(c, change=Change(freezes=(frozen,))) for name, c in SITE.clusters.items()},
    )
    sale = Changes(state, site)
    sale._deliveries = next(_BLOCKS)
    assert "Sale: nothing is changed until" in refused(sale, f"change start {change.id}", ALICE)


def test_of_two_that_begin_on_one_service_at_once_the_second_waits_behind_the_first(
    post: Changes, redis_server: RedisServer
) -> None:
    first, second = post.approved(), post.approved()
    told: list[Receipt] = []
    desks = {id: another(post, redis_server) for id in (first.id, second.id)}
    at_once(*(lambda id=id: told.append(desks[id].type(f"change start {id}")) for id in desks))
    assert sorted(receipt.accepted for receipt in told) == [False, True]
    (refusal,) = [receipt.text for receipt in told if not receipt.accepted]
    assert "waits behind CR-2026-11-23-00" in refusal and "executing on backend" in refusal
    running = [change for change in post.changes.open_records() if change.stage is Stage.EXECUTING]
    assert len(running) == 1


def test_the_commander_of_an_open_sev1_needs_no_approval_and_somebody_else_reviews_it(post: Changes) -> None:
    incident = post.declare("sev1 checkout is down")
    line = f"{LINE} --emergency {incident.id}"
    assert "Only the commander" in refused(post, f"change new {line}", ALICE)
    assert post.type(f"incident assign ic <@{ALICE.user}>", channel=incident.room.channel).accepted
    post.type("incident accept ic", channel=incident.room.channel)
    change = post.ask(line)
    assert change.stage is Stage.APPROVED and change.emergency == incident.id
    assert post.type(f"change start {change.id}").accepted
    for _ in range(2):
        post.later(hours=24, seconds=1).watching.watch()
    told = [line for line in post.change(change.id).lines if "nobody has looked at this" in line.text]
    assert len(told) == 2
    assert "Somebody else must look" in refused(post, f"change review {change.id}", ALICE)
    assert post.type(f"change review {change.id}", BOB).accepted
    assert post.change(change.id).timer("review") is None


@pytest.mark.parametrize(
    ("declared", "named"),
    [("sev1 an exercise --drill", "{}"), ("sev1 keys are out --private", "{}"), ("sev2 it is slow", "1")],
)
def test_in_a_drill_in_private_or_for_no_whole_number_nobody_changes_anything_alone(
    post: Changes, declared: str, named: str
) -> None:
    incident = post.declare(declared)
    assert post.type("incident assign ic me", channel=incident.room.channel).accepted
    refused(post, f"change new {LINE} --emergency {named.format(incident.id)}", ALICE)


def test_what_was_an_emergency_is_not_begun_once_it_is_none(post: Changes) -> None:
    incident = post.declare("sev1 checkout is down")
    assert post.type("incident assign ic me", channel=incident.room.channel).accepted
    change = post.ask(f"{LINE} --emergency {incident.id}")
    assert post.type("incident sev 3 one node alone", channel=incident.room.channel).accepted
    assert "no open Sev1 or Sev2 any more" in refused(post, f"change start {change.id}", ALICE)


def test_who_made_it_too_is_somebody_the_bot_can_tell_from_others(post: Changes) -> None:
    for nobody in ("carol", "S0TEAM00001", "<!subteam^S0TEAM00001>"):
        assert "is nobody the bot knows" in refused(post, f"change new {LINE} --authors {nobody}", ALICE)
    change = post.ask(f"{LINE} --authors @ALICE,<@{CAROL.user}|carol>")
    assert change.payload.authors == (ALICE.user, CAROL.user)


def test_a_secret_in_a_payload_is_masked_before_it_is_kept(state: State) -> None:
    state.redact = lambda text: text.replace("hunter2", "[redacted]")
    post = Changes(state)
    change = post.ask(LINE.replace("fixes the lost orders", "the password is hunter2"))
    body = b"".join(state.redis.lrange(f"sre:events:{change.id}", 0, -1))
    assert b"hunter2" not in body + state.redis.hget(f"sre:change:{change.id}", "body")
    assert change.payload.why == "the password is [redacted]"

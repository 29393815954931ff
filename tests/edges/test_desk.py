"""Who may decide on a change, and once: the desk over a real Redis, with people as Slack describes them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from slack_sdk import WebClient

from bot import changecard
from bot.decisions import Decided, Verb
from bot.desk import Desk, Receipt, Said
from bot.outbox import Outbox, Sent
from bot.people import People
from bot.state import State, Stored
from commands import help as helping
from commands import task
from commands.catalog import Catalog, Declared
from commands.change import Change, Doing, Planning, Verifying, Who
from commands.command import Command, Parts
from commands.errors import UsageError
from commands.model import Actor, Args, Place, Request
from commands.model import State as Standing
from commands.plan import Approval
from commands.site import AccessRule, Approvals, ClusterSite, OnCall, Roles, Site, Team
from sandbox.redis_server import RedisServer
from sandbox.slack import SlackStandIn
from sandbox.slack.cast import BOT_USER_ID, OTHER_TEAM_ID
from sandbox.slack.workspace import User
from tests import build
from tests.build import ALICE, BOB, NOW, TEAM

CAROL, DAVE, EVE = (Actor(id, TEAM) for id in ("U0CAROL0001", "U0DAVE00001", "U0EVE000001"))
BOT, FRANK = Actor(BOT_USER_ID, TEAM), Actor("U0FRANK0001", TEAM)
MALLORY = Actor("U0STRANGER1", OTHER_TEAM_ID)
DISGUISED = Actor("U0STRANGER1", TEAM)  # as if a payload had named the home team

# Everybody who must not get through holds the role, so that the role is not what keeps them out.
SITE = Site(
    clusters={"training": ClusterSite(name="training")},
    roles=replace(Roles(), approvers=("S0APPROVERS", *(a.user for a in (DAVE, EVE, BOT, MALLORY, FRANK)))),
    access=(
        AccessRule((ALICE.user,), ("submit",), ("*",)),
        AccessRule(("approvers",), ("submit", "approve"), ("*",)),
    ),
)
PLAN = build.plan()


def no_plan(args: Args, site: ClusterSite, who: Who) -> Planning:
    raise AssertionError("the desk does not plan")


def no_verification(doing: Doing, site: ClusterSite) -> Verifying:
    raise AssertionError("the desk does not verify")


def check(args: Args, site: ClusterSite) -> Parts:
    if args.name == "wrong":
        raise UsageError("`wrong` is no node.")
    return {}


NODE = Command(
    "node", ("drain", "cordon"), "nodes", ("T1-1",), check, ("node drain n1",), names="NODE",
    change=Change(no_plan, no_verification),
)  # fmt: skip
HEALTH = Command("health", ("",), "the morning check", ("DH-0.1",), examples=("health",))
COMMANDS = (HEALTH, NODE, *task.COMMANDS)
CATALOG = Catalog(
    Declared(command, "x.py")
    for command in (*COMMANDS, *helping.commands(COMMANDS, NOW.tzinfo))  # type: ignore[arg-type]
)


class Bench:
    """A desk at a settable time, a change that waits, and what became of it."""

    def __init__(self, state: State, slack: SlackStandIn, client: Any) -> None:
        self.state, self.slack, self.client = state, slack, client
        self.now = NOW + timedelta(minutes=1)
        frank = User(FRANK.user, "frank", "Frank Second", "frank@example.com", TEAM)
        slack.workspace.users[FRANK.user] = frank
        self.set_site(SITE)

    def set_site(self, site: Site) -> None:
        self.people = People(self.state, site, self.client)
        self.people.refresh(self.client)
        self.desk = Desk(self.state, CATALOG, site, self.people, now=lambda: self.now)

    def put(self, request: Request | None = None) -> Request:
        request = request or build.change_request(PLAN)
        self.state.change().put(request, was="").commit()
        return request

    def stored(self, id: str = "RTEST0001") -> Stored[Request]:
        found = self.state.request(id)
        assert found is not None
        return found

    @property
    def record(self) -> Request:
        return self.stored().record

    def press(self, actor: Actor, verb: str = "approve", value: str = "", why: str = "") -> Receipt:
        return self.desk.press(actor, verb, value or value_of(self.record), why)

    def type(self, actor: Actor, text: str) -> Receipt:
        return self.desk.submit(Said(actor, Place("C0SREDAILY1"), text, f"{actor.user} {text} {self.now}"))

    def refusals(self) -> list[dict[str, str]]:
        return [line for line in build.audit_lines(self.state) if line["what"] == "refused"]

    def jobs(self) -> int:
        return len(self.state.queue.job_ids)


def value_of(request: Request) -> str:
    assert request.asking is not None
    return f"{request.id} {request.asking.turn} {request.asking.digest}"


@pytest.fixture(scope="module")
def standing_slack() -> Iterator[SlackStandIn]:
    with SlackStandIn(rate_limits="off") as stand_in:
        yield stand_in


@pytest.fixture
def bench(state: State, standing_slack: SlackStandIn) -> Bench:
    standing_slack.reset()
    client = WebClient(
        standing_slack.bot_token, base_url=standing_slack.api_url, timeout=1, retry_handlers=[]
    )
    return Bench(state, standing_slack, client)


# --- approve ---


def test_an_approval_lines_the_change_up_and_gives_it_to_a_worker_in_one_step(bench: Bench) -> None:
    bench.put()
    receipt = bench.press(BOB)
    assert receipt.accepted and receipt.text == "Approved: `drain node-3` (RTEST0001)."
    assert bench.record.state is Standing.APPROVED
    assert bench.record.asking is not None
    assert bench.record.asking.approvals == (Approval(BOB.user, bench.now, person=BOB.user),)
    assert bench.state.ahead(bench.record) == ""  # it stands in every line
    assert bench.jobs() == 1
    (line,) = build.audit_lines(bench.state)
    assert (line["what"], line["by"], line["requester"]) == ("approved", BOB.user, ALICE.user)
    assert (line["digest"], line["turn"], line["why"]) == (PLAN.digest, "1", "kernel update")


def test_fifty_approvals_at_once_give_one_execution(redis_server: RedisServer, bench: Bench) -> None:
    request = bench.put()
    for n in range(50):  # fifty different people, who are all known already
        user = User(f"U0MANY00{n:03}", f"many{n}", f"Many {n}", f"many{n}@example.com", TEAM)
        bench.slack.workspace.users[user.id] = user
        bench.slack.workspace.usergroups["S0APPROVERS"].users.append(user.id)
    bench.people.refresh(bench.client)
    people = [Actor(f"U0MANY00{n:03}", TEAM) for n in range(50)]
    for person in people:
        bench.people.kind_of(person.user)
    start, receipts = Barrier(50), []

    def press(person: Actor) -> None:
        start.wait()
        receipts.append(bench.press(person, value=value_of(request)))

    threads = [Thread(target=press, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [receipt.accepted for receipt in receipts].count(True) == 1
    assert all("was already approved by Many" in each.text for each in receipts if not each.accepted)
    assert bench.jobs() == 1
    assert len(bench.refusals()) == 49
    assert bench.stored().version == "2"


def test_two_different_people_are_needed_where_the_plan_says_so(bench: Bench) -> None:
    plan = build.plan(approvers=2)
    bench.put(build.change_request(plan))
    assert "needs 2 people, and has 1" in bench.press(BOB).text
    assert (bench.record.state, bench.jobs()) == (Standing.AWAITING, 0)
    shown = changecard.card(bench.record)
    assert "approved by 1 of 2" in shown.text and f"approved by <@{BOB.user}>" in str(shown.blocks)
    assert "You approved RTEST0001 already; it needs 2 different people" in bench.press(BOB).text
    assert bench.jobs() == 0
    assert bench.press(FRANK).accepted
    assert (bench.record.state, bench.jobs()) == (Standing.APPROVED, 1)
    assert [line["what"] for line in build.audit_lines(bench.state)] == ["agreed", "refused", "approved"]


def test_who_lost_the_role_since_counts_no_more(bench: Bench) -> None:
    bench.put(build.change_request(build.plan(approvers=2)))
    assert bench.press(FRANK).accepted
    bench.set_site(replace(SITE, roles=replace(SITE.roles, approvers=("S0APPROVERS",))))
    assert "needs 2 people, and has 1" in bench.press(BOB).text
    assert (bench.record.state, bench.jobs()) == (Standing.AWAITING, 0)
    shown = str(changecard.card(bench.record).blocks)
    assert f"approved by <@{BOB.user}>" in shown and FRANK.user not in shown


# --- one person with several ids ---

ALICE_TOO, BOB_TOO = Actor("U0ALICE0002", TEAM), Actor("U0BOB000002", TEAM)


@pytest.fixture
def twins(bench: Bench) -> Bench:
    """Alice and Bob have two ids each, and with each of them they may approve."""
    for actor, name in ((ALICE_TOO, "Alice Again"), (BOB_TOO, "Bob Again")):
        slack_user = User(actor.user, name.lower().replace(" ", ""), name, f"{actor.user}@example.com", TEAM)
        bench.slack.workspace.users[actor.user] = slack_user
    people = {"alice": (ALICE.user, ALICE_TOO.user), "bob": (BOB_TOO.user, BOB.user)}
    approvers = (*SITE.roles.approvers, ALICE.user, ALICE_TOO.user, BOB_TOO.user)
    site = replace(SITE, team=Team(people=people), roles=replace(SITE.roles, approvers=approvers))
    bench.set_site(site)
    return bench


@pytest.mark.parametrize(("asker", "presser"), [(ALICE, ALICE_TOO), (ALICE_TOO, ALICE), (BOB, BOB_TOO)])
def test_who_asked_does_not_approve_with_another_id(twins: Bench, asker: Actor, presser: Actor) -> None:
    twins.put(build.change_request(PLAN, actor=asker))
    said = twins.press(presser).text
    assert f"You asked for RTEST0001 yourself as {asker.user} ({asker.user}): somebody else must" in said
    assert twins.record.state is Standing.AWAITING and twins.jobs() == 0


@pytest.mark.parametrize(("first", "second"), [(BOB, BOB_TOO), (BOB_TOO, BOB)])
def test_two_ids_of_one_person_are_not_two_people(twins: Bench, first: Actor, second: Actor) -> None:
    twins.put(build.change_request(build.plan(approvers=2)))
    assert twins.press(first).accepted
    said = twins.press(second).text
    assert "You approved RTEST0001 already as Bob " in said and "it needs 2 different people" in said
    assert (twins.record.state, twins.jobs()) == (Standing.AWAITING, 0)
    assert twins.press(FRANK).accepted
    assert (twins.record.state, twins.jobs()) == (Standing.APPROVED, 1)


def test_an_approval_from_before_the_file_knew_of_both_ids_does_not_make_two(twins: Bench) -> None:
    plan = build.plan(approvers=3)
    earlier = (Approval(BOB.user, NOW), Approval(BOB_TOO.user, NOW))
    twins.put(build.change_request(plan, asking=build.asking(plan, approvals=earlier)))
    assert "needs 3 people, and has 2" in twins.press(FRANK).text
    assert (twins.record.state, twins.jobs()) == (Standing.AWAITING, 0)


def test_roles_stay_with_each_id(twins: Bench) -> None:
    nobody = {"carol": (CAROL.user, BOB.user)}
    twins.set_site(replace(SITE, team=Team(people=nobody)))
    twins.put()
    assert "You may not approve" in twins.press(CAROL).text


def test_who_asked_cancels_with_either_id(twins: Bench) -> None:
    rules = (AccessRule((FRANK.user,), ("approve",), ("*",)),)
    twins.set_site(replace(SITE, team=Team(people={"alice": (ALICE.user, ALICE_TOO.user)}), access=rules))
    twins.put()
    assert not twins.press(BOB, "cancel").accepted
    assert twins.press(ALICE_TOO, "cancel").accepted


def test_the_one_who_lost_reads_who_was_first(bench: Bench) -> None:
    request = bench.put()
    bench.press(BOB)
    receipt = bench.press(FRANK, value=value_of(request))
    assert not receipt.accepted
    assert receipt.text == "RTEST0001 was already approved by Bob Approver; it is approved. Nothing was done."


# --- who is refused ---


@pytest.mark.parametrize("verb", ["approve", "reject"])
@pytest.mark.parametrize(
    ("actor", "says"),
    [
        (CAROL, "You may not approve `node drain` on node `node-3` of cluster `training`: that is for `approvers`"),
        (DAVE, "Guests of the workspace may not"),
        (EVE, "This account is deactivated"),
        (BOT, "Bots may not"),
        (MALLORY, "Only members of this workspace"),
        (DISGUISED, "Only members of this workspace"),
        (Actor("U0NOBODY001", TEAM), "Slack did not tell who this is"),
        (Actor("", TEAM), "Slack did not say who this is"),
    ],
)  # fmt: skip
def test_who_may_not_decide_is_told_why_and_written_down(
    bench: Bench, actor: Actor, says: str, verb: Verb
) -> None:
    before = bench.put()
    receipt = bench.press(actor, verb, why="because")
    assert not receipt.accepted and says in receipt.text and "Nothing was done" in receipt.text
    assert bench.record == before and bench.jobs() == 0
    (line,) = bench.refusals()
    assert (line.get("by", ""), line["team"], line["act"]) == (actor.user, actor.team, verb)
    assert line["id"] == before.id
    assert says in line["reason"]


@pytest.mark.parametrize("actor", [ALICE, BOB])
def test_the_requester_does_not_approve_whatever_the_role(bench: Bench, actor: Actor) -> None:
    bench.put(build.change_request(PLAN, actor=actor))
    receipt = bench.press(actor)
    assert "You asked for RTEST0001 yourself: somebody else must approve it" in receipt.text
    assert bench.record.state is Standing.AWAITING and len(bench.refusals()) == 1


@pytest.mark.parametrize(
    ("was_shown", "is_set", "ok"), [(True, True, True), (False, True, False), (True, False, False)]
)
def test_a_team_of_one_may_approve_itself_where_the_card_said_so_and_it_still_holds(
    bench: Bench, was_shown: bool, is_set: bool, ok: bool
) -> None:
    bench.set_site(replace(SITE, approvals=Approvals(self_approve=is_set)))
    bench.put(build.change_request(PLAN, actor=BOB, asking=build.asking(PLAN, self_approve=was_shown)))
    assert bench.press(BOB).accepted is ok
    approvals = bench.record.asking.approvals if bench.record.asking else ()
    assert [approval.is_self for approval in approvals] == ([True] if ok else [])


def test_a_group_whose_members_slack_has_not_told_lately_lets_nobody_decide(bench: Bench) -> None:
    bench.put()
    bench.state.redis.delete("sre:memo:group-S0APPROVERS")
    fresh = Desk(bench.state, CATALOG, SITE, People(bench.state, SITE, bench.client), now=lambda: NOW)
    receipt = fresh.press(BOB, "approve", value_of(bench.record))
    assert "Slack has not told the bot lately who is in the user groups of `approvers`" in receipt.text
    assert bench.record.state is Standing.AWAITING


def test_what_is_known_of_a_group_is_forgotten_when_slack_does_not_tell_it_again(bench: Bench) -> None:
    assert 5 * 60 < bench.state.redis.ttl("sre:memo:group-S0APPROVERS") < 15 * 60


def test_a_group_without_members_is_known_to_be_empty(bench: Bench) -> None:
    bench.slack.workspace.usergroups["S0APPROVERS"].users.clear()
    bench.people.refresh(bench.client)
    assert bench.people.holder(BOB.user).unsure == ()
    assert bench.people.holder(BOB.user).roles == ()


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status"},
        {"kind": "error", "error": "missing_scope"},
        {"kind": "ratelimited"},
        {"kind": "drop_before"},
        {"kind": "latency", "seconds": 5},
    ],
    ids=lambda fault: fault["kind"],
)
def test_while_slack_does_not_tell_who_presses_nothing_is_decided_and_in_time(
    bench: Bench, fault: dict[str, Any]
) -> None:
    bench.put()
    bench.slack.fault("users.info", **fault)
    before = datetime.now()
    receipt = bench.press(BOB)
    assert datetime.now() - before < timedelta(seconds=4)
    assert "Slack did not tell who this is" in receipt.text and "try again" in receipt.text
    assert bench.record.state is Standing.AWAITING and len(bench.refusals()) == 1
    bench.slack.clear_faults()
    assert bench.press(BOB).accepted


def test_what_somebody_is_is_asked_once_in_a_while(bench: Bench) -> None:
    bench.put(build.change_request(build.plan(approvers=2)))
    bench.press(BOB)
    bench.press(BOB)
    assert len(bench.slack.calls("users.info")) == 1
    assert bench.state.redis.ttl(f"sre:memo:kind-of-{BOB.user}") <= 5 * 60


def test_the_requester_must_be_let_to_touch_what_the_plan_touches(bench: Bench) -> None:
    narrow = AccessRule((ALICE.user,), ("submit",), ("*",), namespaces=("web",), nodes=("*",))
    bench.set_site(replace(SITE, access=(narrow, SITE.access[1])))
    bench.put()
    receipt = bench.press(BOB)
    assert "who asked for it, is told: You may not ask for `node drain` in namespace `shop`" in receipt.text
    assert bench.record.state is Standing.AWAITING


def test_labels_of_nodes_are_judged_by_the_plan_for_both_and_let_it_be_made(bench: Bench) -> None:
    blue, green = ("pool=blue",), ("pool=green",)
    rules = (
        AccessRule((ALICE.user,), ("submit",), ("node *",), nodes=blue),
        AccessRule((BOB.user,), ("approve",), ("node *",), nodes=green),
        AccessRule((FRANK.user,), ("approve",), ("node *",), nodes=(*blue, *green)),
    )
    bench.set_site(replace(SITE, access=rules))
    assert bench.type(ALICE, 'drain node-3 --why "kernel update"').accepted  # nobody knows its labels yet

    def labelled(pool: str, id: str) -> Request:
        return build.change_request(build.plan(nodes=(("node-3", (("pool", pool),)),)), id=id)

    bench.put(labelled("blue", "RBLUE0001"))
    bench.put(labelled("green", "RGREEN001"))
    assert "You may not approve `node drain` on node `node-3`" in bench.type(BOB, "approve RBLUE0001").text
    assert bench.type(FRANK, "approve RBLUE0001").accepted
    told = bench.type(FRANK, "approve RGREEN001").text
    assert "who asked for it, is told: Nobody may ask for `node drain` on node `node-3`" in told
    assert bench.stored("RGREEN001").record.state is Standing.AWAITING


# --- what was seen, and when ---


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("RTEST0001 1 0000000000000000", "shown differently since"),
        (f"RTEST0001 2 {PLAN.digest}", "shown differently since"),
        (f"ROTHER001 1 {PLAN.digest}", "There is no change ROTHER001"),
        (f"RHEALTH01 1 {PLAN.digest}", "There is no change RHEALTH01"),
        (f"RTEST0002 1 {PLAN.digest}", "shown differently since"),
        ("RTEST0001", "does not say which change"),
        (f"RTEST0001 1 {PLAN.digest} --force", "does not say which change"),
        (f"rtest0001 1 {PLAN.digest}", "does not say which change"),
        (f"RTEST0001 01 {PLAN.digest}", "does not say which change"),
        (f"RTEST0001 1 {PLAN.digest}\n", "does not say which change"),
        ("RTEST0001 99999999999999999999 0", "does not say which change"),
        ("../../request:RTEST0001 1 x", "does not say which change"),
        ("None", "does not say which change"),
        ("", "does not say which change"),
        ("\u202eRTEST0001", "does not say which change"),
    ],
)
@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_an_altered_button_decides_nothing(bench: Bench, value: str, says: str, verb: Verb) -> None:
    bench.put()
    bench.put(build.request("RHEALTH01"))
    other = build.plan("payments-1")
    bench.put(build.change_request(other, id="RTEST0002"))
    receipt = bench.desk.press(BOB, verb, value, "because")
    assert not receipt.accepted and says in receipt.text
    assert bench.record.state is bench.stored("RTEST0002").record.state is Standing.AWAITING
    assert bench.jobs() == 0 and len(bench.refusals()) == 1


def test_no_other_verb_comes_with_a_button(bench: Bench) -> None:
    bench.put()
    assert "does not say" in bench.press(BOB, "uncordon").text


def test_an_old_card_decides_nothing_after_the_plan_was_shown_again(bench: Bench) -> None:
    old = value_of(bench.put())
    wider = build.plan("backend-1", "payments-1")
    shown = bench.record.move(Standing.AWAITING, plan=wider, asking=build.asking(wider, turn=2))
    bench.state.change().put(shown, was="1").commit()
    assert "shown differently since" in bench.press(BOB, value=old).text
    assert "shown differently since" in bench.type(BOB, "approve RTEST0001").text
    assert "shown differently since" in bench.type(BOB, "approve RTEST0001.1").text
    assert "shown differently since" in bench.type(BOB, "approve RTEST0001.3").text
    assert bench.record.state is Standing.AWAITING
    assert bench.type(BOB, "approve rtest0001.2").accepted


@pytest.mark.parametrize(("late", "ok"), [(-1, True), (0, False), (1, False), (3600, False)])
def test_an_approval_that_comes_too_late_ends_it(bench: Bench, late: int, ok: bool) -> None:
    bench.put()
    assert bench.record.asking is not None
    bench.now = bench.record.asking.expires + timedelta(seconds=late)
    receipt = bench.press(BOB)
    assert receipt.accepted is ok
    assert bench.record.state is (Standing.APPROVED if ok else Standing.EXPIRED)
    if not ok:
        assert "expired at 08:45:00 UTC" in receipt.text
        assert [line["what"] for line in build.audit_lines(bench.state)] == ["expired", "refused"]
        assert bench.jobs() == 0 and bench.record.ended_by == ""
        assert bench.state.redis.ttl("sre:request:RTEST0001") > 0


@pytest.mark.parametrize(
    ("standing", "changes", "says"),
    [
        (Standing.READING, {"asking": None, "plan": None}, "is still being planned"),
        (Standing.BLOCKED, {"asking": None}, "asks for no approval: it is blocked"),
        (Standing.ANSWERED, {"asking": None}, "asks for no approval: it is answered"),
        (Standing.REJECTED, {"ended_by": BOB.user}, "was rejected by"),
        (Standing.CANCELLED, {"ended_by": ALICE.user}, "was cancelled by"),
        (Standing.EXPIRED, {}, "expired"),
        (
            Standing.SUCCEEDED,
            {"asking": build.asking(PLAN, approvals=(Approval(FRANK.user, NOW),))},
            "was already approved by",
        ),
    ],
)
def test_what_does_not_wait_cannot_be_approved(
    bench: Bench, standing: Standing, changes: dict[str, Any], says: str
) -> None:
    bench.put(replace(build.change_request(PLAN), state=standing, **changes))
    for text in ("approve RTEST0001", "reject RTEST0001 too late"):
        assert says in bench.type(BOB, text).text
    assert bench.record.state is standing and len(bench.refusals()) == 2


# --- reasons ---


def test_who_approves_gives_the_reason_that_nobody_gave(bench: Bench) -> None:
    bench.put(build.change_request(PLAN, why=""))
    receipt = bench.press(BOB)
    assert receipt.needs_reason and "`/sre approve RTEST0001 REASON`" in receipt.text
    assert bench.record.state is Standing.AWAITING
    assert bench.refusals() == []  # nobody was refused anything
    assert bench.press(BOB, why="  \n ").needs_reason
    assert bench.press(BOB, why="kernel\nupdate").accepted
    assert bench.record.why == "kernel update"


def test_a_reason_is_not_asked_for_where_none_is_required(bench: Bench) -> None:
    bench.set_site(replace(SITE, approvals=Approvals(reason_required=False)))
    bench.put(build.change_request(PLAN, why=""))
    assert bench.press(BOB).accepted


def test_the_requesters_reason_stays(bench: Bench) -> None:
    bench.put()
    assert bench.type(BOB, "approve RTEST0001 looks good").accepted
    assert bench.record.why == "kernel update"
    assert build.audit_lines(bench.state)[-1]["reason"] == "looks good"


def test_a_rejection_needs_a_reason_and_ends_it(bench: Bench) -> None:
    bench.put()
    assert bench.press(BOB, "reject").needs_reason
    assert bench.type(BOB, "reject RTEST0001").needs_reason
    assert bench.record.state is Standing.AWAITING
    assert bench.type(BOB, "reject RTEST0001 not during the sale").accepted
    record = bench.record
    assert (record.state, record.ended_by) == (Standing.REJECTED, BOB.user)
    assert record.ended_why == "not during the sale"
    assert record.finished == bench.now and bench.jobs() == 0
    assert "was rejected by Bob Approver already" in bench.press(FRANK).text


# --- cancel ---


@pytest.mark.parametrize("standing", [Standing.READING, Standing.AWAITING, Standing.APPROVED])
@pytest.mark.parametrize("actor", [ALICE, BOB])
def test_what_has_not_begun_is_cancelled_at_once(bench: Bench, standing: Standing, actor: Actor) -> None:
    request = bench.put(replace(build.change_request(PLAN), state=standing))
    bench.state.change().line_up(request).commit()
    assert bench.type(actor, "cancel RTEST0001 another time").accepted
    record = bench.record
    assert (record.state, record.ended_by, record.ended_why) == (
        Standing.CANCELLED, actor.user, "another time",
    )  # fmt: skip
    with pytest.raises(LookupError):  # who waited behind it may go on
        bench.state.ahead(record)


def test_who_may_not_submit_it_may_not_cancel_it(bench: Bench) -> None:
    bench.put()
    assert "You may not cancel or stop this `node drain`" in bench.press(CAROL, "cancel").text
    assert bench.record.state is Standing.AWAITING and len(bench.refusals()) == 1


def test_cancelling_what_is_under_way_leaves_word_for_the_worker(bench: Bench) -> None:
    bench.put(replace(build.change_request(PLAN), state=Standing.APPLYING, progress=build.progress()))
    assert bench.press(ALICE, "cancel").accepted
    assert bench.record.state is Standing.APPLYING
    assert bench.record.progress == build.progress(cancelled_by=ALICE.user)
    assert "is being stopped by" in bench.press(BOB, "cancel").text
    assert build.audit_lines(bench.state)[0]["what"] == "stopping"


def test_the_word_gets_through_while_the_worker_keeps_writing(bench: Bench) -> None:
    """The worker saves between the desk's reading and its writing, several times."""
    request = replace(build.change_request(PLAN), state=Standing.APPLYING, progress=build.progress())
    bench.put(request)
    state, saves = Interrupting(bench, 5), 5
    desk = Desk(state, CATALOG, SITE, bench.people, now=lambda: bench.now)
    assert desk.press(ALICE, "cancel", value_of(request)).accepted
    assert bench.stored().version == str(1 + saves + 1)
    assert bench.record.progress is not None and bench.record.progress.cancelled_by == ALICE.user
    never = Desk(Interrupting(bench, 1000), CATALOG, SITE, bench.people, now=lambda: bench.now)
    bench.state.change().put(request, was=bench.stored().version).commit()
    assert "is being written by others" in never.press(ALICE, "cancel", value_of(request)).text


class Interrupting(State):
    """A real store, in which a worker writes the record each time just after it was read."""

    def __init__(self, bench: Bench, times: int) -> None:
        super().__init__(bench.state.redis)
        self._times = times

    def request(self, id: str) -> Stored[Request] | None:
        found = super().request(id)
        if found and self._times:
            self._times -= 1
            super().change().put(found.record, was=found.version).commit()
        return found


def test_what_is_over_cannot_be_cancelled(bench: Bench) -> None:
    bench.put(replace(build.change_request(PLAN), state=Standing.SUCCEEDED))
    assert "RTEST0001 is over: succeeded" in bench.type(ALICE, "cancel RTEST0001").text


# --- asking for a change ---


def test_a_change_is_accepted_with_its_reason_and_no_section(bench: Bench) -> None:
    receipt = bench.type(ALICE, 'drain node-3 --why "kernel update"')
    assert receipt.accepted
    (key,) = bench.state.redis.keys("sre:request:*")
    record = bench.stored(key.decode().rpartition(":")[2]).record
    assert (record.state, record.sections, record.why) == (Standing.READING, (), "kernel update")
    assert (record.args.word, record.args.verb, record.args.name) == ("node", "drain", "node-3")
    assert [line["what"] for line in build.audit_lines(bench.state)] == ["submitted"]


@pytest.mark.parametrize(
    ("actor", "text", "says"),
    [
        (CAROL, "drain node-3", "You may not ask for `node drain` on node `node-3`"),
        (DAVE, "drain node-3", "Guests of the workspace may not"),
        (BOT, "drain node-3", "Bots may not"),
        (MALLORY, "drain node-3", "Only members"),
        (DISGUISED, "drain node-3", "Only members"),
    ],
)
def test_who_may_not_ask_for_a_change_is_told_why_and_written_down(
    bench: Bench, actor: Actor, text: str, says: str
) -> None:
    assert says in bench.type(actor, text).text
    assert bench.state.redis.keys("sre:request:*") == []
    (line,) = bench.refusals()
    assert (line["by"], line["act"], line["id"]) == (actor.user, "submit", "node drain node-3")


@pytest.mark.parametrize(("text", "channel"), [("--private", "C0SREDAILY1"), ("", "D0ALICE0001")])
def test_a_change_that_nobody_else_would_see_is_not_asked_for(bench: Bench, text: str, channel: str) -> None:
    def asked(flags: str) -> Receipt:
        said = Said(ALICE, Place(channel), f"drain n1 {text} {flags} --why disk", f"{channel}{flags}")
        return bench.desk.submit(said)

    no = asked("")
    assert not no.accepted and "Somebody else must see" in no.text and bench.jobs() == 0
    assert asked("--dry-run").accepted, "that needs nobody's approval"
    bench.set_site(replace(SITE, approvals=Approvals(self_approve=True)))
    assert asked("").accepted, "a team of one needs nobody else"


@pytest.mark.parametrize(("channel", "ok"), [("C0SREDAILY1", True), ("D0ALICE0001", False)])
def test_what_only_its_requester_was_shown_nobody_else_approves(bench: Bench, channel: str, ok: bool) -> None:
    """The bot was not in the channel, so the card went to the requester."""
    bench.put()
    Outbox(bench.state).note_sent("request:RTEST0001", "card", Sent(channel=channel, ts="1.0"))
    receipt = bench.type(BOB, "approve RTEST0001")
    assert receipt.accepted is ok
    assert bench.record.state is (Standing.APPROVED if ok else Standing.AWAITING)
    assert ok or "Only the requester can see" in receipt.text


def test_a_change_that_cannot_be_meant_is_answered_at_once(bench: Bench) -> None:
    assert bench.type(ALICE, "drain wrong").text == "`wrong` is no node."
    assert bench.state.redis.keys("sre:request:*") == []


@pytest.mark.parametrize("text", ["approve", "approve 12", "reject", "cancel RTEST0001.x", "approve health"])
def test_a_decision_about_nothing_says_how_it_is_typed(bench: Bench, text: str) -> None:
    receipt = bench.type(BOB, text)
    assert not receipt.accepted and "Name the change" in receipt.text


def test_the_words_typed_and_the_values_pressed_mean_the_same() -> None:
    typed = Decided.typed(BOB, CATALOG.parse("approve RTEST0001.2 it is time").args)
    pressed = Decided.pressed(BOB, "approve", f"RTEST0001 2 {PLAN.digest}", "it is time")
    assert typed == replace(pressed, digest="")


def said(bench: Bench, actor: Actor, text: str) -> str:
    return "\n".join(section.note for section in bench.type(actor, text).sections)


def test_help_shows_each_asker_what_they_may(bench: Bench) -> None:
    assert "drain*" in said(bench, ALICE, "help node")
    assert "Nothing of `node` is for you" in said(bench, CAROL, "help node")
    assert "ask for and approve every change (rule 2 of `access`, as `approvers`)" in said(
        bench, BOB, "help whoami"
    )
    assert "Changes: none" in said(bench, CAROL, "help whoami")
    bench.state.redis.delete("sre:memo:group-S0APPROVERS")
    bench.desk = Desk(bench.state, CATALOG, SITE, People(bench.state, SITE), now=lambda: bench.now)
    assert "Slack has not told lately who is in a user group: `approvers`" in said(bench, BOB, "help whoami")


def test_who_takes_turns_on_call_is_known_by_name_though_they_never_typed_anything(bench: Bench) -> None:
    assert bench.people.called(CAROL.user) == CAROL.user
    bench.set_site(replace(SITE, roles=replace(SITE.roles, oncall=OnCall(rota=(CAROL.user, "S0APPROVERS")))))
    assert bench.people.called(CAROL.user) not in ("", CAROL.user)
    assert len(bench.slack.calls("users.info")) == 1
    bench.people.refresh(bench.client)
    assert len(bench.slack.calls("users.info")) == 1, "once is enough"

"""Decisions with everything against them: at the same moment, on odd ids, from elsewhere, without the store."""

import random
from collections.abc import Iterator
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from redis.exceptions import RedisError
from slack_sdk import WebClient

from bot import changecard, changethread
from bot.desk import Desk, Receipt, Said
from bot.secret import Redactor
from bot.state import GIVEN_UP, State, Stored, connect
from commands.model import Actor, Place, Request
from commands.model import State as Standing
from sandbox.redis_server import RedisServer
from sandbox.slack import SlackStandIn
from sandbox.slack.workspace import User
from tests import build
from tests.build import ALICE, BOB, NOW, TEAM
from tests.edges.test_change import Road
from tests.edges.test_desk import CAROL, CATALOG, FRANK, PLAN, SITE, Bench, value_of


@pytest.fixture(scope="module")
def standing_slack() -> Iterator[SlackStandIn]:
    with SlackStandIn(rate_limits="off") as stand_in:
        yield stand_in


def client_of(slack: SlackStandIn) -> WebClient:
    return WebClient(slack.bot_token, base_url=slack.api_url, timeout=30, retry_handlers=[])


@pytest.fixture
def bench(state: State, standing_slack: SlackStandIn) -> Bench:
    standing_slack.reset()
    return Bench(state, standing_slack, client_of(standing_slack))


# --- at the same moment ---

MANY = 20


class Crowd:
    """Twenty approvers who are all known already; a quarter each approves, rejects, cancels and comes too late."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.people = [Actor(f"U0MANY00{n:03}", TEAM) for n in range(MANY)]
        for n, person in enumerate(self.people):
            user = User(person.user, f"many{n}", f"Many {n}", f"many{n}@example.com", TEAM)
            bench.slack.workspace.users[user.id] = user
            bench.slack.workspace.usergroups["S0APPROVERS"].users.append(user.id)
        bench.people.refresh(bench.client)
        for person in self.people:
            bench.people.kind_of(person.user)
        late = NOW + timedelta(minutes=15)
        self.late = Desk(bench.state, CATALOG, SITE, bench.people, now=lambda: late)

    def decide(self, request: Request) -> list[Receipt]:
        start, receipts = Barrier(MANY), []
        value = value_of(request)

        def press(n: int, person: Actor) -> None:
            verb = ("approve", "reject", "cancel", "approve")[n % 4]
            desk = self.late if n % 4 == 3 else self.bench.desk
            start.wait()
            receipts.append(desk.press(person, verb, value, "no time"))

        order = random.sample(list(enumerate(self.people)), MANY)
        threads = [Thread(target=press, args=each) for each in order]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return receipts


SAYS = {
    "was already approved by Many": "approved",
    "was rejected by Many": "rejected",
    "over: rejected by Many": "rejected",
    "was cancelled by Many": "cancelled",
    "over: cancelled by Many": "cancelled",
    " expired": "expired",
    "over: expired": "expired",
}


@pytest.mark.parametrize("time", range(5))
def test_of_twenty_who_decide_differently_at_once_one_wins_and_all_are_told_the_truth(
    bench: Bench, time: int
) -> None:
    receipts = Crowd(bench).decide(bench.put())
    lines = [line["what"] for line in build.audit_lines(bench.state)]
    events = [what for what in lines if what != "refused"]
    # What was approved and has not begun may still be cancelled; everything else is the one end.
    assert events in (["approved"], ["rejected"], ["cancelled"], ["expired"], ["approved", "cancelled"])
    assert bench.record.state.value == events[-1]
    assert bench.stored().version == str(1 + len(events))
    assert bench.jobs() == events.count("approved")
    accepted = [each.text for each in receipts if each.accepted]
    assert len(accepted) == len(events) - events.count("expired")
    assert lines.count("refused") == MANY - len(accepted)
    for refused in (each.text for each in receipts if not each.accepted):
        said = {event for words, event in SAYS.items() if words in refused}
        assert said and said <= set(events), refused
    ends = sum(number for (_, end), number in bench.state.ended().items())
    assert ends == sum(event != "approved" for event in events)


def test_the_second_of_two_people_is_one_however_many_press_at_once(bench: Bench) -> None:
    plan = build.plan(approvers=2)
    crowd = Crowd(bench)
    crowd.late = bench.desk
    request = bench.put(build.change_request(plan))
    start, receipts = Barrier(MANY), []

    def press(person: Actor) -> None:
        start.wait()
        receipts.append(bench.press(person, value=value_of(request)))

    threads = [Thread(target=press, args=(each,)) for each in crowd.people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    texts = sorted(receipt.text.partition(":")[0] for receipt in receipts if receipt.accepted)
    assert texts == ["Agreed", "Approved"]
    assert bench.jobs() == 1 and bench.record.asking is not None
    assert len({each.user for each in bench.record.asking.approvals}) == 2
    refused = [receipt.text for receipt in receipts if not receipt.accepted]
    assert all("was already approved by Many" in text and " and Many" in text for text in refused)


# --- which change is meant ---


@pytest.mark.parametrize(
    "id",
    [
        "RTEST0001.2",  # a turn that nobody was shown
        "RTEST0001.0",
        "RTEST0001.01",
        "RTEST0001.",
        "RTEſT0001",  # to Python a capital S, in upper case
        "RTEST000１",  # a full-width digit
        "RTEST0001\u200b",
        "ＲTEST0001",
        "RGONE0001",  # its record is not kept any more
        "RHEALTH01",  # a question
        f"RTEST0001.1.{PLAN.digest}",
        "*",
        "sre:request:RTEST0001",
    ],
)
def test_a_typed_id_that_is_not_the_one_shown_approves_nothing(bench: Bench, id: str) -> None:
    bench.put()
    bench.put(build.request("RHEALTH01"))
    assert not bench.type(BOB, f"approve {id}").accepted
    assert bench.record.state is Standing.AWAITING and bench.jobs() == 0


@pytest.mark.parametrize("verb", ["approve", "reject", "cancel"])
@pytest.mark.parametrize("id", ["RHEALTH01", "RGONE0001"])
def test_a_question_and_what_is_not_kept_any_more_are_no_changes(bench: Bench, verb: str, id: str) -> None:
    bench.put(build.request("RHEALTH01"))
    assert (
        f"There is no change {id}, or not any more. Nothing was done."
        in bench.type(BOB, f"{verb} {id} because").text
    )
    assert bench.stored("RHEALTH01").record.state is Standing.READING
    assert [line["act"] for line in bench.refusals()] == [verb]


@pytest.mark.parametrize("place", [Place("C0GENERAL01"), Place("D0BOB", private=True), Place("C1", "17.1")])
def test_a_decision_counts_wherever_it_is_typed(bench: Bench, place: Place) -> None:
    bench.put()
    assert bench.desk.submit(Said(BOB, place, "approve rtest0001", "d1")).accepted
    assert bench.record.place == Place("C0SREDAILY1")  # its card stays where it was


@pytest.mark.parametrize("place", [Place("C0GENERAL01"), Place("D0CAROL", private=True)])
def test_nor_does_another_place_let_anybody_in(bench: Bench, place: Place) -> None:
    bench.put()
    assert "You may not approve" in bench.desk.submit(Said(CAROL, place, "approve RTEST0001", "d1")).text
    assert "You asked for" in bench.desk.submit(Said(ALICE, place, "approve RTEST0001", "d2")).text
    assert bench.record.state is Standing.AWAITING


# --- cancel ---


def test_who_cancels_what_is_over_is_told_who_ended_it_and_how(bench: Bench) -> None:
    bench.put()
    assert bench.press(BOB, "reject", why="not today").accepted
    receipt = bench.press(ALICE, "cancel")
    assert receipt.text == "RTEST0001 is over: rejected by Bob Approver. Nothing was done."
    assert bench.record.state is Standing.REJECTED
    assert bench.record.ended_by == BOB.user


def test_cancelled_twice_is_cancelled_once(bench: Bench) -> None:
    bench.put()
    assert bench.press(ALICE, "cancel", why="first").accepted
    assert bench.press(BOB, "cancel", why="second").text.startswith("RTEST0001 is over: cancelled by Alice")
    assert (bench.record.ended_by, bench.record.ended_why) == (ALICE.user, "first")
    assert bench.state.ended() == {("node drain", "cancelled"): 1}


def test_who_stops_a_change_under_way_and_why_is_told_to_the_end(bench: Bench) -> None:
    """Bob stops it while its first step is being sent, Frank does so again, and Bob once more at the end."""
    road = Road(bench.state)
    second: list[Receipt] = []

    def stop(effect: Any) -> None:
        value = value_of(bench.record)
        assert bench.desk.press(BOB, "cancel", value, "wrong node").accepted
        second.append(bench.desk.press(FRANK, "cancel", value, "me too"))
        shown = str(changecard.card(bench.record).blocks)
        assert f"<@{BOB.user}> cancelled (wrong node): no further step begins" in shown

    road.world.effects.before = lambda effect: stop(effect) if effect.target.name == "node-7" else None
    road.upto_approved()
    road.engine().answer("RTEST0001")
    assert [(each.accepted, "being stopped by Bob Approver already" in each.text) for each in second] == [
        (False, True)
    ]
    record = bench.record
    assert (record.state, record.ended_by, record.ended_why) == (
        Standing.CANCELLED, BOB.user, "wrong node",
    )  # fmt: skip
    (closing,) = (each for each in changethread.thread(record) if each.key == "closing")
    for message in (changecard.card(record), closing):
        assert f"cancelled by <@{BOB.user}>" in message.text
        assert "Reason: wrong node" in str(message.blocks)
    lines = {line["what"]: line for line in build.audit_lines(bench.state)}
    for what in ("stopping", "cancelled"):
        told = lines[what]
        assert (told["by"], told["requester"], told["reason"]) == (BOB.user, ALICE.user, "wrong node")
    assert "RTEST0001 is over: cancelled by Bob" in bench.type(FRANK, "cancel RTEST0001").text
    assert bench.state.ended() == {("node drain", "cancelled"): 1}


def test_a_reason_is_one_line_of_what_can_be_seen_without_secrets(
    standing_slack: SlackStandIn, state: State
) -> None:
    """Masked before it is cut, or the half of a token at the cut would pass."""
    standing_slack.reset()
    masking = State(state.redis, redact=Redactor())
    bench = Bench(masking, standing_slack, client_of(standing_slack))
    bench.put(build.change_request(PLAN))
    half = "x" * 488 + " AKIAIOSFODNN7EXAMPLE"
    assert bench.desk.press(BOB, "reject", value_of(bench.record), f"\u202eno\n\u200b {half}").accepted
    assert bench.record.ended_why == f"no {'x' * 488} ***"


# --- the end of every road is counted once ---


@pytest.mark.parametrize(
    ("verb", "late", "end"),
    [("reject", 0, "rejected"), ("cancel", 0, "cancelled"), ("approve", 15, "expired"), ("approve", 0, "")],
)
def test_what_people_end_is_counted(bench: Bench, verb: str, late: int, end: str) -> None:
    bench.put()
    bench.now = NOW + timedelta(minutes=late)
    bench.press(BOB, verb, why="because")
    bench.press(FRANK, verb, why="because")
    assert bench.state.ended() == ({("node drain", end): 1} if end else {})


def test_what_a_worker_ends_is_counted_with_it(bench: Bench) -> None:
    road = Road(bench.state)
    road.upto_approved()
    road.engine().answer("RTEST0001")
    road.engine().answer("RTEST0001")
    assert bench.state.ended() == {("node drain", "succeeded"): 1}


# --- without the store ---


class Vanishing(State):
    """A real store that goes away just after the record was read."""

    server: RedisServer
    how = ""

    def request(self, id: str) -> Stored[Request] | None:
        found = super().request(id)
        if self.how:
            (self.server.kill if self.how == "kill" else self.server.pause)()
            self.how = ""
        return found


@pytest.mark.parametrize("how", ["kill", "pause"])
@pytest.mark.parametrize("verb", ["approve", "reject", "cancel"])
def test_a_store_that_goes_away_in_the_middle_has_decided_nothing(
    standing_slack: SlackStandIn, verb: str, how: str
) -> None:
    standing_slack.reset()
    with RedisServer() as server:
        redis = connect(server.url, patient=False)
        state = Vanishing(redis, GIVEN_UP)
        state.server = server
        bench = Bench(state, standing_slack, client_of(standing_slack))
        request = bench.put()
        bench.people.kind_of(BOB.user)
        state.how = how
        with pytest.raises(RedisError):  # which bot/slack.py tells as "nothing was accepted"
            bench.press(BOB, verb, value_of(request), "because")
        server.restart() if how == "kill" else server.resume()
        answered(state)
        assert bench.stored() == Stored(request, "1")
        assert build.audit_lines(state) == [] and bench.jobs() == 0
        assert bench.press(BOB, verb, value_of(request), "because").accepted
        redis.close()


def answered(state: State) -> None:
    """Wait until the store answers again, and whatever was in its socket is done or dropped."""
    while True:
        try:
            state.redis.ping()
            return
        except RedisError:
            continue  # the breaker has not looked again yet


def test_a_refusal_that_cannot_be_written_down_is_not_taken_for_one(standing_slack: SlackStandIn) -> None:
    """Who is refused while the store goes away is told that nothing was accepted, and the trail misses nothing."""
    standing_slack.reset()
    with RedisServer() as server:
        redis = connect(server.url, patient=False)
        state = Vanishing(redis, GIVEN_UP)
        state.server = server
        bench = Bench(state, standing_slack, client_of(standing_slack))
        value = value_of(bench.put())
        bench.people.kind_of(ALICE.user)
        state.how = "kill"
        with pytest.raises(RedisError):
            bench.press(ALICE, "approve", value)
        redis.close()


def test_what_is_decided_is_decided_although_the_answer_gets_lost(bench: Bench) -> None:
    """The same change sent twice, as redis-py does when a connection breaks, is one decision."""
    bench.put()

    class Twice(State):
        def __init__(self, redis: Any) -> None:
            super().__init__(redis)
            script = self.commit_script
            self.commit_script = lambda **sent: (script(**sent), script(**sent))[1]

    desk = Desk(Twice(bench.state.redis), CATALOG, SITE, bench.people, now=lambda: bench.now)
    assert desk.press(BOB, "approve", value_of(bench.record)).accepted
    assert bench.record.asking is not None
    assert [each.user for each in bench.record.asking.approvals] == [BOB.user]
    assert (bench.stored().version, bench.jobs()) == ("2", 1)
    assert bench.record.state is Standing.APPROVED

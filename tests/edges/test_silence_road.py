"""A silence from the typed line to Alertmanager and back: a real Redis, a real Alertmanager, desk and worker."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from slack_sdk import WebClient
from test_signals import NoProxy, ask, site, soon
from test_silencing import NoWrites, states

from bot import changecard
from bot.casebook import Casebook
from bot.desk import Desk, Receipt, Said
from bot.people import People
from bot.state import THREADS, State
from commands.alert import COMMANDS
from commands.alertreads import Silences
from commands.catalog import Catalog, Declared
from commands.model import Actor, AlertGroup, Place, Request
from commands.model import State as Standing
from commands.silences import request_of
from commands.site import AccessRule, Roles, Site
from sandbox import monitoring as real
from sandbox.slack import SlackStandIn
from tests import build
from tests.build import ALICE, BOB, TEAM
from workers.casebook import CasebookSource
from workers.clients import Own
from workers.effects import Effects
from workers.engine import Engine
from workers.reader import Reader
from workers.signals import Signals
from workers.silencing import Silencing

CAROL = Actor("U0CAROL0001", TEAM)
CATALOG = Catalog(Declared(command, "x.py") for command in COMMANDS)
CHANNEL, THREAD = "C0SREALERTS", "1700000000.000100"
GROUP = build.group(
    *(
        replace(build.alert("X", pod=pod), labels={"alertname": "X", "pod": pod})
        for pod in ("web-1", "web-2")
    ),
    id="A1b2c3d4e5f6a7b8c",
    group_labels={"alertname": "X"},
    channel=CHANNEL,
    cluster="training",
)


@dataclass
class World:
    """Alice may ask for silences, Bob as well; Carol may not."""

    state: State
    server: real.Alertmanager
    slack: SlackStandIn
    skew: timedelta = timedelta()
    crashes: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        where = replace(site(self.server.url), name="training")
        self.site = Site(
            clusters={"training": where},
            roles=replace(Roles(), approvers=(BOB.user,)),
            access=(
                AccessRule((ALICE.user,), ("submit",), ("alert *",)),
                AccessRule(("approvers",), ("submit",), ("alert *",)),
            ),
        )
        client = WebClient(self.slack.bot_token, base_url=self.slack.api_url, timeout=5, retry_handlers=[])
        self.people = People(self.state, self.site, client)
        self.people.refresh(client)
        self.desk = Desk(self.state, CATALOG, self.site, self.people, now=self.now)
        casebook = Casebook(self.state, self.site)
        casebook.put(self.state.change(), None, GROUP, self.now()).commit()
        self.state.redis.hset(THREADS, f"{CHANNEL} {THREAD}", f"alert:{GROUP.id} 1:card")
        self.signals = Signals(where, NoProxy())
        self.silencing = Silencing(where, NoProxy(), NoWrites(), self.people.called)
        self.sources = (self.signals, CasebookSource(casebook), Own(self.state, "webhook"))

    def now(self) -> datetime:
        return datetime.now(UTC) + self.skew

    def close(self) -> None:
        self.signals.close()
        self.silencing.close()

    def type(self, actor: Actor, text: str, thread: str = "") -> Receipt:
        return self.desk.submit(
            Said(actor, Place(CHANNEL, thread), text, f"{actor.user} {text} {time.monotonic()}")
        )

    def asked(self, text: str, actor: Actor = ALICE, thread: str = "") -> str:
        """The id of the request that was made of it, planned."""
        receipt = self.type(actor, text, thread)
        assert receipt.accepted, receipt.text
        id = receipt.text.partition("(")[2].partition(")")[0]
        self.work(id)
        return id

    def work(self, id: str) -> None:
        effects = Crashing(Effects(None, self.silencing), self.crashes)  # type: ignore[arg-type]
        engine = Engine(
            self.state, CATALOG, self.site, lambda _: Reader(self.sources), effects=lambda _: effects, now=self.now
        )  # fmt: skip
        engine.answer(id)

    def request(self, id: str) -> Request:
        found = self.state.request(id)
        assert found is not None
        return found.record

    def confirm(self, id: str, actor: Actor = ALICE) -> Receipt:
        asking = self.request(id).asking
        assert asking is not None
        return self.desk.press(actor, "approve", f"{id} {asking.turn} {asking.digest}")

    @property
    def group(self) -> AlertGroup:
        found = self.state.alert_group(GROUP.id)
        assert found is not None
        return found.record

    def silences(self) -> list[Any]:
        return [each for each in ask(Silences(), self.server.url) if each.state == "active"]


class Crashing:
    """Carries effects out, and after one of them the process dies: nothing is written down of it."""

    def __init__(self, effects: Effects, crashes: list[Callable[[], None]]) -> None:
        self._effects, self._crashes = effects, crashes

    def apply(self, effect: Any, deadline: float) -> Any:
        outcome = self._effects.apply(effect, deadline)
        if self._crashes:
            self._crashes.pop()()
        return outcome


class Killed(BaseException):
    pass


@pytest.fixture(scope="module")
def standing_slack() -> Iterator[SlackStandIn]:
    with SlackStandIn(rate_limits="off") as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def server() -> Iterator[real.Alertmanager]:
    if not real.available():
        pytest.skip(f"not on PATH: {', '.join(real.lacking())}")
    with real.Alertmanager(real.webhook_config("http://127.0.0.1:1/", "t")) as running:
        for pod in ("web-1", "web-2"):
            running.alert({"alertname": "X", "pod": pod})
        yield running


@pytest.fixture
def world(state: State, server: real.Alertmanager, standing_slack: SlackStandIn) -> Iterator[World]:
    standing_slack.reset()
    made = World(state, server, standing_slack)
    yield made
    made.close()
    for each in server.request("GET", "/api/v2/silences"):
        if each["status"]["state"] != "expired":
            server.request("DELETE", f"/api/v2/silence/{each['id']}")


pytestmark = pytest.mark.monitoring


def hidden(world: World) -> set[str]:
    return {pod for pod, state in states(world.server.url).items() if state == "suppressed"}


def lines(world: World) -> list[str]:
    return [line.text for line in world.group.lines]


def test_who_asks_confirms_and_the_alert_is_hidden_told_and_shown_again(world: World) -> None:
    id = world.asked(f'alert silence {GROUP.id} --for 30m --why "node is replaced"')
    plan, asking = world.request(id).plan, world.request(id).asking
    assert plan and asking and asking.own and plan.findings[0].value == "2 alerts: 2 × X in no namespace"
    assert hidden(world) == set()
    assert world.confirm(id).accepted
    world.work(id)
    done = world.request(id)
    assert done.state is Standing.SUCCEEDED, done
    assert hidden(world) == {"web-1", "web-2"}
    (made,) = world.silences()
    assert (
        made.created_by
        == f"{world.people.called(ALICE.user)} ({ALICE.user})"
        != f"{ALICE.user} ({ALICE.user})"
    )
    assert abs(made.ends_at - (world.now() + timedelta(minutes=30))) < timedelta(minutes=1)
    (noted,) = world.group.care.silences
    assert (noted.id, noted.by, noted.why, noted.ended) == (made.id, ALICE.user, "node is replaced", False)
    assert lines(world) == [f"🔕 silenced until {made.ends_at:%H:%M} UTC: node is replaced"]

    undo = world.asked("alert unsilence", BOB, THREAD)  # in the thread of the alert its name is left out
    assert world.confirm(undo, BOB).accepted
    world.work(undo)
    assert world.request(undo).state is Standing.SUCCEEDED
    assert hidden(world) == set() and world.silences() == []
    assert world.group.care.silences[0].ended
    assert lines(world)[1:] == ["🔔 silence ended early"]
    said = [line["what"] for line in build.audit_lines(world.state) if line.get("id") == undo]
    assert said == [
        "submitted",
        "planned",
        "approved",
        "applying",
        "trying",
        "applied",
        "proved",
        "succeeded",
    ]


def test_in_the_thread_of_an_alert_its_id_is_left_out(world: World) -> None:
    id = world.asked("alert silence --why known", thread=THREAD)
    assert world.request(id).args.name == GROUP.id
    assert world.request(id).cluster == "training"


def test_outside_of_one_it_must_be_named(world: World) -> None:
    receipt = world.type(ALICE, "alert silence --why known")
    assert not receipt.accepted and "Say which alert" in receipt.text


def test_by_matchers_a_part_is_hidden_and_the_group_says_how_much(world: World) -> None:
    id = world.asked('alert silence alertname="X" pod=~"web-1" --why known')
    world.confirm(id)
    world.work(id)
    assert hidden(world) == {"web-1"}
    assert "(1 of 2): known" in lines(world)[0]


def test_somebody_else_who_may_ask_may_confirm_and_nobody_without_a_right(world: World) -> None:
    id = world.asked("alert silence alertname=X --why known")
    refused = world.confirm(id, CAROL)
    assert not refused.accepted and "You may not ask for `alert silence`" in refused.text
    assert world.silences() == []
    assert world.confirm(id, BOB).accepted


def test_who_lost_the_right_meanwhile_does_not_confirm(world: World) -> None:
    id = world.asked("alert silence alertname=X --why known")
    nobody = replace(world.site, access=())
    world.desk = Desk(world.state, CATALOG, nobody, People(world.state, nobody, None), now=world.now)  # type: ignore[arg-type]
    assert not world.confirm(id).accepted
    assert world.request(id).state is Standing.AWAITING


def test_a_rule_for_one_namespace_lets_nobody_silence_all_of_them(world: World) -> None:
    mine = (AccessRule((ALICE.user,), ("submit",), ("alert *",), namespaces=("shop",)),)
    world.site = replace(world.site, access=mine)
    world.desk = Desk(world.state, CATALOG, world.site, world.people, now=world.now)
    wide = world.asked("alert silence alertname=X --why known")
    assert "in every namespace of cluster `training`" in world.confirm(wide).text
    own = world.asked('alert silence alertname=X namespace="shop" --why known')
    assert world.confirm(own).accepted


def test_the_time_counts_from_the_confirmation(world: World) -> None:
    id = world.asked("alert silence alertname=X --for 30m --why known")
    plan = world.request(id).plan
    assert plan
    before = plan.steps[0].effect.until  # type: ignore[union-attr]
    patience = soon(30)
    while datetime.now(UTC) < datetime.fromisoformat(before) - timedelta(minutes=30) + timedelta(seconds=2):
        assert time.monotonic() < patience
    world.confirm(id)
    world.work(id)
    applied = world.request(id).plan
    assert applied and applied.steps[0].effect.until > before  # type: ignore[union-attr]


def test_a_worker_killed_after_it_was_made_leaves_one_silence_and_one_line(world: World) -> None:
    id = world.asked("alert silence alertname=X --why known")
    world.confirm(id)

    def die() -> None:
        raise Killed

    world.crashes.append(die)
    with pytest.raises(Killed):
        world.work(id)
    assert len(world.silences()) == 1 and world.request(id).state is Standing.APPLYING
    world.state.redis.delete(f"sre:lease:{id}")
    world.work(id)
    assert world.request(id).state is Standing.SUCCEEDED
    assert [request_of(each.comment) for each in world.silences()] == [id]
    assert len(lines(world)) == 1


def test_the_card_says_plainly_who_may_confirm(world: World) -> None:
    id = world.asked("alert silence alertname=X --why known")
    said = str(changecard.card(world.request(id)))
    assert f"<@{ALICE.user}>, who asked, or anybody with the role `{ALICE.user}` or `approvers`" in said
    assert "May confirm" in said and "'Confirm'" in said and "wants a confirmation" in said
    assert "self_approve" not in said

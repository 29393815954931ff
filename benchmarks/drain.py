"""Our drain beside `kubectl drain`: the same API server, the same 100 pods under five budgets, in turns.

Ours is the whole road, from the approval that is sent to the bot to the record that says "succeeded": planned
anew, applied with a checkpoint before and after every effect, proved by the replacements being ready. kubectl's
ends when the pods are gone. Both start as their users start them, so kubectl's own limit of requests and its
five seconds between two tries are part of it, and so are our queue, our store and our look every second.
"""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.common import ALICE, Caller, Sample, main, ratio, table
from benchmarks.fleet import FULL, PODS, REPLICAS, Fleet
from benchmarks.slackside import SlackProcess
from bot.state import State, connect
from commands.model import Request
from commands.model import State as Standing
from sandbox import envtest
from sandbox.house import House, wait_until
from sandbox.redis_server import RedisServer

BOB = "U0BOB000001"
OURS, KUBECTL = "the bot", "kubectl drain"
# How many of its 20 pods a budget lets go at a time.
TIGHT, LOOSE = 5, REPLICAS
SITE = {
    "roles": {"approvers": [BOB]},
    "access": [
        {"roles": [ALICE], "may": "submit", "verbs": "*"},
        {"roles": "approvers", "may": ["submit", "approve"], "verbs": "*"},
    ],
}


@dataclass
class Side:
    """whole: until who drains says it is done. evicted: from there to the last pod that was asked to go;
    gone: to the last one that is gone."""

    whole: Sample = field(default_factory=Sample)
    evicted: Sample = field(default_factory=Sample)
    gone: Sample = field(default_factory=Sample)


class Bot(ExitStack):
    """The real bot and its workers as processes, with a store of their own, over the fleet."""

    def __init__(self, fleet: Fleet, *, workers: int = 1) -> None:
        super().__init__()
        self._fleet, self._count = fleet, workers

    def __enter__(self) -> "Bot":
        super().__enter__()
        slack = self.enter_context(SlackProcess())
        server = self.enter_context(RedisServer())
        self.house = self.enter_context(
            House(
                slack=slack,  # type: ignore[arg-type]
                redis=server, site=SITE, kubeconfig=self._fleet.plane.kubeconfig, worker_count=self._count,
            )
        )  # fmt: skip
        self.state = State(connect(server.url, patient=False))
        self.caller = Caller(self.house.url)
        self.callback(self.caller.close)
        return self

    def planned(self) -> str:
        """Alice asks for it; its id, once the plan is before people."""
        id = self.say(f"node drain {FULL} --why 'a new kernel'").split("(")[1].split(")")[0]
        wait_until(lambda: self.record(id).state is not Standing.READING, seconds=30, what="it is planned")
        if self.record(id).state is not Standing.AWAITING:
            raise SystemExit(f"no plan that may be approved: {self.record(id)}")
        return id

    def approve(self, id: str) -> None:
        self.say(f"approve {id}", user=BOB)

    def wait_over(self, id: str) -> None:
        wait_until(lambda: not self.record(id).is_open, seconds=300, what="the drain is over")
        if self.record(id).state is not Standing.SUCCEEDED:
            raise SystemExit(f"not succeeded: {self.record(id).verdict}")

    def record(self, id: str) -> Request:
        stored = self.state.request(id)
        assert stored is not None
        return stored.record

    def say(self, text: str, user: str = ALICE) -> str:
        status, told = self.caller.command(self.house.slack.signing_secret, text, user=user)
        if status != 200:
            raise SystemExit(f"not accepted: {status} {told}")
        return told


def run(is_quick: bool) -> list[str]:
    envtest.present()
    rounds = 1 if is_quick else 3
    sides = {allowed: {OURS: Side(), KUBECTL: Side()} for allowed in (TIGHT, LOOSE)}
    planning = Sample()
    with Fleet() as fleet, Bot(fleet) as bot:
        for number in range(rounds):
            for allowed, both in sides.items():
                turns = [
                    (both[OURS], lambda: _ours(fleet, bot, planning)),
                    (both[KUBECTL], fleet.drain_by_kubectl),
                ]
                for side, drain in turns if number % 2 else reversed(turns):
                    fleet.fill(allowed)
                    _measure(fleet, side, drain)
    return _report(sides, planning)


def _ours(fleet: Fleet, bot: Bot, planning: Sample) -> float:
    """When the approval was sent."""
    started = time.monotonic()
    id = bot.planned()
    approved = time.monotonic()
    planning.add(approved - started)
    bot.approve(id)
    bot.wait_over(id)
    assert fleet.are_well()
    return approved


def _measure(fleet: Fleet, side: Side, drain: Callable[[], float | None]) -> None:
    with fleet.departures() as departures:
        started = time.monotonic()
        began = drain() or started
        side.whole.add(time.monotonic() - began)
        wait_until(lambda: len(departures.gone) == PODS, seconds=10, what="every pod was seen to go")
    side.evicted.add(max(departures.asked.values()) - began)
    side.gone.add(max(departures.gone.values()) - began)


def _report(sides: dict[int, dict[str, Side]], planning: Sample) -> list[str]:
    said = []
    for allowed, both in sides.items():
        ours, kubectl = both[OURS], both[KUBECTL]
        rows = [
            (name, *(f"{each.p50 / 1000:.2f}" for each in (side.evicted, side.gone, side.whole)),
             f"{side.whole.best / 1000:.2f}", f"{side.whole.worst / 1000:.2f}", ratio(side.whole.p50, kubectl.whole.p50))
            for name, side in both.items()
        ]  # fmt: skip
        header = ("seconds, p50", "last eviction", "last pod gone", "whole", "min", "max", "to kubectl")
        table(f"{PODS} pods, five budgets, each lets {allowed} of its {REPLICAS} go", header, rows)
        said.append(
            f"drain: budgets let {allowed} of {REPLICAS} go: {ours.whole.p50 / 1000:.1f} s, kubectl "
            f"{kubectl.whole.p50 / 1000:.1f} s ({ratio(ours.whole.p50, kubectl.whole.p50)}); to the last pod gone "
            f"{ours.gone.p50 / 1000:.1f} s, kubectl {kubectl.gone.p50 / 1000:.1f} s "
            f"({ratio(ours.gone.p50, kubectl.gone.p50)})"
        )
    return [*said, f"drain: typed to plan before people {planning.p50:.0f} ms p50"]


if __name__ == "__main__":
    sys.exit(main(__doc__, run))

"""How fast a slash command is acknowledged by the real bot: idle, in an alert storm, and without its store.

The bot, two workers, Redis, the Slack stand-in and the storm are processes of their own; the sender is
kept busy by Slack's real rates (one message a second and channel). Slack gives 3 s; the target is 300 ms.
Then Bolt's two ways of running a listener, side by side in one process: before the response is sent, and
its default, which polls for it.
"""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from unittest.mock import Mock
from urllib.parse import urlencode

from slack_bolt import App, BoltRequest
from slack_sdk import WebClient

from benchmarks.common import SPREAD, TEAM, TRIVIAL, Caller, Sample, command_form, main, ratio, signed, table
from benchmarks.slackside import SlackProcess
from benchmarks.storm import Outcome, Storm
from bot import slack
from bot.desk import Desk
from bot.people import People
from bot.state import State, connect, new_id
from commands.catalog import Catalog
from commands.site import Site
from sandbox.house import House
from sandbox.redis_server import RedisServer

TARGET_MS, SLACK_MS = 300, 3000
IDLE, STORM, BURST = "idle", "storm: 20 groups a second", "storm: 200 groups at once"
DOWN, HANGS, HANGS_IN_STORM = "store is down", "store hangs", "store hangs, and 200 groups come at once"
BACK = "store is back: until one is accepted"
EVERY = 0.05  # seconds between two measured commands


def run(is_quick: bool) -> list[str]:
    rounds, idle_seconds, storm_seconds = (1, 1.0, 2.0) if is_quick else (2, 3.0, 10.0)
    acks = {name: Sample() for name in (IDLE, STORM, BURST)}
    outcomes: list[Outcome] = []
    for number in range(rounds):
        with _house() as (house, server):
            told = Caller(house.url)
            _watch(house, told, acks[IDLE], _until(idle_seconds))
            for name, groups, seconds in ((STORM, round(20 * storm_seconds), storm_seconds), (BURST, 200, 0)):
                storm = Storm(
                    house.url, groups=groups, seconds=seconds, large=groups // 10, name=name
                ).start()
                _watch(house, told, acks[name], lambda storm=storm: not storm.is_over())  # type: ignore[misc]
                outcomes.append(storm.wait())
            waiting = _outbox(house.get("/metrics")[1])
            if number == rounds - 1:
                without = _without_store(house, server, told, 1 if is_quick else 3)
            told.close()
    before, default = _bolt(50 if is_quick else 300)
    return _report(acks, outcomes, without, before, default, waiting)


class _house(ExitStack):
    """The house with its Slack and its Redis, which `_without_store` takes away."""

    def __enter__(self) -> tuple[House, RedisServer]:  # type: ignore[override]
        super().__enter__()
        slack_side, server = (
            self.enter_context(SlackProcess()),
            self.enter_context(RedisServer()),
        )
        house = House(slack=slack_side, redis=server, worker_count=2)  # type: ignore[arg-type]
        return self.enter_context(house), server


def _until(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


def _watch(house: House, told: Caller, acks: Sample, goes_on: Callable[[], bool]) -> None:
    """One person after the other types a command; each must be accepted."""
    while goes_on():
        started = time.perf_counter()
        status, text = told.command(house.slack.signing_secret, TRIVIAL)
        acks.add(time.perf_counter() - started)
        if status != 200 or not text.startswith("On it"):
            raise SystemExit(f"not accepted: {status} {text}")
        time.sleep(EVERY)


def _outbox(metrics: str) -> str:
    waiting = [line for line in metrics.splitlines() if line.startswith('sre_bot_waiting{kind="outbox"}')]
    return str(int(float(waiting[0].split()[-1]))) if waiting else "?"


# --- without the store ---


def _without_store(house: House, server: RedisServer, told: Caller, times: int) -> dict[str, Sample]:
    """How long until the asker is told that nothing was accepted, and how long after that all is well."""
    taken = {name: Sample() for name in (DOWN, HANGS, HANGS_IN_STORM, BACK)}
    for name, take, give in ((HANGS, server.pause, server.resume), (DOWN, server.kill, server.restart)):
        take()
        for _ in range(times):
            taken[name].time(lambda: _refused(house, told))
        give()
        taken[BACK].time(lambda: _accepted_again(house, told))
    storm = Storm(house.url, groups=200, seconds=0, large=0, name="hang")
    server.pause()
    storm.start()
    time.sleep(0.3)
    for _ in range(min(2, times)):
        taken[HANGS_IN_STORM].time(lambda: _refused(house, told))
    server.resume()
    taken[BACK].time(lambda: _accepted_again(house, told))
    storm.wait()
    return taken


def _accepted_again(house: House, told: Caller) -> None:
    deadline = time.monotonic() + 20
    while not told.command(house.slack.signing_secret, TRIVIAL)[1].startswith("On it"):
        if time.monotonic() > deadline:
            raise SystemExit("the store is back, and commands are still refused")
        time.sleep(0.02)


def _refused(house: House, told: Caller) -> None:
    status, text = told.command(house.slack.signing_secret, TRIVIAL)
    if status != 200 or "Nothing was accepted" not in text:
        print(f"  (the asker was told: {status} {text!r})")


# --- Bolt's two ways ---


def _bolt(count: int) -> tuple[Sample, Sample]:
    """Two apps of the same listeners take turns; only when the listener runs differs."""
    before, default = Sample(), Sample()
    with RedisServer() as server:
        state = State(connect(server.url, patient=False))
        apps = [(before, _app(state)), (default, _app(state))]
        apps[1][1].listener_runner.process_before_response = False
        for number in range(count + 5):
            for sample, app in apps:
                body = urlencode(command_form(TRIVIAL, new_id("trigger")))
                heard = BoltRequest(
                    body=body, headers={k: v for k, v in signed("secret", body.encode()).items()}
                )
                started = time.perf_counter()
                answer = app.dispatch(heard)
                if number >= 5:
                    sample.add(time.perf_counter() - started)
                assert answer.status == 200, answer
    return before, default


def _app(state: State) -> App:
    people = People(state, Site())
    people.refresh(Mock(auth_test=lambda: {"team_id": TEAM, "user_id": "U0BOT"}))
    return slack.app(Desk(state, Catalog.load(), Site(), people), people, WebClient("xoxb-1"), "secret", str)


# --- what it says ---


def _report(
    acks: dict[str, Sample],
    outcomes: list[Outcome],
    without: dict[str, Sample],
    before: Sample,
    default: Sample,
    outbox: str,
) -> list[str]:
    idle = acks["idle"]
    rows = [
        (name, *each.cells(), ratio(each.p50, idle.p50), ratio(each.p99, idle.p99))
        for name, each in acks.items()
    ]
    table("Slash command to acknowledgement", ("", *SPREAD, "p50 to idle", "p99 to idle"), rows)
    table(
        "Without the store: until told that nothing was accepted",
        ("", *SPREAD),
        [(n, *s.cells()) for n, s in without.items()],
    )
    rows = [("before the response", *before.cells(), "1.00x"), ("Bolt's default", *default.cells(), ratio(default.p50, before.p50))]  # fmt: skip  # noqa: E501
    table("The listener runs (in one process, without HTTP)", ("", *SPREAD, "to ours"), rows)
    refused = sum(each.refused for each in outcomes)
    storm, burst = list(acks.values())[1:]
    print(f"\nalerts refused: {refused}; cards still waiting for Slack at the end: {outbox}")
    return [
        f"slash_ack: idle {idle.p50:.1f} / {idle.p99:.1f} ms (p50 / p99), in the storm {storm.p50:.1f} / "
        f"{storm.p99:.1f} ms ({ratio(storm.p99, idle.p99)}), at once {burst.p50:.1f} / {burst.p99:.1f} ms; "
        f"target p99 {TARGET_MS} ms; worst {max(storm.worst, burst.worst):.0f} of Slack's {SLACK_MS} ms",
        f"slash_ack: before the response {before.p50:.2f} ms, Bolt's default {default.p50:.2f} ms "
        f"({ratio(default.p50, before.p50)})",
        "slash_ack: without the store, worst time until told so: "
        + ", ".join(f"{name} {without[name].worst:.0f} ms" for name in (DOWN, HANGS, HANGS_IN_STORM))
        + f"; accepted again {without[BACK].worst:.0f} ms after it is back",
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(__doc__, run))

"""How soon an incident has its channel and its card, beside what Slack itself takes for it.

Declared by a signed slash command, told by the real sender into the Slack stand-in, where every call takes as long as
the real one's. The card needs two calls, one after the other: the channel is made, and the card is posted in it; those
two are the measure. A Sev3 with a channel: no diagnosis follows that the next turn would wait for. The time runs from
the command to Slack's own time of the card. Wanted: the p95 within 1.5 times. Then its card in a storm of alerts
(incident_storm), and what a long one costs (timeline).
"""

import sys
import time
from contextlib import ExitStack
from typing import Any

from redis import Redis

from benchmarks import incident_storm, timeline
from benchmarks.common import SPREAD, Caller, Sample, main, ratio, table
from bot.state import OUTBOX
from sandbox.house import House, wait_until
from sandbox.redis_server import RedisServer
from sandbox.slack import SlackStandIn

SLACK_TAKES = 0.2  # seconds of a call to the real one, from the asking to the effect
NEEDED = ("conversations.create", "chat.postMessage")
WANTED = 1.5
LONG = 120


def run(is_quick: bool) -> list[str]:
    return declare(5 if is_quick else 25) + incident_storm.run(is_quick) + timeline.run(is_quick)


def declare(turns: int) -> list[str]:
    with ExitStack() as closing:
        slack = closing.enter_context(SlackStandIn(rate_limits="off"))  # a turn is short
        redis = closing.enter_context(RedisServer())
        house = closing.enter_context(House(slack=slack, redis=redis, worker_count=1, site=_site()))
        taken = {call: _turns(house, slack, redis, turns, call) for call in (0.0, SLACK_TAKES)}
    rows = [_row(call, sample) for call, sample in taken.items()]
    table("From the command to the card", ("", *SPREAD, "p95 ms", "Slack's ms", "ratio"), rows)
    return [_told(call, sample) for call, sample in taken.items()]


def _turns(house: House, slack: SlackStandIn, redis: RedisServer, turns: int, call: float) -> Sample:
    if call:
        slack.fault("*", "slow", times=None, seconds=call)
    taken, caller = Sample(), Caller(house.url)
    for turn in range(turns + 1):
        seconds, id = _one(caller, slack, f"checkout fails, turn {turn} of {call * 1000:.0f}")
        if turn:  # in the first, connections are opened
            taken.add(seconds)
        caller.command(slack.signing_secret, f"incident cancel --incident {id} the turn is over")
        _rest(redis)
    caller.close()
    slack.clear_faults()
    return taken


def _least(call: float) -> float:
    return call * len(NEEDED) * 1000


def _row(call: float, taken: Sample) -> tuple[str, ...]:
    p95 = taken.quantile(0.95)
    return (_where(call), *taken.cells(), f"{p95:.0f}", f"{_least(call):.0f}", ratio(p95, _least(call)))


def _where(call: float) -> str:
    return f"a call to Slack takes {call * 1000:.0f} ms" if call else "Slack takes no time"


def _told(call: float, taken: Sample) -> str:
    p95, least = taken.quantile(0.95), _least(call)
    against = (
        f": {ratio(p95, least)} of Slack's own {least:.0f} ms (wanted at most {WANTED}x)" if call else ""
    )
    soon = f"channel and card {taken.p50:.0f} ms after the command, p95 {p95:.0f} ms"
    return f"incidents: where {_where(call)}: {soon}{against}"


def _one(caller: Caller, slack: SlackStandIn, title: str) -> tuple[float, str]:
    """Seconds from the command to its card, by the clock both share; and its id."""
    began = time.time()
    status, answer = caller.command(slack.signing_secret, f"incident declare sev3 {title} --channel --anyway")
    if status != 200 or "is declared" not in answer:
        raise RuntimeError(f"not declared: {status} {answer}")
    id = answer.partition(" ")[0]

    def card() -> str:
        rooms = [c for c in slack.workspace.channels.values() if c.name.startswith("inc-")]
        told = (m for room in rooms[-1:] for m in room.messages.values() if m.text.endswith(id))
        return next((m.ts for m in told), "")

    return float(slack.wait_for(card, timeout=LONG)) - began, id


def _rest(redis: RedisServer) -> None:
    """Until all is told: a turn must not wait for the one before."""
    with Redis.from_url(redis.url) as store:
        wait_until(lambda: not store.zcard(OUTBOX), what="all is told", seconds=LONG)


def _site() -> dict[str, Any]:
    stack = {kind: {"url": ""} for kind in ("prometheus", "alertmanager", "grafana")}
    return {"cluster": {"eks": False}, "monitoring": {**stack, "access": "direct"}}


if __name__ == "__main__":
    sys.exit(main(__doc__, run))

"""How soon an incident has its channel and its card, beside what Slack itself takes for it.

Declared by a signed slash command, told by the real sender into the Slack stand-in, where every call takes as long as
the real one's. The card needs two calls, one after the other: the channel is made, and the card is posted in it; those
two are the measure. A Sev3 with a channel: no diagnosis follows that the next turn would wait for. The time runs from
the command to Slack's own time of the card. Wanted: the p95 within 1.5 times.
"""

import sys
import time
from contextlib import ExitStack
from typing import Any

from redis import Redis

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
    return declare(5 if is_quick else 25)


def declare(turns: int) -> list[str]:
    with ExitStack() as closing:
        slack = closing.enter_context(SlackStandIn())
        redis = closing.enter_context(RedisServer())
        house = closing.enter_context(House(slack=slack, redis=redis, worker_count=1, site=_site()))
        caller = Caller(house.url)
        closing.callback(caller.close)
        rows, said = [], []
        for call in (0.0, SLACK_TAKES):
            slack.clear_faults()
            if call:
                slack.fault("*", "slow", times=None, seconds=call)
            taken = Sample()
            for turn in range(-1, turns):  # the first is not counted: connections are opened
                seconds = _one(caller, slack, f"checkout fails, turn {turn + 1} of {call * 1000:.0f}")
                if turn >= 0:
                    taken.add(seconds)
                _rest(redis)
            least = call * len(NEEDED) * 1000
            what = f"a call to Slack takes {call * 1000:.0f} ms" if call else "Slack takes no time"
            rows.append(
                (
                    what,
                    *taken.cells(),
                    f"{taken.quantile(0.95):.0f}",
                    f"{least:.0f}",
                    ratio(taken.quantile(0.95), least),
                )
            )
            said.append(_told(what, taken, least))
        table("From the command to the card", ("", *SPREAD, "p95 ms", "Slack's ms", "ratio"), rows)
        return said


def _told(what: str, taken: Sample, least: float) -> str:
    p95 = taken.quantile(0.95)
    against = (
        f": {ratio(p95, least)} of Slack's own {least:.0f} ms (wanted at most {WANTED}x)" if least else ""
    )
    return f"incidents: where {what}: channel and card {taken.p50:.0f} ms after the command, p95 {p95:.0f} ms{against}"


def _one(caller: Caller, slack: SlackStandIn, title: str) -> float:
    """Seconds from the command to its card, by the clock both share."""
    began = time.time()
    status, answer = caller.command(slack.signing_secret, f"incident declare sev3 {title} --channel --anyway")
    if status != 200 or "is declared" not in answer:
        raise RuntimeError(f"not declared: {status} {answer}")
    id = answer.partition(" ")[0]

    def card() -> str:
        rooms = [c for c in slack.workspace.channels.values() if c.name.startswith("inc-")]
        told = (m for room in rooms[-1:] for m in room.messages.values() if m.text.endswith(id))
        return next((m.ts for m in told), "")

    return float(slack.wait_for(card, timeout=LONG)) - began


def _rest(redis: RedisServer) -> None:
    """Until all is told: a turn must not wait for the one before."""
    with Redis.from_url(redis.url) as store:
        wait_until(lambda: not store.zcard(OUTBOX), what="all is told", seconds=LONG)


def _site() -> dict[str, Any]:
    stack = {kind: {"url": ""} for kind in ("prometheus", "alertmanager", "grafana")}
    return {"cluster": {"eks": False}, "monitoring": {**stack, "access": "direct"}}


if __name__ == "__main__":
    sys.exit(main(__doc__, run))

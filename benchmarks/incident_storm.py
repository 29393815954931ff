"""How soon an incident's card is edited while 200 alert groups are told, beside the same edit with nothing else to do.

Alerts and incident go through the same sender into the Slack stand-in with Slack's own limits, so the alerts wait for
minutes. An edit is a typed `incident set impact …`; its time runs from the command to the card that says so, and is to
stay far below a second: the incident's card goes first.
"""

import sys
import time
from contextlib import ExitStack
from typing import Any

from redis import Redis

from benchmarks.common import SPREAD, Caller, Sample, alerts_body, main, ratio, table
from bot.state import OUTBOX
from sandbox.house import ALERT_TOKEN, House
from sandbox.redis_server import RedisServer
from sandbox.slack import SlackStandIn

GROUPS = 200
APART = 2.5  # seconds between two edits: Slack lets a message be edited fifty times a minute
LONG = 120


def run(is_quick: bool) -> list[str]:
    groups, turns = (40, 4) if is_quick else (GROUPS, 12)
    with ExitStack() as closing:
        slack = closing.enter_context(SlackStandIn())
        redis = closing.enter_context(RedisServer())
        house = closing.enter_context(House(slack=slack, redis=redis, worker_count=1, site=_site()))
        caller = Caller(house.url)
        closing.callback(caller.close)
        editing = _Editing(caller, slack)
        alone = editing.times(turns)
        for number in range(groups):
            caller.alerts(ALERT_TOKEN, alerts_body(f"storm-{number}", 5, severity="critical"))
        stormy = editing.times(turns)
        with Redis.from_url(redis.url) as store:
            waiting = int(store.zcard(OUTBOX))
    return _told(alone, stormy, groups, waiting)


class _Editing:
    """One incident, whose impact is said anew and anew."""

    def __init__(self, caller: Caller, slack: SlackStandIn) -> None:
        self._caller, self._slack, self._number = caller, slack, 0
        answer = self._type("incident declare sev3 checkout is slow --channel --anyway")
        self._id = answer.partition(" ")[0]
        self._slack.wait_for(lambda: self._card(""), timeout=LONG)

    def times(self, turns: int) -> Sample:
        taken = Sample()
        for turn in range(turns + 1):
            time.sleep(APART)
            seconds = self._one()
            if turn:  # in the first, connections are opened
                taken.add(seconds)
        return taken

    def _one(self) -> float:
        self._number += 1
        impact, began = f"impact number {self._number} of users", time.perf_counter()
        self._type(f"incident set impact {impact} --incident {self._id}")
        self._slack.wait_for(lambda: self._card(impact), timeout=LONG)
        return time.perf_counter() - began

    def _type(self, line: str) -> str:
        status, answer = self._caller.command(self._slack.signing_secret, line)
        if status != 200 or "Nothing was done" in answer:
            raise RuntimeError(f"{line}: {status} {answer}")
        return answer

    def _card(self, says: str) -> bool:
        rooms = [c for c in self._slack.workspace.channels.values() if c.name.startswith("inc-")]
        told = [m for room in rooms for m in room.messages.values()]
        return any(self._id in str(m.blocks) + m.text and says in str(m.blocks) for m in told)


def _told(alone: Sample, stormy: Sample, groups: int, waiting: int) -> list[str]:
    rows = [
        ("nothing else to do", *alone.cells(), ""),
        (f"while {groups} groups are told", *stormy.cells(), ratio(stormy.p50, alone.p50)),
    ]
    table("From what was typed to the incident's card", ("", *SPREAD, "ratio"), rows)
    soon = f"card edited {stormy.p50:.0f} ms after the command (p99 {stormy.p99:.0f}) while {groups} groups are told"
    against = (
        f"{ratio(stormy.p50, alone.p50)} of {alone.p50:.0f} ms alone; {waiting} cards still waited at the end"
    )
    return [f"incidents: {soon}: {against}"]


def _site() -> dict[str, Any]:
    stack = {kind: {"url": ""} for kind in ("prometheus", "alertmanager", "grafana")}
    return {"cluster": {"eks": False}, "monitoring": {**stack, "access": "direct"}}


if __name__ == "__main__":
    sys.exit(main(__doc__, run))

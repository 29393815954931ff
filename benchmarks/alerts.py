"""How soon an alert is a card, beside Alertmanager's own Slack notifier; what a storm comes to, and what it weighs.

Both sides get the same alert from the same Alertmanager into the same Slack stand-in and take turns; a time runs
from the alert's arrival at Alertmanager to Slack's own time of the message: once where Slack takes no time, once
where it takes as long as the real one. Wanted: at most 1.2 times. A storm is told at Slack's pace, a message per
second and channel. How fast a body of 300 is durable is in `webhook`.
"""

import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any
from urllib.parse import quote

import psutil
from redis import Redis

from benchmarks.common import SPREAD, Caller, Sample, alerts_body, main, ratio, severity_of, table
from bot.state import OUTBOX
from sandbox import monitoring
from sandbox.house import ALERT_TOKEN, House, wait_until
from sandbox.monitoring import Alertmanager, Prometheus, webhook_config
from sandbox.redis_server import RedisServer
from sandbox.slack import SlackStandIn
from sandbox.slack.cast import Cast, Room, default_cast

OURS, THEIRS = "the bot", "Alertmanager's own notifier"
CHANNELS = {OURS: "#sre-alerts", THEIRS: "#incidents"}
WANTED = 1.2
TEAMS = 10
SLACK_TAKES = 0.2  # seconds of a call to the real one, from the asking to the message
LONG = 600


def run(is_quick: bool) -> list[str]:
    if not monitoring.available():
        return [f"alerts: not measured, {', '.join(monitoring.lacking())} not installed"]
    turns, few, many = (5, 6, 20) if is_quick else (20, 30, 200)
    said = _to_the_card(turns)
    for teams, groups in ((1, few), (TEAMS, many)):
        with Storming(teams) as storming:
            said += storming.measure(groups)
    return said


# --- to the card ---


def _to_the_card(turns: int) -> list[str]:
    with ExitStack() as closing:
        slack = closing.enter_context(SlackStandIn())
        house = House(slack=slack, redis=closing.enter_context(RedisServer()), worker_count=1, site=_site())
        closing.enter_context(house)
        alertmanager = closing.enter_context(Alertmanager(_both(house.url, slack)))
        said = []
        for call in (0.0, SLACK_TAKES):
            slack.clear_faults()
            if call:
                slack.fault("chat.postMessage", "slow", times=None, seconds=call)
            taken: dict[str, Sample] = {side: Sample() for side in CHANNELS}
            for turn in range(-1, turns):  # the first is not counted: connections are opened
                for side in CHANNELS:
                    seconds = _one(alertmanager, slack, side, f"Turn{turn}of{call * 1000:.0f}")
                    if turn >= 0:
                        taken[side].add(seconds)
                _rest(house)
            said.append(_compared(taken, call))
    return said


def _compared(taken: dict[str, Sample], call: float) -> str:
    what = f"a call to Slack takes {call * 1000:.0f} ms" if call else "Slack takes no time"
    rows = [(side, *sample.cells(), ratio(sample.p50, taken[THEIRS].p50)) for side, sample in taken.items()]
    table(f"From an alert to its message in Slack, where {what}", ("", *SPREAD, "to theirs"), rows)
    ours, theirs = taken[OURS], taken[THEIRS]
    return (
        f"alerts: where {what}: card after {ours.p50:.0f} ms (p99 {ours.p99:.0f}), Alertmanager's own after "
        f"{theirs.p50:.0f} ms (p99 {theirs.p99:.0f}): {ratio(ours.p50, theirs.p50)} (wanted at most {WANTED}x)"
    )


def _one(alertmanager: Alertmanager, slack: SlackStandIn, side: str, name: str) -> float:
    """Seconds from the alert to its message, by the clock both share."""
    began = time.time()
    labels = {
        "alertname": name,
        "side": side,
        "severity": "critical",
        "namespace": "payments",
        "pod": "api-1",
    }
    alertmanager.alert(labels, {"summary": "Pod payments/api-1 is crash looping"})

    def found() -> str:
        told = (m["ts"] for m in slack.messages(CHANNELS[side]) if name in str(m) and float(m["ts"]) >= began)
        return next(told, "")

    return float(slack.wait_for(found, timeout=60)) - began


def _rest(house: House) -> None:
    """Until all is told and no channel is closed: a turn must not wait for the one before."""
    with Redis.from_url(house.redis_url) as redis:
        wait_until(
            lambda: not redis.zcard(OUTBOX) and not redis.keys("sre:lane:*"), what="all is told", seconds=LONG
        )


def _both(url: str, slack: SlackStandIn) -> dict[str, Any]:
    """One Alertmanager that tells the bot, or Slack itself."""
    config = webhook_config(f"{url}/alerts", ALERT_TOKEN, group_by=("alertname", "side"), group_interval="1h")
    config["route"]["routes"] = [{"receiver": "slack", "matchers": [f'side="{THEIRS}"']}]
    notifier = {
        "api_url": f"{slack.api_url}chat.postMessage",
        "channel": CHANNELS[THEIRS],
        "http_config": {"authorization": {"type": "Bearer", "credentials": slack.bot_token}},
        "text": "{{ range .Alerts }}{{ .Annotations.summary }}{{ end }}",
    }
    config["receivers"].append({"name": "slack", "slack_configs": [notifier]})
    return config


def _site(prometheus: str = "", routes: Iterable[dict[str, str]] = ()) -> dict[str, Any]:
    stack = {kind: {"url": ""} for kind in ("alertmanager", "grafana")}
    return {
        "cluster": {"eks": False},
        "monitoring": {**stack, "prometheus": {"url": prometheus}, "access": "direct"},
        "alerts": {"routes": list(routes)},
    }


# --- a storm ---


class Storming:
    """A house whose alerts go to so many channels, and a Prometheus that can draw."""

    def __init__(self, teams: int) -> None:
        self._teams = [f"team-{number}" for number in range(teams)]

    def __enter__(self) -> "Storming":
        with ExitStack() as closing:
            self._slack = closing.enter_context(SlackStandIn(cast=self._cast))
            prometheus = closing.enter_context(Prometheus({"global": {"scrape_interval": "1h"}}))
            routes = [{"match": f'team="{team}"', "channel": f"#{team}"} for team in self._teams]
            redis = closing.enter_context(RedisServer())
            self._redis = redis
            self._house = closing.enter_context(
                House(slack=self._slack, redis=redis, worker_count=1, site=_site(prometheus.url, routes))
            )
            self._closing = closing.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def _cast(self) -> Cast:
        cast = default_cast()
        rooms = [Room(team, f"C0TEAM{n:05}", ("alice", "sre_bot")) for n, team in enumerate(self._teams)]
        return Cast(**{**vars(cast), "rooms": [*cast.rooms, *rooms]})

    def measure(self, groups: int) -> list[str]:
        sizes = {"idle": self._sizes()}
        posts, refused = self._post(groups)
        self._slack.wait_for(lambda: self._cards() == groups, timeout=LONG)
        rates = self._rates(groups, posts, refused)
        sizes["after the storm"] = self._sizes()
        self._draw()
        sizes["after a graph"] = self._sizes()
        return [rates, self._weights(groups, sizes)]

    def _post(self, groups: int) -> tuple[Sample, int]:
        """How long each took; how many were refused, which are sent again as Alertmanager does it."""
        caller, taken, refused = Caller(self._house.url), Sample(), 0
        for number in range(groups):
            team = self._teams[number % len(self._teams)]
            body = alerts_body(
                f"storm-{number}", 5, severity=severity_of(number // len(self._teams)), team=team
            )
            while True:
                began = time.perf_counter()
                status = caller.alerts(ALERT_TOKEN, body)
                taken.add(time.perf_counter() - began)
                if status == 200:
                    break
                refused += 1
                time.sleep(0.5)
        caller.close()
        return taken, refused

    def _told(self, team: str) -> list[dict[str, Any]]:
        return [message for message in self._slack.messages(f"#{team}") if message.get("bot_id")]

    def _cards(self) -> int:
        return sum(_is_card(message) for team in self._teams for message in self._told(team))

    def _draw(self) -> None:
        """The graph of an alert of which Prometheus knows the expression."""
        body = alerts_body("graph", 1, severity="critical", team=self._teams[0])
        old = quote("increase(kube_pod_container_status_restarts_total[10m]) > 3", safe="")
        assert old.replace("%20", "+").encode() in body
        drawn = body.replace(old.replace("%20", "+").encode(), b"vector%281%29+%3E+0")
        Caller(self._house.url).alerts(ALERT_TOKEN, drawn)

        def is_drawn() -> bool:
            files = (file["name"] for m in self._told(self._teams[0]) for file in m.get("files") or ())
            return any(name.endswith(".png") for name in files)

        self._slack.wait_for(is_drawn, timeout=LONG)

    def _sizes(self) -> dict[str, float]:
        processes = {member.name: member.pid for member in self._house.members} | {"redis": self._redis.pid}
        return {name: psutil.Process(pid).memory_info().rss / 1e6 for name, pid in processes.items()}

    def _rates(self, groups: int, posts: Sample, refused: int) -> str:
        """Messages a second, of one that Slack allows each channel, from the first to the last."""
        rates = [_rate([float(message["ts"]) for message in self._told(team)]) for team in self._teams]
        limited = sum(call.status == 429 for call in self._slack.calls())
        whole, allowed = sum(rates), len(rates)
        name = f"{groups} groups, {allowed} channel{'s' * (allowed > 1)}"
        row = (name, str(self._cards()), f"{whole:.2f}", str(allowed), ratio(whole, allowed), str(limited), str(refused), f"{posts.p99:.0f}")  # fmt: skip  # noqa: E501
        header = ("", "cards", "messages/s", "allowed", "ratio", "429s", "refused", "webhook p99 ms")
        table("A storm at Slack's pace", header, [row])
        return f"alerts: {name}: {self._cards()} cards, {whole:.2f} messages/s of {allowed} allowed, {limited} limits met"

    def _weights(self, groups: int, sizes: dict[str, dict[str, float]]) -> str:
        rows = [
            (
                name,
                *(f"{size[name]:.0f}" for size in sizes.values()),
                ratio(sizes["after a graph"][name], idle),
            )
            for name, idle in sizes["idle"].items()
        ]
        table("Resident MB", ("", *sizes, "last to idle"), rows)
        told = (f"{row[0]} {' -> '.join(row[1:4])} MB" for row in rows)
        return f"alerts: idle -> {groups} groups -> first graph: {', '.join(told)}"


def _is_card(message: dict[str, Any]) -> bool:
    payload = (message.get("metadata") or {}).get("event_payload") or {}
    return str(payload.get("card", "")).startswith("alert:") and str(payload.get("key", "")).endswith(":card")


def _rate(moments: list[float]) -> float:
    return (len(moments) - 1) / (max(moments) - min(moments)) if len(moments) > 1 else 0.0


if __name__ == "__main__":
    sys.exit(main(__doc__, run))

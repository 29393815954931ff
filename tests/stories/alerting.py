"""What the stories of alerts share: a house whose bot has quick clocks (swift.py), and what came of what was sent.

Every body is posted as Alertmanager does it, again and again until it was taken; in the end each group that was
taken has its one card, and no message is there twice.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import urllib3

from bot import alertbody
from bot.state import State, connect
from sandbox.house import House, Member, wait_until
from sandbox.kube import KubeStandIn
from sandbox.redis_server import RedisServer
from sandbox.slack import SlackStandIn
from tests.build import audit_lines
from tests.stories.almanac import still
from tests.stories.faults import ALERTS, Json, payload
from tests.stories.swift import PLAN

PATIENCE = 60
BEGAN = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
NOWHERE = {kind: {"url": ""} for kind in ("prometheus", "alertmanager", "grafana")}

# Where alerts of the label `team` go; all others go to the first of them.
CHANNELS = {"alerts": ALERTS, "incidents": "#incidents", "daily": "#sre-daily", "changes": "#changes"}
ROUTES = [{"match": f'team="{team}"', "channel": channel} for team, channel in CHANNELS.items()]
SITE: Json = {
    "cluster": {"eks": False},
    "monitoring": {**NOWHERE, "access": "proxy"},
    "alerts": {"routes": ROUTES, "rollup": {"over": 1000}},
}

_LINE = re.compile(r"\d+:\d+")


@dataclass(frozen=True)
class Told:
    """One message of the bot. key: which one of its card; thread: the ts of the card it is under, "" for a card."""

    card: str
    key: str
    text: str
    ts: str
    thread: str


class SwiftHouse(House):
    def member(self, name: str, module: str, is_ready: Callable[[], bool]) -> Member:
        return super().member(name, "tests.stories.swift" if module == "bot" else module, is_ready)


class AlertWorld:
    """has_limits: whether Slack keeps its rates. site: laid over SITE. The other options are the house's."""

    def __init__(
        self,
        *,
        site: Mapping[str, Any] | None = None,
        worker_count: int = 0,
        has_limits: bool = False,
        **house: Any,
    ) -> None:
        self._site = {**SITE, **(site or {})}
        self._limits = "slack" if has_limits else "off"
        self._options: Json = {"worker_count": worker_count, **house}
        self.taken: dict[str, str] = {}  # the ids of groups that were taken, and what Alertmanager calls them
        self.refusals: Counter[int] = Counter()  # statuses that made Alertmanager try again; 0: no answer

    def __enter__(self) -> Self:
        with ExitStack() as closing:
            self.slack = closing.enter_context(SlackStandIn(rate_limits=self._limits, ack_timeout=PATIENCE))  # type: ignore[arg-type]
            self.redis = closing.enter_context(RedisServer())
            self.kube = closing.enter_context(KubeStandIn())
            folder = Path(self.redis.data)
            self.plan = folder / "plan"
            environment = {PLAN: str(self.plan), **self._options.pop("environment", {})}
            connection = connect(self.redis.url, patient=True)
            closing.callback(connection.close)
            self.state = State(connection)
            still(self.state)
            self.house = closing.enter_context(
                SwiftHouse(
                    slack=self.slack, redis=self.redis, kubeconfig=self.kube.kubeconfig(folder / "kubeconfig"),
                    site=self._site, environment=environment, **self._options,
                )
            )  # fmt: skip
            self._closing = closing.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    # --- what Alertmanager does

    def post(self, body: bytes) -> str:
        """Until it is taken; the id of the group."""
        wait_until(lambda: self._offer(body), seconds=PATIENCE, what="the body is taken")
        heard = alertbody.parse(body)
        self.taken[heard.id] = heard.group_labels["alertname"]
        return heard.id

    def _offer(self, body: bytes) -> bool:
        try:
            status = self.house.post_alerts(body)[0]
        except urllib3.exceptions.HTTPError:
            status = 0
        if status != 200:
            self.refusals[status] += 1
        return status == 200

    # --- what comes of it

    def told(self) -> list[Told]:
        """Every message of the bot, in Slack's order within each channel."""
        found = [m for channel in CHANNELS.values() for m in self.slack.messages(channel) if m.get("bot_id")]
        return [Told(payload(m)["card"], payload(m)["key"], m["text"], m["ts"], _above(m)) for m in found]

    def of(self, id: str) -> list[Told]:
        return [message for message in self.told() if message.card == f"alert:{id}"]

    def wait(self, predicate: Callable[[], Any], what: str) -> Any:
        try:
            return self.slack.wait_for(predicate, timeout=PATIENCE)
        except TimeoutError:
            raise AssertionError(f"not within {PATIENCE} s: {what}\n{self.report()}") from None

    def wait_card(self, id: str, words: str) -> Told:
        def found() -> Told | None:
            cards = [message for message in self.of(id) if message.key.endswith(":card")]
            return next((card for card in cards if words in card.text), None)

        card: Told = self.wait(found, f"a card of {self.taken.get(id, id)} with {words!r}")
        return card

    def wait_line(self, id: str, words: str) -> None:
        self.wait(
            lambda: any(words in m.text for m in self.of(id) if _LINE.fullmatch(m.key)),
            f"a line of {self.taken.get(id, id)} with {words!r}",
        )

    def wait_sent(self) -> None:
        wait_until(lambda: not self.state.depths()["outbox"], seconds=PATIENCE, what="all is sent")

    def lines(self, id: str) -> list[Told]:
        return [message for message in self.of(id) if _LINE.fullmatch(message.key)]

    # --- what must hold in the end

    def assert_told_once(self, ids: Iterable[str] | None = None) -> None:
        """Each group that was taken has its one card, its lines are in order, and nothing is there twice."""
        messages = [message for message in self.told() if message.card != "?"]
        twice = {each: n for each, n in Counter((m.card, m.key) for m in messages).items() if n > 1}
        assert not twice, f"{twice}\n{self.report()}"
        cards = Counter(m.card for m in messages if m.card.startswith("alert:") and m.key.endswith(":card"))
        assert cards == Counter(f"alert:{id}" for id in (self.taken if ids is None else ids)), self.report()
        for id in self.taken if ids is None else ids:
            card = next(message for message in self.of(id) if message.key.endswith(":card"))
            numbers = [int(line.key.partition(":")[2]) for line in self.lines(id)]
            assert numbers == sorted(numbers), f"{self.taken[id]}: {numbers}"
            assert all(line.thread == card.ts for line in self.lines(id))

    def assert_audited(self, id: str, *expected: tuple[int, int]) -> None:
        """One line for each change, as (firing, resolved)."""
        lines = [line for line in audit_lines(self.state) if line.get("id") == id and line["what"] == "alert"]
        assert [(int(line["firing"]), int(line["resolved"])) for line in lines] == list(expected)

    def report(self) -> str:
        ends = [f"--- {member.name}\n{member.tail()}" for member in self.house.members]
        shown = [self.slack.transcript(channel)[:6000] for channel in CHANNELS.values()]
        return "\n".join([*shown, *ends])


def _above(message: Json) -> str:
    """The ts of the message under which it is, "" where it is in the channel itself."""
    above = str(message.get("thread_ts") or "")
    return "" if above == message["ts"] else above


def body(
    name: str, firing: int = 1, resolved: int = 0, *, severity: str = "warning", began: datetime = BEGAN,
    url: str = "http://alertmanager.example:9093", **labels: str,
) -> bytes:  # fmt: skip
    """What Alertmanager posts for a group by alertname; the last `resolved` of its alerts ended after four minutes."""
    group = {"alertname": name}
    whole = {**group, "severity": severity, "namespace": "shop", **labels}
    alerts = [
        {
            "status": "firing" if number < firing else "resolved",
            "labels": {**whole, "pod": f"web-{number}"},
            "annotations": {"summary": f"{name} is broken"},
            "startsAt": began.isoformat(),
            "endsAt": "0001-01-01T00:00:00Z"
            if number < firing
            else (began + timedelta(minutes=4)).isoformat(),
        }
        for number in range(firing + resolved)
    ]
    status = "firing" if firing else "resolved"
    told = {"version": "4", "receiver": "bot", "status": status, "groupLabels": group, "commonLabels": whole}
    return json.dumps({**told, "externalURL": url, "alerts": alerts}).encode()

"""A thousand bodies and a thousand texts: nothing raises, nothing that fires is lost, no message Slack would refuse."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import alertbody, alerts, render
from bot.alertbody import Notification
from commands.errors import UsageError
from commands.model import AlertGroup
from sandbox.slack import limits

NOW = datetime(2026, 11, 23, 4, 10, tzinfo=UTC)
HOSTILE = "<!channel> <@U0BOB000001> ```a``` *b* <https://evil|x> & \x00\u202e\n\t|| `c` :fire: 🔥"

TEXTS = (
    HOSTILE, HOSTILE * 30, "", " ", "x" * 60_000, "`" * 4_000, "&" * 4_000, "\n" * 700, "javascript:alert(1)",
    "https://x/y", "critical", "eu", "web-7", "Ünïcödé", "\u202e\u200b\x07", "{{ $value }}", "12.5", "*_~`>",
)  # fmt: skip
NAMES = (
    "alertname", "severity", "cluster", "namespace", "pod", "node", "instance", "persistentvolumeclaim", "job",
    "summary", "description", "runbook_url", "dashboard_url",
)  # fmt: skip
TIMES = (
    "2026-11-23T04:06:55.634894123Z", "2026-11-23T06:06:55+02:00", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z",
    "2026-11-23T04:09:00Z", "9999-12-31T23:59:59-14:00", "yesterday", "", None,
)  # fmt: skip


class Sender:
    """Makes up what some Alertmanager, or some imitation of one, may send."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)

    def text(self) -> str:
        if self.chance.random() < 0.5:
            return self.chance.choice(TEXTS)
        return "".join(chr(self.chance.choice((32, 97, 0x60, 0x3C, 0x4E00, 0x1F525, 0x0A)) + self.chance.randrange(20))
                       for _ in range(self.chance.randrange(40)))  # fmt: skip

    def value(self) -> Any:
        return self.chance.choice(
            (self.text(), self.text(), self.text(), None, 7, 1.5, True, [1], {"a": "b"})
        )

    def texts(self, value: Any) -> Any:
        if self.chance.random() < 0.05:
            return self.chance.choice((None, [], {f"label_{n}": "v" * 30 for n in range(124)}))
        return {
            (self.chance.choice(NAMES) if self.chance.random() < 0.8 else self.text()): value()
            for _ in range(self.chance.randrange(7))
        }

    def some(self, **fields: Any) -> dict[str, Any]:
        """Most of the fields: senders leave things out."""
        return {name: value for name, value in fields.items() if self.chance.random() < 0.85}

    def alert(self) -> dict[str, Any]:
        return self.some(
            status=self.chance.choice(("firing", "firing", "resolved", "alerting", None)),
            labels=self.texts(self.value), annotations=self.texts(self.text), generatorURL=self.text(),
            startsAt=self.chance.choice(TIMES), endsAt=self.chance.choice(TIMES), valueString=self.text(),
            fingerprint=self.chance.choice(("c037535e0ae20e1f", "", None, "a b")), dashboardURL=self.text(),
        )  # fmt: skip

    def body(self) -> dict[str, Any]:
        alerts = [self.alert() for _ in range(self.chance.randrange(7))]
        return {"alerts": alerts} | self.some(
            version=self.chance.choice(("4", "1", 4)), groupLabels=self.texts(self.value), receiver=self.value(),
            externalURL=self.text(), truncatedAlerts=self.chance.choice((0, 1, 37, -1, True, "3", None)),
            routeLabels={"a": "b"}, notification_reason=self.text(), commonLabels=None, groupKey=self.text(),
        )  # fmt: skip


quietly = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))


class Book:
    """What a store would hold: the groups by their ids, merged as bodies come in, three minutes apart."""

    def __init__(self) -> None:
        self.groups: dict[str, AlertGroup] = {}
        self.now = NOW

    def take(self, body: Mapping[str, Any]) -> None:
        self.now += timedelta(minutes=3)
        for heard in alertbody.by_cluster(alertbody.parse(orjson.dumps(body)), "cluster"):
            to = alerts.Address("#sre-alerts", mention="U0ONCALL", cluster=heard.cluster)
            old = self.groups.get(heard.id)
            group = alerts.merge(old, heard, to, self.now) or old
            assert group is not None
            self.groups[heard.id] = group
            self.check(group, heard)

    def check(self, group: AlertGroup, heard: Notification) -> None:
        known = {alert.fingerprint for alert in group.alerts}
        assert {alert.fingerprint for alert in heard.firing} <= known, "an alert that fires is lost"
        assert len(orjson.dumps(group)) < 16_000 * max(len(group.alerts), 1) + 20_000
        sent = render.messages(group, lambda text: text)
        assert len({message.key for message in sent}) == len(sent)
        for message in sent:
            assert len(message.text) <= 4_000
            limits.message_blocks(json.loads(json.dumps(message.blocks)))
            shown = json.dumps([message.text, message.blocks])
            assert (
                "<!channel>" not in shown and "<@U0BOB000001>" not in shown and "<https://evil" not in shown
            )


@pytest.mark.parametrize("seed", range(10))
def test_a_thousand_bodies_one_after_another_lose_nothing(seed: int) -> None:
    sender = Sender(seed)
    for _ in range(20):
        book = Book()
        for _ in range(5):
            book.take(sender.body())


@pytest.mark.parametrize("seed", range(10))
def test_a_thousand_texts_as_labels_and_annotations_are_shown_within_the_limits(seed: int) -> None:
    sender = Sender(1_000 + seed)
    for _ in range(10):
        several = [
            {"status": "firing", "labels": {"alertname": text, "pod": text, text: text, "cluster": "eu"},
             "annotations": {"summary": text, "description": text, "runbook_url": text, text: text},
             "startsAt": "2026-11-23T04:06:55Z", "generatorURL": text}
            for text in (sender.text() for _ in range(10))
        ]  # fmt: skip
        book = Book()
        for alert in several:
            book.take({"alerts": [alert], "groupLabels": alert["labels"], "receiver": alert["generatorURL"]})
        book.take({"alerts": several, "groupLabels": {"alertname": "All"}})


def test_a_body_that_breaks_off_anywhere_is_refused_in_words() -> None:
    sender = Sender(2_000)
    for _ in range(300):
        body = orjson.dumps(sender.body())
        with pytest.raises(UsageError, match="not JSON"):
            alertbody.parse(body[: sender.chance.randrange(len(body))])


@settings(quietly, max_examples=300)
@given(st.binary(max_size=60))
def test_what_is_no_body_never_raises_anything_but_a_refusal(body: bytes) -> None:
    with pytest.raises(UsageError):
        alertbody.parse(body)


def one(start: int, status: str) -> dict[str, Any]:
    return {"status": status, "labels": {"alertname": "PodDown"}, "startsAt": f"2026-11-23T04:0{start}:00Z",
            "endsAt": "2026-11-23T04:09:30Z"}  # fmt: skip


STORY = [
    one(1, "firing"),
    one(1, "resolved"),
    one(2, "firing"),
    one(2, "resolved"),
    one(3, "firing"),
    one(3, "resolved"),
]


@settings(quietly, max_examples=100)
@given(st.lists(st.sampled_from(STORY), max_size=12), st.integers(0, 59))
def test_copies_that_come_late_never_reopen_what_is_over(late: list[dict[str, Any]], seconds: int) -> None:
    group: AlertGroup | None = None
    for minute, alert in enumerate(STORY):
        heard = alertbody.parse(orjson.dumps({"alerts": [alert]}))
        group = alerts.merge(group, heard, alerts.Address("#c"), NOW + timedelta(minutes=2 * minute)) or group
    assert group is not None and not group.firing
    for alert in late:
        heard = alertbody.parse(orjson.dumps({"alerts": [alert]}))
        assert (
            alerts.merge(group, heard, alerts.Address("#c"), group.updated + timedelta(seconds=seconds))
            is None
        )

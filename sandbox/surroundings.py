"""What the shop's faults reach beyond its cluster: the machines at EC2, the way that alerts take, the house.

Called by sandbox/shop's faults through `fault.Outside`. Knows which parts are the sandbox's own: what is real is never
broken. Holds only which trouble of Slack's it made.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, Protocol

from sandbox.cloud import Cloud
from sandbox.given import Given
from sandbox.house import House
from sandbox.monitoring import Alertmanager, Prometheus
from sandbox.redis_server import RedisServer
from sandbox.shop import rules
from sandbox.shop.fault import Part, Trouble
from sandbox.shop.inventory import Machine
from sandbox.slack import SlackStandIn
from sandbox.slack.faults import Fault

Json = dict[str, Any]

AGAIN_SECONDS = 3  # after a 429


class Parts(Protocol):
    """The sandbox, once it runs."""

    given: Given
    slack: SlackStandIn
    cloud: Cloud
    house: House
    redis: RedisServer | str
    prometheus: Prometheus | None
    alertmanager: Alertmanager | None

    def alerting(self, path: str = "/alerts") -> Json: ...


class Surroundings:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._trouble: dict[Trouble, Fault] = {}

    def lacks(self, part: Part) -> str:
        given = self._parts.given
        absent = {
            "prometheus": self._parts.prometheus is None,
            "alertmanager": self._parts.alertmanager is None,
        }
        real = {
            "shop": given.kubeconfig is not None,
            "prometheus": bool(given.prometheus),
            "alertmanager": bool(given.alertmanager),
            "slack": given.has_slack,
            "redis": bool(given.redis),
        }
        if real[part]:
            return f"{_NAMES[part]} is yours, and the sandbox breaks nothing of yours"
        return f"{_NAMES[part]} is not installed" if absent.get(part) else ""

    def power(self, machine: Machine, is_on: bool) -> None:
        self._parts.cloud.power(machine, is_on)

    def alert(self, alerts: Sequence[Json]) -> None:
        """Through Alertmanager; without one, each as a group of its own."""
        if self._parts.alertmanager is not None:
            self._parts.alertmanager.request("POST", "/api/v2/alerts", list(alerts))
            return
        now = datetime.datetime.now(datetime.UTC)
        for each in alerts:
            started, until = (datetime.datetime.fromisoformat(each[key]) for key in ("startsAt", "endsAt"))
            ended = until if until <= now else None
            self._parts.house.post_alerts(rules.posted(each["labels"], each["annotations"], started, ended))

    def cut(self, is_cut: bool) -> None:
        if self._parts.alertmanager is None:
            raise LookupError("there is no Alertmanager whose way could be cut")
        self._parts.alertmanager.reload(self._parts.alerting("/nobody" if is_cut else "/alerts"))

    def measure(self, is_on: bool) -> None:
        if self._parts.prometheus is None:
            raise LookupError("there is no Prometheus that could stop")
        (self._parts.prometheus.restart if is_on else self._parts.prometheus.kill)()

    def trouble(self, kind: Trouble, is_on: bool) -> None:
        slack = self._parts.slack
        if is_on:
            self._trouble[kind] = Fault("*", kind, None, retry_after=AGAIN_SECONDS)
            slack.faults.add(self._trouble[kind])
            if kind == "down":
                slack.sockets.cut()
        elif kind in self._trouble:
            slack.faults.remove(self._trouble.pop(kind))

    def restart_redis(self) -> None:
        if isinstance(self._parts.redis, str):
            raise LookupError("Redis is yours")
        self._parts.redis.kill()
        self._parts.redis.restart()

    def kill_worker(self) -> None:
        self._parts.house.workers[0].kill()


_NAMES: dict[Part, str] = {
    "shop": "the cluster",
    "prometheus": "Prometheus",
    "alertmanager": "Alertmanager",
    "slack": "the workspace",
    "redis": "Redis",
}

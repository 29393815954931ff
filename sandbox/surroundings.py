"""What the shop's faults reach beyond its cluster: the machines at EC2, and the way that alerts take.

Called by sandbox/shop's faults through `fault.Outside`. Holds nothing of its own.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, Protocol

from sandbox.aws import Aws
from sandbox.house import House
from sandbox.monitoring import Alertmanager
from sandbox.shop import rules
from sandbox.shop.inventory import MACHINES, Machine

Json = dict[str, Any]


class Parts(Protocol):
    """The sandbox, once it runs."""

    aws: Aws
    house: House
    alertmanager: Alertmanager | None

    def alerting(self, path: str = "/alerts") -> Json: ...


class Surroundings:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def power(self, machine: Machine, is_on: bool) -> None:
        """All machines are there before one of them stops: EC2 must not say of the others that it knows none."""
        for each in MACHINES:
            self._parts.aws.instance(each.instance, each.zone)
        self._parts.aws.power(machine.instance, is_on=is_on)

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

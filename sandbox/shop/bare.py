"""Where a real cluster stands in the place of the shop: only what is not in a cluster can be broken.

The same levers as Shop has, for levers.py and the page. Every fault that would need the shop says why it is not to
be had (fault.Outside.lacks); nothing here reaches the cluster.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from sandbox.kube import KubeStandIn
from sandbox.shop.breakage import Breakage
from sandbox.shop.fault import Outside
from sandbox.shop.simulation import Simulation

Json = dict[str, Any]


class Bare:
    def __init__(self, outside: Outside) -> None:
        self.outside = outside
        self.breakage = Breakage(self)

    @property
    def kube(self) -> KubeStandIn:
        raise LookupError("the cluster is a real one")

    @property
    def simulation(self) -> Simulation:
        raise LookupError("the cluster is a real one")

    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC)

    def break_(self, name: str) -> None:
        self.breakage.break_(name)

    def mend(self, name: str = "") -> None:
        self.breakage.mend(name)

    def state(self) -> Json:
        return self.breakage.state() | {"backend": None, "requests_per_second": None, "error_share": None}

    def example(self) -> Mapping[str, str]:
        """Those of the rules are as good as any."""
        return {}

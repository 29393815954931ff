"""What can be broken in the shop, by name. The order is that of the page.

A fault begins, goes on with the clock, and ends by putting back what it changed. To add one: write the class
(fault.py says what it may touch), name it in FAULTS. What it does to objects goes through `Shop.kube`; what
objects cannot say, through `Simulation.conditions`. Metrics, endpoints and statuses follow by themselves; a rule
for what it should fire is a line in rules.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sandbox.shop.fault import Fault, World
from sandbox.shop.nodefaults import DiskFilling, NodeNotReady, VolumeFilling
from sandbox.shop.pathfaults import NoAlerts, Storm
from sandbox.shop.podfaults import BadRollout, CrashLoop, NoMetrics, OutOfMemory
from sandbox.shop.servicefaults import AtMaximum, Errors, Throttled

__all__ = ["FAULTS", "Fault", "World"]

FAULTS: Mapping[str, Callable[[], Fault]] = {
    "crash-loop": CrashLoop,
    "out-of-memory": OutOfMemory,
    "bad-rollout": BadRollout,
    "errors": Errors,
    "throttled": Throttled,
    "at-maximum": AtMaximum,
    "node-not-ready": NodeNotReady,
    "disk-filling": DiskFilling,
    "volume-filling": VolumeFilling,
    "no-metrics": NoMetrics,
    "storm": Storm,
    "no-alerts": NoAlerts,
}

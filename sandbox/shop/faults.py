"""What can be broken in the shop, by name. The order is that of the page.

A fault begins, goes on with the clock, and ends by putting back what it changed. To add one: write the class
(fault.py says what it may touch), name it in FAULTS. What it does to objects goes through `Shop.kube`; what
objects cannot say, through `Simulation.conditions`. Metrics, endpoints and statuses follow by themselves; a rule
for what it should fire is a line in rules.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sandbox.shop.fault import Fault, World
from sandbox.shop.housefaults import RedisRestarts, SlackDown, SlackTurnsAway, WorkerKilled
from sandbox.shop.nodefaults import DiskFilling, NodeNotReady, VolumeFilling
from sandbox.shop.pathfaults import NoAlerts, PrometheusDown, Storm
from sandbox.shop.podfaults import CrashLoop, ImagePull, NoMetrics, OutOfMemory
from sandbox.shop.rolloutfaults import BadConfig, BadRollout
from sandbox.shop.servicefaults import AtMaximum, CertificateEnds, Errors, Slow, Throttled

__all__ = ["FAULTS", "Fault", "World"]

FAULTS: Mapping[str, Callable[[], Fault]] = {
    "crash-loop": CrashLoop,
    "out-of-memory": OutOfMemory,
    "bad-config": BadConfig,
    "image-pull": ImagePull,
    "bad-rollout": BadRollout,
    "node-not-ready": NodeNotReady,
    "disk-filling": DiskFilling,
    "volume-filling": VolumeFilling,
    "errors": Errors,
    "latency": Slow,
    "throttled": Throttled,
    "at-maximum": AtMaximum,
    "certificate": CertificateEnds,
    "prometheus-down": PrometheusDown,
    "no-metrics": NoMetrics,
    "storm": Storm,
    "no-alerts": NoAlerts,
    "slack-429": SlackTurnsAway,
    "slack-down": SlackDown,
    "redis-restart": RedisRestarts,
    "worker-kill": WorkerKilled,
}

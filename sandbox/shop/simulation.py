"""The one clock behind every number of the shop: traffic, latency, CPU and memory as time goes by.

Owns the counters. What runs where is asked of the cluster's objects at every step, so whatever changes
them (a fault, a drain, a rollout) shows in the metrics; what objects cannot say (how many requests fail)
is in `Conditions`, which faults set. Called by the exporters before each scrape. Thread-safe.
"""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from sandbox.kube import KubeStandIn
from sandbox.shop import inventory
from sandbox.shop.inventory import BACKEND, CORES, MEMORY_MIB

Json = dict[str, Any]
RequestKey = tuple[str, str, str]  # method, path, status

# Prometheus' default buckets, which podinfo uses.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROUTES: dict[tuple[str, str], float] = {
    ("GET", "/"): 0.62,
    ("GET", "/api/info"): 0.3,
    ("POST", "/echo"): 0.08,
}

REQUESTS_PER_SECOND = 24.0
DAILY_SWING = 0.35
MEDIAN_SECONDS, SPREAD = 0.035, 0.7  # p95 is about 110 ms
CPU_PER_REQUEST = 0.0025
SYSTEM_CPU, SYSTEM_MEMORY_MIB = 0.09, 900.0  # what a node itself needs
PERIODS = 20  # of the scheduler's 100 ms, begun for each second of work
MOST_PERIODS = 10  # in a second
THROTTLED = 0.02  # of them, in which the limit was reached
IMAGES_USED, METRICS_USED = 0.74, 0.76  # of the disk of a node's images, and of Prometheus' volume
CERTIFICATE_LEFT = 61 * 86_400.0  # seconds for which the shop's certificate is good
LONGEST_STEP = 15.0  # a laptop that slept must not wake up to a million requests


@dataclass(slots=True)
class Conditions:
    """What is wrong beyond what the objects say. A healthy shop fails one request in ten thousand."""

    error_share: float = 0.0001
    latency_factor: float = 1.0
    cpu_extra: float = 0.0  # cores, in every backend pod
    throttled: float = THROTTLED  # of every backend container's periods
    silent_nodes: set[str] = field(default_factory=set)
    mute_pods: set[str] = field(default_factory=set)  # that have no metrics page
    memory_mib: dict[str, float] = field(default_factory=dict)  # of pods, in place of what they should use
    images_used: dict[str, float] = field(default_factory=dict)  # of nodes' disks, in place of IMAGES_USED
    metrics_used: float = METRICS_USED
    certificate_ends: float = 0.0  # in seconds since 1970


@dataclass(slots=True)
class PodMeter:
    cpu_seconds: float = 0.0
    memory_mib: float = 0.0
    periods: float = 0.0
    throttled_periods: float = 0.0
    requests: defaultdict[RequestKey, float] = field(default_factory=lambda: defaultdict(float))
    seconds: defaultdict[RequestKey, float] = field(default_factory=lambda: defaultdict(float))
    buckets: defaultdict[RequestKey, list[float]] = field(
        default_factory=lambda: defaultdict(lambda: [0.0] * len(BUCKETS))
    )


@dataclass(slots=True)
class NodeMeter:
    busy_seconds: float = 0.0
    idle_seconds: float = 0.0
    cpu: float = 0.0
    memory_mib: float = 0.0

    @property
    def free_mib(self) -> float:
        return MEMORY_MIB - self.memory_mib


class Simulation:
    def __init__(self, kube: KubeStandIn, now: Callable[[], float]) -> None:
        self._kube = kube
        self._now = now
        self._last = now()
        self.lock = threading.RLock()
        self.conditions = Conditions(certificate_ends=now() + CERTIFICATE_LEFT)
        self.pods: defaultdict[str, PodMeter] = defaultdict(PodMeter)  # by uid
        self.nodes: defaultdict[str, NodeMeter] = defaultdict(NodeMeter)

    def advance(self) -> None:
        """Bring every counter up to now."""
        with self.lock:
            now = self._now()
            elapsed = min(max(now - self._last, 0.0), LONGEST_STEP)
            self._last = now
            pods = self._kube.list("pods")
            self._serve(pods, elapsed, now)
            for pod in pods:
                self._run(pod, elapsed, now)
            for node in self._kube.list("nodes"):
                self._work(node["metadata"]["name"], pods, elapsed)

    def rate(self, now: float) -> float:
        """Requests per second to the shop: the day has a peak, and minutes differ a little."""
        day = math.sin(2 * math.pi * (now / 86_400 - 0.3))
        return REQUESTS_PER_SECOND * (1 + DAILY_SWING * day) * (1 + 0.04 * math.sin(now / 11))

    def cpu_of(self, pod: Json, now: float) -> float:
        """Cores that a pod uses right now."""
        workload = inventory.of_pod(pod)
        if not is_running(pod):
            return 0.0
        if workload is None:
            return 0.01
        wobble = 1 + 0.1 * math.sin(now / 7 + len(pod["metadata"]["name"]) + ord(pod["metadata"]["name"][-1]))
        extra = self.conditions.cpu_extra if workload is BACKEND else 0.0
        return workload.cpu * wobble + extra

    def _serve(self, pods: Iterable[Json], elapsed: float, now: float) -> None:
        """Traffic goes to the ready backend pods in equal shares; without one, nothing is counted."""
        serving = [pod for pod in pods if inventory.of_pod(pod) is BACKEND and is_ready(pod)]
        if not serving or not self._has_traffic(pods):
            return
        share = self.rate(now) * elapsed / len(serving)
        for pod in serving:
            meter = self.pods[pod["metadata"]["uid"]]
            meter.cpu_seconds += share * CPU_PER_REQUEST
            for route, part in ROUTES.items():
                self._count(meter, route, share * part)

    def _count(self, meter: PodMeter, route: tuple[str, str], requests: float) -> None:
        failed = requests * self.conditions.error_share
        median = MEDIAN_SECONDS * self.conditions.latency_factor
        for status, number in (("200", requests - failed), ("500", failed)):
            key = (*route, status)
            meter.requests[key] += number
            meter.seconds[key] += number * median * math.exp(SPREAD**2 / 2)
            for index, bound in enumerate(BUCKETS):
                meter.buckets[key][index] += number * _share_below(bound, median)

    def _has_traffic(self, pods: Iterable[Json]) -> bool:
        return any(inventory.of_pod(pod) is inventory.TRAFFIC and is_ready(pod) for pod in pods)

    def _run(self, pod: Json, elapsed: float, now: float) -> None:
        meter, workload = self.pods[pod["metadata"]["uid"]], inventory.of_pod(pod)
        meter.cpu_seconds += self.cpu_of(pod, now) * elapsed
        periods = min(self.cores_of(pod, now) * PERIODS, MOST_PERIODS) * elapsed
        meter.periods += periods
        meter.throttled_periods += periods * (self.conditions.throttled if workload is BACKEND else THROTTLED)
        used = workload.memory if workload else 32.0
        steady = used * (1 + 0.02 * math.sin(now / 97 + used))
        grown = self.conditions.memory_mib.get(pod["metadata"]["name"], steady)
        meter.memory_mib = grown if is_running(pod) else 0.0

    def _work(self, name: str, pods: Iterable[Json], elapsed: float) -> None:
        here = [pod for pod in pods if pod["spec"].get("nodeName") == name]
        meter = self.nodes[name]
        meter.cpu = min(SYSTEM_CPU + sum(self.cores_of(pod, self._last) for pod in here), CORES)
        meter.memory_mib = SYSTEM_MEMORY_MIB + sum(
            self.pods[pod["metadata"]["uid"]].memory_mib for pod in here
        )
        meter.busy_seconds += meter.cpu * elapsed
        meter.idle_seconds += (CORES - meter.cpu) * elapsed

    def cores_of(self, pod: Json, now: float) -> float:
        """With what its requests cost."""
        cores = self.cpu_of(pod, now)
        if inventory.of_pod(pod) is BACKEND and is_ready(pod):
            cores += self.rate(now) * CPU_PER_REQUEST / BACKEND.replicas
        return cores


def is_ready(pod: Json) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    is_leaving = bool(pod["metadata"].get("deletionTimestamp"))
    return not is_leaving and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def is_running(pod: Json) -> bool:
    """Whether any container of it runs."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return any("running" in (status.get("state") or {}) for status in statuses)


def _share_below(bound: float, median: float) -> float:
    """How many requests take at most so long: latencies are log-normal."""
    return 0.5 * (1 + math.erf(math.log(bound / median) / (SPREAD * math.sqrt(2))))

"""What drains are measured on: a real control plane, a node with 100 pods under five budgets, and room elsewhere.

Puts the same state there before every round, and notes when each pod was asked to go and when it was gone, the
same way whoever drains. A pod is ready a second after it was bound, and gone a second after it was told to go.
Called by `benchmarks.drain` and `benchmarks.drain_beside`.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import urllib3

from sandbox.controlplane import ControlPlane
from sandbox.house import wait_until
from sandbox.testkubelet import Fate, TestKubelet

FULL = "node-full"
SPARE = tuple(f"node-spare-{number}" for number in range(3))
WORKLOADS, REPLICAS = 5, 20
PODS = WORKLOADS * REPLICAS
SECONDS = 1.0  # until a pod is ready, and until one is gone

_NAMESPACE = "shop"
_MERGE = "application/merge-patch+json"
_DEPLOYMENTS = f"/apis/apps/v1/namespaces/{_NAMESPACE}/deployments"
_BUDGETS = f"/apis/policy/v1/namespaces/{_NAMESPACE}/poddisruptionbudgets"

Json = dict[str, Any]


class Fleet:
    """`with Fleet() as fleet: fleet.fill(5)`; every budget lets so many of its 20 pods go at a time."""

    def __enter__(self) -> Self:
        self.plane = ControlPlane().__enter__()
        for name in (FULL, *SPARE):
            self.plane.add_node(name)
        self.plane.add_namespace(_NAMESPACE)
        fate = Fate(ready_after=SECONDS, gone_after=SECONDS)
        self._kubelet = TestKubelet(self.plane, fate=fate).__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kubelet.__exit__(kind, error, trace)
        self.plane.stop()

    def fill(self, allowed: int) -> None:
        """All pods on the full node, ready and counted by their budgets; the other nodes empty and open."""
        for path in (_DEPLOYMENTS, _BUDGETS):
            self.plane.request("DELETE", path, {"propagationPolicy": "Background"})
        self._wait(lambda: not self._pods(), "the pods of the round before are gone")
        self._close(FULL, is_closed=False)
        for name in SPARE:
            self._close(name, is_closed=True)
        for number in range(WORKLOADS):
            self.plane.request("POST", _BUDGETS, _budget(f"web-{number}", allowed))
            self.plane.request("POST", _DEPLOYMENTS, _deployment(f"web-{number}"))
        self._wait(lambda: self._is_counted(allowed), "all pods are ready, and their budgets know it")
        assert all(pod["spec"]["nodeName"] == FULL for pod in self._pods())
        for name in SPARE:
            self._close(name, is_closed=False)

    def departures(self) -> "Departures":
        return Departures(self.plane)

    def drain_by_kubectl(self) -> None:
        self.plane.kubectl("drain", FULL, "--ignore-daemonsets")

    def are_well(self) -> bool:
        """All pods are ready again, on other nodes."""
        deployments = self.plane.request("GET", _DEPLOYMENTS)["items"]
        return all(each["status"].get("availableReplicas") == REPLICAS for each in deployments)

    def _wait(self, check: Callable[[], bool], what: str) -> None:
        wait_until(check, seconds=120, what=what)

    def _pods(self) -> list[Json]:
        found: list[Json] = self.plane.request("GET", f"/api/v1/namespaces/{_NAMESPACE}/pods")["items"]
        return found

    def _is_counted(self, allowed: int) -> bool:
        budgets = self.plane.request("GET", _BUDGETS)["items"]
        counts = {each.get("status", {}).get("disruptionsAllowed") for each in budgets}
        healthy = {each.get("status", {}).get("currentHealthy") for each in budgets}
        return counts == {allowed} and healthy == {REPLICAS} and self.are_well()

    def _close(self, node: str, *, is_closed: bool) -> None:
        patch = {
            "spec": {"unschedulable": is_closed or None},
            "metadata": {"annotations": {"sre-bot/cordoned": None}},
        }
        self.plane.request("PATCH", f"/api/v1/nodes/{node}", patch, content_type=_MERGE)


@dataclass
class Departures:
    """Follows the full node's pods while it is open; times on the clock of time.monotonic(), by uid."""

    plane: ControlPlane
    asked: dict[str, float] = field(default_factory=dict)
    gone: dict[str, float] = field(default_factory=dict)

    def __enter__(self) -> Self:
        path = f"/api/v1/pods?fieldSelector=spec.nodeName={FULL}"
        version = self.plane.request("GET", path)["metadata"]["resourceVersion"]
        self._pool = urllib3.PoolManager(ca_certs=str(self.plane.ca), retries=False)
        self._watch = self._pool.request(
            "GET",
            f"{self.plane.url}{path}&watch=1&timeoutSeconds=600&resourceVersion={version}",
            headers={"Authorization": f"Bearer {self.plane.token}"},
            preload_content=False,
            timeout=urllib3.Timeout(connect=3, read=600),
        )
        self._thread = threading.Thread(target=self._follow, name="departures", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.shutdown()
        self._thread.join(5)
        self._pool.clear()

    def _follow(self) -> None:
        try:
            self._note()
        except urllib3.exceptions.HTTPError:
            return  # closed on this side

    def _note(self) -> None:
        rest = b""
        while piece := self._watch.read1():
            now = time.monotonic()
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                event = json.loads(line)
                metadata = event["object"]["metadata"]
                if metadata.get("deletionTimestamp"):
                    self.asked.setdefault(metadata["uid"], now)
                if event["type"] == "DELETED":
                    self.gone.setdefault(metadata["uid"], now)


def _deployment(name: str) -> Json:
    labels = {"app": name}
    requests = {"requests": {"cpu": "20m", "memory": "32Mi"}}
    container = {"name": "web", "image": "registry.example/shop/web:1.4.2", "resources": requests}
    pod = {"terminationGracePeriodSeconds": 10, "containers": [container]}
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _budget(name: str, allowed: int) -> Json:
    selector = {"matchLabels": {"app": name}}
    return {"metadata": {"name": name}, "spec": {"maxUnavailable": allowed, "selector": selector}}

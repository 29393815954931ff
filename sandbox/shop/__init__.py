"""The manual's shop: a cluster in KubeStandIn that lives, is measured, and can be broken.

    with KubeStandIn(pace=PACE) as kube, Shop(kube) as shop:
        shop.break_("crash-loop")
        shop.mend("crash-loop")

Owns the clock: once a second faults go on, controllers and kubelets take their turn (so the stand-in must
not tick by itself), and metrics-server gets its figures. `shop.exporters.url` is what a Prometheus scrapes
(rules.prometheus_config); the pods answer /healthz, /readyz and /metrics through the API server's proxy.
inventory.py says what there is, simulation.py how it fares, faults.py what can go wrong, exporters.py and
statemetrics.py what is measured of it, levers.py how the page reaches it.
"""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from sandbox.kube import KubeStandIn, Pace, ProxyAnswer, ProxyRequest
from sandbox.kube.status import unavailable
from sandbox.kube.workloads import template_hash
from sandbox.shop import inventory
from sandbox.shop.breakage import Breakage
from sandbox.shop.exporters import CONTENT_TYPE, DISK_FREE, Exporters
from sandbox.shop.fault import Nothing, Outside
from sandbox.shop.faults import FAULTS
from sandbox.shop.inventory import BACKEND, DISK_GIB
from sandbox.shop.simulation import Simulation, is_ready

__all__ = ["FAULTS", "PACE", "Shop"]

Json = dict[str, Any]

BEAT_SECONDS = 1.0
# Like a small real cluster, except that a crashing container is restarted sooner: somebody is looking.
PACE = Pace(start=1.0, ready=2.0, stop=2.0, crash=1.0, backoff=8.0)


class Shop:
    """`without` names workloads that are not there, such as a Prometheus nobody could start.

    With `is_live` false only the caller's `beat` moves it, for tests with a clock of their own. `outside` is what
    faults reach beyond the cluster: its machines at EC2, the way of its alerts.
    """

    def __init__(
        self,
        kube: KubeStandIn,
        *,
        without: Iterable[str] = (),
        time_source: Callable[[], float] = time.time,
        is_live: bool = True,
        outside: Outside | None = None,
    ) -> None:
        self.kube = kube
        self.outside = outside or Nothing()
        self._is_live = is_live
        self._time = time_source
        self._without = tuple(without)
        self.simulation = Simulation(kube, time_source)
        self.exporters = Exporters(kube, self.simulation)
        self.breakage = Breakage(self)
        self._lock = self.breakage.lock
        self._answering: set[str] = set()
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as closing:
            self.kube.apply(inventory.objects(self.now(), self._without))
            self._sign_daemons()
            self.kube.metrics.switch("present")
            self.kube.proxy("", "node/*", self._summary)
            self.beat()
            self._age_revisions()
            closing.enter_context(self.exporters)
            if self._is_live:
                self._start_clock(closing)
            self._closing = closing.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """A second call does nothing."""
        self._closing.close()

    def now(self) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(self._time(), datetime.UTC)

    # --- the levers

    def break_(self, name: str) -> None:
        """See FAULTS; a second time does nothing."""
        self.breakage.break_(name)
        self.beat()

    def mend(self, name: str = "") -> None:
        """One fault, or all of them."""
        self.breakage.mend(name)
        self.beat()

    def state(self) -> Json:
        """For the page: the levers and how the backend fares."""
        pods = [pod for pod in self.kube.list("pods", BACKEND.namespace) if inventory.of_pod(pod) is BACKEND]
        return {
            **self.breakage.state(),
            "backend": {"pods": len(pods), "ready": sum(map(is_ready, pods))},
            "requests_per_second": round(self.simulation.rate(self._time()), 1),
            "error_share": self.simulation.conditions.error_share,
        }

    def example(self) -> Mapping[str, str]:
        """A pod and a node that are there, for an alert made by hand."""
        pods = [pod for pod in self.kube.list("pods", BACKEND.namespace) if inventory.of_pod(pod) is BACKEND]
        nodes = self.kube.list("nodes")
        named = {"pod": pods[:1], "node": nodes[:1]}
        return {key: found[0]["metadata"]["name"] for key, found in named.items() if found}

    def _sign_daemons(self) -> None:
        """Daemons carry the hash of their template as it is stored; with another one they are replaced."""
        for daemons in self.kube.list("daemonsets.apps"):
            labels = {"controller-revision-hash": template_hash(daemons["spec"]["template"])}
            for pod in self.kube.list("pods", daemons["metadata"]["namespace"]):
                if pod["metadata"]["ownerReferences"][0]["uid"] == daemons["metadata"]["uid"]:
                    place = pod["metadata"]["name"], pod["metadata"]["namespace"]
                    self.kube.patch("pods", place[0], {"metadata": {"labels": labels}}, place[1])

    def _age_revisions(self) -> None:
        """Those of the daemons were made with them, and not just now by the first round of their controller."""
        born = {"creationTimestamp": inventory.stamp(self.now() - inventory.AGE)}
        for each in self.kube.list("controllerrevisions.apps"):
            place = each["metadata"]["name"], each["metadata"]["namespace"]
            self.kube.patch("controllerrevisions.apps", place[0], {"metadata": born}, place[1])

    # --- the clock

    def beat(self) -> None:
        """Bring everything in line with what is so now."""
        with self._lock:
            self.breakage.go_on()
            self.kube.tick()
            self.simulation.advance()
            self._measure()
            self._let_pods_answer()

    def _start_clock(self, closing: ExitStack) -> None:
        stop = threading.Event()
        clock = threading.Thread(target=self._run, args=(stop,), name="shop-clock", daemon=True)
        clock.start()
        closing.callback(clock.join)
        closing.callback(stop.set)

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(BEAT_SECONDS):
            self.beat()

    def _measure(self) -> None:
        """What metrics-server says; it hears nothing from a silent node."""
        metrics, conditions = self.kube.metrics, self.simulation.conditions
        for name, meter in self.simulation.nodes.items():
            metrics.set_node(name, cpu=f"{meter.cpu * 1e9:.0f}n", memory=f"{meter.memory_mib * 1024:.0f}Ki")
        now = self._time()
        for pod in self.kube.list("pods"):
            place, container = pod["metadata"], pod["spec"]["containers"][0]["name"]
            memory = self.simulation.pods[place["uid"]].memory_mib
            used = {
                "cpu": f"{self.simulation.cores_of(pod, now) * 1e9:.0f}n",
                "memory": f"{memory * 1024:.0f}Ki",
            }
            metrics.set_pod(place["namespace"], place["name"], **{container: used})
        metrics.missing = set(conditions.silent_nodes)
        metrics.mode = "partial" if conditions.silent_nodes else "present"

    # --- the pods' own pages

    def _let_pods_answer(self) -> None:
        for pod in self.kube.list("pods", BACKEND.namespace):
            name = pod["metadata"]["name"]
            if inventory.of_pod(pod) is BACKEND and name not in self._answering:
                self._answering.add(name)
                self.kube.proxy(BACKEND.namespace, f"pod/{name}:{BACKEND.port}", self._podinfo(name))

    def _summary(self, request: ProxyRequest) -> ProxyAnswer | Json:
        """Of the kubelet's own numbers those of its disk, which node-exporter tells as well."""
        if request.path != "/stats/summary":
            return ProxyAnswer(404, b"404 page not found\n", {"Content-Type": "text/plain; charset=utf-8"})
        total = DISK_GIB * 1024**3
        free = int(total * DISK_FREE)
        return {"node": {"fs": {"capacityBytes": total, "availableBytes": free, "usedBytes": total - free}}}

    def _podinfo(self, name: str) -> Callable[[ProxyRequest], ProxyAnswer]:
        def answer(request: ProxyRequest) -> ProxyAnswer:
            pod = self.kube.get("pods", name, BACKEND.namespace)
            if pod is None or not self.exporters.is_reachable(pod):
                address = (pod or {}).get("status", {}).get("podIP", "")
                why = f"dial tcp {address}:{BACKEND.port}: connect: connection refused"
                raise unavailable(f"error trying to reach service: {why}")
            return self._page(request.path, pod)

        return answer

    def _page(self, path: str, pod: Json) -> ProxyAnswer:
        """podinfo 6.5.0."""
        as_json = {"Content-Type": "application/json; charset=utf-8"}
        match path:
            case "/healthz" | "/readyz":
                return ProxyAnswer(200, b'{\n  "status": "OK"\n}', as_json)
            case "/metrics" if pod["metadata"]["name"] not in self.simulation.conditions.mute_pods:
                return ProxyAnswer(200, self.exporters.pod_page(pod).encode(), {"Content-Type": CONTENT_TYPE})
            case "/" | "/api/info":
                name = pod["metadata"]["name"]
                return ProxyAnswer(200, f'{{"hostname": "{name}", "version": "6.5.0"}}'.encode(), as_json)
        return ProxyAnswer(404, b"404 page not found\n", {"Content-Type": "text/plain; charset=utf-8"})

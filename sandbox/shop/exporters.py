"""What Prometheus scrapes: the pods' own pages, node-exporter, kube-state-metrics and the kubelets.

Owns the metric names and labels, which are those of the real exporters as commands/queries.py asks for
them, and service discovery: Prometheus asks here every two seconds who there is, so pods that come and go
are targets that come and go. A pod or node that is down drops the connection. Derives everything from the
cluster's objects and the simulation; holds no state of its own.
"""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from sandbox.kube import KubeStandIn
from sandbox.shop import inventory, statemetrics
from sandbox.shop.inventory import BACKEND, CORES, DISK_GIB, IMAGES_GIB, MEMORY_MIB, VOLUME_GIB
from sandbox.shop.simulation import BUCKETS, IMAGES_USED, PodMeter, Simulation, is_ready, is_running
from sandbox.shop.textformat import Labels, family, quantity, written

Json = dict[str, Any]
JOBS = ("backend", "kubernetes-nodes", "kube-state-metrics", "kubernetes-cadvisor", "kubelet", "blackbox")
ADDRESS = "https://shop.example.com"  # that is probed from outside
MIB = 1024 * 1024
GIB = 1024 * MIB
ROOT = {"device": "/dev/nvme0n1p1", "fstype": "xfs", "mountpoint": "/"}
IMAGES = {"device": "/dev/nvme1n1", "fstype": "xfs", "mountpoint": "/var/lib/containerd"}
LAYER_MIB, LOG_MIB = 12, 6  # that a container has written, to its files and to its log
DISK_FREE = 0.71  # of every node's disk
INODES_PER_GIB, INODES_FREE = 65_536, 0.9
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Exporters:
    """The HTTP server for Prometheus; `url` is good once it is entered."""

    url: str

    def __init__(self, kube: KubeStandIn, simulation: Simulation) -> None:
        self._kube = kube
        self._simulation = simulation

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.exporters = self
        self.address = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.address}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="exporters", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str) -> tuple[str, str] | None:
        """Content type and body; None when whoever is asked is down."""
        match path.strip("/").split("/"):
            case ["sd", job]:
                return "application/json", json.dumps(self.targets(job))
            case ["pods", namespace, name]:
                pod = self._kube.get("pods", name, namespace)
                page = self.pod_page(pod) if pod and self._is_told(pod) else None
            case ["nodes", name, exporter]:
                page = (
                    None
                    if name in self._simulation.conditions.silent_nodes
                    else self._node_page(name, exporter)
                )
            case ["kube-state-metrics"]:
                page = statemetrics.page(self._kube)
            case ["blackbox"]:
                page = self._probe()
            case _:
                page = None
        return None if page is None else (CONTENT_TYPE, page)

    def is_reachable(self, pod: Json) -> bool:
        return is_running(pod) and pod["spec"].get("nodeName") not in self._simulation.conditions.silent_nodes

    def _is_told(self, pod: Json) -> bool:
        return self.is_reachable(pod) and pod["metadata"]["name"] not in self._simulation.conditions.mute_pods

    # --- who is there

    def targets(self, job: str) -> list[Json]:
        """In the form of Prometheus' HTTP service discovery."""
        nodes = self._kube.list("nodes")
        if job == "backend":
            pods = [
                pod for pod in self._kube.list("pods", BACKEND.namespace) if inventory.of_pod(pod) is BACKEND
            ]
            return [self._pod_target(pod) for pod in pods if (pod.get("status") or {}).get("podIP")]
        if job == "kubernetes-nodes":
            return [self._node_target(node, "node", "9100") for node in nodes]
        if job == "kubernetes-cadvisor":
            return [self._node_target(node, "cadvisor", "10250") for node in nodes]
        if job == "kubelet":
            return [self._node_target(node, "kubelet", "10250") for node in nodes]
        if job == "blackbox":
            return [self._target("blackbox", {"instance": ADDRESS})]
        return [self._target("kube-state-metrics", {"instance": "kube-state-metrics:8080"})]

    def _pod_target(self, pod: Json) -> Json:
        metadata = pod["metadata"]
        labels = {
            "instance": f"{pod['status']['podIP']}:{BACKEND.port}",
            "namespace": metadata["namespace"],
            "service": "backend-service",
            "pod": metadata["name"],
        }
        return self._target(f"pods/{metadata['namespace']}/{metadata['name']}", labels)

    def _node_target(self, node: Json, exporter: str, port: str) -> Json:
        name = node["metadata"]["name"]
        instance = f"{_address(node)}:{port}"
        return self._target(f"nodes/{name}/{exporter}", {"instance": instance})

    def _target(self, path: str, labels: Labels) -> Json:
        return {"targets": [self.address], "labels": {"__metrics_path__": f"/{path}", **labels}}

    # --- pages

    def pod_page(self, pod: Json) -> str:
        """podinfo's /metrics."""
        self._simulation.advance()
        with self._simulation.lock:
            meter = self._simulation.pods[pod["metadata"]["uid"]]
            by_status: dict[str, float] = {}
            for (_, _, status), number in meter.requests.items():
                by_status[status] = by_status.get(status, 0) + number
            return "".join(
                (
                    family(
                        "http_requests_total",
                        "counter",
                        # A status that has not come up yet has no series, as in a real client library.
                        (({"status": status}, int(n)) for status, n in by_status.items() if n >= 1),
                    ),
                    _latency(meter),
                    family("process_cpu_seconds_total", "counter", [({}, meter.cpu_seconds)]),
                    family("process_resident_memory_bytes", "gauge", [({}, meter.memory_mib * MIB)]),
                    family("go_goroutines", "gauge", [({}, 12)]),
                )
            )

    def _probe(self) -> str:
        """blackbox-exporter, asked about the shop's own address; it stands outside the cluster."""
        ready = any(inventory.of_pod(pod) is BACKEND and is_ready(pod) for pod in self._kube.list("pods"))
        ends = self._simulation.conditions.certificate_ends
        return family("probe_success", "gauge", [({}, ready)]) + family(
            "probe_ssl_earliest_cert_expiry", "gauge", [({}, float(ends))]
        )

    def _node_page(self, name: str, exporter: str) -> str | None:
        node = self._kube.get("nodes", name)
        if node is None:
            return None
        self._simulation.advance()
        with self._simulation.lock:
            match exporter:
                case "node":
                    return self._machine(node)
                case "kubelet":
                    return self._volumes(name)
            return self._containers(name)

    def _machine(self, node: Json) -> str:
        """node-exporter."""
        name, info = node["metadata"]["name"], node["status"]["nodeInfo"]
        meter = self._simulation.nodes[name]
        modes = {"idle": meter.idle_seconds * 0.99, "iowait": meter.idle_seconds * 0.01}
        modes |= {"user": meter.busy_seconds * 0.7, "system": meter.busy_seconds * 0.3, "steal": 0.0}
        cpu = [
            ({"cpu": str(core), "mode": mode}, seconds / CORES)
            for core in range(CORES)
            for mode, seconds in modes.items()
        ]
        uname = {
            "nodename": name,
            "sysname": "Linux",
            "machine": "x86_64",
            "release": info["kernelVersion"],
            "version": "#1 SMP",
            "domainname": "(none)",
        }
        used = self._simulation.conditions.images_used.get(name, IMAGES_USED)
        disks = ((ROOT, DISK_GIB, DISK_FREE), (IMAGES, IMAGES_GIB, 1 - used))
        return "".join(
            (
                family("node_cpu_seconds_total", "counter", cpu),
                family("node_memory_MemTotal_bytes", "gauge", [({}, MEMORY_MIB * MIB)]),
                family("node_memory_MemAvailable_bytes", "gauge", [({}, meter.free_mib * MIB)]),
                family("node_filesystem_size_bytes", "gauge", [(disk, gib * GIB) for disk, gib, _ in disks]),
                family(
                    "node_filesystem_avail_bytes",
                    "gauge",
                    [(disk, gib * GIB * free) for disk, gib, free in disks],
                ),
                family(
                    "node_filesystem_files", "gauge", [(disk, gib * INODES_PER_GIB) for disk, gib, _ in disks]
                ),
                family(
                    "node_filesystem_files_free",
                    "gauge",
                    [(disk, gib * INODES_PER_GIB * INODES_FREE) for disk, gib, _ in disks],
                ),
                family("node_load1", "gauge", [({}, meter.cpu)]),
                family("node_uname_info", "gauge", [(uname, 1)]),
            )
        )

    def _containers(self, node: str) -> str:
        """cAdvisor, with the row of the pod's own cgroup (container="") that real pages have."""
        cpu: list[tuple[Labels, float]] = []
        memory: list[tuple[Labels, float]] = []
        limits: list[tuple[Labels, float]] = []
        periods: list[tuple[Labels, float]] = []
        throttled: list[tuple[Labels, float]] = []
        for pod in self._kube.list("pods"):
            if pod["spec"].get("nodeName") != node or not is_running(pod):
                continue
            meter = self._simulation.pods[pod["metadata"]["uid"]]
            place = {"namespace": pod["metadata"]["namespace"], "pod": pod["metadata"]["name"]}
            container = pod["spec"]["containers"][0]
            for labels in (
                {**place, "container": container["name"], "image": container["image"]},
                {**place, "container": "", "image": ""},
            ):
                cpu.append(({**labels, "cpu": "total"}, meter.cpu_seconds))
                memory.append((labels, meter.memory_mib * MIB))
            most = (container.get("resources") or {}).get("limits") or {}
            if most.get("cpu"):  # without a limit there are no periods to be throttled in
                periods.append(({**place, "container": container["name"]}, meter.periods))
                throttled.append(({**place, "container": container["name"]}, meter.throttled_periods))
            limit = most.get("memory")
            limits.append(({**place, "container": container["name"]}, quantity(limit) if limit else 0))
        return "".join(
            (
                family("container_cpu_usage_seconds_total", "counter", cpu),
                family("container_memory_working_set_bytes", "gauge", memory),
                family("container_memory_usage_bytes", "gauge", ((labels, n * 1.1) for labels, n in memory)),
                family("container_spec_memory_limit_bytes", "gauge", limits),
                family("container_cpu_cfs_periods_total", "counter", periods),
                family("container_cpu_cfs_throttled_periods_total", "counter", throttled),
                family(
                    "container_fs_usage_bytes", "gauge", [(labels, LAYER_MIB * MIB) for labels, _ in limits]
                ),
            )
        )

    def _volumes(self, node: str) -> str:
        """The kubelet, of the volumes that its pods mount."""
        free: list[tuple[Labels, float]] = []
        for pod in self._kube.list("pods"):
            workload = inventory.of_pod(pod)
            if workload and workload.claim and pod["spec"].get("nodeName") == node and is_running(pod):
                claim = {"namespace": workload.namespace, "persistentvolumeclaim": workload.claim}
                free.append((claim, VOLUME_GIB * GIB * (1 - self._simulation.conditions.metrics_used)))
        inodes = VOLUME_GIB * INODES_PER_GIB
        return "".join(
            (
                family("kubelet_container_log_filesystem_used_bytes", "gauge", self._logs(node)),
                family("kubelet_running_pods", "gauge", [({}, sum(map(is_running, self._on(node))))]),
                family("kubelet_volume_stats_available_bytes", "gauge", free),
                family(
                    "kubelet_volume_stats_capacity_bytes",
                    "gauge",
                    [(claim, VOLUME_GIB * GIB) for claim, _ in free],
                ),
                family(
                    "kubelet_volume_stats_used_bytes",
                    "gauge",
                    [(claim, VOLUME_GIB * GIB - left) for claim, left in free],
                ),
                family("kubelet_volume_stats_inodes", "gauge", [(claim, inodes) for claim, _ in free]),
                family(
                    "kubelet_volume_stats_inodes_free",
                    "gauge",
                    [(claim, inodes * INODES_FREE) for claim, _ in free],
                ),
            )
        )

    def _logs(self, node: str) -> list[tuple[Labels, float]]:
        """The shop's own pod there writes what fills the disk."""
        more = self._simulation.conditions.images_used.get(node, IMAGES_USED) - IMAGES_USED
        found: list[tuple[Labels, float]] = []
        for pod in filter(is_running, self._on(node)):
            metadata, container = pod["metadata"], pod["spec"]["containers"][0]["name"]
            named = {"namespace": metadata["namespace"], "pod": metadata["name"], "container": container}
            grown = more * IMAGES_GIB * GIB if inventory.of_pod(pod) is BACKEND else 0.0
            found.append((named, LOG_MIB * MIB + grown))
        return found

    def _on(self, node: str) -> list[Json]:
        return [pod for pod in self._kube.list("pods") if pod["spec"].get("nodeName") == node]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    exporters: Exporters

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A scraper that hangs up, as Prometheus does when it reads its configuration again, is no news."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: Any = self.server
        found = server.exporters.answer(self.path.partition("?")[0])
        if found is None:
            self.close_connection = True  # nobody is there
            return
        content_type, body = found[0], found[1].encode()
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Ten lines a second would say nothing."""


def _latency(meter: PodMeter) -> str:
    name = "http_request_duration_seconds"
    lines = []
    for (method, path, status), number in meter.requests.items():
        if number < 1:
            continue
        labels = {"method": method, "path": path, "status": status}
        for bound, count in zip(BUCKETS, meter.buckets[method, path, status], strict=True):
            lines.append(f"{name}_bucket{written({**labels, 'le': f'{bound:g}'})} {int(count)}\n")
        lines.append(f"{name}_bucket{written({**labels, 'le': '+Inf'})} {int(number)}\n")
        lines.append(f"{name}_sum{written(labels)} {meter.seconds[method, path, status]:.6f}\n")
        lines.append(f"{name}_count{written(labels)} {int(number)}\n")
    return "".join((f"# TYPE {name} histogram\n", *lines)) if lines else ""


def _address(node: Json) -> str:
    addresses = node["status"].get("addresses") or ()
    return next((str(each["address"]) for each in addresses if each["type"] == "InternalIP"), "")

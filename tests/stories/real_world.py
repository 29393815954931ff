"""The main job's surroundings, all real but Slack and AWS: API server with controllers and scheduler,
Prometheus scraping a shop, Alertmanager. Pods have addresses of their own and no kubelet, so an HTTP
forward proxy on loopback stands where their network would be.
"""

import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from bot.state import State, connect
from sandbox.aws import Aws
from sandbox.controlplane import ControlPlane
from sandbox.grafana import Grafana
from sandbox.house import ALERT_TOKEN, House, wait_until
from sandbox.kube import build
from sandbox.monitoring import Alertmanager, Prometheus, webhook_config
from sandbox.process import free_ports
from sandbox.redis_server import RedisServer
from sandbox.slack import SlackStandIn
from tests.stories.almanac import still

CLUSTER = "sre-training-cluster"
REGION = "eu-central-1"
NODES = ("/node-1", "/node-2", "/node-3")
PODS = {"backend": 3, "traffic-generator": 1}

# A rate over five minutes of a Prometheus that is seconds old divides by the five minutes: a node would
# look busy. So the site asks for less, by the setting that is there for it.
NODE_CPU = (
    '(1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[15s])))'
    " * on (instance) group_left (nodename) node_uname_info"
)

# The built-in query looks once a minute, and this Prometheus has not seen a minute's turn yet.
AVAILABILITY = 'avg_over_time(max(up{service="backend-service"})[1h:1s])'

# Requests and CPU grow with time, so that rates are steady: 20 requests/s without errors, 0.3 of 1 core.
PAGE = """\
# TYPE http_requests_total counter
http_requests_total{{status="200"}} {requests}
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{{le="0.1"}} {requests}
http_request_duration_seconds_bucket{{le="+Inf"}} {requests}
http_request_duration_seconds_sum {cpu}
http_request_duration_seconds_count {requests}
"""
STATE_PAGE = """\
# TYPE kube_pod_container_resource_requests gauge
kube_pod_container_resource_requests{{namespace="sre-shop",pod="backend-1",container="app",resource="cpu"}} 1
# TYPE kube_pod_status_phase gauge
kube_pod_status_phase{{namespace="sre-shop",pod="backend-1",phase="Running"}} 1
# TYPE container_cpu_usage_seconds_total counter
container_cpu_usage_seconds_total{{namespace="sre-shop",pod="backend-1",container="app",image="i"}} {cpu}
"""
NODE_PAGE = """\
# TYPE node_cpu_seconds_total counter
node_cpu_seconds_total{{cpu="0",mode="idle"}} {idle}
node_cpu_seconds_total{{cpu="0",mode="user"}} {busy}
# TYPE node_uname_info gauge
node_uname_info{{nodename="{node}"}} 1
# TYPE node_memory_MemAvailable_bytes gauge
node_memory_MemAvailable_bytes 6e9
# TYPE node_memory_MemTotal_bytes gauge
node_memory_MemTotal_bytes 8e9
"""


class Shop(BaseHTTPRequestHandler):
    """Serves the scraped pages, the pods' pages by absolute address, and forwards what is for loopback."""

    started = time.time()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.hostname == "127.0.0.1":
            self._forward()
        elif parts.path in ("/healthz", "/readyz"):
            self._answer(200, "ok")
        elif parts.path == "/metrics":
            self._answer(200, self._filled(PAGE))
        elif parts.path == "/state":
            self._answer(200, self._filled(STATE_PAGE))
        elif parts.path in NODES:
            self._answer(200, self._filled(NODE_PAGE))
        else:
            self._answer(404, "no such page")

    def do_POST(self) -> None:
        self._forward()

    def _filled(self, page: str) -> str:
        age = time.time() - self.started
        counters = {"requests": 20 * age, "cpu": 0.3 * age, "idle": 0.75 * age, "busy": 0.25 * age}
        return page.format(**counters, node=self.path.strip("/"))

    def _forward(self) -> None:
        """slack_sdk sends everything through HTTP_PROXY, loopback too."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
        kept = {
            k: v for k, v in self.headers.items() if k.lower() not in ("host", "content-length", "connection")
        }
        request = urllib.request.Request(self.path, body, kept, method=self.command)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=10) as answer:
            self._answer(answer.status, answer.read().decode(), answer.headers["Content-Type"])

    def _answer(self, status: int, text: str, kind: str = "text/plain") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    request_queue_size = 64  # who finds it full asks again a second later


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    server = _Server(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


class RealWorld:
    """Everything around the house, and the house in it."""

    def __enter__(self) -> "RealWorld":
        with ExitStack() as closing:
            self._start(closing)
            self._closing = closing.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def _start(self, closing: ExitStack) -> None:
        enter = closing.enter_context
        shop = enter(serving(Shop))
        self.cluster = enter(ControlPlane())
        self.prometheus = enter(Prometheus(_scrape(shop)))
        port = free_ports(1)[0]
        self.alertmanager = enter(
            Alertmanager(webhook_config(f"http://127.0.0.1:{port}/alerts", ALERT_TOKEN))
        )
        grafana = enter(Grafana())
        aws = enter(Aws(REGION))
        aws.eks_cluster(CLUSTER, nodegroup="sre-training-nodes")
        self.slack = enter(SlackStandIn())
        self._furnish()
        monitoring = {
            "prometheus": {"url": self.prometheus.url},
            "alertmanager": {"url": self.alertmanager.url},
            "grafana": {"url": grafana.url},
        }
        site = {
            "monitoring": monitoring,
            "urls": {"grafana": grafana.url},
            "roles": {"oncall": {"rota": ["U0ALICE0001"]}},
            "slo": {"queries": {"Q-nodecpu": NODE_CPU, "Q-avail": AVAILABILITY}},
        }
        proxy = {"HTTP_PROXY": f"http://127.0.0.1:{shop}", "NO_PROXY": "127.0.0.1"}
        redis = enter(RedisServer())
        with connect(redis.url, patient=True) as connection:
            still(State(connection))
        self.house = enter(
            House(
                slack=self.slack, redis=redis, kubeconfig=self.cluster.kubeconfig, aws=aws, site=site, port=port,
                environment=proxy | {"GRAFANA_TOKEN": grafana.token},
            )
        )  # fmt: skip

    def watchdog(self) -> None:
        """The alert that always fires, so that silence can be told from peace."""
        self.alertmanager.alert({"alertname": "Watchdog", "severity": "none"})
        wait_until(lambda: "stored" in self.house.get("/metrics")[1], what="the Watchdog arrives")

    def _furnish(self) -> None:
        """The manual's shop: three nodes, two Deployments, one Service, all pods running."""
        for path, zone in zip(NODES, "abc", strict=True):
            self.cluster.add_node(path[1:], zone=f"{REGION}{zone}")
        self.cluster.add_namespace("sre-shop")
        for name, replicas in PODS.items():
            deployment = build.deployment(name, "sre-shop", replicas=replicas)
            self.cluster.request("POST", "/apis/apps/v1/namespaces/sre-shop/deployments", deployment)
        service = build.service("backend-service", "sre-shop", selector={"app": "backend"}, port=8080)
        self.cluster.request("POST", "/api/v1/namespaces/sre-shop/services", service)
        wait_until(lambda: len(self._bound()) == sum(PODS.values()), what="every pod has a node")
        for number, pod in enumerate(self._bound(), start=1):
            status = build.pod_status(pod["spec"], ip=f"10.244.0.{number}")
            self.cluster.set_pod_status("sre-shop", pod["metadata"]["name"], status)
        wait_until(lambda: self._ready_endpoints() == PODS["backend"], what="every endpoint is ready")
        wait_until(self._is_measured, what="Prometheus has rates")

    def _bound(self) -> list[dict[str, Any]]:
        pods = self.cluster.request("GET", "/api/v1/namespaces/sre-shop/pods")["items"]
        return [pod for pod in pods if pod["spec"].get("nodeName")]

    def _ready_endpoints(self) -> int:
        path = "/apis/discovery.k8s.io/v1/namespaces/sre-shop/endpointslices"
        slices = self.cluster.request("GET", path)["items"]
        return sum(bool(e["conditions"]["ready"]) for each in slices for e in each.get("endpoints") or [])

    def _is_measured(self) -> bool:
        """Every rate that health asks for needs two scrapes of its page."""
        rates = ("http_requests_total", "container_cpu_usage_seconds_total")
        asked = " and on() ".join(f"sum(rate({name}[5m])) > 0" for name in rates)
        asked += f" and on() (max({NODE_CPU}) < 0.3 and on() count({NODE_CPU}) == {len(NODES)})"
        return bool(self.prometheus.query(asked))


def _scrape(port: int) -> dict[str, Any]:
    def job(name: str, path: str, **labels: str) -> dict[str, Any]:
        static = [{"targets": [f"127.0.0.1:{port}"], "labels": labels}]
        return {"job_name": name, "metrics_path": path, "static_configs": static}

    nodes = [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"__metrics_path__": path, "instance": path[1:]}}
        for path in NODES
    ]
    return {
        # Also how long a page may take: on a busy machine one that took over a second was an outage.
        "global": {"scrape_interval": "3s"},
        "scrape_configs": [
            job("backend", "/metrics", namespace="sre-shop", service="backend-service"),
            job("kube-state-metrics", "/state"),
            {"job_name": "kubernetes-nodes", "static_configs": nodes},
        ],
    }


def read_golden(name: str) -> str:
    return (Path(__file__).parents[1] / "golden" / name).read_text()

"""The sandbox put together: which part is real, which is a stand-in, and how they reach each other.

Owns the order of the start (as much at once as can be) and the bot's configuration. Everything listens on
loopback; the bot reaches Prometheus, Alertmanager, Grafana and the pods through the API server's proxy, as
a bot outside a cluster would. Called by `python -m sandbox` and by story tests.
"""

from __future__ import annotations

import importlib
import logging
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import urllib3
import yaml
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox import monitoring
from sandbox.aws import Aws
from sandbox.grafana import TOKEN, Grafana
from sandbox.house import ALERT_TOKEN, House, wait_until
from sandbox.kube import KubeStandIn, ProxyAnswer, ProxyRequest
from sandbox.kube.status import unavailable
from sandbox.monitoring import Alertmanager, Prometheus
from sandbox.process import ChildFailed, free_ports
from sandbox.redis_server import RedisServer
from sandbox.shop import PACE, Shop, inventory, rules
from sandbox.shop.history import ShopPrometheus
from sandbox.shop.levers import Levers
from sandbox.slack import SlackStandIn
from sandbox.slack.cast import ALICE, BOB
from sandbox.statuspage import PATH as STATUS
from sandbox.statuspage import StatusPage
from sandbox.surroundings import Surroundings

Json = dict[str, Any]

FIRST_LOOK_SECONDS = 10
WORKERS = 2
APPROVERS = "S0APPROVERS"  # of the cast


class Sandbox:
    """Everything, started as far as possible at once; `about` says what is real."""

    house: House

    def __init__(self, folder: Path, *, port: int, redis_url: str = "") -> None:
        self.folder = folder.absolute()
        self._given_redis = redis_url
        self._lacking = set(monitoring.lacking())
        self._bot_port = free_ports(1)[0]
        self.prometheus: Prometheus | None = None
        self.alertmanager: Alertmanager | None = None
        self.kube = KubeStandIn(pace=PACE)
        self._surroundings = Surroundings(self)
        self.shop = Shop(self.kube, without=self._lacking, outside=self._surroundings)
        # No token can pass the API server's proxy, which takes the header for itself.
        self.grafana = Grafana(anonymous=True)
        self.levers = Levers(
            self.shop, about=self.about, post_alerts=lambda body: self.house.post_alerts(body)
        )
        self.status = StatusPage()
        extra = [*_page_routes(), *self.levers.routes(), *self.status.routes()]
        self.slack = SlackStandIn(port=port, extra_routes=extra)
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as closing, ThreadPoolExecutor(4) as threads:
            # First, because it may find its port taken.
            closing.enter_context(self.slack)
            first = [
                threads.submit(start, closing)
                for start in (self._start_redis, self._start_aws, self._start_cluster)
            ]
            for each in first:
                each.result()
            eks = threads.submit(self._make_eks_cluster)
            self._start_house(closing)
            eks.result()
            self._await_first_look()
            self._closing = closing.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    def about(self) -> Json:
        """What runs here, for the page and for the terminal; `missing` marks what is not there at all."""
        where = f"{self.house.redis_url}" + (" (yours)" if self._given_redis else "")
        parts = [
            _part("SRE Bot", True, f"bot and {WORKERS} workers; a killed one is started again at once"),
            _part("Redis", True, where),
            self._monitoring_part("Prometheus", self.prometheus),
            self._monitoring_part("Alertmanager", self.alertmanager),
            _part("Slack", False, f"{self.slack.url}: the workspace {self.slack.workspace.name}"),
            _part("Kubernetes", False, f"{self.kube.url}: {inventory.CLUSTER}, kubeconfig {self.kubeconfig}"),
            _part("EKS", False, "moto: the cluster and its node group are ACTIVE"),
            _part("Grafana", False, self.grafana.url),
            _part("Status page", False, f"{self.slack.url}{STATUS}: what incidents post there"),
        ]
        return {"parts": parts, "try": ["/sre health", "/sre health cluster", "/sre help"]}

    # --- starting the parts

    def _start_redis(self, closing: ExitStack) -> None:
        if self._given_redis:
            self.redis: RedisServer | str = self._given_redis
            return
        data = self.folder / "redis"
        # What the last sandbox knew is about messages of a workspace that is gone.
        shutil.rmtree(data, ignore_errors=True)
        self.redis = closing.enter_context(RedisServer(data))

    def _start_aws(self, closing: ExitStack) -> None:
        logging.getLogger("werkzeug").setLevel(logging.WARNING)  # moto's server tells of every request
        self.aws = closing.enter_context(Aws(inventory.REGION))

    def _make_eks_cluster(self) -> None:
        self.aws.eks_cluster(
            inventory.CLUSTER,
            version=inventory.KUBERNETES.removeprefix("v").rpartition(".")[0],
            nodegroup=inventory.NODEGROUP,
        )

    def _start_cluster(self, closing: ExitStack) -> None:
        """The shop, what measures it, and the ways through the API server to both."""
        closing.enter_context(self.kube)
        closing.enter_context(self.shop)
        closing.enter_context(self.grafana)
        self.kubeconfig = self.kube.kubeconfig(self.folder / "kubeconfig")
        ways = {"grafana": self.grafana.url}
        if "alertmanager" not in self._lacking:
            self.alertmanager = closing.enter_context(Alertmanager(self.alerting()))
            ways["alertmanager"] = self.alertmanager.url
        if "prometheus" not in self._lacking:
            told = self.alertmanager.url if self.alertmanager else ""
            self.prometheus = closing.enter_context(ShopPrometheus(self.shop, told))
            ways["prometheus-service"] = self.prometheus.url
        for service, url in ways.items():
            self.kube.proxy(inventory.MONITORING, f"service/{service}", _upstream(url))

    def _start_house(self, closing: ExitStack) -> None:
        self.house = closing.enter_context(
            House(
                slack=self.slack,
                redis=self.redis,
                kubeconfig=self.kubeconfig,
                aws=self.aws,
                site=yaml.safe_dump(self.site(), sort_keys=False),
                worker_count=WORKERS,
                is_supervised=True,
                port=self._bot_port,
                folder=self.folder,
                environment={"GRAFANA_TOKEN": TOKEN},
            )
        )

    def _await_first_look(self) -> None:
        """Prometheus finds its targets and the Watchdog reaches the bot within seconds of the start; who asks
        before them would see an unhealthy shop. Not for ever: a slow machine shows what it has."""
        if self.prometheus is None or self.alertmanager is None:
            return
        with suppress(ChildFailed):
            wait_until(self._is_seen, seconds=FIRST_LOOK_SECONDS, what="the first scrapes and the Watchdog")

    def _is_seen(self) -> bool:
        assert self.prometheus is not None
        rates = ("http_requests_total", "container_cpu_usage_seconds_total", "node_cpu_seconds_total")
        asked = " and on() ".join(f"sum(rate({name}[5m])) > 0" for name in rates)
        return bool(self.prometheus.query(asked)) and 'outcome="stored"' in self.house.get("/metrics")[1]

    def alerting(self, path: str = "/alerts") -> Json:
        """Alertmanager's configuration; another path than the bot's cuts the way."""
        return rules.alertmanager_config(f"http://127.0.0.1:{self._bot_port}{path}", ALERT_TOKEN)

    def site(self) -> Json:
        """sre-bot.yaml: the manual's defaults, with this cast in its roles."""
        monitored: Json = {"access": "proxy"}
        # An empty address is "not there", and every answer says so.
        monitored |= {kind: {"url": ""} for kind in ("prometheus", "alertmanager") if kind in self._lacking}
        urls = {"grafana": self.grafana.url, "status_page_webhook": f"{self.slack.url}{STATUS}"}
        if self.alertmanager:
            urls["alertmanager"] = self.alertmanager.url
        return {
            "cluster": {
                "name": inventory.CLUSTER,
                "region": inventory.REGION,
                "nodegroups": [inventory.NODEGROUP],
            },
            "monitoring": monitored,
            "urls": urls,
            "roles": {
                "oncall": {"rota": [ALICE.id]},
                "approvers": [APPROVERS],
                "two_person": [APPROVERS, ALICE.id],
                "sre-lead": BOB.id,
                "security": BOB.id,
                "platform": BOB.id,
                "service-owner": [ALICE.id, BOB.id],
                "db-owner": BOB.id,
                "comms": BOB.id,
            },
            # Alice asks, Bob agrees, and Carol (like everybody else) may only look.
            "access": [
                {"roles": ["oncall", "service-owner"], "may": ["submit"], "verbs": ["*"]},
                {"roles": ["approvers"], "may": ["submit", "approve"], "verbs": ["*"]},
            ],
            "team": {"members": [ALICE.id, BOB.id]},
            # Alertmanager tells it every 20 s here, so that its silence is noticed while somebody looks.
            "alerts": {"watchdog": {"silent_for": "90s"}},
        }

    def _monitoring_part(self, name: str, server: Prometheus | Alertmanager | None) -> Json:
        if server is not None:
            return _part(name, True, server.url)
        note = "not installed, so what it would tell is unknown; alerts can be raised by hand"
        return _part(name, False, note) | {"missing": True}


def _part(name: str, real: bool, note: str) -> Json:
    return {"name": name, "real": real, "note": note}


# --- the page -------------------------------------------------------------------------------------


def _page_routes() -> Sequence[BaseRoute]:
    """The page's, or a line of text where it is not installed."""
    try:
        routes: Sequence[BaseRoute] = importlib.import_module("sandbox.page").routes
    except ModuleNotFoundError:
        return [Route("/", _no_page)]
    return routes


async def _no_page(request: Request) -> Response:
    return PlainTextResponse(
        "The page is not installed. The endpoints under /_standin/ and /_sandbox/ answer.\n"
    )


# --- through the API server -----------------------------------------------------------------------


def _upstream(url: str) -> Callable[[ProxyRequest], ProxyAnswer]:
    """A Service that is really a process of this machine; connections are kept, unlike per request."""
    pool = urllib3.PoolManager(maxsize=8)

    def answer(request: ProxyRequest) -> ProxyAnswer:
        address = f"{url}{request.path}" + (f"?{request.query}" if request.query else "")
        # The caller's token is for the API server, not for what is behind it.
        headers = {key: request.headers[key] for key in ("accept", "content-type") if key in request.headers}
        try:
            found = pool.request(
                request.method, address, body=request.body, headers=headers, retries=False, timeout=30
            )
        except urllib3.exceptions.HTTPError as error:
            raise unavailable(f"error trying to reach service: {error}") from error
        kind = found.headers.get("Content-Type", "text/plain; charset=utf-8")
        return ProxyAnswer(found.status, found.data, {"Content-Type": kind})

    return answer

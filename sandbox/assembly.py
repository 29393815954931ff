"""The sandbox put together: which part is real, which is a stand-in, and how they reach each other.

Owns the order of the start (as much at once as can be), of a reset, and of the end. The page and the nursery of the
house's processes live as long as the sandbox; all the rest is one world, which a reset ends and begins anew. Everything
listens on loopback but the bot's own port, which takes nothing without the secrets of this start; the bot reaches
Prometheus, Alertmanager, Grafana and the pods through the API server's proxy, as a bot outside a cluster would. Called
by `python -m sandbox` and by story tests.
"""

from __future__ import annotations

import datetime
import importlib
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import urllib3
import yaml
from redis import Redis
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox import hours, monitoring, parts, policy
from sandbox.cloud import Cloud
from sandbox.given import Given
from sandbox.grafana import TOKEN, Grafana
from sandbox.house import ALERT_TOKEN, House, bare_environment, wait_until
from sandbox.kube import KubeStandIn, ProxyAnswer, ProxyRequest
from sandbox.kube.status import unavailable
from sandbox.monitoring import Alertmanager, Prometheus
from sandbox.nursery import Nursery
from sandbox.process import ChildFailed, free_ports
from sandbox.redis_server import RedisServer
from sandbox.shop import PACE, Shop, inventory, rules
from sandbox.shop.bare import Bare
from sandbox.shop.exporters import JOBS
from sandbox.shop.history import ShopPrometheus
from sandbox.shop.levers import Levers
from sandbox.slack import SlackStandIn
from sandbox.statuspage import PATH as STATUS
from sandbox.statuspage import StatusPage
from sandbox.surroundings import Surroundings

Json = dict[str, Any]

FIRST_LOOK_SECONDS = 10
WORKERS = 1  # another would take 40 MB more, and 110 once it has drawn pictures
REMEMBERED = 1000  # calls of Slack, and as many deliveries: it may run for days
MARK = "sandbox:of"  # in a Redis that was given: what else is in it, a sandbox wrote


class Refused(Exception):
    """A given part is not fit to be used; the message says why, and nothing was done."""


class Sandbox:
    """Everything, started as far as possible at once; `about` says what is real."""

    house: House
    kube: KubeStandIn
    cloud: Cloud
    redis: RedisServer | str
    kubeconfig: Path
    stage: Shop | Bare

    def __init__(self, folder: Path, *, port: int, given: Given | None = None) -> None:
        self.folder = folder.absolute()
        self.given = given or Given()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lacking = set(monitoring.lacking())
        self.bot_port = free_ports(1)[0]
        self.prometheus: Prometheus | None = None
        self.alertmanager: Alertmanager | None = None
        self.resets = 0
        self._resetting = threading.Lock()
        (self.folder / "clock").unlink(missing_ok=True)
        self.clock = hours.Clock(self.folder / "clock")
        # No token can pass the API server's proxy, which takes the header for itself.
        self.grafana = Grafana(anonymous=True)
        self.levers = Levers(self)
        self.status = StatusPage()
        extra = [*_page_routes(), *self.levers.routes(), *self.status.routes()]
        self.slack = SlackStandIn(
            port=port, signing_secret=secrets.token_hex(16), extra_routes=extra, kept=REMEMBERED
        )
        self.nursery = Nursery(
            self.clock.file, log=self.folder / "nursery.log", environment=bare_environment()
        )
        self._closing = ExitStack()
        self._world = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as closing:
            closing.callback(self.clock.close)
            # First, because it may find its port taken.
            closing.enter_context(self.slack)
            self._check_redis()
            closing.enter_context(self.nursery)
            closing.enter_context(self.grafana)
            self._begin()
            self._closing = closing.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._world.close()
        self._closing.close()

    @property
    def shop(self) -> Shop:
        if isinstance(self.stage, Shop):
            return self.stage
        raise LookupError("the cluster is a real one: there is no shop")

    def about(self) -> Json:
        """What runs here, for the page and for the terminal; `missing` marks what is not there at all."""
        return parts.about(self)

    def reset(self) -> float:
        """All but the page anew: the world ends and begins as at a fresh start. Answers how long it took."""
        if not self._resetting.acquire(blocking=False):
            raise LookupError("A reset is under way")
        try:
            begun = time.monotonic()
            self._world.close()
            self.clock.put_back()
            self.status.posts.clear()
            self.levers.forget()
            self.slack.reset()
            self._begin()
            self.resets += 1
            return time.monotonic() - begun
        finally:
            self._resetting.release()

    def skip(self, seconds: float) -> None:
        """The bot, the workers and the workspace are that much further in time."""
        if why := self.rigid():
            raise LookupError(why)
        self.clock.skip(seconds)
        self.slack.clock.advance(seconds)
        self._carry_beats(seconds)

    def _carry_beats(self, seconds: float) -> None:
        """What was heard just now, as Alertmanager's Watchdog, is not long ago because time was moved."""
        with Redis.from_url(self.house.redis_url) as connection:
            for key in connection.scan_iter("sre:beat:*"):
                connection.incrbyfloat(key, seconds)

    def rigid(self) -> str:
        """Why time cannot be moved; "" where it can."""
        if self.given.has_slack:
            return "the workspace is yours: its messages carry the real time"
        if self.given.kubeconfig:
            return "the cluster is yours: what is timed here would change it too early"
        return ""

    def post_alerts(self, body: bytes) -> tuple[int, str]:
        return self.house.post_alerts(body)

    # --- a world

    def _begin(self) -> None:
        with ExitStack() as world, ThreadPoolExecutor(4) as threads:
            starts = (self._start_redis, self._start_cloud, self._start_cluster)
            for each in [threads.submit(start, world) for start in starts]:
                each.result()
            measuring = threads.submit(self._start_prometheus, world)
            self._start_house(world)
            measuring.result()
            self._await_first_look()
            self._world = world.pop_all()

    def _check_redis(self) -> None:
        """A database that somebody else uses must not be emptied, nor its queue be worked on."""
        if not self.given.redis:
            return
        with Redis.from_url(self.given.redis) as connection:
            if connection.dbsize() and not connection.exists(MARK):
                raise Refused(
                    f"The Redis at REDIS_URL holds {connection.dbsize()} keys that no sandbox wrote. Give an empty"
                    " database, for a sandbox empties it. Nothing was done."
                )

    def _start_redis(self, world: ExitStack) -> None:
        if self.given.redis:
            self.redis = self.given.redis
            with Redis.from_url(self.given.redis) as connection:
                connection.flushdb()
                connection.set(MARK, str(self.folder))
            world.callback(self._leave_redis)
            return
        data = self.folder / "redis"
        # What the last one knew is about messages of a workspace that is gone.
        shutil.rmtree(data, ignore_errors=True)
        self.redis = world.enter_context(RedisServer(data))

    def _leave_redis(self) -> None:
        """As it was given: a mark that stayed would let the next sandbox empty what others wrote meanwhile."""
        with suppress(RedisError), Redis.from_url(self.given.redis) as connection:
            connection.flushdb()

    def _start_cloud(self, world: ExitStack) -> None:
        self.cloud = world.enter_context(Cloud())

    def _start_cluster(self, world: ExitStack) -> None:
        """The shop, what measures it, and the ways through the API server to both."""
        self.alertmanager = self.prometheus = None
        outside = Surroundings(self)
        if self.given.kubeconfig:
            self.stage, self.kubeconfig = Bare(outside), self.given.kubeconfig
            self._start_alertmanager(world)
            return
        self.kube = world.enter_context(KubeStandIn(pace=PACE))
        shop = Shop(self.kube, without=self._lacking, outside=outside)
        self.stage = world.enter_context(shop)
        self.kubeconfig = self.kube.kubeconfig(self.folder / "kubeconfig")
        self._start_alertmanager(world)
        self._lead("grafana", self.grafana.url)
        self._lead("alertmanager", self.alertmanager_url())
        self._lead("prometheus-service", self.given.prometheus)

    def _start_alertmanager(self, world: ExitStack) -> None:
        if not self.given.alertmanager and "alertmanager" not in self._lacking:
            self.alertmanager = world.enter_context(Alertmanager(self.alerting()))

    def _start_prometheus(self, world: ExitStack) -> None:
        """While the house starts, for it takes longest: it has thirty days to remember."""
        if not isinstance(self.stage, Shop) or self.given.prometheus or "prometheus" in self._lacking:
            return
        self.prometheus = world.enter_context(ShopPrometheus(self.stage, self.alertmanager_url()))
        self._lead("prometheus-service", self.prometheus.url)

    def _lead(self, service: str, url: str) -> None:
        """The way through the API server to what is not in its cluster."""
        if url:
            self.kube.proxy(inventory.MONITORING, f"service/{service}", _upstream(service, url))

    def _start_house(self, world: ExitStack) -> None:
        self.house = world.enter_context(
            House(
                slack=self.slack,
                redis=self.redis,
                kubeconfig=self.kubeconfig,
                aws=self.cloud if self.given.aws is None else None,
                site=yaml.safe_dump(self.site(), sort_keys=False),
                worker_count=WORKERS,
                is_supervised=True,
                uses_socket_mode=self.given.has_slack,
                port=self.bot_port,
                folder=self.folder,
                environment=self._environment(),
                nursery=self.nursery,
            )
        )

    def _environment(self) -> Mapping[str, str]:
        values = {"GRAFANA_TOKEN": TOKEN, **(self.given.aws or {})}
        if self.given.has_slack:
            values |= {
                "SLACK_BOT_TOKEN": self.given.slack_bot_token,
                "SLACK_APP_TOKEN": self.given.slack_app_token,
                "SLACK_API_URL": "",
            }
        return values

    def _await_first_look(self) -> None:
        """Prometheus finds its targets and the Watchdog reaches the bot within seconds of the start; who asks
        before them would see an unhealthy shop. Not for ever: a slow machine shows what it has."""
        if self.prometheus is None or self.alertmanager is None:
            return
        # Prometheus learns of its Alertmanager after five seconds; until then this is the same alert.
        soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=FIRST_LOOK_SECONDS)
        self.alertmanager.alert(*rules.watchdog(), ends_at=soon)
        with suppress(ChildFailed):
            wait_until(self._is_seen, seconds=FIRST_LOOK_SECONDS, what="the first scrapes and the Watchdog")

    def _is_seen(self) -> bool:
        assert self.prometheus is not None
        rates = ("http_requests_total", "container_cpu_usage_seconds_total", "node_cpu_seconds_total")
        jobs = sum(bool(self.shop.exporters.targets(job)) for job in JOBS)
        scraped = f"count(count by (job) (scrape_duration_seconds)) >= {jobs}"  # the past has none
        asked = " and on() ".join([scraped, *(f"sum(rate({name}[5m])) > 0" for name in rates)])
        with Redis.from_url(self.house.redis_url) as connection:
            return bool(self.prometheus.query(asked)) and bool(connection.exists("sre:beat:watchdog"))

    # --- where things are

    def prometheus_url(self) -> str:
        return self.given.prometheus or (self.prometheus.url if self.prometheus else "")

    def alertmanager_url(self) -> str:
        return self.given.alertmanager or (self.alertmanager.url if self.alertmanager else "")

    def alerting(self, path: str = "/alerts") -> Json:
        """Alertmanager's configuration; another path than the bot's cuts the way."""
        return rules.alertmanager_config(f"http://127.0.0.1:{self.bot_port}{path}", ALERT_TOKEN)

    def site(self) -> Json:
        urls = {"grafana": self.grafana.url, "status_page_webhook": f"{self.slack.url}{STATUS}"}
        # Prometheus may be starting still; through the API server its address does not matter.
        started = "" if self.given.kubeconfig or "prometheus" in self._lacking else "started"
        reached = {
            "prometheus": self.given.prometheus or started,
            "alertmanager": self.alertmanager_url(),
        }
        if reached["alertmanager"]:
            urls["alertmanager"] = reached["alertmanager"]
        if self.given.kubeconfig:
            # There is no Service of them in that cluster: they are asked where they are.
            monitored: Json = {"access": "direct"} | {kind: {"url": url} for kind, url in reached.items()}
            monitored["grafana"] = {"url": self.grafana.url}
        else:
            # An empty address is "not there", and every answer says so.
            absent = {kind: {"url": ""} for kind, url in reached.items() if not url}
            monitored = {"access": "proxy"} | absent
        return policy.site(self.given, urls, monitored)


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


def _upstream(service: str, url: str) -> Callable[[ProxyRequest], ProxyAnswer]:
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
            # Its pod is not ready then, and an API server says so of the Service.
            raise unavailable(f'no endpoints available for service "{service}"') from error
        kind = found.headers.get("Content-Type", "text/plain; charset=utf-8")
        return ProxyAnswer(found.status, found.data, {"Content-Type": kind})

    return answer

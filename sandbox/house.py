"""The house itself, as it is deployed: `python -m bot` and some `python -m workers`, as child processes.

Owns their environment, their start and stop, and what Kubernetes would do for them: a supervised process
that dies is started again within a second. The parts around them (Slack, Redis, cluster, AWS) are passed
in; Slack and Redis are made when they are not. Called by story tests, benchmarks and `make sandbox`; the
children see nothing of the caller's own environment, so a developer's kubeconfig is never touched.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import urllib3
import yaml
from redis import Redis
from rq import Worker

from sandbox.nursery import Nursery
from sandbox.process import POLL_SECONDS, Child, ChildFailed, free_ports
from sandbox.redis_server import RedisServer
from sandbox.slack import SlackStandIn

# New in each process: the bot's own port is open to the network that this machine is in.
ALERT_TOKEN = f"sandbox-{secrets.token_hex(16)}"
READY_SECONDS = 60
PATIENCE = 60  # seconds; only says that it happens at all, on the busiest machine
WATCH_SECONDS = 0.2

_ROOT = Path(__file__).resolve().parent.parent
# What a process needs to run at all; everything else of the caller's environment stays away.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE")

T = TypeVar("T")


class Surrounded(Protocol):
    """An AWS that is none."""

    @property
    def env(self) -> Mapping[str, str]: ...


class Member:
    """One process of the house. With a supervisor, whatever ends without `stop` comes back."""

    def __init__(self, name: str, child: Child, is_ready: Callable[[], bool]) -> None:
        self.name = name
        self.is_wanted = False
        self._child = child
        self._is_ready = is_ready
        self._lock = threading.Lock()

    @property
    def pid(self) -> int:
        return self._child.pid

    def is_running(self) -> bool:
        return self._child.is_running()

    def is_ready(self) -> bool:
        return self.is_running() and self._is_ready()

    def start(self) -> None:
        """Does not wait; see `wait_ready`."""
        with self._lock:
            self.is_wanted = True
            if not self._child.is_running():
                self._child.start()

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        self._child.wait_ready(self._is_ready, seconds=seconds)

    def stop(self) -> None:
        """SIGTERM, as a rollout sends it, and SIGKILL if that is not enough."""
        with self._lock:
            self.is_wanted = False
            self._child.stop()

    def kill(self) -> None:
        """SIGKILL: an out-of-memory kill, or a node that is gone."""
        self._child.kill()

    def restart(self) -> None:
        """From whatever state, and wait until it is ready again."""
        with self._lock:
            self._child.stop()
            self._child.start()
            self.is_wanted = True
        self.wait_ready()

    def pause(self) -> None:
        self._child.pause()

    def resume(self) -> None:
        self._child.resume()

    def tail(self) -> str:
        return self._child.tail()

    def log(self) -> str:
        """Everything it has written, over all its lives."""
        return self._child.log.read_text(errors="replace") if self._child.log.exists() else ""


class House:
    """`site` is sre-bot.yaml, as text or as data; `kubeconfig` and `aws` are absent when not given.

    `environment` is laid over everything else, for a variable that a test is about; an empty one is left out. With a
    `nursery` its processes are copies of that one, and not started one by one.
    """

    bot: Member
    workers: tuple[Member, ...]

    def __init__(
        self,
        *,
        slack: SlackStandIn | None = None,
        redis: RedisServer | str | None = None,
        kubeconfig: Path | None = None,
        aws: Surrounded | None = None,
        site: Mapping[str, Any] | str = "{}",
        worker_count: int = 2,
        is_supervised: bool = False,
        uses_socket_mode: bool = False,
        port: int = 0,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        nursery: Nursery | None = None,
    ) -> None:
        self._nursery = nursery
        self._given_slack, self._given_redis = slack, redis
        self._kubeconfig, self._aws, self._site = kubeconfig, aws, site
        self._worker_count = worker_count
        self._is_supervised = is_supervised
        self._uses_socket_mode = uses_socket_mode
        self._given_port, self._given_folder = port, folder
        self._extra = dict(environment or {})
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as closing:
            self._settle(closing)
            self._hire(closing)
            self._closing = closing.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Everything, workers first; a second call does nothing."""
        self._closing.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def members(self) -> tuple[Member, ...]:
        return (self.bot, *self.workers)

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a GET to the bot; (0, "") when it does not answer."""
        try:
            answer = self._pool.request("GET", self.url + path, retries=False, timeout=2)
        except urllib3.exceptions.HTTPError:
            return 0, ""
        return answer.status, answer.data.decode(errors="replace")

    def post_alerts(self, body: bytes, *, token: str = ALERT_TOKEN) -> tuple[int, str]:
        """What Alertmanager does: a webhook with the bearer token."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        address = f"{self.url}/alerts"
        answer = self._pool.request("POST", address, body=body, headers=headers, retries=False, timeout=5)
        return answer.status, answer.data.decode(errors="replace")

    # --- building it

    def _settle(self, closing: ExitStack) -> None:
        """Folder, address, and the parts that were not given."""
        if self._given_folder is None:
            self.folder = Path(tempfile.mkdtemp(prefix="sre-bot-house-"))
            closing.callback(shutil.rmtree, self.folder, ignore_errors=True)
        else:
            self.folder = self._given_folder
            self.folder.mkdir(parents=True, exist_ok=True)
        self._pool = urllib3.PoolManager()
        closing.callback(self._pool.clear)
        self.slack = self._given_slack or closing.enter_context(SlackStandIn())
        redis = self._given_redis or closing.enter_context(RedisServer())
        self.redis_url = redis if isinstance(redis, str) else redis.url
        self.port = self._given_port or free_ports(1)[0]
        if not self._uses_socket_mode:
            self.slack.request_url = f"{self.url}/slack/events"
        text = self._site if isinstance(self._site, str) else yaml.safe_dump(dict(self._site))
        self.config = self.folder / "sre-bot.yaml"
        self.config.write_text(text)

    def _hire(self, closing: ExitStack) -> None:
        self.bot = self.member("bot", "bot", lambda: self.get("/readyz")[0] == 200)
        self.workers = tuple(self._worker(f"worker-{number}") for number in range(1, self._worker_count + 1))
        for member in self.members:
            closing.callback(member.stop)
        # Asked together first, or each in turn would wait for the end of what it does.
        closing.callback(self._stop_together)
        for member in self.members:
            member.start()
        for member in self.members:
            member.wait_ready()
        # Not before: a bot that refuses its configuration must say so, not be started again and again.
        if self._is_supervised:
            self._supervise(closing)

    def _worker(self, name: str) -> Member:
        member = self.member(name, "workers", lambda: member.pid in self._worker_pids())
        return member

    def member(self, name: str, module: str, is_ready: Callable[[], bool]) -> Member:
        """One more process of this environment, not started; who asks for it stops it."""
        log = self.folder / f"{name}.log"
        log.unlink(missing_ok=True)
        if self._nursery:
            child = self._nursery.child(module, log=log, env=self._environment())
        else:
            child = Child([sys.executable, "-m", module], log=log, env=self._environment())
        return Member(name, child, is_ready)

    def _environment(self) -> dict[str, str]:
        values = bare_environment() | {
            "SLACK_BOT_TOKEN": self.slack.bot_token,
            "SLACK_API_URL": self.slack.api_url,
            "REDIS_URL": self.redis_url,
            "ALERTMANAGER_WEBHOOK_TOKEN": ALERT_TOKEN,
            "SRE_BOT_CONFIG": str(self.config),
            "PORT": str(self.port),
        }
        if self._uses_socket_mode:
            values["SLACK_APP_TOKEN"] = self.slack.app_token
        else:
            values["SLACK_SIGNING_SECRET"] = self.slack.signing_secret
        if self._kubeconfig is not None:
            values["KUBECONFIG"] = str(self._kubeconfig)
        if self._aws is not None:
            values |= self._aws.env
        return {name: value for name, value in (values | self._extra).items() if value}

    def _worker_pids(self) -> set[int]:
        """The processes that registered with RQ: from then on they take jobs."""
        with Redis.from_url(self.redis_url) as connection:
            return {worker.pid for worker in Worker.all(connection=connection) if worker.pid}

    # --- keeping it up

    def _supervise(self, closing: ExitStack) -> None:
        stop = threading.Event()
        thread = threading.Thread(target=self._watch, args=(stop,), name="supervisor", daemon=True)
        thread.start()
        closing.callback(thread.join)
        closing.callback(stop.set)

    def _watch(self, stop: threading.Event) -> None:
        while not stop.wait(WATCH_SECONDS):
            for member in self.members:
                if member.is_wanted and not member.is_running():
                    member.start()

    def _stop_together(self) -> None:
        threads = [threading.Thread(target=member.stop) for member in self.members]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def bare_environment() -> dict[str, str]:
    """What a process of the product needs to run at all, and nothing else of this one's."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | {"PYTHONPATH": str(_ROOT), "PYTHONUNBUFFERED": "1"}


def wait_until(predicate: Callable[[], T], what: str = "it is so", *, seconds: float = PATIENCE) -> T:
    """For what has no feed to wait on: what the predicate answers, once that is true; or says what did not
    happen."""
    deadline = time.monotonic() + seconds
    nothing = threading.Event()
    while not (found := predicate()):
        if time.monotonic() > deadline:
            raise ChildFailed(f"not within {seconds:g} s: {what}")
        nothing.wait(POLL_SECONDS)
    return found

"""A real Prometheus and a real Alertmanager on loopback, from the programs on PATH.

Owns their folders, ports, configuration files and processes. What is scraped, which rules fire and how
alerts are grouped is the caller's; nothing here has an opinion. Called by tests marked `monitoring` and by
`make sandbox`; when a program is missing, `lacking` names it and nothing is substituted.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import urllib3
import yaml

from sandbox.process import Child, free_ports

Json = dict[str, Any]
Config = Mapping[str, Any] | str

PROGRAMS: Mapping[str, Sequence[str]] = {
    "prometheus": ("prometheus",),
    # Debian calls it by the first name, everybody else by the second.
    "alertmanager": ("prometheus-alertmanager", "alertmanager"),
}

READY_SECONDS = 30

# A server for one person on their own machine collects its garbage sooner.
THRIFTY = {"GOGC": "30"}


class Refused(RuntimeError):
    """The server said no; the message is its own."""


def lacking() -> list[str]:
    """The programs that are not on PATH: empty when both runners can start."""
    return [kind for kind in PROGRAMS if find_program(kind) is None]


def available() -> bool:
    return not lacking()


def find_program(kind: str) -> Path | None:
    found = (shutil.which(name) for name in PROGRAMS[kind])
    return next((Path(each) for each in found if each), None)


class _Server:
    """What both have in common: a config file, /-/ready, /-/reload, and a folder that goes with them."""

    KIND: str
    url: str

    def __init__(self, config: Config, *, files: Mapping[str, Config] | None = None) -> None:
        """`files` are written beside the configuration, which may name them by relative path."""
        self._config = config
        self._files = dict(files or {})
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        program = find_program(self.KIND)
        if program is None:
            raise FileNotFoundError(f"none of {', '.join(PROGRAMS[self.KIND])} is on PATH")
        with ExitStack() as closing:
            self.folder = Path(tempfile.mkdtemp(prefix=f"sre-bot-{self.KIND}-"))
            closing.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self._write_config()
            (port,) = free_ports(1)
            self.url = f"http://127.0.0.1:{port}"
            self._pool = urllib3.PoolManager()
            closing.callback(self._pool.clear)
            argv = [str(program), *self._flags(port)]
            self._child = Child(argv, log=self.folder / "server.log", env={**os.environ, **THRIFTY})
            self._child.start()
            closing.callback(self._child.stop)
            self._child.wait_ready(self._is_ready, seconds=READY_SECONDS)
            self._closing = closing.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._child.pid

    def stop(self) -> None:
        """A second call does nothing."""
        self._closing.close()

    def log(self) -> str:
        return self._child.tail()

    def kill(self) -> None:
        """SIGKILL: what it had not written down is gone."""
        self._child.kill()

    def restart(self) -> None:
        """On the same port and data, whether it runs or was killed."""
        self._child.stop()
        self._child.start()
        self._child.wait_ready(self._is_ready, seconds=READY_SECONDS)

    def counted(self, name: str, **labels: str) -> float:
        """The sum of what its own metrics say under this name and these labels."""
        page = self._pool.request("GET", f"{self.url}/metrics", timeout=10).data.decode()
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        rows = [row for row in page.splitlines() if row.partition("{")[0].partition(" ")[0] == name]
        return sum(float(row.rpartition(" ")[2]) for row in rows if all(each in row for each in wanted))

    def reload(self, config: Config | None = None, *, files: Mapping[str, Config] | None = None) -> None:
        """Take a changed configuration; a wrong one raises Refused and the running one stays."""
        self._config = self._config if config is None else config
        self._files.update(files or {})
        self._write_config()
        self.request("POST", "/-/reload")

    def request(self, method: str, path: str, body: object = None, *, query: Json | None = None) -> Any:
        """The JSON of the answer, None when it has none."""
        answer = self._pool.request(
            method,
            self.url + path + (f"?{urlencode(query)}" if query else ""),
            body=None if body is None else json.dumps(body),
            headers={"Content-Type": "application/json"},
            retries=False,
            timeout=10,
        )
        if answer.status >= 300:
            raise Refused(f"{method} {path}: {answer.status} {answer.data.decode(errors='replace')[:600]}")
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        return json.loads(answer.data) if is_json and answer.data else None

    def _flags(self, port: int) -> list[str]:
        return [
            f"--config.file={self.folder / 'config.yml'}",
            f"--web.listen-address=127.0.0.1:{port}",
            # The links in its messages; without it they carry the host's name.
            f"--web.external-url={self.url}",
            "--log.level=warn",
        ]

    def _write_config(self) -> None:
        for name, content in {"config.yml": self._config, **self._files}.items():
            text = content if isinstance(content, str) else yaml.safe_dump(dict(content))
            (self.folder / name).write_text(text)

    def _is_ready(self) -> bool:
        try:
            return self._pool.request("GET", f"{self.url}/-/ready", retries=False, timeout=2).status == 200
        except urllib3.exceptions.HTTPError:
            return False


class Prometheus(_Server):
    KIND = "prometheus"

    def query(self, promql: str) -> list[Json]:
        """The result of an instant query."""
        answer: Json = self.request("GET", "/api/v1/query", query={"query": promql})
        result: list[Json] = answer["data"]["result"]
        return result

    def _flags(self, port: int) -> list[str]:
        data = self.folder / "data"
        return [*super()._flags(port), f"--storage.tsdb.path={data}", "--web.enable-lifecycle"]


class Alertmanager(_Server):
    KIND = "alertmanager"

    def alert(
        self,
        labels: Mapping[str, str],
        annotations: Mapping[str, str] | None = None,
        *,
        starts_at: datetime.datetime | None = None,
        ends_at: datetime.datetime | None = None,
    ) -> None:
        """Fire it; with `ends_at` in the past, resolve it."""
        body: Json = {"labels": dict(labels), "annotations": dict(annotations or {})}
        if starts_at:
            body["startsAt"] = starts_at.isoformat()
        if ends_at:
            body["endsAt"] = ends_at.isoformat()
        self.request("POST", "/api/v2/alerts", [body])

    def alerts(self) -> list[Json]:
        result: list[Json] = self.request("GET", "/api/v2/alerts")
        return result

    def _flags(self, port: int) -> list[str]:
        data = self.folder / "data"
        # No gossip: its default is to listen on all interfaces for peers.
        return [*super()._flags(port), f"--storage.path={data}", "--cluster.listen-address="]


def webhook_config(
    url: str,
    token: str,
    *,
    group_by: Sequence[str] = ("alertname",),
    group_wait: str = "0s",
    group_interval: str = "1s",
    repeat_interval: str = "1h",
    resolve_timeout: str = "5m",
) -> Json:
    """An Alertmanager configuration with one receiver that posts everything to `url` as a bearer."""
    hook = {
        "url": url,
        "send_resolved": True,
        "http_config": {"authorization": {"type": "Bearer", "credentials": token}},
    }
    route = {
        "receiver": "bot",
        "group_by": list(group_by),
        "group_wait": group_wait,
        "group_interval": group_interval,
        "repeat_interval": repeat_interval,
    }
    receivers = [{"name": "bot", "webhook_configs": [hook]}]
    return {"global": {"resolve_timeout": resolve_timeout}, "route": route, "receivers": receivers}

"""The Kubernetes stand-in: an API server in this process, on a loopback port of its own.

Owns starting and stopping the server thread and the handle tests use: seeding, users, faults, logs,
backends, the request log, ticks of the controllers. State lives in memory and goes with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn

from sandbox.kube.access import MASTERS, Access, Denied
from sandbox.kube.behaviours import Behaviour
from sandbox.kube.catalog import Catalog, Resource
from sandbox.kube.controllers import Controllers, Pace
from sandbox.kube.faults import Fault, What
from sandbox.kube.metrics import Metrics, api_service
from sandbox.kube.objects import Clock, DeleteOptions, Objects, wall_clock
from sandbox.kube.printers import parse_time
from sandbox.kube.proxy import Handler
from sandbox.kube.server import ApiServer, LoggedRequest
from sandbox.kube.store import Store

Json = dict[str, Any]

STOP_SECONDS = 10.0


class KubeStandIn:
    """`with KubeStandIn() as kube: ...`; nothing moves by itself unless `tick_every` is set.

    `tls` serves HTTPS with a certificate of its own, which kubectl needs: it sends no token over HTTP.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        tls: bool = False,
        tick_every: float | None = None,
        pace: Pace | None = None,
        clock: Clock = wall_clock,
        continue_ttl: float = 300.0,
        bookmark_every: float = 60.0,
        token: str = "",
    ) -> None:
        self._host, self._port, self._tls = host, port, tls
        self._tick_every = tick_every
        self.store = Store()
        self.catalog = Catalog()
        self.objects = Objects(self.store, self.catalog, clock, continue_ttl=continue_ttl)
        self.access = Access(self.store, self.catalog)
        self.token = self.access.add("admin", MASTERS, token=token)
        self._app = ApiServer(self.objects, self.access, bookmark_every=bookmark_every)
        self.faults = self._app.faults
        self._controllers = Controllers(self.objects, self._app.logs, pace or Pace())
        self._seed_api_services()

    def __enter__(self) -> Self:
        # Named TCP, asyncio turns Nagle's algorithm off; without that every answer takes 40 ms.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((self._host, self._port))
        self._port = self._socket.getsockname()[1]
        self._app.address = f"{self._host}:{self._port}"
        options: dict[str, Any] = {}
        if self._tls:
            from sandbox.kube.certificate import issue

            self._certificate = issue(self._host)
            options = {"ssl_certfile": self._certificate.path, "ssl_keyfile": self._certificate.path}
        config = uvicorn.Config(
            self._app,
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            timeout_graceful_shutdown=2,
            timeout_keep_alive=3600,  # as a real one: who closes first loses a request that is on its way
            http="h11",
            ws="none",
            **options,
        )
        self._server = _Server(config)
        self._app.cut = self._server.cut
        self._thread = threading.Thread(target=self._run, name="kube-stand-in", daemon=True)
        self._thread.start()
        self._server.ready.wait(STOP_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        loop = self._server.loop
        self._server.should_exit = True
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._app.close)
            loop.call_soon_threadsafe(self._server.stopping.set)
        self._thread.join(STOP_SECONDS)
        self._socket.close()
        if self._tls:
            self._certificate.remove()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self._host}:{self._port}"

    @property
    def ca(self) -> Path | None:
        return self._certificate.path if self._tls else None

    @property
    def requests(self) -> Sequence[LoggedRequest]:
        return list(self._app.requests)

    def forget_requests(self) -> None:
        self._app.requests.clear()

    @property
    def metrics(self) -> Metrics:
        """`kube.metrics.switch("present")`, `.set_node(...)`, `.set_pod(...)`, `.missing`."""
        return self._app.metrics

    def kubeconfig(self, path: Path, *, token: str = "", namespace: str = "default") -> Path:
        cluster: Json = {"server": self.url}
        if self.ca is not None:
            cluster["certificate-authority"] = str(self.ca)
        context = {"cluster": "stand-in", "user": "user", "namespace": namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "stand-in", "cluster": cluster}],
            "users": [{"name": "user", "user": {"token": token or self.token}}],
            "contexts": [{"name": "stand-in", "context": context}],
            "current-context": "stand-in",
        }
        path.write_text(json.dumps(config))
        path.chmod(0o600)
        return path

    def apply(self, objects: Json | Iterable[Json]) -> list[Json]:
        """Creates or replaces objects with their status, as if they had always been there: no admission,
        no validation, namespaces made on the way. Answers them as stored."""
        many = [objects] if isinstance(objects, dict) else objects
        with self.store.lock:
            return [self.objects.seed(obj) for obj in many]

    def get(self, kind: str, name: str, namespace: str = "") -> Json | None:
        """`kind` is a plural such as `pods` or `deployments.apps`; the answer must not be changed."""
        entry = self.objects.find(self._named(kind), namespace, name)
        return entry.obj if entry is not None else None

    def list(self, kind: str, namespace: str = "") -> list[Json]:
        entries = self.store.entries(self._named(kind).storage)
        return [entry.obj for entry in entries if not namespace or entry.namespace == namespace]

    def delete(self, kind: str, name: str, namespace: str = "", *, grace: int | None = None) -> None:
        resource = self._named(kind)
        self.objects.delete(resource, namespace, name, DeleteOptions(grace=grace))

    def vanish(self, kind: str, name: str, namespace: str = "") -> None:
        """Gone at once, whatever finalizers or grace say; a node takes its pods with it."""
        resource = self._named(kind)
        with self.store.lock:
            self.objects.remove(resource, self.objects.get(resource, namespace, name))
            if resource.storage == ("", "nodes"):
                pods = self._named("pods")
                for entry in self.store.entries(pods.storage):
                    if entry.obj["spec"].get("nodeName") == name:
                        self.objects.remove(pods, entry)

    def patch(self, kind: str, name: str, change: Json, namespace: str = "") -> Json:
        """A merge patch that may touch anything, the status too."""
        from sandbox.kube.patch import merge_patch

        with self.store.lock:
            entry = self.objects.get(self._named(kind), namespace, name)
            changed: Json = merge_patch(entry.obj, change)
            return self.objects.seed(changed)

    def user(self, name: str, *groups: str, rbac: bool = False) -> str:
        """A token for one more user: unrestricted but for `deny`, or bound by the RBAC objects applied.
        `system:serviceaccount:<ns>:<name>` with `rbac=True` tries a shipped role."""
        return self.access.add(name, *groups, rbac=rbac)

    def deny(
        self, verb: str = "*", resource: str = "*", *, group: str = "*", namespace: str = "*", user: str = "*"
    ) -> Denied:
        """403 from now on, in access reviews too; take it back with `kube.access.denied.remove(...)`."""
        denied = Denied(verb, resource, group, namespace, user)
        self.access.denied.append(denied)
        return denied

    def fail(self, what: What, verb: str = "*", resource: str = "*", **match: Any) -> Fault:
        """`kube.fail(Throttle(2), "list", "pods", times=3)`; further matchers are those of Fault."""
        return self.faults.add(Fault(what, verb, resource, **match))

    def log(
        self, namespace: str, pod: str, text: str, *, container: str = "", previous: bool = False
    ) -> None:
        """What the container has written, one line a line. A line may start with its RFC 3339 time."""
        entry = self.objects.get(self._named("pods"), namespace, pod)
        now = self.objects.clock()
        lines = []
        for line in text.splitlines():
            head, _, rest = line.partition(" ")
            stamped = head[:4].isdigit() and head.endswith("Z") and "T" in head
            lines.append((parse_time(head), rest) if stamped else (now, line))
        name = container or entry.obj["spec"]["containers"][0]["name"]
        self._app.logs.write(entry.obj, name, lines, previous=previous)

    def proxy(self, namespace: str, target: str, handler: Handler | str) -> None:
        """Answers `.../proxy/` of `pod/<name pattern>[:port]`, `service/<name>[:port]` or `node/<name
        pattern>` (of no namespace) with a callable (given a ProxyRequest) or from an upstream URL."""
        self._app.backends.add(namespace, target, handler)

    def behave(
        self, behaviour: Behaviour, *, namespace: str = "*", name: str = "*", image: str = "*"
    ) -> None:
        """How matching pods fare from the next tick on; the newest rule wins."""
        self._controllers.kubelet.behave(behaviour, namespace=namespace, name=name, image=image)

    def tick(self, times: int = 1) -> None:
        """One round of every controller, scheduler and kubelet."""
        for _ in range(times):
            self._controllers.tick()

    def settle(self, limit: int = 100) -> int:
        """Ticks until nothing changes; answers how many it took. Crash loops never settle."""
        for count in range(limit):
            before = self.store.revision
            self._controllers.tick()
            if self.store.revision == before:
                return count
        raise TimeoutError(f"still changing after {limit} ticks")

    def wait_for(self, predicate: Callable[[KubeStandIn], Any], timeout: float = 60.0) -> Any:
        """What the predicate answers, once that is true; asked again after every change."""
        changed = threading.Event()
        stop = self.store.listen(lambda _: changed.set())
        deadline = time.monotonic() + timeout
        try:
            while not (found := predicate(self)):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"not so after {timeout} s")
                # Requests change nothing in the store, so look again now and then.
                changed.wait(min(left, 0.02))
                changed.clear()
            return found
        finally:
            stop()

    def expire_history(self) -> None:
        """From now on, older continue tokens and watches get 410."""
        self.store.compact()

    def _named(self, kind: str) -> Resource:
        return self.catalog.named(kind)

    def _seed_api_services(self) -> None:
        for group in (*self.catalog.core, *self.catalog.groups):
            for version in group["versions"]:
                self.objects.seed(api_service(group["metadata"].get("name", ""), version["version"], ""))

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        ticking = asyncio.create_task(self._tick_forever(self._tick_every)) if self._tick_every else None
        try:
            await self._server.serve([self._socket])
        finally:
            if ticking is not None:
                ticking.cancel()

    async def _tick_forever(self, every: float) -> None:
        while True:
            self._controllers.tick()
            await asyncio.sleep(every)


class _Server(uvicorn.Server):
    """Tells when it is up, and can cut a connection."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self.stopping = asyncio.Event()
        self.loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        """As uvicorn's, but does not sleep through the call to stop: tests start hundreds of these."""
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), 0.1)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.loop = asyncio.get_running_loop()
        self.ready.set()

    def install_signal_handlers(self) -> None:
        """Signals belong to the program, not to this thread."""

    def cut(self, client: tuple[str, int]) -> None:
        for connection in tuple(self.server_state.connections):
            if getattr(connection, "client", None) == client:
                transport = getattr(connection, "transport", None)
                if transport is not None:
                    transport.abort()

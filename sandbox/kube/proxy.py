"""What answers behind `pods/proxy`, `services/proxy` and `nodes/proxy`.

Owns the registered backends: Python callables or upstream URLs, per pod or service and port, or per node
for its kubelet. Whatever is not registered is unreachable, with the 503 the real server would give. Does not check rights.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import httpx
import orjson

from sandbox.kube import status
from sandbox.kube.objects import Objects
from sandbox.kube.status import ApiError

Json = dict[str, Any]

KUBELET_PORT = "10250"

_HOP_BY_HOP = ("connection", "transfer-encoding", "content-length", "content-encoding", "date", "server")


@dataclass(frozen=True, slots=True)
class ProxyRequest:
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class ProxyAnswer:
    code: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[ProxyRequest], ProxyAnswer | Json | str | int]


@dataclass(frozen=True, slots=True)
class _Backend:
    namespace: str
    kind: str
    name: str
    port: str
    handler: Handler | str

    def matches(self, namespace: str, kind: str, name: str, ports: tuple[str, ...]) -> bool:
        return (
            kind == self.kind
            and fnmatchcase(namespace, self.namespace)
            and fnmatchcase(name, self.name)
            and (not self.port or self.port in ports)
        )


class Backends:
    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._backends: list[_Backend] = []

    def add(self, namespace: str, target: str, handler: Handler | str) -> None:
        """`target` is `pod/<name pattern>[:port]`, `service/<name pattern>[:port]` or `node/<name pattern>`;
        the newest wins."""
        kind, _, rest = target.partition("/")
        if kind not in ("pod", "service", "node") or not rest:
            raise ValueError(f"expected pod/..., service/... or node/..., not {target!r}")
        name, _, port = rest.partition(":")
        self._backends.insert(0, _Backend(namespace, f"{kind}s", name, port, handler))

    async def answer(self, namespace: str, resource: str, named: str, request: ProxyRequest) -> ProxyAnswer:
        name, port = _split(named)
        match resource:
            case "nodes":
                handler = self._node(name)
            case "pods":
                handler = self._pod(namespace, name, port)
            case _:
                handler = self._service(namespace, name, port)
        if isinstance(handler, str):
            return await _forward(handler, request)
        return _wrap(await asyncio.to_thread(handler, request))

    def _node(self, name: str) -> Handler | str:
        """A node's kubelet, at its own port and no other."""
        node = self._objects.get(self._objects.catalog.named("nodes", ""), "", name).obj
        addresses = (node.get("status") or {}).get("addresses") or ()
        if not addresses:
            raise status.unavailable("error trying to reach service: no preferred addresses found")
        found = self._find("", "nodes", name, ())
        if found is None:
            raise _refused(addresses[0]["address"], KUBELET_PORT)
        return found

    def _pod(self, namespace: str, name: str, port: str) -> Handler | str:
        pod = self._objects.get(self._objects.catalog.named("pods", ""), namespace, name).obj
        address = (pod.get("status") or {}).get("podIP")
        if not address:
            raise status.bad_request("address not allowed")
        ports = [item for container in pod["spec"]["containers"] for item in container.get("ports") or ()]
        port = port or (str(ports[0]["containerPort"]) if ports else "80")
        number = next((str(item["containerPort"]) for item in ports if item.get("name") == port), port)
        found = self._find(namespace, "pods", name, (port, number))
        if found is None:
            raise _refused(address, number)
        return found

    def _service(self, namespace: str, name: str, port: str) -> Handler | str:
        service = self._objects.get(self._objects.catalog.named("services", ""), namespace, name).obj
        ports = service["spec"].get("ports") or ()
        chosen = [item for item in ports if port in ("", item.get("name"), str(item["port"]))]
        if not chosen:
            raise status.unavailable(f'no service port {port} found for service "{name}"')
        names = (port, str(chosen[0]["port"]), chosen[0].get("name", ""))
        found = self._find(namespace, "services", name, names)
        if found is not None:
            return found
        addresses = self._ready_pods(namespace, name)
        if not addresses:
            raise status.unavailable(f'no endpoints available for service "{name}"')
        for _address, pod in addresses:
            target = str(chosen[0].get("targetPort", chosen[0]["port"]))
            found = self._find(namespace, "pods", pod, (target,))
            if found is not None:
                return found
        raise _refused(addresses[0][0], str(chosen[0].get("targetPort", chosen[0]["port"])))

    def _ready_pods(self, namespace: str, service: str) -> list[tuple[str, str]]:
        """(address, pod name) of the service's ready endpoints."""
        found = []
        for entry in self._objects.store.entries(("discovery.k8s.io", "endpointslices")):
            labels = entry.obj["metadata"].get("labels") or {}
            if entry.namespace != namespace or labels.get("kubernetes.io/service-name") != service:
                continue
            for endpoint in entry.obj.get("endpoints") or ():
                if (endpoint.get("conditions") or {}).get("ready") is not False:
                    pod = (endpoint.get("targetRef") or {}).get("name", "")
                    found.append((endpoint["addresses"][0], pod))
        return found

    def _find(self, namespace: str, kind: str, name: str, ports: tuple[str, ...]) -> Handler | str | None:
        for backend in self._backends:
            if backend.matches(namespace, kind, name, ports):
                return backend.handler
        return None


def _split(named: str) -> tuple[str, str]:
    """`name`, `name:port` or `scheme:name:port`."""
    parts = named.split(":")
    if len(parts) == 3:
        parts = parts[1:]
    return parts[0], parts[1] if len(parts) > 1 else ""


def _refused(address: str, port: str) -> ApiError:
    why = f"dial tcp {address}:{port}: connect: connection refused"
    return status.unavailable(f"error trying to reach service: {why}")


def _wrap(answer: ProxyAnswer | Json | str | int) -> ProxyAnswer:
    if isinstance(answer, ProxyAnswer):
        return answer
    if isinstance(answer, int):
        return ProxyAnswer(answer)
    if isinstance(answer, str):
        return ProxyAnswer(body=answer.encode(), headers={"Content-Type": "text/plain; charset=utf-8"})
    return ProxyAnswer(body=orjson.dumps(answer), headers={"Content-Type": "application/json"})


async def _forward(upstream: str, request: ProxyRequest) -> ProxyAnswer:
    url = f"{upstream.rstrip('/')}{request.path}" + (f"?{request.query}" if request.query else "")
    headers = {
        key: value
        for key, value in request.headers.items()
        # The caller's token is for the API server, not for the backend.
        if key not in (*_HOP_BY_HOP, "host", "authorization")
    }
    try:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            found = await client.request(request.method, url, headers=headers, content=request.body)
    except httpx.TransportError as error:
        raise status.unavailable(f"error trying to reach service: {error}") from error
    passed = {key: value for key, value in found.headers.items() if key.lower() not in _HOP_BY_HOP}
    return ProxyAnswer(found.status_code, found.content, passed)

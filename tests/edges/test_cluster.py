"""The Kubernetes client: its answers on an API server, its words for every way to get none."""

import gzip
import json
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from rude_server import DROP, HANG, HTML, Asked, RudeServer, page

from commands import reads
from commands.errors import Refused, Unanswered, Unreachable
from commands.model import Gap, Read
from commands.site import ClusterSite, ServiceAddress
from sandbox.controlplane import ControlPlane
from sandbox.kube import KubeStandIn
from workers import api as module
from workers import link
from workers.cluster import Cluster
from workers.fields import quantity
from workers.reader import Reader

TOKEN = "s3cret-bearer-token"
RENEW = "renew the kubeconfig's credentials of cluster sre-training-cluster"
CHECK = "check the server of context `current` in the kubeconfig"


def soon(seconds: float = 30) -> float:
    return time.monotonic() + seconds


def kubeconfig(path: Path, url: str, token: str = TOKEN) -> Path:
    path.write_text(
        json.dumps(
            {
                "current-context": "only",
                "contexts": [{"name": "only", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": url}}],
                "users": [{"name": "u", "user": {"token": token}}],
            }
        )
    )
    return path


@contextmanager
def talking(path: Path, answer: Callable[[Asked], Any]) -> Iterator[tuple[Cluster, RudeServer]]:
    with RudeServer(answer) as server:
        client = Cluster(ClusterSite(), kubeconfig(path / "config", server.url))
        yield client, server
        client.close()


Told = Callable[..., Any]


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """Reads once from a server that always says the same."""

    def ask(read: Read, answer: Any, seconds: float = 5) -> Any:
        say = answer if callable(answer) else lambda _: answer
        with talking(tmp_path, say) as (client, _):
            return client.read(read, soon(seconds))

    return ask


@pytest.fixture
def refusal(tmp_path: Path) -> Told:
    """What was raised, with the server's port taken out of the words."""

    def ask(read: Read, answer: Any, seconds: float = 5) -> tuple[type[Unanswered], str, str]:
        say = answer if callable(answer) else lambda _: answer
        with talking(tmp_path, say) as (client, server), pytest.raises(Unanswered) as caught:
            client.read(read, soon(seconds))
        error = caught.value
        assert TOKEN not in error.reason + error.mend
        kind = Refused if isinstance(error, Refused) else Unreachable
        return kind, error.reason.replace(server.url, "ADDRESS"), error.mend

    return ask


def status(code: int, message: str = "", **more: Any) -> bytes:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}
    return page(code, {**body, **more})


def items(*found: Any, **metadata: Any) -> bytes:
    return page(200, {"kind": "List", "metadata": metadata, "items": list(found)})


COLUMNS = [{"name": name} for name in ("Name", "Ready", "Status", "Restarts", "Age", "IP", "Node")]


def table(*rows: tuple[Any, ...], restarts: Mapping[str, Any] | None = None, **metadata: Any) -> bytes:
    """Rows of (name, ready, status, node) or with a whole pod behind; `restarts` by the name."""
    cells = restarts or {}
    printed = [
        {
            "cells": [name, ready, word, cells.get(name, "3 (5h ago)"), "1d", "10.0.0.1", node],
            "object": behind[0] if behind else None,
        }
        for name, ready, word, node, *behind in rows
    ]
    return page(200, {"kind": "Table", "columnDefinitions": COLUMNS, "metadata": metadata, "rows": printed})


def pod(namespace: str, name: str, **status: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": name}, "spec": {}, "status": status}


def query(asked: Asked) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(asked.target).query).items()}


# The words of every way to get no answer.


@pytest.mark.parametrize(
    ("read", "reason", "rule"),
    [
        (reads.Nodes(), "nodes: forbidden, needs list on nodes at the cluster scope",
         '- {apiGroups: [""], resources: [nodes], verbs: [list]}'),
        (reads.Pods(), "pods: forbidden, needs list on pods at the cluster scope",
         '- {apiGroups: [""], resources: [pods], verbs: [list]}'),
        (reads.Pods("sre-shop"), "pods in sre-shop: forbidden, needs list on pods in namespace sre-shop",
         '- {apiGroups: [""], resources: [pods], verbs: [list]}'),
        (reads.Endpoints("sre-shop", "backend"),
         "endpoints of sre-shop/backend: forbidden, needs list on endpointslices.discovery.k8s.io"
         " in namespace sre-shop",
         '- {apiGroups: ["discovery.k8s.io"], resources: [endpointslices], verbs: [list]}'),
        (reads.Deployment("sre-shop", "backend"),
         "deployment sre-shop/backend: forbidden, needs get on deployments.apps in namespace sre-shop",
         '- {apiGroups: ["apps"], resources: [deployments], verbs: [get]}'),
        (reads.NodeMetrics(), "node metrics: forbidden, needs list on nodes.metrics.k8s.io at the cluster scope",
         '- {apiGroups: ["metrics.k8s.io"], resources: [nodes], verbs: [list]}'),
    ],
)  # fmt: skip
def test_a_missing_permission_is_named_with_the_rule_that_gives_it(
    refusal: Told, read: Read, reason: str, rule: str
) -> None:
    assert refusal(read, status(403, "forbidden")) == (Refused, reason, rule)


@pytest.mark.parametrize(
    ("answer", "kind", "reason", "mend"),
    [
        (HTML, Refused, "nodes: not a Kubernetes API answer (200, HTML)", CHECK),
        (page(200, "[1]"), Refused, "nodes: not a Kubernetes API answer (200, application/json)", CHECK),
        (page(502, "<html>Bad Gateway", "text/html"), Refused,
         "nodes: not a Kubernetes API answer (502, HTML)", CHECK),
        (page(502, "Bad Gateway", "text/plain"), Refused,
         "nodes: not a Kubernetes API answer (502, text/plain)", CHECK),
        (page(302, "", "text/plain", Location="https://sso"), Refused,
         "nodes: not a Kubernetes API answer (302, text/plain)", CHECK),
        (status(401, "Unauthorized"), Refused,
         "nodes: unauthorized, the Kubernetes API does not accept the bot's credentials", RENEW),
        (page(401, "no", "text/plain"), Refused,
         "nodes: unauthorized, the Kubernetes API does not accept the bot's credentials", RENEW),
        (status(400, "limit is wrong"), Refused, "nodes: the Kubernetes API answers 400: limit is wrong", ""),
        (status(429, "slow down"), Unreachable, "nodes: the Kubernetes API is too busy (429)", ""),
        (status(500, f"etcd\nsays {TOKEN} {'x' * 300}"), Unreachable,
         f"nodes: the Kubernetes API answers 500: etcd says … {'x' * 187}…", ""),
        (page(503, "apiserver is shutting down\n", "text/plain"), Unreachable,
         "nodes: the Kubernetes API answers 503: apiserver is shutting down", ""),
        (page(200, {"items": [{"metadata": {}}]}), Refused, "nodes: an item of the answer is malformed", ""),
        (page(200, {"items": [None]}), Refused, "nodes: an item of the answer is malformed", ""),
        (DROP, Unreachable, "nodes: the Kubernetes API dropped the connection", ""),
        (b"SSH-2.0-OpenSSH\r\n\r\n", Unreachable, "nodes: the Kubernetes API dropped the connection", ""),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_a_gap_with_a_reason(
    refusal: Told, answer: Any, kind: type[Unanswered], reason: str, mend: str
) -> None:
    assert refusal(reads.Nodes(), answer) == (kind, reason, mend)


def test_retry_after_is_carried(tmp_path: Path) -> None:
    busy = page(429, {}, Retry_After="3")
    with talking(tmp_path, lambda _: busy) as (client, server), pytest.raises(Unreachable) as caught:
        client.read(reads.Nodes(), soon())
    assert caught.value.retry_after == timedelta(seconds=3)
    assert len(server.asked) == 1


def test_nobody_at_the_address(tmp_path: Path) -> None:
    with RudeServer(lambda _: DROP) as server:
        pass
    client = Cluster(ClusterSite(), kubeconfig(tmp_path / "config", server.url))
    with pytest.raises(Unreachable) as caught:
        client.read(reads.Nodes(), soon())
    assert (caught.value.reason, caught.value.mend) == (f"nodes: no connection to {server.url}", CHECK)


def test_a_connection_closed_by_the_server_is_opened_again(tmp_path: Path) -> None:
    with talking(tmp_path, lambda _: items() if len(server.asked) != 2 else DROP) as (client, server):
        client.read(reads.Nodes(), soon())
        assert client.read(reads.Nodes(), soon()) == ()
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    "beginning", [b"", b"HTTP/1.1 200 OK\r\nX-Drip: ", b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n"]
)
def test_a_server_that_drips_does_not_pass_the_deadline(tmp_path: Path, beginning: bytes) -> None:
    with talking(tmp_path, lambda _: server.drip(beginning)) as (client, server):
        started = time.monotonic()
        with pytest.raises(Unreachable, match="nodes: no complete answer of the Kubernetes API in time"):
            client.read(reads.Nodes(), soon(0.4))
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("read", [reads.Nodes(), reads.Pods(), reads.Endpoints("a", "b")])
def test_a_server_that_hangs_does_not_pass_the_deadline(refusal: Told, read: Read) -> None:
    started = time.monotonic()
    kind, reason, _ = refusal(read, HANG, seconds=0.3)
    assert (kind, reason.partition(": ")[2]) == (
        Unreachable,
        "no complete answer of the Kubernetes API in time",
    )
    assert time.monotonic() - started < 5


def test_an_endless_page_is_cut(refusal: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_BYTES", 1 << 20)
    answer = page(200, b" " * (2 << 20))
    assert refusal(reads.Nodes(), answer) == (Refused, "nodes: more than 1 MiB in one answer", "")


# Credentials.


def bomb(size: int) -> bytes:
    """Zeros, packed a thousand to one."""
    return page(200, gzip.compress(bytes(size)), "text/plain", Content_Encoding="gzip")


def peak(act: Callable[[], Any]) -> int:
    """How much memory Python asked for at most meanwhile."""
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_packed_answer_is_unpacked_no_further_than_it_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE_BYTES", 200_000)
    with talking(tmp_path, lambda asked: packed) as (client, _):
        packed = bomb(1000)
        with pytest.raises(Refused):  # imports, certificates
            client.read(reads.Nodes(), soon())
        packed = bomb(64 << 20)

        def ask() -> None:
            with pytest.raises(Refused, match="in one answer"):
                client.read(reads.Nodes(), soon())

        assert peak(ask) < 8 << 20


def test_the_server_learns_who_asks(tmp_path: Path) -> None:
    with talking(tmp_path, lambda _: items()) as (client, server):
        client.read(reads.Nodes(), soon())
    (asked,) = server.asked
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["user-agent"].startswith("sre-bot/")


def test_a_rotated_token_is_read_again_once(tmp_path: Path) -> None:
    def answer(asked: Asked) -> bytes:
        if asked.headers["authorization"] == "Bearer fresh":
            return items()
        kubeconfig(tmp_path / "config", server.url, "fresh")
        return status(401, "Unauthorized")

    with talking(tmp_path, answer) as (client, server):
        assert client.read(reads.Nodes(), soon()) == ()
        assert client.read(reads.Nodes(), soon()) == ()
    assert len(server.asked) == 3


def test_credentials_refused_for_good_are_asked_twice_and_no_more(tmp_path: Path) -> None:
    with talking(tmp_path, lambda _: status(401)) as (client, server), pytest.raises(Refused):
        client.read(reads.Nodes(), soon())
    assert len(server.asked) == 2


def test_a_kubeconfig_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        Cluster(ClusterSite(), tmp_path / "none").read(reads.Nodes(), soon())
    assert caught.value.reason.startswith("nodes: no credentials from the kubeconfig: ")
    assert caught.value.mend == (
        "set `context` of cluster sre-training-cluster to a context of the file KUBECONFIG names"
    )


def test_a_context_that_is_not_there(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", "http://127.0.0.1:1")
    with pytest.raises(Refused) as caught:
        Cluster(ClusterSite(context="prod"), path).read(reads.Nodes(), soon())
    assert caught.value.reason == (
        "nodes: no credentials from the kubeconfig: Invalid kube-config file. "
        f"Expected object with name prod in {path}/contexts list"
    )


def test_a_kubeconfig_that_is_no_yaml(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("a: [")
    with pytest.raises(Refused, match="nodes: no credentials from the kubeconfig"):
        Cluster(ClusterSite(), path).read(reads.Nodes(), soon())


@pytest.mark.parametrize("answer", [status(410, "is gone"), page(410, "gone", "text/plain")])
def test_a_single_object_does_not_expire(refusal: Told, answer: bytes) -> None:
    kind, reason, _ = refusal(reads.Deployment("sre-shop", "backend"), answer)
    assert kind is Refused
    assert reason.startswith("deployment sre-shop/backend: ") and "410" in reason


def test_a_proxied_page_that_the_api_server_calls_gone(tmp_path: Path) -> None:
    with (
        talking(tmp_path, lambda _: status(410, "is gone")) as (client, _),
        pytest.raises(Refused, match="410"),
    ):
        client.via_pod("sre-shop", "backend-1", 8080, "/healthz", deadline=soon(), cap=1000)


@pytest.mark.filterwarnings("ignore:SOCKS support")
@pytest.mark.parametrize(
    "proxy", ["ftp://me:s3cret@proxy:1", "socks5://me:s3cret@proxy:1", "http://me:s3cret@[::1"]
)
def test_a_proxy_that_is_none_is_a_gap_without_its_password(tmp_path: Path, proxy: str) -> None:
    path = kubeconfig(tmp_path / "config", "https://127.0.0.1:1")
    config = json.loads(path.read_text())
    config["clusters"][0]["cluster"]["proxy-url"] = proxy
    path.write_text(json.dumps(config))
    with pytest.raises(Refused) as caught:
        Cluster(ClusterSite(), path).read(reads.Nodes(), soon())
    assert caught.value.reason == "nodes: the proxy to the Kubernetes API is no HTTP address"
    assert caught.value.mend == "check HTTPS_PROXY, or `proxy-url` in the kubeconfig"


# Credential plugins, as `aws eks update-kubeconfig` writes them into a kubeconfig.


class Plugin:
    """A kubeconfig whose user is a script; the server lets nobody in but the bearer of `good`."""

    def __init__(self, folder: Path, url: str) -> None:
        self._script = folder / "plugin.sh"
        self.runs = folder / "runs"
        self.kubeconfig = kubeconfig(folder / "config", url)
        config = json.loads(self.kubeconfig.read_text())
        api = "client.authentication.k8s.io/v1beta1"
        config["users"][0]["user"] = {"exec": {"apiVersion": api, "command": str(self._script)}}
        self.kubeconfig.write_text(json.dumps(config))

    def does(self, body: str) -> None:
        self._script.write_text(f"#!/bin/sh\necho $$ >> {self.runs}\n{body}\n")
        self._script.chmod(0o755)

    def gives(self, token: str, until: str = "2099-01-01T00:00:00Z") -> None:
        status = {"token": token, "expirationTimestamp": until}
        found = {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "kind": "ExecCredential",
            "status": status,
        }
        self.does(f"echo '{json.dumps(found)}'")

    def started(self) -> int:
        return len(self.runs.read_text().split())


def guarded(asked: Asked) -> bytes:
    if "authorization" not in asked.headers:
        return status(403, 'User "system:anonymous" cannot list resource "nodes"')
    return items() if asked.headers["authorization"] == "Bearer good" else status(401, "Unauthorized")


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Plugin]:
    with RudeServer(guarded) as server:
        yield Plugin(tmp_path, server.url)


PLUGIN = "run the `exec` command of cluster sre-training-cluster in the kubeconfig by hand"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("echo 'sts\nthrottled' >&2; exit 255", "exit code 255, sts throttled"),
        ("exit 1", "exit code 1, without a word"),
        ("echo s3cret", "what it prints is no JSON"),
        ('echo \'{"apiVersion": "client.authentication.k8s.io/v1beta1", "status": {}}\'',
         "neither a token nor a certificate with its key"),
        ('echo \'{"apiVersion": "v2", "status": {}}\'', "it speaks v2, not client.authentication.k8s.io/v1beta1"),
    ],
)  # fmt: skip
def test_a_plugin_that_fails_is_named_and_asked_again(plugin: Plugin, body: str, words: str) -> None:
    client = Cluster(ClusterSite(), plugin.kubeconfig)
    plugin.does(body)
    with pytest.raises(Unreachable) as caught:
        client.read(reads.Nodes(), soon())
    assert caught.value.reason == f"nodes: no credentials from the kubeconfig's plugin: {words}"
    assert caught.value.mend == PLUGIN
    plugin.gives("good")
    assert client.read(reads.Nodes(), soon()) == ()
    assert client.read(reads.Nodes(), soon()) == ()
    assert plugin.started() == 2


def test_a_plugin_that_is_not_there(plugin: Plugin) -> None:
    with pytest.raises(Unreachable, match="plugin: FileNotFoundError") as caught:
        Cluster(ClusterSite(), plugin.kubeconfig).read(reads.Nodes(), soon())
    assert caught.value.mend == PLUGIN


def test_a_token_that_expired_is_renewed_once_the_plugin_works_again(plugin: Plugin) -> None:
    client = Cluster(ClusterSite(), plugin.kubeconfig)
    plugin.gives("good", until="2020-01-01T00:00:00Z")
    assert client.read(reads.Nodes(), soon()) == ()
    plugin.does("exit 1")
    with pytest.raises(Unreachable, match="plugin: exit code 1"):
        client.read(reads.Nodes(), soon())
    plugin.gives("good")
    assert client.read(reads.Nodes(), soon()) == ()


@pytest.mark.parametrize("is_loaded", [False, True])
def test_a_plugin_that_hangs_runs_once_at_a_time_and_is_killed(
    plugin: Plugin, monkeypatch: pytest.MonkeyPatch, is_loaded: bool
) -> None:
    monkeypatch.setattr(link, "PLUGIN_SECONDS", 1.0)
    client = Cluster(ClusterSite(), plugin.kubeconfig)
    if is_loaded:
        plugin.gives("good", until="2020-01-01T00:00:00Z")
        assert client.read(reads.Nodes(), soon()) == ()
        plugin.runs.unlink()
    # The one that hangs is a child of the script, and holds its output open.
    plugin.does(f"sleep 60 & echo $! >> {plugin.runs}; wait")
    source = [Reader([client], timedelta(seconds=0.5)) for _ in range(3)]
    began = time.monotonic()
    for reader in source:
        seen = reader.see((reads.Nodes(), reads.NodeMetrics()), began + 0.6)
        assert all(isinstance(answer, Gap) for answer in seen.values())
    assert plugin.started() == 2
    with pytest.raises(Unreachable, match=r"plugin: no answer in 1 s"):
        client.read(reads.Nodes(), soon())
    for process in plugin.runs.read_text().split():
        wait_until_gone(int(process))


def wait_until_gone(process: int) -> None:
    """A zombie is as good as gone."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return
        if state == "Z":
            return
        time.sleep(0.05)
    raise AssertionError(f"process {process} still runs")


@pytest.mark.parametrize("name", ["..", "a/b", "", "a?b", "A", "a%2fb"])
def test_a_name_that_is_none_is_never_put_into_a_path(tmp_path: Path, name: str) -> None:
    with (
        talking(tmp_path, lambda _: items()) as (client, server),
        pytest.raises(Refused, match="is not a name Kubernetes allows"),
    ):
        client.read(reads.Deployment("sre-shop", name), soon())
    assert server.asked == []


# Lists.


def test_a_list_without_items_is_empty(told: Told) -> None:
    assert told(reads.Nodes(), page(200, {"metadata": None, "items": None})) == ()


def test_every_page_is_read(told: Told) -> None:
    def answer(asked: Asked) -> bytes:
        number = int(query(asked).get("continue", "0"))
        more = {"continue": str(number + 1)} if number < 3 else {}
        return items({"metadata": {"name": f"n{number}"}}, **more)

    assert [node.name for node in told(reads.Nodes(), answer)] == ["n0", "n1", "n2", "n3"]


def test_a_node_is_known_by_its_addresses_each_once(told: Told) -> None:
    known = [{"type": "InternalIP", "address": "10.0.3.17"}, {"type": "InternalDNS", "address": "ip-10-0-3-17"},
             {"type": "Hostname", "address": "ip-10-0-3-17"}]  # fmt: skip
    (node,) = told(reads.Nodes(), items({"metadata": {"name": "n"}, "status": {"addresses": known}}))
    assert node.addresses == ("10.0.3.17", "ip-10-0-3-17")


def test_a_list_that_expires_in_the_middle_is_read_from_its_start(tmp_path: Path) -> None:
    def answer(asked: Asked) -> bytes:
        if "continue" not in query(asked):
            return items({"metadata": {"name": "n0"}}, **{"continue": "next"})
        return status(410, "expired") if len(server.asked) == 2 else items({"metadata": {"name": "n1"}})

    with talking(tmp_path, answer) as (client, server):
        assert [node.name for node in client.read(reads.Nodes(), soon())] == ["n0", "n1"]
    assert len(server.asked) == 4


@pytest.mark.parametrize(("read", "what"), [(reads.Nodes(), "nodes"), (reads.Pods(), "pods")])
def test_a_list_that_always_expires_is_given_up(refusal: Told, read: Read, what: str) -> None:
    assert refusal(read, status(410, "expired")) == (
        Unreachable,
        f"{what}: the list expired 3 times while it was read (410)",
        "",
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("250n", 2.5e-7),
        ("12345678n", 0.012345678),
        ("1500u", 0.0015),
        ("7910m", 7.91),
        ("0.5", 0.5),
        ("1e3", 1000),
        ("2E3", 2000),
        ("2E", 2e18),
        ("128Mi", 134217728),
        ("1G", 1e9),
        ("30Gi", 32212254720),
        ("100k", 1e5),
        (4, 4),
    ],
)
def test_quantities(text: Any, value: float) -> None:
    assert quantity(text) == value


@pytest.mark.parametrize("text", ["", "Ki", "1.2.3", "1ki", "ten", "1 Gi"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        quantity(text)


def test_a_cluster_without_metrics(refusal: Told) -> None:
    assert refusal(reads.NodeMetrics(), page(404, "404 page not found\n", "text/plain")) == (
        Refused,
        "node metrics: the cluster has no metrics.k8s.io API",
        "install metrics-server",
    )


def test_metrics_that_are_down(refusal: Told) -> None:
    assert refusal(reads.NodeMetrics(), page(503, "service unavailable\n", "text/plain")) == (
        Unreachable,
        "node metrics: the Kubernetes API answers 503: service unavailable",
        "kubectl describe apiservice v1beta1.metrics.k8s.io",
    )


def test_node_metrics_in_their_odd_units(told: Told) -> None:
    found = {"metadata": {"name": "n"}, "usage": {"cpu": "1500000000n", "memory": "1024Ki"}}
    assert told(reads.NodeMetrics(), items(found)) == (reads.NodeUsage("n", 1.5, 1048576),)


# Endpoints.


def slices(*found: tuple[str, list[dict[str, Any]]]) -> bytes:
    return items(*({"addressType": kind, "endpoints": endpoints} for kind, endpoints in found))


def endpoint(address: str, name: str, **conditions: Any) -> dict[str, Any]:
    return {"addresses": [address], "targetRef": {"kind": "Pod", "name": name}, "conditions": conditions}


ENDPOINTS = reads.Endpoints("sre-shop", "backend-service")


def test_an_endpoint_is_ready_unless_the_api_says_no(told: Told) -> None:
    answer = slices(
        (
            "IPv4",
            [
                endpoint("10.0.0.1", "a", ready=None),
                endpoint("10.0.0.2", "b"),
                endpoint("10.0.0.3", "c", ready=False, serving=True, terminating=True),
                {"addresses": ["10.0.0.4"], "conditions": None, "targetRef": None, "nodeName": "n"},
            ],
        ),
        ("IPv4", []),
    )
    assert told(ENDPOINTS, answer) == (
        reads.EndpointView("10.0.0.1", "a", True),
        reads.EndpointView("10.0.0.2", "b", True),
        reads.EndpointView("10.0.0.3", "c", False, terminating=True),
        reads.EndpointView("10.0.0.4", "", True, "n"),
    )


def test_an_address_in_two_slices_counts_once_and_is_ready_if_one_says_so(told: Told) -> None:
    answer = slices(
        ("IPv4", [endpoint("10.0.0.1", "a", ready=False)]), ("IPv4", [endpoint("10.0.0.1", "a", ready=True)])
    )
    assert told(ENDPOINTS, answer) == (reads.EndpointView("10.0.0.1", "a", True),)


def test_a_dual_stack_pod_counts_once(told: Told) -> None:
    answer = slices(("IPv6", [endpoint("fd00::1", "a")]), ("IPv4", [endpoint("10.0.0.1", "a")]))
    assert [each.address for each in told(ENDPOINTS, answer)] == ["10.0.0.1"]


def test_slices_without_endpoints(told: Told) -> None:
    assert told(ENDPOINTS, items({"addressType": "IPv4", "endpoints": None})) == ()


# Pods, where a server has to be in the middle of something.


def test_a_server_that_prints_no_tables(refusal: Told) -> None:
    assert refusal(reads.Pods(), items(pod("a", "b"))) == (
        Refused,
        "pods: the server does not print pods as a table",
        "",
    )


def survey(asked: Asked, counted: bytes, not_running: bytes, named: dict[str, bytes]) -> bytes:
    """Answers as a server with these pods: the count, the phase selector, and each name."""
    selector = query(asked).get("fieldSelector", "")
    if selector.startswith("metadata.name="):
        return named[selector.removeprefix("metadata.name=").partition(",")[0]]
    return not_running if selector else counted


def test_a_name_in_two_namespaces_gives_the_sick_one(told: Told) -> None:
    counted = table(("redis-0", "1/1", "Running", "n1"), ("redis-0", "0/1", "CrashLoopBackOff", "n1"))
    both = table(
        ("redis-0", "1/1", "Running", "n1", pod("a", "redis-0")),
        ("redis-0", "0/1", "CrashLoopBackOff", "n1", pod("b", "redis-0", phase="Running")),
    )
    found = told(reads.Pods(), lambda asked: survey(asked, counted, table(), {"redis-0": both}))
    assert [(each.namespace, each.name, each.status) for each in found.sick] == [
        ("b", "redis-0", "CrashLoopBackOff")
    ]
    assert (found.total, found.sick_total) == (2, 1)
    assert found.by_status == {"Running": 1, "CrashLoopBackOff": 1}


def test_the_same_sickness_in_two_namespaces_is_two_pods(told: Told) -> None:
    row = ("redis-0", "0/1", "CrashLoopBackOff", "n1")
    both = table((*row, pod("a", "redis-0")), (*row, pod("b", "redis-0")))
    found = told(reads.Pods(), lambda asked: survey(asked, table(row, row), table(), {"redis-0": both}))
    assert [each.namespace for each in found.sick] == ["a", "b"]
    assert found.sick_total == 2


def test_a_pod_that_runs_again_by_now_keeps_the_word_it_was_counted_under(told: Told) -> None:
    counted = table(("x", "0/1", "CrashLoopBackOff", "n1"))
    by_now = table(("x", "1/1", "Running", "n1", pod("a", "x")))
    (only,) = told(reads.Pods(), lambda asked: survey(asked, counted, table(), {"x": by_now})).sick
    assert (only.namespace, only.status, only.ready) == ("a", "CrashLoopBackOff", "0/1")


def test_a_pod_that_is_gone_by_now_is_still_counted(told: Told) -> None:
    counted = table(("x", "0/1", "Error", "n1"))
    found = told(reads.Pods(), lambda asked: survey(asked, counted, table(), {"x": table()}))
    assert found.sick_total == 1
    assert [(each.namespace, each.name, each.status, each.restarts, each.message) for each in found.sick] == [
        ("", "x", "Error", 3, "no details: they did not come in time, or the pod is gone")
    ]


def test_details_that_do_not_come_do_not_cost_the_count(tmp_path: Path) -> None:
    counted = table(("x", "0/1", "Error", "n1"))

    def answer(asked: Asked) -> Any:
        is_named = query(asked).get("fieldSelector", "").startswith("metadata.name")
        return HANG if is_named else survey(asked, counted, table(), {})

    with talking(tmp_path, answer) as (client, _):
        found = client.read(reads.Pods(), soon(0.8))
    assert (found.total, [each.name for each in found.sick]) == (1, ["x"])


def test_a_failed_pod_that_is_printed_as_completed_is_sick(told: Told) -> None:
    counted = table(("job", "0/2", "Completed", "n1"))
    failed = table(("job", "0/2", "Completed", "n1", pod("a", "job", phase="Failed")))
    found = told(reads.Pods(), lambda asked: survey(asked, counted, failed, {}))
    assert [(each.status, each.phase) for each in found.sick] == [("Completed", "Failed")]
    assert found.sick_total == 1


def test_a_thousand_evicted_pods_do_not_hide_the_one_that_crashes(told: Told) -> None:
    evicted = [(f"e{number}", "0/1", "Evicted", "n1") for number in range(999)]
    crashing = ("x", "0/1", "CrashLoopBackOff", "n1")
    whole = [(*row, pod("a", row[0], phase="Failed")) for row in evicted[:250]]

    def answer(asked: Asked) -> bytes:
        if "status.phase" not in asked.target:
            return survey(asked, table(*evicted, crashing), b"", {"x": table((*crashing, pod("b", "x")))})
        return table(*evicted[250:]) if "continue" in query(asked) else table(*whole, **{"continue": "t"})

    found = told(reads.Pods(detail=10), answer)
    assert (len(found.sick), found.sick_total) == (10, 1000)
    assert ("b", "x") in {(each.namespace, each.name) for each in found.sick}


def test_sick_pods_are_asked_by_name_and_node(tmp_path: Path) -> None:
    """The node is what the server has an index for."""
    counted = table(("x", "0/1", "CrashLoopBackOff", "n1"))
    by_name = {"x": table(("x", "0/1", "CrashLoopBackOff", "n1", pod("a", "x")))}
    with talking(tmp_path, lambda asked: survey(asked, counted, table(), by_name)) as (client, server):
        client.read(reads.Pods(), soon())
    selectors = {query(asked).get("fieldSelector", "") for asked in server.asked}
    assert selectors == {
        "",
        "status.phase!=Running,status.phase!=Succeeded",
        "metadata.name=x,spec.nodeName=n1",
    }


RUNS_AGAIN = ("x", "1/1", "Running", "n1")


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [
        ("5 (12s ago)", 12),
        ("5 (3m12s ago)", 192),
        ("5 (3m ago)", 180),
        ("5 (9m59s ago)", 599),
        ("5 (<invalid> ago)", 0),
        ("5 (10m ago)", None),
        ("5 (3h20m ago)", None),
        ("5 (2d3h ago)", None),
        ("5 (1y ago)", None),
        ("5 (<unknown> ago)", None),
        ("5", None),
        (5, None),
    ],
)
def test_a_pod_that_runs_but_was_restarted_lately_is_looked_at(
    told: Told, cell: Any, seconds: int | None
) -> None:
    counted = table(RUNS_AGAIN, restarts={"x": cell})
    whole = table((*RUNS_AGAIN, pod("a", "x", phase="Running")), restarts={"x": cell})
    found = told(reads.Pods(), lambda asked: survey(asked, counted, table(), {"x": whole}))
    assert (found.by_status, found.sick_total) == ({"Running": 1}, 0 if seconds is None else 1)
    assert [(each.namespace, each.status, each.restarts) for each in found.sick] == (
        [] if seconds is None else [("a", "Running", 5)]
    )
    for each in found.sick:
        since = datetime.now(UTC) - each.last_restart - timedelta(seconds=seconds or 0)
        assert timedelta() <= since < timedelta(seconds=30)


def test_a_pod_that_crashes_again_by_now_keeps_the_word_and_tells_its_last_end(told: Told) -> None:
    counted = table(RUNS_AGAIN, restarts={"x": "5 (12s ago)"})
    crashed = {"containerStatuses": [container("a", waits("CrashLoopBackOff"), lastState=ended("Error", 3))]}
    by_now = table(("x", "0/1", "CrashLoopBackOff", "n1", pod("a", "x", phase="Running", **crashed)))
    (only,) = told(reads.Pods(), lambda asked: survey(asked, counted, table(), {"x": by_now})).sick
    assert (only.status, only.ready, only.restarts, only.last_exit) == ("Running", "1/1", 5, "Error 3")


def test_a_restart_is_told_even_where_the_details_do_not_come(told: Told) -> None:
    counted = table(RUNS_AGAIN, restarts={"x": "5 (12s ago)"})
    (only,) = told(reads.Pods(), lambda asked: survey(asked, counted, table(), {"x": table()})).sick
    assert (only.phase, only.restarts, only.last_restart is None) == ("", 5, False)


def test_restarted_pods_take_turns_with_the_others_and_those_that_crash_most_come_first(told: Told) -> None:
    restarted = [(f"r{number}", "1/1", "Running", "n1") for number in range(300)]
    unready = [(f"u{number}", "0/1", "Running", "n1") for number in range(300)]
    crashing = [("x", "0/1", "CrashLoopBackOff", "n1"), ("y", "0/1", "Error", "n1")]
    cells = {name: "1 (9m ago)" for name, *_ in restarted} | {"r299": "40 (2s ago)"}
    counted = table(*restarted, *unready, *crashing, restarts=cells)

    def found(detail: int) -> tuple[set[str], int]:
        nothing = {name: table() for name, *_ in (*restarted, *unready, *crashing)}
        seen = told(reads.Pods(detail=detail), lambda asked: survey(asked, counted, table(), nothing))
        return {each.name for each in seen.sick}, seen.sick_total

    assert found(3) == ({"u0", "x", "y"}, 602)
    assert found(6) == ({"u0", "u1", "x", "y", "r299", "r0"}, 602)


# The API server's proxy.

GRAFANA = ServiceAddress("http", "monitoring", "grafana", 3000, "/grafana")


@pytest.mark.parametrize("code", [200, 404, 500, 503])
def test_a_proxied_page_is_handed_on_whatever_its_status(tmp_path: Path, code: int) -> None:
    with talking(tmp_path, lambda _: page(code, {"kind": "Health"})) as (client, server):
        found = client.via_service(GRAFANA, "/api/health?a=b", soon(), 1000)
    assert (found.status, found.body) == (code, b'{"kind":"Health"}')
    assert server.asked[0].target == (
        "/api/v1/namespaces/monitoring/services/grafana:3000/proxy/grafana/api/health?a=b"
    )


def test_a_service_that_speaks_tls_is_asked_so(tmp_path: Path) -> None:
    with talking(tmp_path, lambda _: page(200, "ok", "text/plain")) as (client, server):
        client.via_service(replace(GRAFANA, scheme="https", path=""), "/", soon(), 1000)
    assert server.asked[0].target == "/api/v1/namespaces/monitoring/services/https:grafana:3000/proxy/"


def test_a_pod_behind_the_proxy(tmp_path: Path) -> None:
    with talking(tmp_path, lambda _: page(200, "x" * 100, "text/plain")) as (client, server):
        found = client.via_pod("sre-shop", "backend-1", 8080, "/readyz", deadline=soon(), cap=10)
    assert (found.body, found.cut) == (b"x" * 10, True)
    assert server.asked[0].target == "/api/v1/namespaces/sre-shop/pods/backend-1:8080/proxy/readyz"


@pytest.mark.parametrize(
    ("answer", "kind", "reason", "mend"),
    [
        (status(403, "forbidden"), Refused,
         "grafana.monitoring: forbidden, needs get on services/proxy in namespace monitoring",
         '- {apiGroups: [""], resources: [services/proxy], verbs: [get]}'),
        (status(404, 'services "grafana" not found', details={"name": "grafana"}), Refused,
         'grafana.monitoring: not found: services "grafana" not found', ""),
        (status(503, 'no endpoints available for service "grafana"'), Unreachable,
         'grafana.monitoring: the Kubernetes API answers 503: no endpoints available for service "grafana"', ""),
    ],
)  # fmt: skip
def test_what_the_api_server_says_itself_is_not_the_page(
    tmp_path: Path, answer: bytes, kind: type[Unanswered], reason: str, mend: str
) -> None:
    with talking(tmp_path, lambda _: answer) as (client, _), pytest.raises(kind) as caught:
        client.via_service(GRAFANA, "/api/health", soon(), 1000)
    assert (caught.value.reason, caught.value.mend) == (reason, mend)


# One suite for every API server: the real one, and the sandbox's.


class Api:
    """A filled API server, and how to get at it."""

    def __init__(self, kubeconfig: Path, server: Any) -> None:
        self.kubeconfig = kubeconfig
        self.server = server


@pytest.fixture(scope="module", params=[pytest.param("real", marks=pytest.mark.cluster), "stand-in"])
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    if request.param == "real":
        with ControlPlane(controllers=(), scheduler=False) as plane:
            for namespace in ("shop", "tools"):
                plane.add_namespace(namespace)
            for found in the_cluster():
                _create(plane, found)
            yield Api(plane.kubeconfig, plane)
        return
    with KubeStandIn() as kube:
        kube.apply(the_cluster())
        yield Api(kube.kubeconfig(tmp_path_factory.mktemp("kube") / "config"), kube)


def _create(plane: ControlPlane, found: dict[str, Any]) -> None:
    kind, metadata = found["kind"], found["metadata"]
    if kind == "Node":
        plane.add_node(
            metadata["name"],
            taints=found["spec"]["taints"],
            ready=found["status"]["conditions"][0]["status"] == "True",
        )
        return
    group = "/api/v1" if found["apiVersion"] == "v1" else f"/apis/{found['apiVersion']}"
    path = f"{group}/namespaces/{metadata['namespace']}/{kind.lower()}s"
    plane.request("POST", path, found)
    if "status" in found:
        plane.request("PUT", f"{path}/{metadata['name']}/status", found)


def ended(reason: str = "", code: int = 1, **more: Any) -> dict[str, Any]:
    return {"terminated": {"reason": reason, "exitCode": code, **more}}


def ago(length: timedelta) -> str:
    return f"{datetime.now(UTC) - length:%Y-%m-%dT%H:%M:%SZ}"


def waits(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


RUNS = {"running": {"startedAt": "2026-11-23T05:00:00Z"}}


def container(name: str, state: dict[str, Any], *, ready: bool = False, **more: Any) -> dict[str, Any]:
    image = {"image": "app:1", "imageID": "", "restartCount": 0}
    return {"name": name, "ready": ready, "state": state, **image, **more}


def conditions(ready: bool) -> list[dict[str, Any]]:
    since = "2026-11-23T05:00:00Z"
    return [{"type": "Ready", "status": str(ready), "lastTransitionTime": since}]


def restarted(before: timedelta) -> dict[str, Any]:
    """Killed, started again, and ready: the other container and the init container never were."""
    end = ended("OOMKilled", 137, finishedAt=ago(before))
    return {
        "phase": "Running",
        "conditions": conditions(True),
        "containerStatuses": [
            container("a", RUNS, ready=True, restartCount=5, lastState=end),
            container("b", RUNS, ready=True),
        ],
    }


# What kubelets write, by the name of the pod; containers are called "a" and "b", the init container "i".
STATUSES: dict[str, dict[str, Any]] = {
    "well": {
        "phase": "Running",
        "conditions": conditions(True),
        "containerStatuses": [container(n, RUNS, ready=True) for n in "ab"],
    },
    "crashing": {
        "phase": "Running",
        "conditions": conditions(False),
        "containerStatuses": [
            container(
                "a",
                waits("CrashLoopBackOff", "back-off 5m0s"),
                restartCount=17,
                lastState=ended("OOMKilled", 137, finishedAt="2026-11-23T05:00:00Z"),
            ),
            container("b", RUNS, ready=True),
        ],
    },
    "half-ready": {
        "phase": "Running",
        "conditions": conditions(False),
        "containerStatuses": [container("a", RUNS), container("b", RUNS, ready=True)],
    },
    "no-image": {
        "phase": "Pending",
        "containerStatuses": [container("a", waits("ImagePullBackOff")), container("b", RUNS, ready=True)],
    },
    "bad-init": {
        "phase": "Pending",
        "initContainerStatuses": [container("i", waits("CrashLoopBackOff", "back-off init"))],
    },
    "init-exit": {"phase": "Pending", "initContainerStatuses": [container("i", ended("", 3))]},
    "initialising": {"phase": "Pending", "initContainerStatuses": [container("i", RUNS)]},
    "pending": {
        "phase": "Pending",
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": "0/3 nodes are available",
            }
        ],
    },
    "evicted": {"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory."},
    "failed": {"phase": "Failed", "containerStatuses": [container(n, ended("Error")) for n in "ab"]},
    "signalled": {
        "phase": "Failed",
        "containerStatuses": [container("a", {"terminated": {"exitCode": 137, "signal": 9}})],
    },
    "done": {"phase": "Succeeded", "containerStatuses": [container(n, ended("Completed", 0)) for n in "ab"]},
    "half-done": {
        "phase": "Running",
        "conditions": conditions(False),
        "containerStatuses": [container("a", ended("Completed", 0)), container("b", RUNS, ready=True)],
    },
    "lost": {"phase": "Unknown", "reason": "NodeLost"},
    "killed": {
        "phase": "Running",
        "containerStatuses": [container("a", ended("OOMKilled", 137)), container("b", RUNS, ready=True)],
    },
}


# What kubectl prints for them, READY and STATUS; held against kubectl itself below.
WORDS = {
    "well": ("2/2", "Running"),
    "restarted": ("2/2", "Running"),
    "restarted-before": ("2/2", "Running"),
    "crashing": ("1/2", "CrashLoopBackOff"),
    "half-ready": ("1/2", "Running"),
    "no-image": ("1/2", "ImagePullBackOff"),
    "bad-init": ("0/2", "Init:CrashLoopBackOff"),
    "init-exit": ("0/2", "Init:ExitCode:3"),
    "initialising": ("0/2", "Init:0/1"),
    "pending": ("0/2", "Pending"),
    "evicted": ("0/2", "Evicted"),
    "failed": ("0/2", "Error"),
    "signalled": ("0/2", "Signal:9"),
    "done": ("0/2", "Completed"),
    "half-done": ("1/2", "NotReady"),
    "lost": ("0/2", "NodeLost"),
    "killed": ("1/2", "OOMKilled"),
}
WELL = ("well", "restarted-before", "done")
PODS = {("shop", name): name for name in WORDS} | {
    ("tools", "crashing"): "crashing",
    ("tools", "well"): "well",
    ("tools", "half-ready"): "well",
}


def the_cluster() -> list[dict[str, Any]]:
    tainted = [{"key": "a/b", "value": "c", "effect": "NoSchedule"}]
    statuses = STATUSES | {
        "restarted": restarted(timedelta(seconds=12)),
        "restarted-before": restarted(timedelta(minutes=11)),
    }
    pods = [a_pod(namespace, name, statuses[kind]) for (namespace, name), kind in PODS.items()]
    return [a_node("n1", True, []), a_node("n2", False, tainted), *pods, *a_service()]


def a_node(name: str, ready: bool, taints: list[dict[str, str]]) -> dict[str, Any]:
    allocatable = {"cpu": "7910m", "memory": "30Gi", "pods": "110"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name},
        "spec": {"taints": taints},
        "status": {"conditions": conditions(ready), "allocatable": allocatable, "capacity": allocatable},
    }


def a_pod(namespace: str, name: str, status: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = {"containers": [{"name": each, "image": "app:1"} for each in "ab"]}
    if "init" in name:
        spec["initContainers"] = [{"name": "i", "image": "app:1"}]
    if name != "pending":
        spec["nodeName"] = "n1"
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "uid": "1", "controller": True}
    metadata = {"namespace": namespace, "name": name, "ownerReferences": [owner]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def a_service() -> Iterator[dict[str, Any]]:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
    yield {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": "shop", "name": "backend"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": template},
        "status": {"replicas": 2, "readyReplicas": 1, "availableReplicas": 1, "updatedReplicas": 2},
    }
    for number, ready in enumerate((True, False)):
        labels = {"kubernetes.io/service-name": "backend-service"}
        yield {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"namespace": "shop", "name": f"slice-{number}", "labels": labels},
            "addressType": "IPv4",
            "endpoints": [endpoint(f"10.0.0.{number}", f"backend-{number}", ready=ready)],
        }


@pytest.fixture
def client(api: Api) -> Iterator[Cluster]:
    made = Cluster(ClusterSite(), api.kubeconfig)
    yield made
    made.close()


def test_every_verdict_is_kubectls(client: Cluster) -> None:
    found = client.read(reads.Pods(), soon())
    words = {place: WORDS[kind] for place, kind in PODS.items()}
    assert found.total == len(words)
    assert found.by_status == Counter(status for _, status in words.values())
    assert {(each.namespace, each.name): (each.ready, each.status) for each in found.sick} == {
        place: shown for place, shown in words.items() if PODS[place] not in WELL
    }
    assert found.sick_total == len(found.sick)


def test_one_namespace_alone(client: Cluster) -> None:
    found = client.read(reads.Pods("tools"), soon())
    assert (found.total, [(each.namespace, each.name) for each in found.sick]) == (3, [("tools", "crashing")])


def test_a_sick_pod_in_detail(client: Cluster) -> None:
    (sick,) = client.read(reads.Pods("tools"), soon()).sick
    assert timedelta() < sick.age < timedelta(minutes=5)
    assert replace(sick, age=timedelta(), last_restart=None) == reads.PodView(
        namespace="tools",
        name="crashing",
        status="CrashLoopBackOff",
        ready="1/2",
        restarts=17,
        age=timedelta(),
        node="n1",
        owner="ReplicaSet/rs",
        message="back-off 5m0s",
        phase="Running",
        not_ready_since=datetime(2026, 11, 23, 5, tzinfo=UTC),
        last_exit="OOMKilled 137",
    )


def test_a_pod_between_two_crashes_in_detail(client: Cluster) -> None:
    (found,) = (each for each in client.read(reads.Pods("shop"), soon()).sick if each.name == "restarted")
    assert (found.status, found.ready, found.restarts, found.last_exit) == (
        "Running",
        "2/2",
        5,
        "OOMKilled 137",
    )
    assert found.last_restart is not None
    assert timedelta(seconds=12) <= datetime.now(UTC) - found.last_restart < timedelta(minutes=5)


def test_the_message_is_the_most_telling_one(client: Cluster) -> None:
    sick = {each.name: each.message for each in client.read(reads.Pods("shop"), soon()).sick}
    assert sick["pending"] == "0/3 nodes are available"
    assert sick["evicted"] == "The node was low on memory."
    assert sick["bad-init"] == "back-off init"


def test_nodes(client: Cluster) -> None:
    first, second = client.read(reads.Nodes(), soon())
    assert (first.name, first.allocatable_cpu, first.taints) == ("n1", 7.91, ())
    assert (second.name, second.taints) == ("n2", ("a/b=c:NoSchedule",))
    ready = {each.type: each.status for each in second.conditions}["Ready"]
    assert ready == "False"


def test_endpoints_and_deployment(client: Cluster) -> None:
    found = client.read(reads.Endpoints("shop", "backend-service"), soon())
    assert [(each.address, each.pod, each.ready) for each in found] == [
        ("10.0.0.0", "backend-0", True),
        ("10.0.0.1", "backend-1", False),
    ]
    assert client.read(reads.Endpoints("shop", "nobody"), soon()) == ()
    deployment = client.read(reads.Deployment("shop", "backend"), soon())
    assert (deployment.replicas, deployment.ready, deployment.updated) == (2, 1, 2)
    assert client.read(reads.Deployment("shop", "nobody"), soon()) is None


@pytest.mark.parametrize("api", [pytest.param("real", marks=pytest.mark.cluster)], indirect=True)
class TestRealOnly:
    def test_the_words_are_kubectls_own(self, api: Api) -> None:
        lines = api.server.kubectl("get", "pods", "-A", "--no-headers").splitlines()
        printed = {(word[0], word[1]): (word[2], word[3]) for word in map(str.split, lines)}
        assert printed == {place: WORDS[kind] for place, kind in PODS.items()}

    def test_a_user_without_rights(self, api: Api) -> None:
        viewer = Cluster(ClusterSite(), api.server.kubeconfig_for("viewer"))
        with pytest.raises(Refused, match="pods: forbidden, needs list on pods at the cluster scope"):
            viewer.read(reads.Pods(), soon())
        viewer.close()

    def test_a_cluster_without_metrics(self, client: Cluster) -> None:
        with pytest.raises(Refused, match=r"node metrics: the cluster has no metrics.k8s.io API"):
            client.read(reads.NodeMetrics(), soon())

    def test_a_service_that_is_not_there(self, client: Cluster) -> None:
        with pytest.raises(Refused, match=r"grafana.monitoring: not found"):
            client.via_service(GRAFANA, "/api/health", soon(), 1000)

    def test_a_server_with_another_certificate(self, api: Api, tmp_path: Path) -> None:
        path = kubeconfig(tmp_path / "config", api.server.url)
        with pytest.raises(Refused) as caught:
            Cluster(ClusterSite(), path).read(reads.Nodes(), soon())
        assert caught.value.reason == (
            f"nodes: {api.server.url} is not trusted: certificate verify failed: "
            "unable to get local issuer certificate"
        )

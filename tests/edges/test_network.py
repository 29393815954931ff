"""The network as a worker sees it: real sockets on loopback, names that resolve and names that do not."""

import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from rude_server import HANG, RudeServer, page
from test_signals import NoProxy, soon

from commands.errors import Refused, Unreachable
from commands.site import ClusterSite, CriticalCheck, Dependency, Monitoring, ServiceAddress
from commands.triagereads import Connect, Fetch, Resolve
from workers.network import Network
from workers.reader import Answer


@pytest.fixture
def network() -> Iterator[Network]:
    client = Network(ClusterSite(), NoProxy())
    yield client
    client.close()


def test_a_name_is_resolved_as_often_as_asked(network: Network) -> None:
    found = network.read(Resolve("localhost", 3), soon())
    assert len(found) == 3
    assert all("127.0.0.1" in each.addresses and each.error == "" for each in found)
    assert all(0 <= each.took.total_seconds() < 5 for each in found)


@pytest.mark.parametrize("host", ["nobody.invalid", "a" * 300, "exa mple", "é" * 70])
def test_a_name_that_does_not_resolve_is_an_answer(network: Network, host: str) -> None:
    (found,) = network.read(Resolve(host), soon(4))
    assert found.addresses == () and found.error


def test_a_resolver_out_of_time_is_an_answer(network: Network) -> None:
    (found,) = network.read(Resolve("localhost", 5), time.monotonic())
    assert found.error == "no answer in 0 s" or found.addresses


def test_a_port_that_takes_connections(network: Network) -> None:
    with RudeServer(lambda _: page(200, "")) as server:
        found = network.read(Connect("127.0.0.1", int(server.url.rpartition(":")[2])), soon())
    assert found.error == "" and found.took.total_seconds() < 3
    assert server.asked == []  # opened and closed without a word


def test_a_closed_port_is_refused(network: Network) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert network.read(Connect("127.0.0.1", port), soon()).error == "refused"


def test_a_port_that_nobody_takes_is_given_up_in_time(network: Network) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        started = time.monotonic()
        found = network.read(Connect("127.0.0.1", port), soon(1.2))
        assert found.error == "no answer in 1 s"
        assert time.monotonic() - started < 10
        for each in waiting:
            each.close()


@pytest.mark.parametrize(
    ("host", "port", "error"),
    [("nobody.invalid", 80, "the name does not resolve"), ("127.0.0.1", 70000, "")],
)
def test_what_cannot_be_connected_to_says_why(network: Network, host: str, port: int, error: str) -> None:
    found = network.read(Connect(host, port), soon(4))
    assert found.error.startswith(error) and found.error


# Pages.


def fetching(url: str, **options: Any) -> Network:
    return Network(ClusterSite(dependencies=(Dependency("payments", url),), **options), NoProxy())


def test_an_address_of_the_configuration_is_fetched_and_no_redirect_followed() -> None:
    with RudeServer(lambda _: page(302, "moved" * 2000, Location="/login")) as server:
        client = fetching(f"{server.url}/health?deep=1")
        found = client.read(Fetch(f"{server.url}/health?deep=1"), soon())
        client.close()
    assert (found.status, len(found.body)) == (302, 4096)
    assert [asked.target for asked in server.asked] == ["/health?deep=1"]


def test_an_address_that_somebody_brings_along_is_not_asked() -> None:
    with RudeServer(lambda _: page(200, "secret")) as server:
        client = fetching("https://payments.example/health")
        with pytest.raises(Refused, match="does not name is not asked"):
            client.read(Fetch(server.url), soon())
    assert server.asked == []


def test_a_page_that_hangs_is_given_up() -> None:
    with RudeServer(lambda _: HANG) as server:
        client = fetching(server.url)
        with pytest.raises(Unreachable, match="no complete answer in time"):
            client.read(Fetch(server.url), soon(0.4))
        client.close()


def test_by_proxy_a_service_of_the_cluster_is_asked_through_the_api_server() -> None:
    sent: list[Any] = []

    class Passing(NoProxy):
        def via_service(self, *asked: Any, **_: Any) -> Answer:
            sent.append(asked[:2])
            return Answer(200, "text/plain", b"ok", timedelta())

    url = "http://backend.shop.svc:8080/healthz?a=b"
    site = ClusterSite(critical_checks=(CriticalCheck("shop", url),), monitoring=Monitoring(access="proxy"))
    assert Network(site, Passing()).read(Fetch(url), soon()).body == "ok"
    assert sent == [(ServiceAddress("http", "shop", "backend", 8080, "/healthz"), "?a=b")]

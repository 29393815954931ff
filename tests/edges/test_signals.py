"""Signals against servers that misbehave, and against the real Prometheus and Alertmanager."""

import gzip
import math
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rude_server import DROP, HANG, HTML, Asked, RudeServer, page

from commands import reads
from commands.errors import Forbidden, Refused, TimedOut, Unanswered, Unreachable
from commands.model import Read
from commands.site import Alertmanager, ClusterSite, Grafana, Monitoring, Prometheus, ServiceAddress
from sandbox import monitoring as real
from sandbox.kube import KubeStandIn, ProxyAnswer, build
from workers import http, signals, stack
from workers import prometheus as prometheus_reads
from workers.cluster import Cluster
from workers.reader import Answer
from workers.signals import Signals

Say = Callable[[Asked], Any]


class NoProxy:
    def via_service(self, *_: Any, **__: Any) -> Answer:
        raise AssertionError("direct access must not use the API server")

    via_pod = via_service


def site(url: str, access: Any = "direct") -> ClusterSite:
    return ClusterSite(
        monitoring=Monitoring(Prometheus(url=url), Grafana(url=url), Alertmanager(url=url), access)
    )


def soon(seconds: float = 30) -> float:
    return time.monotonic() + seconds


def ask(read: Read, url: str, *, token: str = "", seconds: float = 5) -> Any:
    client = Signals(site(url), NoProxy(), token)
    try:
        return client.read(read, soon(seconds))
    finally:
        client.close()


def told(read: Read, answer: Any, **options: Any) -> Any:
    with RudeServer(lambda _: answer) as server:
        return ask(read, server.url, **options)


def refusal(read: Read, answer: Any, **options: Any) -> tuple[type[Unanswered], str, str]:
    """What was raised, with the server's port taken out of the words."""
    with RudeServer(lambda asked: answer(asked) if callable(answer) else answer) as server:
        with pytest.raises(Unanswered) as caught:
            ask(read, server.url, **options)
        error = caught.value
        return type(error), error.reason.replace(server.url, "ADDRESS"), error.mend


def vector(*values: str, **more: Any) -> bytes:
    result = [{"metric": {"job": "a"}, "value": [1.5, value]} for value in values]
    return page(200, {"status": "success", "data": {"resultType": "vector", "result": result}, **more})


UP = reads.Query("up")
PROMETHEUS = "check `monitoring.prometheus.url`"


# Prometheus.


def test_a_query_is_posted_with_a_timeout_below_our_own() -> None:
    with RudeServer(lambda _: vector("1")) as server:
        found = ask(reads.Query('sum(rate(a{b="c"}[5m]))'), server.url, seconds=3)
    assert found == reads.Vector((reads.Sample({"job": "a"}, 1.0),))
    (asked,) = server.asked
    assert (asked.method, asked.target) == ("POST", "/api/v1/query")
    assert asked.body.startswith("query=sum%28rate%28a%7Bb%3D%22c%22%7D%5B5m%5D%29%29&timeout=2")
    assert asked.body.endswith("ms")
    assert asked.headers["user-agent"].startswith("sre-bot/")


def test_numbers_that_are_none_stay_what_they_are() -> None:
    samples = told(UP, vector("NaN", "+Inf", "-Inf", "1e-3")).samples
    assert math.isnan(samples[0].value)
    assert [each.value for each in samples[1:]] == [math.inf, -math.inf, 0.001]


def test_no_series_is_an_answer() -> None:
    assert told(UP, vector()) == reads.Vector(())


def test_a_scalar_is_a_sample_without_labels() -> None:
    answer = page(200, {"status": "success", "data": {"resultType": "scalar", "result": [1, "0.5"]}})
    assert told(UP, answer) == reads.Vector((reads.Sample({}, 0.5),))


def test_warnings_and_infos_reach_the_reader() -> None:
    assert told(UP, vector("1", warnings=["partial"], infos=["no counter"])).warnings == (
        "partial",
        "no counter",
    )


@pytest.mark.parametrize(
    ("answer", "kind", "reason", "mend"),
    [
        (HTML, Refused, "prometheus: not an answer of Prometheus (200, HTML)", PROMETHEUS),
        (page(200, "[]"), Refused, "prometheus: not an answer of Prometheus (200, application/json)", PROMETHEUS),
        (page(404, "404 page not found", "text/plain"), Refused,
         "prometheus: not an answer of Prometheus (404, text/plain)", PROMETHEUS),
        (page(302, "", Location="https://sso.example/login?token=abc"), Refused,
         "prometheus: redirects to https://sso.example, which is no answer", PROMETHEUS),
        (page(401, "no", "text/plain"), Forbidden, "prometheus: needs a login (401)", PROMETHEUS),
        (page(429, "slow", "text/plain", Retry_After="7"), Unreachable, "prometheus: too busy (429)", ""),
        (page(500, "oh", "text/plain"), Unreachable, "prometheus: answers 500", ""),
        (page(502, "<html>bad gateway", "text/html"), Unreachable, "prometheus: answers 502", ""),
        (page(422, {"status": "error", "errorType": "execution", "error": "many-to-many\nmatching"}), Refused,
         "prometheus: execution: many-to-many matching", ""),
        (page(503, {"status": "error", "errorType": "timeout", "error": "query timed out"}), Unreachable,
         "prometheus: timeout: query timed out", ""),
        (page(200, {"status": "success", "data": {"resultType": "matrix", "result": []}}), Refused,
         "prometheus: the query gives a matrix, not an instant vector", ""),
        (page(200, {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "histogram": []}]}}),
         Refused, "prometheus: the query gives native histograms, not numbers", ""),
        (page(200, {"status": "success", "data": None}), Refused,
         "prometheus: an answer of an unknown shape", PROMETHEUS),
        (DROP, Unreachable, "prometheus: the connection was dropped", ""),
        (b"SSH-2.0-OpenSSH\r\n\r\n", Unreachable, "prometheus: the connection was dropped", ""),
    ],
)  # fmt: skip
def test_what_is_no_answer_of_prometheus_is_a_gap_with_a_reason(
    answer: Any, kind: type[Unanswered], reason: str, mend: str
) -> None:
    assert refusal(UP, answer) == (kind, reason, mend)


def test_retry_after_is_carried() -> None:
    with RudeServer(lambda _: page(429, "", Retry_After="7")) as server, pytest.raises(Unreachable) as caught:
        ask(UP, server.url)
    assert caught.value.retry_after == timedelta(seconds=7)


def test_nobody_at_the_address() -> None:
    with RudeServer(lambda _: DROP) as server:
        pass
    with pytest.raises(Unreachable) as caught:
        ask(UP, server.url)
    assert caught.value.reason == f"prometheus: no connection to {server.url}"
    assert caught.value.mend == PROMETHEUS


def test_a_password_in_the_address_stays_there() -> None:
    with pytest.raises(Unreachable) as caught:
        ask(UP, "http://admin:s3cret@127.0.0.1:1/prom")
    assert caught.value.reason == "prometheus: no connection to http://127.0.0.1:1"


def test_a_name_that_does_not_resolve() -> None:
    with pytest.raises(Refused) as caught:
        ask(UP, "http://prometheus.invalid:9090")
    assert caught.value.reason == "prometheus: the name in http://prometheus.invalid:9090 does not resolve"


def test_no_address_names_the_key_to_set() -> None:
    with pytest.raises(Refused) as caught:
        ask(UP, "")
    assert (caught.value.reason, caught.value.mend) == (
        "prometheus: no address configured",
        "set `monitoring.prometheus.url`",
    )


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\nX-Drip: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_server_that_drips_does_not_pass_the_deadline(beginning: bytes) -> None:
    with RudeServer(lambda _: server.drip(beginning)) as server:
        started = time.monotonic()
        with pytest.raises(Unreachable, match="prometheus: no complete answer in time"):
            ask(UP, server.url, seconds=0.4)
        assert time.monotonic() - started < 5


def test_a_server_that_hangs_does_not_pass_the_deadline() -> None:
    started = time.monotonic()
    assert refusal(UP, HANG, seconds=0.3) == (TimedOut, "prometheus: no complete answer in time", "")
    assert time.monotonic() - started < 5


def test_an_endless_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "API_BYTES", 2 << 20)
    answer = page(200, b" " * (3 << 20))
    assert refusal(UP, answer) == (Refused, "prometheus: more than 2 MiB in one answer", "")


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


def test_a_packed_answer_is_unpacked_no_further_than_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "PROBE_BYTES", 200_000)
    probe = reads.Probe("grafana", "/")
    with RudeServer(lambda _: packed) as server:
        packed = bomb(1000)
        ask(probe, server.url)  # imports, certificates
        packed = bomb(64 << 20)
        assert peak(lambda: ask(probe, server.url)) < 8 << 20


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 200_000, 1_000_000])
def test_a_packed_answer_arrives_whole(size: int) -> None:
    text = "".join(f"{number} " for number in range(size // 6))
    packed = page(200, gzip.compress(f'{{"database": "{text}"}}'.encode()), Content_Encoding="gzip")
    assert told(reads.GrafanaHealth(), packed).database == text


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_what_cannot_be_unpacked(encoding: str) -> None:
    answer = page(200, "no such thing", Content_Encoding=encoding)
    assert refusal(UP, answer) == (Refused, "prometheus: the answer cannot be decompressed", "")


def test_targets_keep_their_last_error() -> None:
    labels = {"job": "backend", "instance": "10.0.0.1:8080"}
    target = {"labels": labels, "health": "down", "lastError": "connection refused"}
    answer = page(200, {"status": "success", "data": {"activeTargets": [target]}})
    assert told(reads.Targets(), answer) == (
        reads.TargetView("backend", "10.0.0.1:8080", "down", "connection refused"),
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("15d", timedelta(days=15)),
        ("15d or 10GB", timedelta(days=15)),
        ("10GiB or 1w2d", timedelta(days=9)),
        ("1h30m", timedelta(minutes=90)),
        ("10GB", None),
        ("", None),
        (None, None),
    ],
)
def test_retention_is_a_time_or_nothing(text: str | None, found: timedelta | None) -> None:
    assert prometheus_reads.retention(text) == found


# Grafana and Alertmanager.


def test_grafana_with_a_failing_database_still_answers() -> None:
    answer = page(503, {"commit": "abc", "database": "failing", "version": "11.2.0"})
    assert told(reads.GrafanaHealth(), answer) == reads.GrafanaView("11.2.0", "failing", "abc")


def test_dashboards_are_asked_with_the_token() -> None:
    answer = page(200, [{"title": "SLO", "uid": "u1", "url": "/grafana/d/u1/slo", "type": "dash-db"}])
    with RudeServer(lambda _: answer) as server:
        found = ask(reads.Dashboards("SLO Board"), server.url, token="glsa_secret")
    assert found == (reads.DashboardView("SLO", "u1", "/grafana/d/u1/slo"),)
    assert server.asked[0].target == "/api/search?type=dash-db&limit=100&query=SLO+Board"
    assert server.asked[0].headers["authorization"] == "Bearer glsa_secret"


def test_dashboards_without_a_token_name_the_secret_to_set() -> None:
    assert refusal(reads.Dashboards("SLO"), page(401, {"message": "Unauthorized"})) == (
        Forbidden,
        "grafana: dashboards need a login (401)",
        "set GRAFANA_TOKEN to the token of a Grafana service account with role Viewer",
    )


def test_the_login_page_is_not_grafanas_health() -> None:
    assert refusal(reads.GrafanaHealth(), HTML) == (
        Refused,
        "grafana: not an answer of Grafana (200, HTML)",
        "check `monitoring.grafana.url`",
    )


def test_alertmanager_without_a_cluster_has_no_peers() -> None:
    answer = page(200, {"cluster": {"status": "disabled"}, "versionInfo": {"version": "0.28.0"}})
    assert told(reads.AlertmanagerStatus(), answer) == reads.AlertmanagerView("0.28.0", "disabled", 0)


def test_a_probe_answers_whatever_the_status() -> None:
    found = told(reads.Probe("prometheus", "/-/ready"), page(503, "Service Unavailable" * 1000, "text/plain"))
    assert found.status == 503
    assert len(found.body) == 4096
    assert found.took > timedelta()


def test_a_redirect_is_shown_to_a_probe_and_not_followed() -> None:
    with RudeServer(lambda _: page(302, "", Location="/login")) as server:
        assert ask(reads.Probe("grafana", "/"), server.url).status == 302
    assert len(server.asked) == 1


# Pods.


def pod(url: str, kind: Any = reads.PodHttp, path: str = "/healthz", address: str = "127.0.0.1") -> Any:
    return kind("sre-shop", "backend-1", address, int(url.rpartition(":")[2]), path)


def test_a_pod_is_asked_by_its_address() -> None:
    with RudeServer(lambda _: page(500, "broken", "text/plain")) as server:
        found = ask(pod(server.url), "")
    assert (found.status, found.body) == (500, "broken")
    assert server.asked[0].target == "/healthz"


def test_a_pod_that_does_not_answer_is_named() -> None:
    with RudeServer(lambda _: DROP) as server:
        pass
    with pytest.raises(Unreachable) as caught:
        ask(pod(server.url), "")
    assert caught.value.reason == f"pod sre-shop/backend-1: no connection to {server.url}"
    assert caught.value.mend == (
        "let the bot reach the pods (NetworkPolicy), or set `monitoring.access` to proxy"
    )


def test_an_ipv6_pod_stands_in_brackets() -> None:
    with pytest.raises(Unreachable) as caught:
        ask(reads.PodHttp("a", "b", "::1", 1, "/"), "")
    assert caught.value.reason == "pod a/b: no connection to http://[::1]:1"


METRICS = (
    "# HELP http_requests_total Requests.\n# TYPE http_requests_total counter\n"
    'http_requests_total{code="200"} 3\n'
    "# TYPE odd_counter counter\nodd_counter 1\n"
    '# TYPE latency histogram\nlatency_bucket{le="+Inf"} 1\nlatency_sum 1\nlatency_count 1\n'
)


@pytest.mark.parametrize(
    ("answer", "names", "error"),
    [
        (page(200, METRICS, "text/plain; version=0.0.4"),
         {"http_requests_total", "odd_counter", "latency_bucket", "latency_sum", "latency_count"}, ""),
        (HTML, set(), "not a metrics page: HTML"),
        (page(200, "<html>", "text/plain"), set(), "not a metrics page: HTML"),
        (page(200, '{"status": "UP"}'), set(), 'not a metrics page: Invalid labels: "status": "UP"'),
        (page(200, "hello world\n", "text/plain"), set(),
         "not a metrics page: could not convert string to float: 'world'"),
        (page(200, " \n", "text/plain"), set(), "the page is empty"),
        (page(404, "nope", "text/plain"), set(), "HTTP 404"),
    ],
)  # fmt: skip
def test_a_metrics_page_must_parse(answer: bytes, names: set[str], error: str) -> None:
    with RudeServer(lambda _: answer) as server:
        found = ask(pod(server.url, reads.PodExposition, "/metrics"), "")
    assert (found.names, found.error) == (names, error)
    assert server.asked[0].headers["accept"].startswith("text/plain;version=0.0.4")


def test_a_metrics_page_that_never_ends_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "PAGE_BYTES", 1 << 20)
    with RudeServer(lambda _: page(200, b"a 1\n" * (1 << 19), "text/plain")) as server:
        found = ask(pod(server.url, reads.PodExposition, "/metrics"), "")
    assert (found.names, found.error) == (frozenset(), "the page is longer than 1 MiB")


# Through the API server.


class Passing:
    """A proxy that notes where it was sent."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.sent: list[Any] = []

    def via_service(self, address: ServiceAddress, path: str, deadline: float, cap: int) -> Answer:
        self.sent.append((address, path))
        return self.answer

    def via_pod(self, namespace: str, pod: str, port: int, path: str, *, deadline: float, cap: int) -> Answer:
        self.sent.append((namespace, pod, port, path))
        return self.answer


def said(status: int, body: bytes) -> Answer:
    return Answer(status, "application/json", body, timedelta())


def test_by_proxy_a_query_is_a_get_to_the_service() -> None:
    proxy = Passing(said(200, vector("1").partition(b"\r\n\r\n")[2]))
    where = site("http://prometheus-service.monitoring.svc.cluster.local:9090/prom", "proxy")
    assert len(Signals(where, proxy).read(UP, soon()).samples) == 1
    ((address, path),) = proxy.sent
    assert address == ServiceAddress("http", "monitoring", "prometheus-service", 9090, "/prom")
    assert path.startswith("/api/v1/query?query=up&timeout=4")


def test_by_proxy_a_pod_is_asked_by_its_name() -> None:
    proxy = Passing(said(503, b"not yet"))
    found = Signals(site("", "proxy"), proxy).read(
        reads.PodHttp("a", "b", "10.0.0.1", 8080, "/readyz"), soon()
    )
    assert (found.status, found.body) == (503, "not yet")
    assert proxy.sent == [("a", "b", 8080, "/readyz")]


def test_by_proxy_an_address_outside_the_cluster_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        Signals(site("https://prom.example.com", "proxy"), NoProxy()).read(UP, soon())
    assert caught.value.reason == (
        "prometheus: https://prom.example.com is no Service of the cluster, so there is no way by proxy"
    )
    assert caught.value.mend == ("set `monitoring.prometheus.url` to http://<service>.<namespace>.svc:<port>")


def test_by_proxy_grafana_never_sees_the_token() -> None:
    proxy = Passing(said(401, b"{}"))
    where = site("http://grafana.monitoring.svc:3000", "proxy")
    with pytest.raises(Refused) as caught:
        Signals(where, proxy, "glsa_secret").read(reads.Dashboards("SLO"), soon())
    assert caught.value.mend.startswith("set `monitoring.access` to direct")


# The real ones.


@pytest.fixture(scope="module")
def prometheus() -> Iterator[real.Prometheus]:
    if not real.available():
        pytest.skip(f"not on PATH: {', '.join(real.lacking())}")
    dead = {"job_name": "dead", "static_configs": [{"targets": ["127.0.0.1:1"]}]}
    config = {"global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"}, "scrape_configs": [dead]}
    with real.Prometheus(config) as server:
        # Ready comes before the first discovery; the query answers when the target was scraped.
        patience = soon(20)
        while not server.query("up") and time.monotonic() < patience:
            pass
        yield server


@pytest.mark.monitoring
class TestRealPrometheus:
    def test_queries(self, prometheus: real.Prometheus) -> None:
        assert ask(reads.Query("vector(0.25)"), prometheus.url) == reads.Vector((reads.Sample({}, 0.25),))
        assert ask(reads.Query("absent_metric"), prometheus.url) == reads.Vector(())
        assert math.isnan(ask(reads.Query("vector(0)/0"), prometheus.url).samples[0].value)

    def test_a_query_that_does_not_parse(self, prometheus: real.Prometheus) -> None:
        with pytest.raises(Refused, match=r"prometheus: bad_data: .*parse error"):
            ask(reads.Query("sum("), prometheus.url)

    def test_the_rest(self, prometheus: real.Prometheus) -> None:
        assert ask(reads.Retention(), prometheus.url) == timedelta(days=15)
        assert ask(reads.Probe("prometheus", "/-/healthy"), prometheus.url).status == 200
        (target,) = ask(reads.Targets(), prometheus.url)
        assert (target.job, target.instance, target.health) == ("dead", "127.0.0.1:1", "down")
        assert "connection refused" in target.last_error


@pytest.mark.monitoring
def test_a_real_alertmanager() -> None:
    if not real.available():
        pytest.skip(f"not on PATH: {', '.join(real.lacking())}")
    config = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}
    with real.Alertmanager(config) as server:
        found = ask(reads.AlertmanagerStatus(), server.url)
        assert ask(reads.Probe("alertmanager", "/-/ready"), server.url).body == "OK"
    assert (found.cluster, found.peers) == ("disabled", 0)
    assert found.version


def test_by_proxy_through_an_api_server(tmp_path: Path) -> None:
    body = vector("1").partition(b"\r\n\r\n")[2]
    where = site("http://prometheus-service.monitoring.svc:9090", "proxy")
    with KubeStandIn() as kube:
        kube.apply(
            [build.namespace("monitoring"), build.service("prometheus-service", "monitoring", port=9090)]
        )
        kube.proxy("monitoring", "service/prometheus-service", lambda _: ProxyAnswer(200, body))
        cluster = Cluster(where, kube.kubeconfig(tmp_path / "config"))
        client = Signals(where, cluster)
        assert client.read(UP, soon()) == reads.Vector((reads.Sample({"job": "a"}, 1.0),))
        with pytest.raises(Unanswered, match="pod sre-shop/backend-1: "):
            client.read(reads.PodHttp("sre-shop", "backend-1", "10.0.0.1", 8080, "/healthz"), soon())
        cluster.close()


# The reader's threads.


def test_every_server_has_its_own_lane() -> None:
    lanes = Signals(site("http://one.example"), NoProxy()).lanes()
    kinds = [kind for lane in lanes for kind in lane]
    assert len(kinds) == len(set(kinds)) == 15
    lane_of = {kind: number for number, lane in enumerate(lanes) for kind in lane}
    servers = (reads.Query, reads.GrafanaHealth, reads.AlertmanagerStatus, reads.PodHttp)
    assert len({lane_of[kind] for kind in servers}) == len(servers)


# The environment's proxy.


@pytest.mark.parametrize(
    ("no_proxy", "answered_by"),
    [
        ("", "proxy"),
        ("10.0.0.0/8", "proxy"),
        ("127.0.0.0/8", "pod"),
        (" .svc , 127.0.0.0/8, fd00::/8", "pod"),
        ("127.0.0.1", "pod"),
        ("fd00::/8", "proxy"),
        ("*", "pod"),
    ],
)
def test_a_pod_is_asked_by_proxy_unless_no_proxy_names_its_network(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, answered_by: str
) -> None:
    with (
        RudeServer(lambda _: page(200, "proxy", "text/plain")) as proxy,
        RudeServer(lambda _: page(500, "pod", "text/plain")) as server,
    ):
        environment(monkeypatch, HTTP_PROXY=proxy.url, NO_PROXY=no_proxy)
        assert ask(pod(server.url), server.url).body == answered_by


@pytest.mark.parametrize(
    ("url", "is_direct"),
    [
        ("http://[fd00::7]:8080/metrics", True),
        ("http://[fe80::7]:8080/metrics", False),
        ("http://prometheus.monitoring.svc:9090", True),
        ("http://prometheus.example:9090", False),
        ("http://user:word@grafana.example/", False),
        ("http://a.corp.example", True),
        ("http://10.1.2.3:8080", True),
        ("http://10.1.2.4:8080", False),
        ("http://[fd00::7:8080", True),  # no address at all, as httpx will say
    ],
)
def test_what_no_proxy_names(monkeypatch: pytest.MonkeyPatch, url: str, is_direct: bool) -> None:
    no_proxy = "fd00::/8,.svc, *.corp.example,10.1.2.3:8080"
    environment(monkeypatch, ALL_PROXY="proxy.example:3128", NO_PROXY=no_proxy)
    assert http.proxy_for(url) == ("" if is_direct else "http://proxy.example:3128")


@pytest.mark.parametrize(
    "proxy",
    ["ftp://me:s3cret@proxy:3128", "socks5://me:s3cret@proxy", "http://me:s3cret@[::1", "http://p:s3cret"],
)
def test_a_proxy_that_is_none_is_a_gap_without_its_password(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    environment(monkeypatch, HTTP_PROXY=proxy)
    with pytest.raises(Refused) as caught:
        ask(UP, "http://prometheus.example:9090")
    assert caught.value.reason == "prometheus: the proxy that the environment names is no HTTP address"
    assert caught.value.mend == "check HTTP_PROXY, HTTPS_PROXY and ALL_PROXY"


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_are_none_are_a_gap(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    environment(monkeypatch)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(Refused, match="prometheus: the certificates that the environment names") as caught:
        ask(UP, "http://prometheus.example:9090")
    assert caught.value.mend == "check SSL_CERT_FILE and SSL_CERT_DIR"


def environment(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    """A whole environment as far as proxies go."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

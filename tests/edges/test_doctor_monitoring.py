"""The doctor and Prometheus, Alertmanager, Grafana: every way an address can be wrong, and what mends it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from doctor_house import House, aws_environ, house, monitored, tls_server
from rude_server import DROP, HANG, HTML, RudeServer, page

from bot.doctor import BROKEN, GOOD, OPEN, WARNING, examine
from bot.secret import Secret
from bot.sitefile import parse
from sandbox.kube import ProxyAnswer

KEY = "`monitoring.prometheus.url`"

__all__ = ["house"]  # a fixture


# --- An address that is wrong ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "found", "mend"),
    [
        (page(503, ""), "answers 503", f"look whether it is still starting, and whether {KEY} is right"),
        (
            page(302, "", location="https://login.example"),
            "redirects (302) to https://login.example",
            f"it redirects (to a login?): set {KEY} to the address inside the cluster",
        ),
        (page(401, ""), "wants a login (401)", f"set {KEY} to an address without one"),
        (page(403, ""), "refuses (403)", f"let the bot in there, or set {KEY} to an address that does"),
        (
            page(404, ""),
            "knows no such path (404)",
            f"look whether the path in {KEY} is right (behind a prefix?)",
        ),
        (
            HTML,
            "answers with a web page, not with data",
            f"set {KEY} to its own address, not to a page before it",
        ),
        (
            page(200, "Ready" * 1_000_000),
            "answers with more than it should",
            f"look what is there, and whether {KEY} is right",
        ),
    ],
)
def test_an_answer_that_is_none(house: House, answer: bytes, found: str, mend: str) -> None:
    with RudeServer(lambda asked: answer) as rude:
        (check,) = house.of("Prometheus", house.with_site(monitoring=rude.url))
    assert (check.state, check.found) == (BROKEN, f"{rude.url}/-/ready {found} directly")
    assert check.mend == mend


@pytest.mark.parametrize(
    ("url", "found", "mend"),
    [
        ("http://127.0.0.1:1", "127.0.0.1:1 refuses the connection", "start what should listen there"),
        ("http://prometheus.nowhere.invalid", "prometheus.nowhere.invalid is not known to DNS", "mend the name in"),
    ],
)  # fmt: skip
def test_an_address_where_nobody_is(house: House, url: str, found: str, mend: str) -> None:
    (check,) = house.of("Prometheus", house.with_site(monitoring=url))
    assert (check.state, check.found) == (BROKEN, f"{found} (directly)")
    assert check.mend.startswith(mend) and KEY in check.mend
    assert check.mend.endswith("from outside the cluster, set `monitoring.access: proxy`")


def test_one_that_hangs_and_one_that_hangs_up(house: House) -> None:
    with RudeServer(lambda asked: HANG) as silent:
        (check,) = examine(house.with_site(monitoring=silent.url), {}, 0.5, only="Prometheus")
    assert check.found == f"127.0.0.1:{silent.port} does not answer in time (directly)"
    assert "NetworkPolicy" in check.mend
    with RudeServer(lambda asked: DROP) as rude:
        (check,) = house.of("Prometheus", house.with_site(monitoring=rude.url))
    assert check.state == BROKEN and KEY in check.mend


def test_certificates(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tls_server(tmp_path) as (url, _):
        (unknown,) = house.of("Prometheus", house.with_site(monitoring=url))
    assert "is signed by nobody this machine trusts" in unknown.found
    assert unknown.mend.startswith("set SSL_CERT_FILE to a file with the certificate of its authority")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "tls.pem"))
    with tls_server(tmp_path, days=-1) as (url, _):
        (expired,) = house.of("Prometheus", house.with_site(monitoring=url))
    assert "has expired" in expired.found and expired.mend.startswith("renew it there")
    with tls_server(tmp_path, host="10.1.2.3") as (url, _):
        (other,) = house.of("Prometheus", house.with_site(monitoring=url))
    assert "is for another name" in other.found
    assert other.mend.startswith(f"use in {KEY} a name that is in it")


def test_tls_to_a_server_that_speaks_none(house: House) -> None:
    url = house.monitoring.url.replace("http://", "https://")
    with RudeServer(lambda asked: DROP) as rude:
        found = house.of("Prometheus", house.with_site(monitoring=rude.url.replace("http://", "https://")))[0]
    assert found.state == BROKEN and KEY in found.mend and url


def test_a_component_that_is_not_configured(house: House) -> None:
    settings = replace(house.settings, site=parse("monitoring: {prometheus: {url: ''}}"))
    (found,) = house.of("Prometheus", settings)
    assert (found.state, found.found, found.mend) == (OPEN, "is not configured", f"set {KEY}")


# --- Versions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "path", "old", "oldest"),
    [
        ("Prometheus", "/api/v1/status/buildinfo", {"data": {"version": "2.24.0"}}, "2.33"),
        ("Alertmanager", "/api/v2/status", {"versionInfo": {"version": "0.21.0"}}, "0.22"),
        ("Grafana", "/api/health", {"version": "8.5.1"}, "9.0"),
    ],
)
def test_one_that_is_too_old(house: House, name: str, path: str, old: Any, oldest: str) -> None:
    with RudeServer(lambda asked: page(200, old) if asked.target == path else monitored(asked)) as server:
        (found,) = house.bad(name, house.with_site(monitoring=server.url))
    assert found.state == WARNING and f"is older than {oldest}" in found.found
    assert found.mend == f"upgrade it to {oldest} or newer"


def test_one_that_tells_no_version_is_no_worse_for_it(house: House) -> None:
    with RudeServer(lambda asked: page(200 if asked.target == "/-/ready" else 404, "")) as server:
        found = house.of("Prometheus", house.with_site(monitoring=server.url))
    assert [check.state for check in found] == [GOOD]


# --- By the API server ----------------------------------------------------------------------------


def proxied(house: House, service: str, port: int, answer: Any) -> Any:
    metadata = {"name": service, "namespace": "monitoring"}
    house.kube.apply(
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": port}]}}
    )
    house.kube.proxy("monitoring", f"service/{service}:{port}", answer)
    site = parse("cluster: {name: shop, eks: false}\nmonitoring: {access: proxy}")
    return replace(house.settings, site=site)


def test_monitoring_is_reached_through_the_api_server_when_so_configured(house: House) -> None:
    paths: list[str] = []

    def answer(request: Any) -> ProxyAnswer:
        paths.append(request.path)
        return ProxyAnswer(200, b"ok")

    found = house.of("Prometheus", proxied(house, "prometheus-service", 9090, answer))
    assert [(check.state, check.found) for check in found] == [
        (GOOD, "http://prometheus-service.monitoring.svc:9090 is ready through the API server")
    ]
    assert paths == ["/-/ready", "/api/v1/status/buildinfo"]


def test_a_proxy_that_the_bot_may_not_use(house: House) -> None:
    settings = proxied(house, "prometheus-service", 9090, lambda request: ProxyAnswer(200, b"ok"))
    house.kube.deny("get", "services/proxy", namespace="monitoring")
    found = house.of("Prometheus", settings)[0]
    assert found.state == BROKEN and "refuses (403) through the API server" in found.found
    assert found.mend.endswith("or grant services/proxy")


@pytest.mark.parametrize(
    ("status", "state", "said"),
    [
        (200, GOOD, "dashboards may be searched without a token"),
        (401, OPEN, "GRAFANA_TOKEN is not tried: the API server's proxy cannot pass a token (without: 401)"),
    ],
)
def test_grafanas_token_does_not_pass_the_api_server(
    house: House, status: int, state: str, said: str
) -> None:
    def answer(request: Any) -> ProxyAnswer:
        return ProxyAnswer(status if request.path.startswith("/api/search") else 200, b"{}")

    found = house.of("Grafana", proxied(house, "grafana", 3000, answer))[-1]
    assert (found.state, found.found) == (state, said)


@pytest.mark.parametrize(("token", "state"), [("", OPEN), ("another-token", BROKEN)])
def test_grafanas_token(house: House, token: str, state: str) -> None:
    found = house.of("Grafana", replace(house.settings, grafana_token=Secret(token)))[-1]
    assert found.state == state and "set GRAFANA_TOKEN" in found.mend


# --- Amazon Managed Prometheus --------------------------------------------------------------------


def test_the_managed_prometheus_is_asked_with_a_signature(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws_environ(house.aws.url).items():
        monkeypatch.setenv(name, value)

    def managed(url: str) -> Any:
        more = f'cluster: {{eks: false}}\nmonitoring: {{prometheus: {{url: "{url}", sigv4: true}}}}'
        return replace(house.settings, site=parse(more))

    with RudeServer(lambda asked: page(200 if "aws4" in str(asked.headers).lower() else 403, {})) as amp:
        (found,) = house.of("Prometheus", managed(amp.url))
    assert (found.state, found.found) == (GOOD, f"{amp.url} answers, signed for eu-central-1")
    with RudeServer(lambda asked: page(403, {})) as amp:
        (found,) = house.of("Prometheus", managed(amp.url))
    assert (found.state, found.found) == (BROKEN, "aps:QueryMetrics is refused in eu-central-1 (403)")
    assert "k8s/aws-policy.json" in found.mend

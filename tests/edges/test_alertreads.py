"""What alerts are read from: Alertmanager and Prometheus, the real ones and such as misbehave."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rude_server import HTML, RudeServer, page
from test_signals import ask, refusal, soon, told

from commands.alertreads import (
    AlertmanagerConfig,
    AmAlert,
    AmAlerts,
    InhibitRule,
    Matrix,
    QueryRange,
    RouteNode,
    Rules,
    ScrapeTargets,
    Series,
    Silences,
)
from commands.errors import Refused, Unreachable
from sandbox import monitoring as real
from workers import alertmanager, stack

HOUR = timedelta(hours=1)
RANGE = QueryRange("up", HOUR)


def matrix(*values: Any, **more: Any) -> bytes:
    result = [{"metric": {"pod": f"web-{n}"}, "values": list(each)} for n, each in enumerate(values)]
    return page(200, {"status": "success", "data": {"resultType": "matrix", "result": result}, **more})


# Ranges.


def test_a_range_is_posted_with_at_most_250_points_and_limits() -> None:
    with RudeServer(lambda _: matrix([[1.0, "2"]])) as server:
        found = ask(QueryRange("rate(a[5m])", timedelta(hours=6), ago=HOUR), server.url)
    assert found == Matrix((Series({"pod": "web-0"}, ((1.0, 2.0),)),))
    (asked,) = server.asked
    form = dict(pair.split("=") for pair in asked.body.split("&"))
    assert (asked.method, asked.target) == ("POST", "/api/v1/query_range")
    assert float(form["end"]) - float(form["start"]) == 6 * 3600
    assert abs(time.time() - 3600 - float(form["end"])) < 60
    assert float(form["step"]) == 87  # 21600 s in 250 points
    assert form["timeout"].startswith("4") and form["limit"] == "1000"


def test_a_short_range_has_no_finer_step_than_is_scraped() -> None:
    with RudeServer(lambda _: matrix()) as server:
        ask(QueryRange("up", timedelta(minutes=5)), server.url)
        ask(QueryRange("up", HOUR, step=timedelta(seconds=2)), server.url)
    assert ["step=15.000" in server.asked[0].body, "step=2.000" in server.asked[1].body] == [True, True]


def test_what_is_no_number_is_left_out_and_series_over_the_limit_are_counted() -> None:
    answer = matrix([[1, "NaN"], [2, "+Inf"], [3, "-1e3"]], [[1, "1"]], [[1, "1"]])
    found = told(QueryRange("up", HOUR, most=1), answer)
    assert found == Matrix((Series({"pod": "web-0"}, ((3.0, -1000.0),)),), left_out=2)


def test_a_remark_of_prometheus_is_no_warning() -> None:
    answer = matrix(warnings=["partial", "PromQL info: no counter"], infos=["PromQL info: no counter"])
    assert told(RANGE, answer).warnings == ("partial",)


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (page(200, {"status": "success", "data": {"resultType": "vector", "result": []}}), Refused,
         "prometheus: the query gives a vector, not a range"),
        (page(200, {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "histograms": []}]}}),
         Refused, "prometheus: the query gives native histograms, not numbers"),
        (matrix([[1, "2", "3"]]), Refused, "prometheus: an answer of an unknown shape"),
        (page(422, {"status": "error", "errorType": "execution", "error": "exceeded maximum resolution"}), Refused,
         "prometheus: execution: exceeded maximum resolution"),
        (page(503, {"status": "error", "errorType": "timeout", "error": "query timed out"}), Unreachable,
         "prometheus: timeout: query timed out"),
        (HTML, Refused, "prometheus: not an answer of Prometheus (200, HTML)"),
    ],
)  # fmt: skip
def test_what_is_no_range_is_a_gap(answer: bytes, kind: type, reason: str) -> None:
    assert refusal(RANGE, answer)[:2] == (kind, reason)


def test_targets_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    from workers import prometheus

    monkeypatch.setattr(prometheus, "LIST_BYTES", 1 << 20)
    assert (
        refusal(ScrapeTargets(), page(200, b" " * (2 << 20)))[1]
        == "prometheus: more than 1 MiB in one answer"
    )
    assert stack.LIST_BYTES > 1 << 20


# Alertmanager.


def am_alert(**changes: Any) -> dict[str, Any]:
    status = {"state": "suppressed", "silencedBy": ["s1"], "inhibitedBy": ["f1"]}
    return {
        "fingerprint": "f0", "labels": {"alertname": "X"}, "annotations": {}, "status": status,
        "receivers": [{"name": "bot"}], "startsAt": "2026-03-02T08:30:00.123Z", "generatorURL": "http://p/g",
    } | changes  # fmt: skip


def test_alerts_are_asked_for_by_matchers_as_every_version_reads_them() -> None:
    with RudeServer(lambda _: page(200, [am_alert()])) as server:
        (found,) = ask(AmAlerts(("alertname=X", 'pod=~"a|b"')), server.url)
    assert server.asked[0].target == ("/api/v2/alerts?filter=alertname%3D%22X%22&filter=pod%3D~%22a%7Cb%22")
    at = datetime(2026, 3, 2, 8, 30, 0, 123000, tzinfo=UTC)
    assert found == AmAlert(
        "f0", {"alertname": "X"}, {}, at, "suppressed", ("s1",), ("f1",), ("bot",), "http://p/g"
    )


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (page(400, '"error parsing regexp: missing closing )"'), Refused,
         "alertmanager: error parsing regexp: missing closing )"),
        (page(422, {"code": 601, "message": "in path"}), Refused, "alertmanager: in path"),
        (page(503, "unavailable", "text/plain"), Unreachable, "alertmanager: answers 503"),
        (page(200, {}), Refused, "alertmanager: not an answer of Alertmanager (200, application/json)"),
        (page(200, [{}]), Refused, "alertmanager: an answer of an unknown shape"),
        (HTML, Refused, "alertmanager: not an answer of Alertmanager (200, HTML)"),
    ],
)  # fmt: skip
def test_what_are_no_alerts_is_a_gap(answer: bytes, kind: type, reason: str) -> None:
    assert refusal(AmAlerts(), answer)[:2] == (kind, reason)


def silence(id: str, ends: str, *found: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": id, "status": {"state": "active"}, "matchers": list(found), "createdBy": "alice", "comment": "why",
        "startsAt": "2026-03-02T08:00:00Z", "endsAt": ends,
    }  # fmt: skip


def test_silences_come_by_their_end_with_matchers_as_they_are_written() -> None:
    old = {"name": "a", "value": 'say "x"', "isRegex": False}  # of a server before isEqual
    new = [{"name": "b", "value": "y|z", "isRegex": True, "isEqual": equal} for equal in (True, False)]
    late, soon_ = silence("s1", "2026-03-02T10:00:00Z", old), silence("s2", "2026-03-02T09:00:00Z", *new)
    found = told(Silences(), page(200, [late, soon_]))
    assert [(each.id, each.matchers) for each in found] == [
        ("s2", ('b=~"y|z"', 'b!~"y|z"')),
        ("s1", ('a="say \\"x\\""',)),
    ]


ORIGINAL = """
route:
  receiver: default
  group_by: [alertname, namespace]
  routes:
  - match: {severity: critical}
    match_re: {namespace: shop|pay}
    continue: true
    receiver: pager
  - matchers: ['team="x"', '{a!="b",c=~"d"}', 'odd']
    group_by: ['...']
    routes:
    - receiver: deep
inhibit_rules:
- source_matchers: [severity="critical"]
  target_match: {severity: warning}
  equal: [namespace]
receivers:
- name: default
- name: pager
  webhook_configs: [{url: <secret>}]
- name: deep
"""


def test_a_route_has_what_it_leaves_out_from_the_one_above() -> None:
    found = alertmanager.routes(ORIGINAL)
    deep = RouteNode("deep", (), ("...",))
    assert found.root == RouteNode(
        "default", (), ("alertname", "namespace"), False,
        (
            RouteNode("pager", ('severity="critical"', 'namespace=~"shop|pay"'), ("alertname", "namespace"), True),
            RouteNode("default", ('team="x"', 'a!="b"', 'c=~"d"', "odd"), ("...",), False, (deep,)),
        ),
    )  # fmt: skip
    assert found.inhibits == (InhibitRule(('severity="critical"',), ('severity="warning"',), ("namespace",)),)
    assert (found.receivers, found.webhooks) == (("default", "pager", "deep"), ("pager",))


@pytest.mark.parametrize("original", ["{", "!!python/object/apply:os.system [id]", "[" * 5000])
def test_a_configuration_that_is_none_is_a_gap(original: str) -> None:
    with pytest.raises(Refused, match="its configuration cannot be read"):
        alertmanager.routes(original)


def test_a_configuration_without_a_route_is_of_an_unknown_shape() -> None:
    answer = page(200, {"config": {"original": "receivers: []"}})
    assert refusal(AlertmanagerConfig(), answer)[1] == "alertmanager: an answer of an unknown shape"


# The real ones.


@pytest.fixture(scope="module")
def prometheus() -> Iterator[real.Prometheus]:
    if not real.available():
        pytest.skip(f"not on PATH: {', '.join(real.lacking())}")
    alerting = {
        "alert": "Dead", "expr": "up == 0", "for": "0s", "labels": {"severity": "critical"},
        "annotations": {"summary": "{{ $labels.instance }} is down"},
    }  # fmt: skip
    recording = {"record": "job:up:sum", "expr": "sum by (job) (up)"}
    rules = {"groups": [{"name": "shop", "interval": "1s", "rules": [alerting, recording]}]}
    config = {
        "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [
            {"job_name": "dead", "static_configs": [{"targets": ["127.0.0.1:1"]}]},
            {"job_name": "gone", "static_configs": [{"targets": ["127.0.0.1:2"]}]},
        ],
    }
    with real.Prometheus(config, files={"rules.yml": rules}) as server:
        patience = soon(30)
        while not server.query("ALERTS") and time.monotonic() < patience:
            pass
        yield server


@pytest.mark.monitoring
class TestRealPrometheus:
    def test_rules(self, prometheus: real.Prometheus) -> None:
        alerting, recording = ask(Rules(), prometheus.url)
        assert (alerting.name, alerting.kind, alerting.state, alerting.health) == (
            "Dead",
            "alerting",
            "firing",
            "ok",
        )
        assert (alerting.expr, alerting.wait, alerting.interval) == (
            "up == 0",
            timedelta(),
            timedelta(seconds=1),
        )
        assert alerting.labels == {"severity": "critical"} and "is down" in alerting.annotations["summary"]
        assert alerting.evaluated and abs(datetime.now(UTC) - alerting.evaluated) < timedelta(minutes=1)
        assert (recording.name, recording.kind, recording.state) == ("job:up:sum", "recording", "")
        assert recording.file.endswith("rules.yml") and recording.group == "shop"

    def test_a_range(self, prometheus: real.Prometheus) -> None:
        found = ask(QueryRange("up", timedelta(minutes=1), step=timedelta(seconds=1)), prometheus.url)
        assert {each.labels["job"] for each in found.series} == {"dead", "gone"}
        assert {value for each in found.series for _, value in each.points} == {0.0}
        nothing = ask(QueryRange("vector(0)/0", timedelta(minutes=1)), prometheus.url)
        assert [each.points for each in nothing.series] == [()]

    def test_too_many_points(self, prometheus: real.Prometheus) -> None:
        with pytest.raises(Refused, match="bad_data: exceeded maximum resolution"):
            ask(QueryRange("up", timedelta(days=30), step=timedelta(seconds=1)), prometheus.url)

    def test_targets_of_one_job(self, prometheus: real.Prometheus) -> None:
        (target,) = ask(ScrapeTargets("dead"), prometheus.url)
        assert (target.instance, target.health, target.url) == (
            "127.0.0.1:1",
            "down",
            "http://127.0.0.1:1/metrics",
        )
        assert "connection refused" in target.last_error
        assert target.discovered["__address__"] == "127.0.0.1:1" and target.scraped
        assert len(ask(ScrapeTargets(), prometheus.url)) == 2


@pytest.mark.monitoring
def test_a_real_alertmanager_says_how_it_routes_and_what_fires() -> None:
    if not real.available():
        pytest.skip(f"not on PATH: {', '.join(real.lacking())}")
    with real.Alertmanager(real.webhook_config("http://127.0.0.1:1/", "t0ken")) as server:
        server.alert({"alertname": "X", "namespace": "shop"}, {"summary": "it is down"})
        server.alert({"alertname": "Y"})
        (found,) = ask(AmAlerts(('namespace=~"sh.p"',)), server.url)
        routes = ask(AlertmanagerConfig(), server.url)
        with pytest.raises(Refused, match=r"alertmanager: .*missing closing"):
            ask(AmAlerts(('namespace=~"("',)), server.url)
    assert (found.labels["alertname"], found.annotations["summary"], found.receivers) == (
        "X",
        "it is down",
        ("bot",),
    )
    assert routes.root == RouteNode("bot", (), ("alertname",)) and routes.webhooks == ("bot",)
    assert "t0ken" not in repr(routes)

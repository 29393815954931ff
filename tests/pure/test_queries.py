"""The named queries: what they become for a site, what promtool says of them, and what numbers mean."""

import json
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from commands.model import Gap
from commands.queries import (
    QUERIES,
    amounts,
    as_percent,
    at,
    averaged,
    measured,
    measured_by,
    promql_duration,
    query,
    quoted,
    shown,
)
from commands.reads import Query, Sample, Vector
from commands.site import ClusterSite, Slo, SuccessRate

SITE = ClusterSite()
BACKEND = SITE.service("backend")
MONTH = timedelta(days=30)
EVIL = "\"} or vector(1) #\\\n`'$budget"

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not on PATH: the named queries were NOT checked (apt install prometheus)",
)


def test_the_site_fills_a_query():
    expr = query(SITE, "Q-success", service=BACKEND, window=MONTH).expr
    assert 'namespace="sre-shop",service="backend-service",status=~"5.."}[30d]' in expr
    assert "$" not in expr


def test_the_budget_follows_the_objective_without_binary_noise():
    assert query(SITE, "Q-budget").expr.endswith(" / 0.001")
    strict = replace(SITE, slo=Slo(success_rate=SuccessRate(target=99.95)))
    assert query(strict, "Q-budget").expr.endswith(" / 0.0005")


def test_the_site_overrides_a_query_by_name_and_keeps_its_names():
    own = 'label_replace(my_sli{ns="$namespace",w="$window"}, "a", "$1", "b", "(.*)")'
    site = replace(SITE, slo=Slo(queries={"Q-avail": own}))
    expected = 'label_replace(my_sli{ns="sre-shop",w="30d"}, "a", "$1", "b", "(.*)")'
    assert query(site, "Q-avail", window=MONTH).expr == expected
    assert query(site, "Q-success") == query(SITE, "Q-success")


def test_every_query_is_filled_completely():
    for name in QUERIES:
        assert "$" not in query(SITE, name, job="backend").expr, name


def test_a_scope_is_a_pod_a_namespace_or_everything():
    assert '{namespace="a",pod="b",' in query(SITE, "Q-podmem", namespace="a", pod="b").expr
    assert '{namespace="a",container' in query(SITE, "Q-podmem", namespace="a").expr
    assert '{namespace!="",container' in query(SITE, "Q-podmem").expr
    assert EVIL not in query(SITE, "Q-podmem", namespace=EVIL, pod=EVIL).expr


def test_amounts_leave_out_what_is_no_number():
    found = amounts(
        Vector(
            tuple(
                Sample({"pod": name}, value) for name, value in (("a", 5.0), ("b", float("nan")), ("c", -1))
            )
        ),
        ("pod",),
    )
    assert found == {("a",): 5.0}


def test_an_average_is_sampled_over_its_window():
    asked = averaged(Query("up"), MONTH, timedelta(hours=1))
    assert asked == Query("avg_over_time((up)[30d:1h])")


def test_a_name_from_outside_cannot_leave_its_quotes():
    inside = quoted(EVIL)
    assert not set(inside) & set("\"'`\n#{}$ ")
    assert quoted("kube-state-metrics:8080/a_b.c") == "kube-state-metrics:8080/a_b.c"


@pytest.mark.parametrize(
    "length, text",
    [
        (timedelta(days=30), "30d"),
        (timedelta(hours=36), "36h"),
        (timedelta(minutes=5), "5m"),
        (timedelta(seconds=90), "90s"),
        (timedelta(milliseconds=1500), "1500ms"),
    ],
)
def test_durations_as_promql_writes_them(length, text):
    assert promql_duration(length) == text


@pytest.mark.parametrize(
    "share, percent",
    [
        (0.999, "99.9"),
        (0.9990000000000001, "99.9"),
        (0.8, "80"),
        (1 / 3, "33.333333"),
        (-1e-17, "0"),
        (2.5, "250"),
    ],
)
def test_a_share_becomes_the_percentage_a_person_would_type(share, percent):
    assert as_percent(share) == Decimal(percent)
    assert not str(as_percent(share)).startswith("-")


@pytest.mark.parametrize(
    "percent, marks, decimals, text",
    [
        ("99.9", (99.9, 99.0), 2, "99.90 %"),
        ("99.904", (99.9, 99.0), 2, "99.904 %"),
        ("98.999999", (99.9, 99.0), 2, "98.999999 %"),
        ("79.96", (50, 80), 0, "79.96 %"),
        ("42.42", (50, 80), 0, "42 %"),
    ],
)
def test_what_is_shown_stands_on_the_same_side_of_every_mark(percent, marks, decimals, text):
    assert shown(Decimal(percent), marks, decimals=decimals) == text


def test_an_empty_answer_means_what_the_query_says_it_means():
    assert measured(SITE, "Q-success", Vector(())).percent is None
    assert measured(SITE, "Q-targets", Vector(())).percent == 0
    assert measured(SITE, "Q-success", Gap("503", "wait")).why == "503"


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("value", [1e12, 1e20, -1e20, 1.7e308, float("inf"), float("-inf"), float("nan")])
def test_a_number_beyond_all_sense_is_unknown(name, value):
    sample = Sample({"nodename": "ip-1"}, value)
    for found in (measured(SITE, name, Vector((sample,))), measured_by(name, Vector((sample,)))["ip-1"]):
        assert found.percent is None
        assert found.why
    assert measured(SITE, "Q-budget", Vector((Sample({}, 9e11),))).percent == Decimal("9e13")


def test_one_number_per_node_by_its_name():
    found = measured_by(
        "Q-nodecpu",
        Vector(
            (
                Sample({"instance": "10.0.0.1:9100", "nodename": "ip-1"}, 0.5),
                Sample({"instance": "10.0.0.2:9100"}, float("nan")),
                Sample({}, 0.1),
            )
        ),
    )
    assert found["ip-1"].percent == 50
    assert found["10.0.0.2:9100"].why == "no data"
    assert set(found) == {"ip-1", "10.0.0.2:9100"}


# --- by the real promtool -------------------------------------------------------------------------


def promtool(*args, tmp_path):
    done = subprocess.run(
        ["promtool", *args], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout + done.stderr


def as_rules(exprs):
    rules = [{"record": f"q:{n}", "expr": expr} for n, expr in enumerate(exprs)]
    return json.dumps({"groups": [{"name": "named", "rules": rules}]})


@pytest.mark.monitoring
@needs_promtool
def test_every_named_query_is_valid_promql_even_around_hostile_names(tmp_path):
    hostile = replace(BACKEND, namespace=EVIL, service=EVIL)
    exprs = [query(SITE, name, window=MONTH, job="backend").expr for name in QUERIES]
    exprs += [query(SITE, name, service=hostile, job=EVIL, namespace=EVIL, pod=EVIL).expr for name in QUERIES]
    exprs.append(averaged(query(SITE, "Q-nodecpu"), MONTH, timedelta(hours=1)).expr)
    # The same value in the other two kinds of quotes, as an override might write it.
    own = {"Q-avail": "up{a='$namespace',b=`$namespace`,c=\"$namespace\"}"}
    exprs.append(query(replace(SITE, slo=Slo(queries=own)), "Q-avail", service=hostile).expr)
    (tmp_path / "rules.yaml").write_text(as_rules(exprs))
    code, said = promtool("check", "rules", "rules.yaml", tmp_path=tmp_path)
    assert code == 0, said
    assert f"{len(exprs)} rules found" in said


def requests(status, values):
    labels = f'namespace="sre-shop",service="backend-service",status="{status}"'
    return {"series": f"http_requests_total{{{labels}}}", "values": values}


def twins(metric, labels, value):
    """The same series from two replicas of an exporter."""
    return [
        {"series": f'{metric}{{instance="ksm-{n}",namespace="sre-shop",{labels}}}', "values": value}
        for n in (0, 1)
    ]


_CPU = [
    *twins("kube_pod_container_resource_requests", 'pod="a",container="c",resource="cpu"', "0.5x60"),
    *twins("kube_pod_container_resource_requests", 'pod="done",container="c",resource="cpu"', "8x60"),
    *twins("kube_pod_status_phase", 'pod="a",phase="Running"', "1x60"),
    *twins("kube_pod_status_phase", 'pod="done",phase="Running"', "0x60"),
    *twins("kube_pod_status_phase", 'pod="done",phase="Succeeded"', "1x60"),
    *twins("container_cpu_usage_seconds_total", 'pod="a",container="c"', "0+12x60"),  # 0.2 cores
    *twins("container_cpu_usage_seconds_total", 'pod="a",container=""', "0+24x60"),
]
_NODE = [
    {"series": 'node_uname_info{instance="10.0.0.1:9100",nodename="ip-1"}', "values": "1x60"},
    {
        "series": 'node_cpu_seconds_total{instance="10.0.0.1:9100",cpu="0",mode="idle"}',
        "values": "0+30x60",
    },
    {
        "series": 'node_cpu_seconds_total{instance="10.0.0.1:9100",cpu="0",mode="iowait"}',
        "values": "0+15x60",
    },
    {
        "series": 'node_cpu_seconds_total{instance="10.0.0.1:9100",cpu="0",mode="user"}',
        "values": "0+15x60",
    },
    {"series": 'node_memory_MemAvailable_bytes{instance="10.0.0.1:9100"}', "values": "2x60"},
    {"series": 'node_memory_MemTotal_bytes{instance="10.0.0.1:9100"}', "values": "8x60"},
]
_DISK = [
    {"series": f'node_filesystem_{what}_bytes{{instance="10.0.0.1:9100",mountpoint="/",fstype="{kind}"}}',
     "values": value}
    for what, kind, value in (
        ("size", "xfs", "100x60"), ("avail", "xfs", "14x60"), ("size", "tmpfs", "100x60"), ("avail", "tmpfs", "1x60"),
    )
]  # fmt: skip
_POD = 'pod="a",container="c"'
_LIMITS = [
    *twins("kube_pod_container_resource_limits", f'{_POD},resource="cpu"', "0.1x60"),
    *twins("kube_pod_container_resource_limits", f'{_POD},resource="memory"', "100x60"),
    *twins("kube_pod_container_resource_limits", 'pod="a",container="free",resource="memory"', "0x60"),
    *twins("container_cpu_usage_seconds_total", _POD, "0+6x60"),  # 0.1 cores of 0.1
    *twins("container_cpu_usage_seconds_total", 'pod="a",container="free"', "0+600x60"),
    *twins("container_cpu_usage_seconds_total", 'pod="a",container=""', "0+606x60"),
    *twins("container_memory_working_set_bytes", _POD, "90x60"),
    *twins("container_memory_working_set_bytes", 'pod="a",container="free"', "5000x60"),
    *twins("container_cpu_cfs_throttled_periods_total", _POD, "0+26x60"),
    *twins("container_cpu_cfs_periods_total", _POD, "0+100x60"),
    *twins("kube_pod_container_status_restarts_total", _POD, "0+1x60"),
]
_OF_POD = '{namespace="sre-shop",pod="a"}'
_OF_CONTAINER = '{container="c",namespace="sre-shop",pod="a"}'
_ON_NODE = '{instance="10.0.0.1:9100",nodename="ip-1"}'
_UP = 'up{namespace="sre-shop",service="backend-service",job="backend"'

WORLDS = {
    "an SLI of 99.95 % has consumed exactly half of the budget": (
        [requests(200, "0+1999x60"), requests(500, "0+1x60")],
        {"Q-success": 0.9995, "Q-budget": 0.5, "Q-error": 0.0005},
    ),
    "no 5xx series yet is no error, not no data": (
        [requests(200, "0+10x60")],
        {"Q-success": 1, "Q-budget": 0, "Q-error": 0},
    ),
    "zero traffic is NaN, which is not 100 %": (
        [requests(200, "5x60"), requests(500, "0x60")],
        {"Q-success": "NaN", "Q-budget": "NaN", "Q-error": "NaN"},
    ),
    "zero traffic without 5xx series is NaN as well": (
        [requests(200, "5x60")],
        {"Q-success": "NaN", "Q-budget": "NaN", "Q-error": "NaN"},
    ),
    "a missing metric is an empty answer": (
        [{"series": 'up{job="x"}', "values": "1x60"}],
        dict.fromkeys(["Q-success", "Q-budget", "Q-error", "Q-avail", "Q-slocpu", "Q-nodecpu"]),
    ),
    "another service's errors do not count": (
        [
            requests(200, "0+10x60"),
            {
                "series": 'http_requests_total{namespace="sre-shop",service="x",status="500"}',
                "values": "0+9x60",
            },
        ],
        {"Q-error": 0},
    ),
    "replicas of kube-state-metrics and finished jobs do not distort CPU use": (_CPU, {"Q-slocpu": 0.4}),
    "one healthy target is enough, two are no more than 100 %": (
        [
            {"series": f'{_UP},instance="a"}}', "values": "0x60"},
            {"series": f'{_UP},instance="b"}}', "values": "1x60"},
        ],
        {"Q-avail": 1, "Q-targets": None},
    ),
    "a target that is down is no availability": (
        [{"series": f'{_UP},instance="a"}}', "values": "0x60"}],
        {"Q-avail": 0, "Q-targets": None},
    ),
    "a job without any target is absent": (
        [{"series": 'up{job="other"}', "values": "1x60"}],
        {"Q-targets": ('{job="backend"}', 1)},
    ),
    "waiting for a disk is not busy": (
        _NODE,
        {"Q-nodecpu": (_ON_NODE, 0.25), "Q-nodemem": (_ON_NODE, 0.75), "Q-nodeio": (_ON_NODE, 0.25)},
    ),
    "a disk is as full as df says, and what is only memory is no disk": (
        [*_DISK, _NODE[0]],
        {"Q-disk": (_ON_NODE, 0.86)},
    ),
    "only containers with a limit can reach one, however many exporters tell of them": (
        _LIMITS,
        {
            "Q-cpulimit": (_OF_POD, 1.0),
            "Q-memlimit": (_OF_CONTAINER, 0.9),
            "Q-throttle": (_OF_POD, 0.26),
            "Q-restarts": (_OF_POD, 5),
        },
    ),
    "requests and failures are counted, and a service without one 5xx has none": (
        [requests(200, "0+10x60")],
        {"Q-requests": 50, "Q-bad": 0},
    ),
    "failures are counted among all requests": (
        [requests(200, "0+19x60"), requests(503, "0+1x60")],
        {"Q-requests": 100, "Q-bad": 5},
    ),
    "no traffic is zero requests, and no metric is no answer": (
        [requests(200, "5x60")],
        {"Q-requests": 0, "Q-bad": 0, "Q-healthy": None},
    ),
    "half of the targets are healthy": (
        [{"series": f'{_UP},instance="{name}"}}', "values": f"{up}x60"} for name, up in (("a", 0), ("b", 1))],
        {"Q-healthy": 0.5, "Q-requests": None, "Q-bad": None},
    ),
    "no target is left of those there were": (
        [{"series": f'{_UP},instance="a"}}', "values": "1x10 stale"}],
        {"Q-healthy": 0},
    ),
    "what a pod of the service uses is no other workload's": (
        [
            *(
                {"series": f'{metric}{{namespace="sre-shop",pod="{pod}",container="c"}}', "values": values}
                for metric, values in (
                    ("container_cpu_usage_seconds_total", "0+6x60"),
                    ("container_memory_working_set_bytes", "90x60"),
                )
                for pod in ("backend-7d4c9d-x7k2p", "backend-7d4c9d-b2c4d")
            ),
            *(
                {
                    "series": f'{metric}{{namespace="sre-shop",pod="{pod}",container="c"}}',
                    "values": "0+999x60",
                }
                for metric in ("container_cpu_usage_seconds_total", "container_memory_working_set_bytes")
                for pod in ("backend-worker-7d4c9d-x7k2p", "frontend-7d4c9d-x7k2p")
            ),
        ],
        {"Q-servicecpu": 0.1, "Q-servicemem": 90},
    ),
    "what a container used counts once, and the pod's own row not at all": (
        [
            *twins("container_cpu_usage_seconds_total", _POD, "0+6x60"),
            *twins("container_cpu_usage_seconds_total", 'pod="a",container=""', "0+12x60"),
            *twins("container_memory_working_set_bytes", _POD, "90x60"),
            *twins("container_memory_working_set_bytes", 'pod="a",container="POD"', "1x60"),
        ],
        {"Q-p90cpu": (_OF_CONTAINER, 0.1), "Q-p90mem": (_OF_CONTAINER, 108), "Q-maxmem": (_OF_CONTAINER, 90)},
    ),
}

_GONE = f'{_UP},instance="a"}}'

# window, minute, availability: of a series that is there for 600 minutes, gone for 600, and back.
VANISHED = [
    ("5m", 100, 1),
    ("5m", 602, 0.5),  # both ends of a window count: six steps in five minutes
    ("5m", 700, 0),
    ("5m", 1195, 0),
    ("5m", 1201, 1 / 3),
    ("1300m", 1300, 701 / 1301),
    ("1d", 599, 1),  # the time before the first sample is no outage
    ("1d", 1199, 0.5),
]


@pytest.mark.monitoring
@needs_promtool
def test_a_query_is_answered_as_of_another_time(tmp_path):
    """Failures that began after half an hour are none of the time before."""
    series = [requests(200, "0+10x30 300x30"), requests(500, "0x30 0+10x30")]
    asked = query(SITE, "Q-error", service=BACKEND)
    checks = [
        {"expr": at(asked, datetime.fromtimestamp(minute * 60, UTC)).expr, "eval_time": "60m",
         "exp_samples": expected(share)}
        for minute, share in ((20, 0), (60, 1))
    ]  # fmt: skip
    tests = [{"interval": "1m", "input_series": series, "promql_expr_test": checks}]
    (tmp_path / "test.yaml").write_text(json.dumps({"evaluation_interval": "1m", "tests": tests}))
    code, said = promtool("test", "rules", "test.yaml", tmp_path=tmp_path)
    assert code == 0, said


def expected(result):
    if result is None:
        return []
    labels, value = result if isinstance(result, tuple) else ("{}", result)
    return [{"labels": labels, "value": value}]


@pytest.mark.monitoring
@needs_promtool
def test_the_queries_say_what_they_should_in_every_world(tmp_path):
    tests = []
    for name, (series, results) in WORLDS.items():
        checks = []
        for query_name, result in results.items():
            expr = query(SITE, query_name, service=BACKEND, job="backend").expr
            # NaN equals nothing, itself least of all: this way round it can be checked.
            if result == "NaN":
                expr, result = f"count(({expr}) != ({expr}))", 1
            checks.append({"expr": expr, "eval_time": "30m", "exp_samples": expected(result)})
        tests.append({"name": name, "interval": "1m", "input_series": series, "promql_expr_test": checks})
    (tmp_path / "test.yaml").write_text(json.dumps({"evaluation_interval": "1m", "tests": tests}))
    code, said = promtool("test", "rules", "test.yaml", tmp_path=tmp_path)
    assert code == 0, said


@pytest.mark.monitoring
@needs_promtool
def test_minutes_without_any_series_are_no_availability_once_there_was_one(tmp_path):
    series = [{"series": _GONE, "values": "1x599 stale _x599 1x200"}]
    units = {"m": "minutes", "d": "days"}
    checks = []
    for window, minute, share in VANISHED:
        length = timedelta(**{units[window[-1]]: int(window[:-1])})
        expr = query(SITE, "Q-avail", service=BACKEND, window=length).expr
        # Prometheus 3 leaves the older end of a window out.
        near = 0.11 if window == "5m" and 0 < share < 1 else 0.001
        checks.append(
            {
                "expr": f"abs(({expr}) - {share}) < bool {near}",
                "eval_time": f"{minute}m",
                "exp_samples": expected(1),
            }
        )
    # What was last seen more than a day ago is not known to be missing.
    recent = query(SITE, "Q-avail", service=BACKEND).expr
    long_ago = {"series": _GONE, "values": "1x10 stale"}
    tests = [
        {"interval": "1m", "input_series": series, "promql_expr_test": checks},
        {
            "interval": "1m",
            "input_series": [long_ago],
            "promql_expr_test": [
                {"expr": recent, "eval_time": "1440m", "exp_samples": expected(0)},
                {"expr": recent, "eval_time": "1460m", "exp_samples": []},
            ],
        },
    ]
    (tmp_path / "test.yaml").write_text(json.dumps({"evaluation_interval": "1m", "tests": tests}))
    code, said = promtool("test", "rules", "test.yaml", tmp_path=tmp_path)
    assert code == 0, said

"""Every expression that a diagnosis of a service asks is PromQL to the real promtool, also around hostile names."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from service_world import BACKEND, FIRST, SITE, asked
from triage_world import NODE

from commands.alertreads import QueryRange
from commands.queries import query
from commands.reads import Query
from commands.triage import database, ground, latency, layers, memory, network, service, usage
from commands.triage.dbchecks import MONGODB, POSTGRES
from commands.triage.rule import Subject

EVIL = "\"} or vector(1) #\\\n`'$here(.*"
HOSTILE = replace(BACKEND, namespace=EVIL, service=EVIL)
ENGINES = {database.THERE: {"__name__=pg_up": 1, "__name__=mongodb_up": 1}}

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not on PATH: what diagnoses ask was NOT checked (apt install prometheus)",
)


def expressions() -> list[str]:
    of_pods = [Subject("", {"namespace": space, "pod": pod, "node": NODE})
               for space, pod in (("shop", FIRST), (EVIL, EVIL))]  # fmt: skip
    found = [
        asking(about, SITE)
        for about in (BACKEND, HOSTILE)
        for asking in (
            database.diagnose,
            network.diagnose,
            latency.saturated,
            layers.users,
            ground.containers,
            ground.nodes,
        )
    ]
    found += [service.of(about, None, SITE) for about in (BACKEND, HOSTILE)]
    found += [latency.felt(about, None, SITE) for about in (BACKEND, HOSTILE)]
    found += [asking(about, SITE) for about in of_pods for asking in (memory.near_limit, usage.cpu)]
    reads = [read for each in found for read in asked(each, ENGINES).asked]
    return list(dict.fromkeys(read.expr for read in reads if isinstance(read, Query | QueryRange)))


@pytest.mark.monitoring
@needs_promtool
def test_every_expression_is_promql_even_around_hostile_names(tmp_path: Path) -> None:
    exprs = expressions()
    assert len(exprs) > 60
    assert not any(EVIL in each for each in exprs)
    rules = [{"record": f"q:{n}", "expr": expr} for n, expr in enumerate(exprs)]
    (tmp_path / "r.yaml").write_text(json.dumps({"groups": [{"name": "asked", "rules": rules}]}))
    command = ["promtool", "check", "rules", "r.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


_POD = 'namespace="sre-shop",pod="backend-0"'
_SERIES = (
    (f'container_memory_working_set_bytes{{{_POD},container="app"}}', "0+600x120"),
    (f'jvm_gc_pause_seconds_sum{{{_POD},action="minor"}}', "0+6x120"),
    (f'jvm_memory_used_bytes{{{_POD},area="heap",id="eden"}}', "30x120"),
    (f'jvm_memory_max_bytes{{{_POD},area="heap",id="eden"}}', "100x120"),
    ('pg_stat_activity_count{instance="db",datname="a",state="active",usename="u"}', "81x120"),
    ('pg_settings_max_connections{instance="db"}', "100x120"),
    ('mongodb_ss_connections{instance="m",conn_type="totalCreated"}', "0+660x120"),
)


@pytest.mark.monitoring
@needs_promtool
def test_what_is_asked_says_what_it_should(tmp_path: Path) -> None:
    pool = next(each for each in POSTGRES.checks if each.key == "TD-1.2").gauge.template
    churn = next(each for each in MONGODB.checks if each.key == "TD-6.2").gauge.template
    space = '{namespace="sre-shop",pod="backend-0"}'
    expected = [
        (query(SITE, "Q-leak", namespace="sre-shop").expr.replace("[5m:5m]", "[1h:5m]"), space, 36000),
        (query(SITE, "Q-gc", namespace="sre-shop").expr, space, 0.1),
        (query(SITE, "Q-heap", namespace="sre-shop").expr, space, 0.3),
        (pool, '{instance="db"}', 0.81),
        (churn, '{instance="m"}', 11),
    ]
    checks = [
        {
            "expr": f"round({expr}, 0.001)",
            "eval_time": "100m",
            "exp_samples": [{"labels": labels, "value": value}],
        }
        for expr, labels, value in expected
    ]
    series = [{"series": name, "values": values} for name, values in _SERIES]
    tests = [{"interval": "1m", "input_series": series, "promql_expr_test": checks}]
    (tmp_path / "t.yaml").write_text(json.dumps({"evaluation_interval": "1m", "tests": tests}))
    command = ["promtool", "test", "rules", "t.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

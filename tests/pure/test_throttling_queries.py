"""What the diagnosis of throttling asks of Prometheus, by the real promtool over made-up series."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from commands.triage.throttling import Asked

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not on PATH: the queries about throttling were NOT checked (apt install prometheus)",
)
_POD = 'namespace="shop",pod="web-7"'
_SERIES = (
    # Two scrapes of one container, as behind a pair of Prometheus agents, and the pod's own cgroup.
    (f'container_cpu_cfs_throttled_periods_total{{{_POD},container="app",instance="a"}}', "0+240x60"),
    (f'container_cpu_cfs_throttled_periods_total{{{_POD},container="app",instance="b"}}', "0+240x60"),
    (f'container_cpu_cfs_periods_total{{{_POD},container="app",instance="a"}}', "0+600x60"),
    (f'container_cpu_cfs_periods_total{{{_POD},container="app",instance="b"}}', "0+600x60"),
    (f'container_cpu_cfs_periods_total{{{_POD},container=""}}', "0+9000x60"),
    (f'container_cpu_usage_seconds_total{{{_POD},container="app"}}', "0+30x60"),
    (f'container_cpu_usage_seconds_total{{{_POD},container="POD"}}', "0+600x60"),
    (f'kube_pod_container_resource_limits{{{_POD},container="app",resource="cpu"}}', "0.5x60"),
    (f'kube_pod_container_resource_limits{{{_POD},container="app",resource="memory"}}', "999x60"),
)


@pytest.mark.monitoring
@needs_promtool
def test_share_peak_and_limit_are_by_container_and_count_each_once(tmp_path: Path) -> None:
    asked = Asked.of("shop", "web-7")
    expected = ((asked.share, 0.4), (asked.peak, 0.5), (asked.limits, 0.5))
    checks = [
        {
            "expr": f"round({read.expr}, 0.001)",
            "eval_time": "50m",
            "exp_samples": [{"labels": '{container="app"}', "value": value}],
        }
        for read, value in expected
    ]
    series = [{"series": name, "values": values} for name, values in _SERIES]
    tests = [{"interval": "1m", "input_series": series, "promql_expr_test": checks}]
    (tmp_path / "test.yaml").write_text(json.dumps({"evaluation_interval": "1m", "tests": tests}))
    command = ["promtool", "test", "rules", "test.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_names_cannot_leave_their_quotes() -> None:
    asked = Asked.of('shop"} or up{a="', "web-7")
    assert all('"} or up' not in read.expr for read in (asked.share, asked.peak, asked.limits))

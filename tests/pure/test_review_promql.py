"""What a review asks of Prometheus: every expression is PromQL, also around hostile names, and coverage counts hours."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alert_history import SITE, typed
from review_world import given

from commands.alertreads import QueryRange
from commands.model import Read
from commands.reads import Query
from commands.site import ClusterSite

EVIL = "\"} or vector(1) #\\\n`'$here(.*"
BACKEND = SITE.services["backend"]
HOSTILE = replace(SITE, services={"backend": replace(BACKEND, namespace=EVIL, service=EVIL)})

pytestmark = [
    pytest.mark.monitoring,
    pytest.mark.skipif(
        shutil.which("promtool") is None,
        reason="promtool is not on PATH: what reviews ask was NOT checked (apt install prometheus)",
    ),
]


def expressions(text: str, site: ClusterSite) -> list[str]:
    asked: list[Read] = []
    typed(text, given(), site, asked)
    return [read.expr for read in asked if isinstance(read, Query | QueryRange)]


def promtool(*args: str, files: Mapping[str, Any], folder: Path) -> tuple[int, str]:
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    ran = subprocess.run(["promtool", *args], cwd=folder, capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout + ran.stderr


def test_every_expression_is_promql(tmp_path: Path) -> None:
    exprs = [each for text in ("review metrics", "review monthly", "review export") for site in (SITE, HOSTILE)
             for each in expressions(text, site)]  # fmt: skip
    assert len(set(exprs)) > 30
    assert not any(EVIL in each for each in exprs)
    rules = {
        "groups": [
            {"name": "asked", "rules": [{"record": f"q:{n}", "expr": each} for n, each in enumerate(exprs)]}
        ]
    }
    code, said = promtool("check", "rules", "--lint=none", "r.yaml", files={"r.yaml": rules}, folder=tmp_path)
    assert code == 0, said


@pytest.mark.parametrize(("hours", "counted"), [(24, 24), (10, 10)])
def test_hours_with_requests_are_counted(tmp_path: Path, hours: int, counted: int) -> None:
    """Of a day of which the last so many hours were scraped."""
    (known,) = (e for e in expressions("review metrics --window 1d", SITE) if e.startswith("count_over_time"))
    labels = f'namespace="{BACKEND.namespace}",service="{BACKEND.service}"'
    missing = (24 - hours) * 60
    values = f"_x{missing} 0+60x2000" if missing else "0+60x2000"
    test = {
        "interval": "1m",
        "input_series": [{"series": f"http_requests_total{{{labels}}}", "values": values}],
        "promql_expr_test": [
            {"expr": known, "eval_time": "24h", "exp_samples": [{"labels": "{}", "value": counted}]}
        ],
    }
    files = {"t.yaml": {"rule_files": [], "evaluation_interval": "1m", "tests": [test]}}
    code, said = promtool("test", "rules", "t.yaml", files=files, folder=tmp_path)
    assert code == 0, said


def test_the_window_is_the_one_that_was_asked_for() -> None:
    asked: list[Read] = []
    typed("review metrics --window 7d", given(), SITE, asked)
    ends = {read.ago for read in asked if isinstance(read, QueryRange)}
    assert ends == {timedelta(0), timedelta(days=7)}
    assert all("[7d" in read.expr for read in asked if isinstance(read, QueryRange))

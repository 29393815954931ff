"""docs/metrics.md, the dashboard and the alert rules know the metrics that the code has, and no others."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric

from bot import metrics, vitals
from bot.vitals import Vitals
from tests.drift.tree import ROOT, modules

NAME = re.compile(r"\bsre_bot_[a-z_]+\b")
TYPES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
WHOLE = Vitals(
    waiting={"outbox": 1}, oldest={"outbox": timedelta(1)}, open={"alerts": 1}, processes={"bot": 1},
    silence=timedelta(1), ended={("node drain", "failed"): 1},
)  # fmt: skip


def families() -> list[Metric]:
    found = [*REGISTRY.collect(), *vitals.registry(WHOLE).collect()]
    return [each for each in found if each.name.startswith("sre_bot_")]


def shown(family: Metric) -> str:
    """As people write it: a counter with its ending, a histogram without."""
    return f"{family.name}_total" if family.type == "counter" else family.name


def series() -> set[str]:
    return {family.name + end for family in families() for end in TYPES[family.type]}


def labels() -> dict[str, tuple[str, ...]]:
    found = {
        each._name: each._labelnames  # a metric without samples tells its labels nowhere else
        for each in vars(metrics).values()
        if hasattr(each, "_labelnames")
    }
    told = {family.name: tuple(family.samples[0].labels) for family in vitals.registry(WHOLE).collect()}
    return {shown(family): {**found, **told}[family.name] for family in families()}


def rows() -> dict[str, str]:
    """The line of each metric in the documentation."""
    lines = (ROOT / "docs/metrics.md").read_text().splitlines()
    return {line.split("`")[1]: line for line in lines if line.startswith("| `sre_bot_")}


def test_the_documentation_has_every_metric_and_no_other() -> None:
    assert set(rows()) == {shown(family) for family in families()}, "a row of docs/metrics.md for each"


@pytest.mark.parametrize(("name", "given"), labels().items())
def test_the_documentation_names_every_label(name: str, given: tuple[str, ...]) -> None:
    cells = rows()[name].split(" | ")
    assert all(f"`{label}`" in " | ".join(cells[1:3]) for label in given)


def test_metrics_are_made_in_two_places_only() -> None:
    """So that one table has them all."""
    made = re.compile(r"\b(Counter|Gauge|Histogram|Summary|\w+MetricFamily)\(\s*\"sre_bot_")
    files = {each.file for each in modules() if made.search((ROOT / each.file).read_text())}
    assert files == {"bot/metrics.py", "bot/vitals.py"}


# --- the dashboard and the rules ---


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "k8s/monitoring/dashboard.json").read_text())
    return found


def expressions() -> Iterator[tuple[str, str]]:
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((ROOT / "k8s/alert-rules.yaml").read_text())["groups"]
    return [rule for group in groups if group["name"] == "sre_bot" for rule in group["rules"]]


def test_the_dashboard_and_the_rules_ask_for_what_is_there() -> None:
    asked = {
        (where, name)
        for where, text in [*expressions(), *((rule["alert"], rule["expr"]) for rule in rules())]
        for name in NAME.findall(text)
    }
    assert len(asked) > 40
    assert [each for each in asked if each[1] not in series()] == []


def test_the_dashboard_shows_every_metric() -> None:
    text = " ".join(expr for _, expr in expressions())
    assert [shown(family) for family in families() if family.name not in text] == []


def test_panels_have_a_place_of_their_own_and_say_what_they_show() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    rows_shown = [panel["title"] for panel in panels if panel["type"] == "row"]
    assert rows_shown == [
        "Overview", "Intake", "Jobs and queue", "Outbox and Slack", "Sources", "Changes", "Incidents and processes",
    ]  # fmt: skip


@pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not on PATH: the dashboard's queries were NOT checked (apt install prometheus)",
)
def test_prometheus_understands_every_query_of_the_dashboard(tmp_path: Path) -> None:
    """As the rules of a file: promtool parses those with Prometheus's own parser."""
    filled = [expr.replace("$__rate_interval", "5m").replace("$namespace", ".*") for _, expr in expressions()]
    assert not any("$" in expr for expr in filled)
    recorded = [{"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(filled)]
    file = tmp_path / "dashboard.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": recorded}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", str(file)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_says_what_to_do_and_where_it_is_written() -> None:
    for rule in rules():
        said = rule["annotations"]
        assert rule["labels"]["severity"] in ("critical", "warning"), rule["alert"]
        assert said["summary"] and said["description"] and said["runbook_url"].startswith("https://"), rule[
            "alert"
        ]

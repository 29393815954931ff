"""What diagnoses ask of Prometheus: promtool takes every expression, and some say what they should; and what holds
of every rule about nodes, storage, the monitoring and the control plane."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from triage_world import GIB, HIDDEN, NODE, NOW, PROVIDER, Dark, World, falling, machine, node, pod, target

from commands.alertreads import QueryRange, ScrapeTargets
from commands.catalog import Catalog
from commands.finding import Light
from commands.model import Confidence
from commands.podreads import PodDetails
from commands.reads import Endpoints, EndpointView, Nodes, Now, Query, Sample, Vector
from commands.triage import (
    aggregated,
    alertmanager,
    certificates,
    controlplane,
    disks,
    kubelet,
    load,
    managed,
    nodes,
    pressure,
    prometheus,
    promrules,
    system,
    targets,
    versions,
    volumes,
)
from commands.triage.rule import Rule, Subject
from commands.triagereads import Claim, ClaimView, Instance, ProviderId

TOPICS = (nodes, pressure, kubelet, load, system, disks, volumes, targets, promrules, prometheus, alertmanager,
          controlplane, aggregated, versions, managed, certificates)  # fmt: skip
RULES: Mapping[str, Rule] = {name: rule for topic in TOPICS for rule in topic.RULES for name in rule.names}
EVIL = "\"} or vector(1) #\\\n`'$here(.*"
LABELS = {
    "node": NODE, "instance": "10.0.3.17:9100", "namespace": "shop", "pod": "web-7", "service": "web", "job": "web",
    "persistentvolumeclaim": "data-db-0", "persistentvolume": "pvc-1", "mountpoint": "/", "device": "nvme0n1p1",
    "name": "web-tls", "condition": "DiskPressure",
}  # fmt: skip
# Certain whatever is read: what always fires, and what EKS hides.
ALWAYS = {"Watchdog", "DeadMansSwitch", "PrometheusAlertmanagerE2eDeadManSwitch", "InfoInhibitor", "KubeSchedulerDown",
          "KubeControllerManagerDown", *(name for name in RULES if name.startswith("etcd"))}  # fmt: skip

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not on PATH: what diagnoses ask was NOT checked (apt install prometheus)",
)


def subject(name: str, labels: Mapping[str, str] = LABELS) -> Subject:
    return Subject(name, labels)


_NAMED = {"namespace": "shop", "pod": "web-7"} | dict.fromkeys(
    ("device", "name", "master", "flow_schema", "reason", "alertmanager", "host", "resource", "integration"),
    "x",
)
CATALOG = Catalog.load()


class Loud(World):
    """Where every number is bad: whatever can be suggested is."""

    def answer(self, read: Any) -> Any:
        if isinstance(read, Query):
            self.asked.append(read)
            return Vector((Sample(_NAMED, 7.0),))
        return super().answer(read)


BAD: dict[Any, Any] = {
    Nodes: (node(ready="Unknown"),),
    Instance: machine("stopped"),
    ProviderId: PROVIDER,
    QueryRange: falling(4 * GIB, 1 * GIB),
    ScrapeTargets: (target(error="EOF", namespace="shop", pod="web-7"),),
    PodDetails: (pod(status="Error", ready="0/1"),),
    Endpoints: (EndpointView("10.0.3.17", "web-7", False),),
    Claim: ClaimView("shop", "data-db-0", "Bound", 50 * GIB, expandable=True, pods=("db-0",)),
}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_says_what_it_means_and_what_to_do_first(name: str) -> None:
    rule = RULES[name]
    assert rule.means.endswith(".")
    assert "\n" not in rule.means
    always = {"Watchdog", "InfoInhibitor"} & set(rule.names)
    assert always or 1 <= len(rule.steps) <= 4


@pytest.mark.parametrize("name", RULES)
def test_in_the_dark_nothing_is_green_and_nothing_is_caused(name: str) -> None:
    found = Dark({Now: NOW}).drive(subject(name))
    if name in ALWAYS:
        assert found.cause and found.cause.confidence is Confidence.CERTAIN
        return
    assert name == "KubeProxyDown" or found.cause is None
    assert found.findings
    assert {finding.light for finding in found.findings} == {Light.UNKNOWN}
    assert any(finding.mend == HIDDEN.mend for finding in found.findings)


@pytest.mark.parametrize("name", RULES)
def test_every_suggestion_is_a_command_that_somebody_could_type(name: str) -> None:
    found = Loud(BAD).drive(subject(name))
    offered = (*(found.cause.suggestions if found.cause else ()), *found.suggestions)
    for suggestion in offered:
        built = CATALOG.offered((suggestion,))
        assert built or suggestion.text.split()[0] in ("logs", "debug", "capacity"), suggestion
    assert not found.cause or 10 < len(found.cause.text) < 400
    assert not found.cause or "  " not in found.cause.text


# --- by the real promtool -------------------------------------------------------------------------


def promtool(*args: str, tmp_path: Path) -> tuple[int, str]:
    done = subprocess.run(
        ["promtool", *args], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout + done.stderr


def asked_by(name: str, labels: Mapping[str, str]) -> list[str]:
    world = Loud(BAD)
    world.drive(subject(name, labels))
    return [read.expr for read in world.asked if isinstance(read, Query | QueryRange)]


def every_expression() -> list[str]:
    hostile = {
        **dict.fromkeys(LABELS, EVIL),
        "condition": "PIDPressure",
        "eviction_signal": "memory.available",
    }
    ways = (LABELS, {**LABELS, "condition": "MemoryPressure"}, {}, hostile)
    found = [expr for name in RULES for labels in ways for expr in asked_by(name, labels)]
    return list(dict.fromkeys(found))


@pytest.mark.monitoring
@needs_promtool
def test_every_expression_is_valid_promql_even_around_hostile_names(tmp_path: Path) -> None:
    exprs = every_expression()
    rules = [{"record": f"q:{n}", "expr": expr} for n, expr in enumerate(exprs)]
    (tmp_path / "rules.yaml").write_text(json.dumps({"groups": [{"name": "triage", "rules": rules}]}))
    code, said = promtool("check", "rules", "rules.yaml", tmp_path=tmp_path)
    assert code == 0, said[:2000]
    assert f"{len(exprs)} rules found" in said
    assert len(exprs) > 100
    assert not [expr for expr in exprs if "$" in expr]


def of(name: str, piece: str) -> str:
    """The expression that the rule for this alert asks and that has this piece."""
    return next(expr for expr in asked_by(name, LABELS) if piece in expr)


def series(metric: str, labels: str, values: str, instance: str = "10.0.3.17:9100") -> list[dict[str, str]]:
    """From two replicas of Prometheus, which say the same."""
    return [
        {"series": f'{metric}{{instance="{instance}",replica="{n}",{labels}}}', "values": values}
        for n in "ab"
    ]


_VOLUME = 'namespace="shop",persistentvolumeclaim="data-db-0"'
_OTHER = 'namespace="shop",persistentvolumeclaim="other"'
WORLDS: dict[str, tuple[list[dict[str, str]], str, tuple[str, float] | None]] = {
    "a volume that two kubelets tell of is one, and another one is not meant": (
        [
            *series("kubelet_volume_stats_available_bytes", _VOLUME, "8x30"),
            *series("kubelet_volume_stats_available_bytes", _VOLUME, "9x30", "10.0.3.18:10250"),
            *series("kubelet_volume_stats_capacity_bytes", _VOLUME, "100x30"),
            *series("kubelet_volume_stats_available_bytes", _OTHER, "1x30"),
            *series("kubelet_volume_stats_capacity_bytes", _OTHER, "100x30"),
        ],
        of("KubePersistentVolumeFillingUp", "1 - min(kubelet_volume_stats_available"),
        ("{}", 0.92),
    ),
    "memory in use, of this node only": (
        [
            *series("node_memory_MemAvailable_bytes", 'job="node-exporter"', "3x30"),
            *series("node_memory_MemTotal_bytes", 'job="node-exporter"', "100x30"),
            *series("node_memory_MemAvailable_bytes", 'job="node-exporter"', "1x30", "10.0.3.170:9100"),
            *series("node_memory_MemTotal_bytes", 'job="node-exporter"', "100x30", "10.0.3.170:9100"),
        ],
        of("NodeMemoryHighUtilization", "MemAvailable"),
        ("{}", 0.97),
    ),
    "no memory series is no answer": (
        series("node_memory_MemTotal_bytes", 'job="x"', "100x30"),
        of("NodeMemoryHighUtilization", "MemAvailable"),
        None,
    ),
    "an array with a missing disk": (
        [
            *series("node_md_disks_required", 'device="md0"', "2x30"),
            *series("node_md_disks", 'device="md0",state="active"', "1x30"),
        ],
        of("NodeRAIDDegraded", "node_md_disks_required"),
        ('{device="md0"}', 1),
    ),
    "an API server without a failure has no share of them, rather than no data": (
        series("apiserver_request_total", 'job="apiserver",code="200"', "0+60x30"),
        of("KubeAPIErrorBudgetBurn", "/ sum(rate(apiserver_request_total"),
        ("{}", 0),
    ),
    "one request of four fails": (
        [
            *series("apiserver_request_total", 'job="apiserver",code="200"', "0+90x30"),
            *series("apiserver_request_total", 'job="apiserver",code="503"', "0+30x30"),
        ],
        of("KubeAPIErrorBudgetBurn", "/ sum(rate(apiserver_request_total"),
        ("{}", 0.25),
    ),
    "packets that are bad, by device": (
        [
            *series("node_network_receive_errs_total", 'device="ens5"', "0+6x30"),
            *series("node_network_receive_packets_total", 'device="ens5"', "0+600x30"),
            *series("node_network_receive_errs_total", 'device="lo"', "0x30"),
            *series("node_network_receive_packets_total", 'device="lo"', "0x30"),
        ],
        f'{of("NodeNetworkReceiveErrs", "packets_total")} >= 0',
        ('{device="ens5"}', 0.01),
    ),
    "a clock that runs behind is as wrong as one that runs ahead": (
        series("node_timex_offset_seconds", 'job="node-exporter"', "-0.3x30"),
        of("NodeClockSkewDetected", "offset"),
        ("{}", 0.3),
    ),
    "a disk in use, tmpfs aside": (
        [
            *series("node_filesystem_avail_bytes", 'mountpoint="/",device="nvme0n1p1",fstype="xfs"', "9x30"),
            *series("node_filesystem_size_bytes", 'mountpoint="/",device="nvme0n1p1",fstype="xfs"', "100x30"),
            *series("node_filesystem_avail_bytes", 'mountpoint="/",device="nvme0n1p1",fstype="tmpfs"', "1x30"),
            *series("node_filesystem_size_bytes", 'mountpoint="/",device="nvme0n1p1",fstype="tmpfs"', "100x30"),
        ],
        of("NodeFilesystemAlmostOutOfSpace", "max(1 - node_filesystem_avail"),
        ("{}", 0.91),
    ),
    "pods that two cAdvisors tell of count once, and their own row not at all": (
        [
            *series("container_memory_working_set_bytes", 'namespace="shop",pod="a",container="c"', "90x30"),
            *series("container_memory_working_set_bytes", 'namespace="shop",pod="a",container=""', "190x30"),
        ],
        of("NodeMemoryHighUtilization", "working_set"),
        ('{namespace="shop",pod="a"}', 90),
    ),
}  # fmt: skip


@pytest.mark.monitoring
@needs_promtool
def test_expressions_say_what_they_should(tmp_path: Path) -> None:
    tests = []
    for name, (given, expr, expected) in WORLDS.items():
        samples = [{"labels": expected[0], "value": expected[1]}] if expected else []
        check = {"expr": f"round({expr}, 0.0001)", "eval_time": "30m", "exp_samples": samples}
        tests.append({"name": name, "interval": "1m", "input_series": given, "promql_expr_test": [check]})
    (tmp_path / "test.yaml").write_text(json.dumps({"evaluation_interval": "1m", "tests": tests}))
    code, said = promtool("test", "rules", "test.yaml", tmp_path=tmp_path)
    assert code == 0, said


def test_the_topics_are_all_listed() -> None:
    from commands.triage.table import RULES as LISTED

    assert set(RULES) <= {name for rule in LISTED for name in rule.names}

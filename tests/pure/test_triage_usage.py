"""CPU and memory near a limit: which pod and container, since when, when it is full, and what its heap does."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from service_world import (
    FIRST,
    MI,
    PODS,
    SITE,
    container,
    finding,
    lights,
    matrix,
    pod,
    rollout,
    spec,
    told,
)
from triage_world import HIDDEN, NOW

from commands.catalog import Catalog
from commands.finding import Light
from commands.podreads import Ending, PodDetails
from commands.triage import javaheap, memory, usage
from commands.triage.rule import Diagnosis, Subject
from commands.triage.table import rule_for
from commands.triagereads import Changes, ContainerSpec, PodSpecOf
from commands.workloads import Autoscalers, AutoscalerView, MetricView

CATALOG = Catalog.load()
LABELS = {"namespace": "sre-shop", "pod": FIRST}
G, Y, R, U = Light.GREEN, Light.YELLOW, Light.RED, Light.UNKNOWN
APP = "container=backend"
USED, LIMIT, WITH_CACHE = (
    "max by (namespace, pod, container) (container_memory",
    'resource="memory"',
    "usage_bytes",
)
NOW_USED = f"{USED}_working_set_bytes"
WEEK = f"deriv((sum by (namespace, pod) ({USED}"
OF_LIMIT = ") / (max by (namespace, pod, container) (kube_pod_container_resource_limits"


def about(name: str, labels: dict[str, str] | None = None) -> Subject:
    return Subject(name, labels or LABELS, since=NOW - timedelta(minutes=12))


def heavy(
    given: dict[Any, Any] | None = None, used: float = 240 * MI, labels: dict[str, str] | None = None
) -> Diagnosis:
    world = {USED: {f"pod={FIRST},{APP}": used}, WITH_CACHE: {APP: used * 1.5}, **(given or {})}
    return told(memory.near_limit(about("HighMemoryUsage", labels), SITE), world)


def text(found: Diagnosis) -> str:
    assert found.cause
    return found.cause.text


@pytest.mark.parametrize(("age", "is_blamed"), [(2 * 24 * 60, False), (14, True)])
def test_a_rollout_after_the_pod_was_made_is_not_why_it_uses_more(age: int, is_blamed: bool) -> None:
    made = replace(pod(), created=NOW - timedelta(minutes=age))
    given: dict[Any, Any] = {PodDetails: (made,), Changes: rollout(15)}
    world: dict[Any, Any] = {**given, SHARE: {f"pod={FIRST}": 0.95}}
    for found in (heavy(given), told(usage.cpu(about("HighCPUUsage"), SITE), world)):
        offered = [
            each.text for each in (*(found.cause.suggestions if found.cause else ()), *found.suggestions)
        ]
        assert ("deploy rollback sre-shop/backend" in offered) is is_blamed, offered


# --- Memory -------------------------------------------------------------------------------------------------------


def test_memory_is_judged_by_the_working_set_and_the_cache_told_beside_it() -> None:
    found = heavy()
    told_of = finding(found, "Memory of backend")
    assert told_of.value == "240 MiB, 94 % of its limit of 256 MiB"
    assert told_of.evidence == ("360 MiB with the page cache",)
    assert text(found) == f"{FIRST}/backend uses 240 MiB (94 %) of its memory limit of 256 MiB"


@pytest.mark.parametrize(("part", "light"), [(0.9, G), (0.901, R)])
def test_memory_turns_at_the_rules_own_mark(part: float, light: Light) -> None:
    found = heavy(used=part * 256 * MI)
    assert finding(found, "Memory of backend").light is light
    assert (found.cause is None) is (light is G)


def test_a_straight_line_says_when_it_is_full() -> None:
    grows = [(200 + n / 6) * MI for n in range(241)]  # 2 MiB an hour, every five minutes
    found = heavy(
        {USED: matrix(grows, 300, container="backend")} | {NOW_USED: {f"pod={FIRST},{APP}": 240 * MI}}
    )
    assert finding(found, "Growth of backend").value == "2.1 MB more every hour, full in 8 h"
    assert "2.1 MB more every hour, full in 8 h" in text(found)


@pytest.mark.parametrize(("rate", "light"), [(0.99e6, G), (1e6, Y)])
def test_growth_over_a_week_is_flagged_from_a_megabyte_an_hour_on(rate: float, light: Light) -> None:
    assert finding(heavy({WEEK: {f"pod={FIRST}": rate}}), "Growth, 7 days").light is light


def test_kills_are_counted_and_dated() -> None:
    ended = container(restarts=3, ended=Ending("OOMKilled", 137, finished=NOW - timedelta(minutes=20)))
    found = heavy({PodDetails: (pod(FIRST, ended),), "oom_events": {APP: 3}})
    kills = finding(found, "Killed")
    assert (kills.light, kills.value, kills.evidence) == (R, "3 times in 24 h", ("backend: 20 min ago",))
    assert "it was killed there 3 times in 24 h" in text(found)


def test_a_container_without_a_limit_is_said_to_have_none() -> None:
    free = container()
    free = type(free)(free.name, free.image, state="running", ready=True)
    told_of = finding(heavy({PodDetails: (pod(FIRST, free),)}), "Memory of backend")
    assert (told_of.light, told_of.value) == (Y, "240 MiB, without a limit")


def test_a_service_means_its_pod_that_is_nearest_its_limit() -> None:
    shares = {f"pod={PODS[1]},{APP}": 0.97, f"pod={FIRST},{APP}": 0.5, "pod=other-0,container=x": 0.99}
    found = heavy({OF_LIMIT: shares}, labels={"service": "backend"})
    assert any(each.text.endswith(PODS[1]) for each in found.suggestions)


# --- Heaps ----------------------------------------------------------------------------------------------------------

JVM = {"count by (__name__)": {"__name__=jvm_memory_used_bytes": 1}}


@pytest.mark.parametrize(("share", "light"), [(0.1, G), (0.101, R)])
def test_a_tenth_of_the_time_is_too_much_for_garbage(share: float, light: Light) -> None:
    found = heavy({**JVM, "jvm_gc_pause": {f"pod={FIRST}": share}})
    assert finding(found, "Garbage").light is light


@pytest.mark.parametrize(("times", "light"), [(2.0, G), (2.1, Y)])
def test_a_process_more_than_twice_its_heap_is_flagged(times: float, light: Light) -> None:
    assert finding(heavy({**JVM, "process_resident": times}), "Process").light is light


@pytest.mark.parametrize(
    ("floor", "light"),
    [([1, 2, 3, 4], R), ([1, 2, 3, 3], G), ([4, 1, 2, 3, 4], R), ([2, 3, 4], U)],
)
def test_a_heap_that_rises_three_hours_in_a_row_leaks(floor: list[float], light: Light) -> None:
    found = heavy({**JVM, "min_over_time": matrix([each * MI for each in floor], 3600)})
    assert finding(found, "Heap after").light is light


def test_runtimes_are_known_by_their_series_and_bring_their_tools() -> None:
    assert "not" not in finding(heavy(JVM), "Runtime").value
    assert (
        "pprof"
        in finding(
            heavy({"count by (__name__)": {"__name__=go_memstats_heap_inuse_bytes": 1}}), "Runtime"
        ).evidence[0]
    )
    assert finding(heavy(), "Runtime").light is U


@pytest.mark.parametrize(
    ("options", "limit", "light"),
    [
        ("-Xmx1024m", 256, R), ("-Xmx192m", 256, G), ("-Xmx193m", 256, R), ("-Xms1g -Xmx2g -Xmx128M", 256, G),
        ("-XX:MaxRAMPercentage=75", 256, G), ("-XX:MaxRAMPercentage=75.1", 256, R), ("-Dx=1", 256, None),
        ("-Xmx1024m", None, None),
    ],
)  # fmt: skip
def test_a_heap_over_three_quarters_of_the_limit_is_red(
    options: str, limit: int | None, light: Light | None
) -> None:
    declared = ContainerSpec("app", "x", env={"JAVA_TOOL_OPTIONS": options})
    found = list(javaheap.findings(declared, limit * MI if limit else None))
    assert [each.light for each in found] == ([light] if light else [])


def test_a_heap_beyond_the_limit_says_what_will_happen_and_what_to_write() -> None:
    found = heavy({PodSpecOf: spec(command="java -Xmx1024m -jar app.jar")}, used=100 * MI)
    assert "-Xmx is 1,024 MiB, the container's limit 256 MiB: it will be OOMKilled" in text(found)
    assert "-XX:MaxRAMPercentage=75" in finding(found, "Heap of").evidence[0]


# --- CPU ------------------------------------------------------------------------------------------------------------

SHARE = ") / sum by (namespace, pod)"


def busy(share: float = 0.95, given: dict[Any, Any] | None = None) -> Diagnosis:
    world = {SHARE: {f"pod={FIRST}": share}, **(given or {})}
    return told(usage.cpu(about("HighCPUUsage"), SITE), world)


@pytest.mark.parametrize(("share", "light"), [(0.8, G), (0.801, R)])
def test_cpu_turns_at_the_rules_own_mark(share: float, light: Light) -> None:
    found = busy(share)
    assert finding(found, "CPU of").light is light
    assert (found.cause is None) is (light is G)


def test_cpu_names_the_container_and_a_limit_that_would_do() -> None:
    found = busy(given={"throttled_periods": {APP: 0.4}, "max_over_time": {APP: 0.5}})
    assert text(found).startswith(f"{FIRST} uses 95 % of its CPU limit; {FIRST}/backend is held back in 40 %")
    assert "would do" in text(found)


@pytest.mark.parametrize(("now", "light"), [(3, G), (5, R)])
def test_the_autoscaler_of_the_workload_is_told(now: int, light: Light) -> None:
    view = AutoscalerView(
        "web", "Deployment", "backend", 2, 5, now, now, metrics=(MetricView("cpu", "92 %", "70 %"),)
    )
    scaler = finding(busy(given={Autoscalers: (view,)}), "Autoscaler")
    assert (scaler.light, "cpu 92 % of 70 %" in scaler.value) == (light, True)
    assert finding(busy(), "Autoscaler").light is Y


# --- Sources and rules ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [PodDetails, PodSpecOf, Changes, WITH_CACHE, WEEK, "oom_events"], ids=str)
def test_one_blind_source_leaves_the_other_facts_of_memory(source: Any) -> None:
    found = heavy({source: HIDDEN})
    assert found.findings
    assert sum(light is not U for light in lights(found).values()) >= 2


@pytest.mark.parametrize("source", [PodDetails, Autoscalers, Changes], ids=str)
def test_one_blind_source_leaves_the_other_facts_of_cpu(source: Any) -> None:
    found = busy(given={source: HIDDEN})
    assert U in lights(found).values()
    assert finding(found, "CPU of").light is R


@pytest.mark.parametrize(
    ("name", "diagnose"),
    [
        ("HighCPUUsage", usage.cpu),
        ("HighMemoryUsage", memory.near_limit),
        ("ContainerMemoryUsage", memory.near_limit),
    ],
)
def test_the_manuals_names_have_their_rule(name: str, diagnose: Any) -> None:
    rule = rule_for(about(name))
    assert rule.diagnose is diagnose
    assert rule.means and rule.steps


def test_every_suggestion_can_be_typed() -> None:
    for found in (heavy(), busy(given={"throttled_periods": {APP: 0.4}})):
        offered = (*(found.cause.suggestions if found.cause else ()), *found.suggestions)
        assert offered
        for each in offered:
            CATALOG.parse(each.text)

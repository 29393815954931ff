"""What looks like the cause of a pod's trouble and is not: ends of earlier runs, work that is done, a node's own fall."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from commands.finding import Light
from commands.model import Confidence
from commands.podreads import Ending, Events, EventView, PodDetail, PodDetails
from commands.triage import exits, pods
from commands.triage.rule import Diagnosis
from tests.pure.pod_scenes import (
    MINUTE,
    NOW,
    POD,
    SITE,
    container,
    event,
    log,
    pod,
    row,
    running,
    subject,
    told,
    world,
)

KILLING = event("Killing", "Container app failed liveness probe, will be restarted", type="Normal")
TRACE = "Traceback (most recent call last):\n  File 'a.py', line 1\nKeyError: 'DATABASE_URL'"


def found(about: Any, **answers: Any) -> Diagnosis:
    diagnosis: Diagnosis = told(pods.diagnose(subject(), SITE), world(about, **answers))
    return diagnosis


def text(diagnosis: Diagnosis) -> str:
    assert diagnosis.cause is not None, diagnosis.findings
    return diagnosis.cause.text


def ended(code: int, reason: str = "Error") -> Ending:
    return Ending(reason, code, NOW - 6 * MINUTE, NOW - 2 * MINUTE)


def of_node(reason: str, ago: timedelta) -> Any:
    """Events of the node; of the pod there are none."""
    told = EventView("default", "Node", "n1", "Warning", reason, reason, 1, NOW - ago, NOW - ago)
    return lambda read: (told,) if isinstance(read, Events) and read.kind == "Node" else ()


def test_a_probe_that_ended_an_earlier_run_did_not_end_this_one() -> None:
    before = replace(KILLING, first=NOW - 50 * MINUTE, last=NOW - 50 * MINUTE)
    crash = found(pod(container(ended=ended(1))), Events=(before,), ContainerLog=log(TRACE))
    assert "exit code 1" in text(crash) and "DATABASE_URL" in text(crash)
    now = replace(KILLING, first=NOW - 50 * MINUTE, last=NOW - 3 * MINUTE)
    assert "liveness probe fails" in text(found(pod(container(ended=ended(1))), Events=(now,)))


def test_memory_that_its_node_lacked_an_hour_ago_killed_nobody_now() -> None:
    killed = pod(container(ended=ended(137)))
    assert "its node ran out of memory" in text(found(killed, Events=of_node("SystemOOM", 2 * MINUTE)))
    assert "its node ran out" not in text(found(killed, Events=of_node("SystemOOM", 55 * MINUTE)))


@pytest.mark.parametrize("end", [ended(255, "Unknown"), ended(137, "ContainerStatusUnknown"), ended(143)])
def test_a_restart_by_the_reboot_of_its_node_is_no_crash(end: Ending) -> None:
    back = pod(running(restarts=1, ended=end), status="Running", ready="1/1", not_ready_since=None)
    diagnosis = found(back, Events=of_node("Rebooted", MINUTE))
    assert f"{POD}/app ended with its node, which was rebooted ({end.code})" in text(diagnosis)
    assert diagnosis.cause and diagnosis.cause.suggestions[0].text == "node show n1"
    assert "rebooted" not in text(found(back, Events=of_node("Rebooted", 50 * MINUTE)))


@pytest.mark.parametrize("owner", ["", "Workflow/etl", "Job/etl"])
def test_a_pod_that_has_done_its_work_is_no_crash(owner: str) -> None:
    done = container(
        state="terminated", word="Completed", restarts=0, ended=ended(0, "Completed"), message=""
    )
    diagnosis = found(pod(done, owner=owner, status="Completed", phase="Succeeded", restarts=0))
    assert diagnosis.cause is None
    assert diagnosis.findings[0].light is Light.GREEN
    assert (
        diagnosis.findings[0].value
        == f"{POD} did its work and ended 2 min ago: it is not to become ready any more"
    )


def test_what_was_killed_over_memory_last_week_is_not_what_ails_today() -> None:
    week = Ending("OOMKilled", 137, NOW - timedelta(days=8), NOW - timedelta(days=7))
    beside = running("proxy", restarts=1, ended=week)
    assert "exit code 1" in text(found(pod(container(ended=ended(1)), beside)))
    well = pod(running(restarts=3, ended=week), status="Running", ready="1/1", not_ready_since=None)
    assert found(well).cause is None


@pytest.mark.parametrize(
    ("said", "containers", "why", "sure"),
    [
        (("NodeNotReady", "Node is not ready"), (running(),), "its node n1 is not ready", Confidence.LIKELY),
        (("FailedKillPod", "error killing pod: sandbox"), (running(),), "error killing pod", Confidence.CERTAIN),
        (None, (container(state="terminated", word="Completed"),), "a finalizer", Confidence.LIKELY),
        (None, (running(),), "it still runs, or the kubelet of n1", Confidence.POSSIBLE),
    ],
)  # fmt: skip
def test_why_a_pod_does_not_go(
    said: tuple[str, str] | None, containers: Any, why: str, sure: Confidence
) -> None:
    events = (event(*said),) if said else ()
    diagnosis = found(pod(*containers, deleting=NOW - 30 * MINUTE), Events=events)
    assert text(diagnosis).startswith(f"{POD} has been on its way out for 30 min: ") and why in text(
        diagnosis
    )
    assert diagnosis.cause and diagnosis.cause.confidence is sure
    assert found(pod(running(), deleting=NOW - 5 * MINUTE)).cause is None


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("ERROR: permission denied for schema public", "its user of the database may not do that"),
        ("open /data/x: permission denied", "it may not write or run something"),
        ("KeyError: 'DATABASE_URL'", "a setting is missing"),
        ("KeyError: 'items'", ""),
    ],
)
def test_a_hint_is_given_only_for_what_the_line_says(line: str, hint: str) -> None:
    assert exits.hint(line).startswith(hint) and bool(exits.hint(line)) is bool(hint)


def test_the_first_of_a_group_may_be_well_while_the_group_is_not() -> None:
    def named(read: PodDetails) -> tuple[PodDetail, ...]:
        well = pod(running(), status="Running", ready="1/1", restarts=0, not_ready_since=None)
        return (well if read.name == POD else pod(name=read.name),)

    rows = (row(status="Running", ready="1/1"), row("web-2", "Running", "1/1"), row("web-3"))
    answers = world(PodDetails=named, PodRows=rows, ContainerLog=log(TRACE))
    others = tuple({"namespace": "shop", "pod": name} for name in ("web-2", "web-3"))
    diagnosis = told(pods.diagnose(subject(others=others), SITE), answers)
    assert text(diagnosis).startswith("web-3/app ends itself with exit code 1")
    alone = told(pods.diagnose(subject(), SITE), answers)  # web-3 is of another alert
    assert alone.cause is None

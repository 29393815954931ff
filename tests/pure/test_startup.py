"""`debug startup`: for each of these pods one verdict and a next step that can be typed."""

from dataclasses import replace
from typing import Any

import pytest

from commands.catalog import Catalog
from commands.debug import COMMANDS
from commands.finding import Light
from commands.model import Args, Section
from commands.podreads import Ending
from commands.triagereads import ClaimView, ContainerSpec
from commands.workloads import ReferredView
from tests.pure.pod_scenes import (
    GAP,
    MINUTE,
    NOW,
    POD,
    SITE,
    container,
    event,
    log,
    pending,
    pod,
    probed,
    row,
    running,
    spec,
    told,
    waiting,
    world,
)

CATALOG = Catalog.load()
STARTUP = next(command for command in COMMANDS if "startup" in command.verbs)


def answered(answers: dict[str, Any], name: str = "web") -> Section:
    args = Args("debug", "startup", name, {"namespace": "shop"})
    (part,) = STARTUP.parts(args, SITE).values()
    section = told(part.inquiry, answers)
    assert isinstance(section, Section)
    return section


def held(word: str, message: str, **changes: Any) -> Any:
    return pod(waiting(word, message), status=word, phase="Pending", restarts=0, **changes)


def ended(code: int, reason: str = "Error") -> Any:
    return pod(container(ended=Ending(reason, code, NOW - 3 * MINUTE, NOW - 2 * MINUTE)))


def unready(message: str) -> dict[str, Any]:
    about = pod(running(ready=False), status="Running", ready="0/1", restarts=0)
    return world(about, Events=(event("Unhealthy", message, 9),), PodSpecOf=probed())


_ROOM = "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {dedicated: gpu}."
_KILLING = event("Killing", "Container app failed liveness probe, will be restarted", type="Normal")
_KEYS = ReferredView(True, frozenset({"LEVEL"}))
_PULL = 'Failed to pull image "shop/web:1.5": '
_PENDING_CLAIM = ClaimView("shop", "data", "Pending", storage_class="gp9")
_IP = 'plugin type="aws-cni" failed (add): add cmd: failed to assign an IP address to container'

CANNED: tuple[tuple[str, dict[str, Any], str], ...] = (
    (
        "a missing tag",
        world(held("ImagePullBackOff", ""), Events=(event("Failed", _PULL + "shop/web:1.5: not found"),)),
        "no such tag",
    ),
    (
        "no credentials",
        world(held("ErrImagePull", ""), Events=(event("Failed", _PULL + "pull access denied"),)),
        "no credentials",
    ),
    (
        "an unreadable name",
        world(held("InvalidImageName", "couldn't parse image name")),
        "image name cannot be read",
    ),
    (
        "a missing ConfigMap",
        world(held("CreateContainerConfigError", 'configmap "cfg" not found')),
        "ConfigMap cfg does not exist",
    ),
    (
        "a missing key",
        world(
            held("CreateContainerConfigError", "couldn't find key A in ConfigMap shop/cfg"), Referred=_KEYS
        ),
        "ConfigMap cfg has no key A",
    ),
    (
        "an application error",
        world(ended(1), ContainerLog=log("2026-11-23T08:27:00Z Error: PORT is required\n")),
        "PORT is required",
    ),
    ("memory", world(ended(137, "OOMKilled")), "killed at its memory limit of 256 MiB"),
    ("a liveness kill", world(ended(137), Events=(_KILLING,)), "its liveness probe fails"),
    ("no command", world(ended(127)), "does not find its command"),
    ("a segmentation fault", world(ended(139)), "segmentation fault"),
    (
        "no room",
        world(pending(_ROOM)),
        "1 too little CPU left, 1 a taint it does not tolerate (dedicated=gpu)",
    ),
    (
        "no volume",
        world(
            pending("0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims."),
            PodSpecOf=spec(claims=("data",)),
            Claim=_PENDING_CLAIM,
        ),
        "data is Pending",
    ),
    (
        "no address",
        world(held("ContainerCreating", ""), Events=(event("FailedCreatePodSandBox", _IP, 9),)),
        "no IP address left",
    ),
    (
        "a wrong path",
        unready("Readiness probe failed: HTTP probe failed with statuscode: 404"),
        "no such path",
    ),
    (
        "a wrong port",
        unready("Readiness probe failed: dial tcp 10.0.0.1:8080: connect: connection refused"),
        "takes no connections",
    ),
    (
        "root",
        world(held("CreateContainerConfigError", "container has runAsNonRoot and image will run as root")),
        "must not run as root",
    ),
    (
        "a failing init container",
        world(pod(replace(container("migrate"), kind="init"), status="Init:CrashLoopBackOff")),
        "init container migrate",
    ),
)


@pytest.mark.parametrize(
    ("answers", "verdict"), [each[1:] for each in CANNED], ids=[each[0] for each in CANNED]
)
def test_every_canned_pod_has_one_verdict_and_a_next_step(answers: dict[str, Any], verdict: str) -> None:
    section = answered(answers)
    verdicts = [each for each in section.findings if each.label == "Verdict"]
    assert len(verdicts) == 1
    assert section.findings[0] is verdicts[0]
    assert verdict in verdicts[0].value
    assert verdicts[0].suggestions
    for step in verdicts[0].suggestions:
        CATALOG.parse(step.text)


def test_the_pod_that_is_worst_is_looked_at() -> None:
    rows = (
        row("web-5d9f8c7b6d-bbbbb", "Running", "1/1"),
        row("web-5d9f8c7b6d-ccccc", "ContainerCreating"),
        row(),
    )
    assert POD in answered(world(PodRows=rows)).findings[0].value


def test_pods_that_are_all_up_are_green() -> None:
    section = answered(world(PodRows=(row(status="Running", ready="1/1"),)))
    assert section.findings[0].light is Light.GREEN
    assert section.findings[0].value == "1 pod of web: all up"


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        (
            "exceeded quota: compute, requested: pods=1, used: pods=10, limited: pods=10",
            "quota compute is used up",
        ),
        (
            'violates PodSecurity "restricted:latest": runAsNonRoot != true',
            "Pod Security level (restricted:latest) forbids it",
        ),
        ('admission webhook "x.example.com" denied the request: no', "x.example.com denies it"),
    ],
)
def test_pods_that_were_refused_are_told_by_who_refused_them(said: str, verdict: str) -> None:
    refusal = replace(
        event("FailedCreate", f"Error creating: pods is forbidden: {said}", 5),
        kind="ReplicaSet",
        name="web-5d9f8c7b6d",
    )
    section = answered(world(PodRows=(), Events=(refusal,)))
    assert "no pod of web is made" in section.findings[0].value
    assert verdict in section.findings[0].value


def test_a_name_nobody_has_is_an_answer_with_the_nearest() -> None:
    section = answered(world(PodRows=(row("web-5d9f8c7b6d-bbbbb"),)), "wep")
    assert "there is no pod of wep in shop" in section.findings[0].value
    assert any(step.text == "debug startup shop/web" for step in section.findings[0].suggestions)


@pytest.mark.parametrize("read", ["PodRows", "PodDetails"])
def test_what_may_not_be_read_is_unknown_with_the_mend(read: str) -> None:
    section = answered(world(**{read: GAP}))
    assert section.light is Light.UNKNOWN
    assert any(each.mend == "grant it" for each in section.findings)


def test_a_variable_of_a_wrong_form_is_told_without_its_value() -> None:
    wrong = spec(ContainerSpec("app", "shop/web:1.5", env={"DATABASE_URL": " postgres://x"}))
    section = answered(world(PodSpecOf=wrong))
    said = [each for each in section.findings if each.key == "T3-2.2"]
    assert said[0].value == "DATABASE_URL begins or ends with a space"
    assert "postgres" not in str(section)

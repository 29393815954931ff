"""Logs and starts over the Kubernetes stand-in: the bounds that the API is asked to keep, and answers whole."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from commands.debug import COMMANDS as DEBUG
from commands.errors import Unreachable
from commands.logs import COMMANDS as LOGS
from commands.model import Args, Read, Section
from commands.podreads import ContainerLog, LogText
from commands.reads import Now, Query
from commands.site import ClusterSite
from commands.triagereads import ImageTags
from sandbox.kube import KubeStandIn, build
from sandbox.kube.behaviours import Behaviour, CrashLoop, ImagePullError, NeverReady, Unschedulable
from tests import build as records
from workers.cluster import Cluster
from workers.reader import Reader

SITE = ClusterSite()
NS = SITE.namespaces.app


class Elsewhere:
    """The time; and a Prometheus and a registry that are not there."""

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        return ((Now, Query, ImageTags),)

    def read(self, read: Read, deadline: float) -> Any:
        if isinstance(read, Now):
            return records.NOW
        raise Unreachable("nothing listens there")


class Shop:
    def __init__(self, kube: KubeStandIn, kubeconfig: Path) -> None:
        self.kube = kube
        self.cluster = Cluster(SITE, kubeconfig)
        kube.apply([build.node("node-1"), build.node("node-2")])

    def deploy(self, image: str = "shop:1.3", replicas: int = 3, ticks: int = 12) -> list[str]:
        self.kube.apply(build.deployment("web", NS, replicas=replicas, labels={"app": "web"}, image=image))
        self.kube.tick(ticks)
        return sorted(pod["metadata"]["name"] for pod in self.kube.list("pods", NS))

    def asked_of_logs(self) -> list[dict[str, str]]:
        return [each.query for each in self.kube.requests if each.path.endswith("/log")]

    def read(self, read: Read) -> Any:
        return self.cluster.read(read, time.monotonic() + 10)

    def answered(self, word: str, name: str = "web", **flags: str) -> Section:
        command = LOGS[0] if word == "logs" else next(each for each in DEBUG if word in each.verbs)
        (part,) = command.parts(Args(command.word, "", name, flags), SITE).values()
        reader = Reader((self.cluster, Elsewhere()))
        try:
            wanted = next(part.inquiry)
            while True:
                wanted = part.inquiry.send(reader.see(wanted, time.monotonic() + 30))
        except StopIteration as end:
            assert isinstance(end.value, Section)
            return end.value


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with KubeStandIn() as kube:
        made = Shop(kube, kube.kubeconfig(tmp_path / "config"))
        yield made
        made.cluster.close()


def test_lines_bytes_and_age_are_bounded_by_the_api(shop: Shop) -> None:
    name = shop.deploy(replicas=1)[0]
    shop.kube.log(NS, name, "\n".join(f"line {n}" for n in range(500)))
    (container,) = [each["name"] for each in shop.kube.get("pods", name, NS)["spec"]["containers"]]  # type: ignore[index]
    found = shop.read(ContainerLog(NS, name, container, limit=4000, lines=50, since=timedelta(minutes=15)))
    assert isinstance(found, LogText)
    assert [line.split(" ", 1)[1] for line in found.text.splitlines()] == [
        f"line {n}" for n in range(450, 500)
    ]
    (asked,) = shop.asked_of_logs()
    assert (asked["tailLines"], asked["limitBytes"], asked["sinceSeconds"]) == ("50", "4001", "900")


def test_a_log_without_an_age_is_asked_for_without_one(shop: Shop) -> None:
    name = shop.deploy(replicas=1)[0]
    container = shop.kube.get("pods", name, NS)["spec"]["containers"][0]["name"]  # type: ignore[index]
    shop.read(ContainerLog(NS, name, container))
    assert "sinceSeconds" not in shop.asked_of_logs()[0]


def test_the_logs_of_all_pods_are_one_answer(shop: Shop) -> None:
    names = shop.deploy()
    for n, name in enumerate(names):
        shop.kube.log(NS, name, f"2026-11-23T08:10:0{n}Z ERROR order {n} refused")
    section = shop.answered("logs", grep="errors")
    assert section.findings[0].value == "3 errors of 3 pods, 08:10:00 to 08:10:02 UTC"
    assert [line.split()[1] for line in section.table] == [name.rpartition("-")[2] for name in names]


def test_a_container_nobody_has_is_said_to_be_none(shop: Shop) -> None:
    name = shop.deploy(replicas=1)[0]
    section = shop.answered("logs", container="nope")
    assert [each.value for each in section.findings if each.label == "Container"] == [
        f"there is no container nope in {name}"
    ]


def test_a_run_before_that_never_was_is_no_fault(shop: Shop) -> None:
    shop.deploy(replicas=1)
    section = shop.answered("logs", previous="")
    assert any("never ended before" in each.value for each in section.findings)


@pytest.mark.parametrize(
    ("behaviour", "verdict"),
    [
        (CrashLoop(), "“fatal: cannot connect to database: connection refused”"),
        (CrashLoop(exit_code=137, reason="OOMKilled"), "ran out of memory; it has no memory limit"),
        (ImagePullError(), "the registry has no such tag (shop:1.4)"),
        (NeverReady(), "it says of itself that it is not well"),
        (Unschedulable(), "too little CPU left"),
    ],
    ids=lambda each: type(each).__name__ if not isinstance(each, str) else "",
)
def test_why_pods_do_not_start(shop: Shop, behaviour: Behaviour, verdict: str) -> None:
    shop.kube.behave(behaviour, image="shop:1.4")
    shop.deploy("shop:1.4", replicas=2, ticks=30)
    section = shop.answered("startup")
    assert section.findings[0].label == "Verdict"
    assert verdict in section.findings[0].value, [finding.value for finding in section.findings]
    assert section.cause is not None

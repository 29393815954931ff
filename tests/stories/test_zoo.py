"""Broken things on an API server, each with the alert that would fire: the probable cause has to be found, in words,
by the real clients, while neither Prometheus nor AWS answers; and nothing that was not read may look well.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import zoo_cluster
import zoo_pods
import zoo_workloads
from cage import ZONES, Cage
from road import World
from zoo import FAULTS, SITE, Fault, diagnosed, offered, subject, with_less

from commands.catalog import Catalog
from commands.finding import Light
from sandbox.controlplane import ControlPlane
from sandbox.kube import KubeStandIn, build
from workers.cluster import Cluster

CATALOG = Catalog.load()
assert zoo_pods and zoo_workloads and zoo_cluster  # whose faults are in FAULTS now


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[Cage]:
    with KubeStandIn() as kube:
        kube.apply([build.node(name, zone=zone) for name, zone in ZONES.items()])
        cluster = Cluster(SITE, kube.kubeconfig(tmp_path / "config"))
        yield Cage(World(kube), cluster, "zoo")
        cluster.close()


@pytest.fixture(scope="module")
def plane() -> Iterator[tuple[World, Cluster]]:
    with ControlPlane() as plane:
        for name, zone in ZONES.items():
            plane.add_node(name, zone=zone)
        cluster = Cluster(SITE, plane.kubeconfig)
        yield World(plane), cluster
        cluster.close()


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_its_cause_is_found_on_the_stand_in(fault: Fault, stand_in: Cage) -> None:
    holds(fault, stand_in)


@pytest.mark.cluster
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_its_cause_is_found_on_a_real_control_plane(fault: Fault, plane: tuple[World, Cluster]) -> None:
    holds(fault, Cage(*plane, f"zoo-{FAULTS.index(fault)}"))


def holds(fault: Fault, cage: Cage) -> None:
    labels = fault.break_it(cage)
    about = subject(fault, cage, labels)
    words = {"space": cage.space, **about.labels}
    found, answers = diagnosed(about, cage)
    assert found.cause is not None, found.findings
    assert [each for each in fault.says if each.format(**words) not in found.cause.text] == [], (
        found.cause.text
    )
    assert found.cause.confidence is fault.sure, found.cause
    assert offered(found, found.cause)[0] == fault.first.format(**words), found.cause.text
    assert len(CATALOG.offered((*found.cause.suggestions, *found.suggestions))) == len(
        offered(found, found.cause)
    )
    green = {each.label for each in found.findings if each.light is Light.GREEN}
    for hidden, less in with_less(about, answers):
        left = {each.label for each in less.findings if each.light is Light.GREEN}
        assert left <= green, f"{left - green} green without {hidden}"
        assert less.findings, hidden
    assert not left, "green in the dark"

"""What a fault is, what it may touch, and the few things that several of them do.

Faults are by subject in podfaults.py, servicefaults.py, nodefaults.py and pathfaults.py; faults.py lists them.
"""

from __future__ import annotations

import copy
import datetime
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sandbox.kube import KubeStandIn
from sandbox.shop import inventory
from sandbox.shop.inventory import BACKEND, Machine
from sandbox.shop.simulation import Simulation, is_ready

Json = dict[str, Any]


class Outside(Protocol):
    """What is not in the cluster: the machines' owner, and the way that alerts take."""

    def power(self, machine: Machine, is_on: bool) -> None:
        """EC2 stops or starts the instance."""

    def alert(self, alerts: Sequence[Json]) -> None:
        """Alerts as Alertmanager's API takes them."""

    def cut(self, is_cut: bool) -> None:
        """Nothing of Alertmanager arrives any more; raises LookupError where there is none."""


class Nothing:
    """A shop alone in the world, as tests have it."""

    def power(self, machine: Machine, is_on: bool) -> None:
        """There is no EC2."""

    def alert(self, alerts: Sequence[Json]) -> None:
        """Nobody listens."""

    def cut(self, is_cut: bool) -> None:
        """Nothing arrives anyway."""


class World(Protocol):
    """What a fault may touch."""

    kube: KubeStandIn
    simulation: Simulation
    outside: Outside

    def now(self) -> datetime.datetime: ...


class Fault(Protocol):
    """`title` is what the page shows on its lever; `expect` what a person will see of it."""

    title: str
    expect: str

    def begin(self, world: World) -> None: ...

    def go_on(self, world: World) -> None:
        """Once a second while it lasts."""

    def end(self, world: World) -> None: ...


def backend_pods(world: World) -> list[Json]:
    return [pod for pod in world.kube.list("pods", BACKEND.namespace) if inventory.of_pod(pod) is BACKEND]


def first_ready(world: World) -> str:
    """The name of the first backend pod that is ready, "" where none is."""
    names = sorted(str(pod["metadata"]["name"]) for pod in backend_pods(world) if is_ready(pod))
    return next(iter(names), "")


def image_of(owner: Json) -> str:
    """Of a pod, or of the template of what makes pods."""
    spec = owner["spec"].get("template", owner)["spec"]
    return str(spec["containers"][0]["image"])


def pods_on(world: World, node: str) -> list[Json]:
    return [pod for pod in world.kube.list("pods") if pod["spec"].get("nodeName") == node]


def change_status(
    world: World, kind: str, name: str, change: Callable[[Json], None], namespace: str = ""
) -> None:
    """Nothing when the object is gone: a fault must not bring back what somebody deleted."""
    with world.kube.store.lock:
        found = world.kube.get(kind, name, namespace)
        if found is None:
            return
        status = copy.deepcopy(found["status"])
        change(status)
        world.kube.apply({**found, "status": status})

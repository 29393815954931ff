"""What a fault is, what it may touch, and the few things that several of them do.

Faults are by subject in podfaults.py, rolloutfaults.py, servicefaults.py, nodefaults.py, pathfaults.py and
housefaults.py; faults.py lists them.
"""

from __future__ import annotations

import copy
import datetime
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, get_args

from sandbox.kube import KubeStandIn
from sandbox.shop import inventory
from sandbox.shop.inventory import BACKEND, Machine
from sandbox.shop.simulation import Simulation, is_ready

Json = dict[str, Any]

Group = Literal["pods", "nodes", "services", "monitoring", "house"]
GROUPS: tuple[str, ...] = get_args(Group)

# What a fault cannot do without: the simulated cluster, what scrapes it, the way of its alerts, and parts of the
# house that are the sandbox's own.
Part = Literal["shop", "prometheus", "alertmanager", "slack", "redis"]


class Outside(Protocol):
    """What is not in the cluster: the machines' owner, the way that alerts take, and the house itself."""

    def lacks(self, part: Part) -> str:
        """Why a fault of this part cannot be had here; "" where it can."""

    def power(self, machine: Machine, is_on: bool) -> None:
        """EC2 stops or starts the instance."""

    def alert(self, alerts: Sequence[Json]) -> None:
        """Alerts as Alertmanager's API takes them."""

    def cut(self, is_cut: bool) -> None:
        """Nothing of Alertmanager arrives any more; raises LookupError where there is none."""

    def measure(self, is_on: bool) -> None:
        """Prometheus stops, or starts again with what it knew."""

    def trouble(self, kind: Trouble, is_on: bool) -> None:
        """Slack turns every call away, or does not answer at all."""

    def restart_redis(self) -> None:
        """At once, and it knows what it knew."""

    def kill_worker(self) -> None:
        """As the kernel does when memory is short; another process of the same kind follows."""


Trouble = Literal["ratelimited", "down"]


class Nothing:
    """A shop alone in the world, as tests have it."""

    def lacks(self, part: Part) -> str:
        """It has what it needs."""
        return ""

    def power(self, machine: Machine, is_on: bool) -> None:
        """There is no EC2."""

    def alert(self, alerts: Sequence[Json]) -> None:
        """Nobody listens."""

    def cut(self, is_cut: bool) -> None:
        """Nothing arrives anyway."""

    def measure(self, is_on: bool) -> None:
        """Nobody measures."""

    def trouble(self, kind: Trouble, is_on: bool) -> None:
        """There is no Slack."""

    def restart_redis(self) -> None:
        """There is none."""

    def kill_worker(self) -> None:
        """There is none."""


class World(Protocol):
    """What a fault may touch."""

    outside: Outside

    @property
    def kube(self) -> KubeStandIn: ...

    @property
    def simulation(self) -> Simulation: ...

    def now(self) -> datetime.datetime: ...


class Fault(Protocol):
    """`title` is what the page shows on its lever; `expect` what a person will see of it. `needs` is what it breaks;
    what happens `once` is over by itself, and cannot be mended."""

    title: str
    expect: str
    group: Group
    needs: tuple[Part, ...]
    once: bool

    def begin(self, world: World) -> None: ...

    def go_on(self, world: World) -> None:
        """Once a second while it lasts."""

    def end(self, world: World) -> None: ...


class InShop:
    """What most faults share: they are about the simulated cluster, and last."""

    needs: tuple[Part, ...] = ("shop",)
    once = False

    def go_on(self, world: World) -> None:
        """It lasts by itself."""


def backend_pods(world: World) -> list[Json]:
    return [pod for pod in world.kube.list("pods", BACKEND.namespace) if inventory.of_pod(pod) is BACKEND]


def first_ready(world: World) -> str:
    """The name of the first backend pod that is ready, "" where none is."""
    names = sorted(str(pod["metadata"]["name"]) for pod in backend_pods(world) if is_ready(pod))
    return next(iter(names), "")


def newest(world: World) -> str:
    """The backend pod that was made last: who came in the place of one that is gone; "" where there is none."""
    pods = [pod["metadata"] for pod in backend_pods(world) if "deletionTimestamp" not in pod["metadata"]]
    made = max((str(each["creationTimestamp"]) for each in pods), default="")
    return min((str(each["name"]) for each in pods if each["creationTimestamp"] == made), default="")


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

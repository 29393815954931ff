"""What goes wrong with a rollout of the backend: its image is not there, or a setting that it asks for is not.

Each was rolled out twelve minutes ago: after ten the controller says that it is stuck. Its first pod cannot start,
the old ones go on. A rollback by somebody mends it, and is not fought.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

from sandbox import kube
from sandbox.shop.fault import Group, InShop, World, backend_pods, change_status
from sandbox.shop.inventory import AGE, BACKEND, stamp

Json = dict[str, Any]

CAUSE = "kubernetes.io/change-cause"
AGO = datetime.timedelta(minutes=12)


class _Rollout(InShop):
    """`is_bad` knows its container, `spoil` makes one of a good one, `repair` a good one of that."""

    group: Group = "pods"
    reason: str

    def __init__(self) -> None:
        self._cause = ""
        self._aged: set[str] = set()

    def is_bad(self, container: Json) -> bool:
        raise NotImplementedError

    def spoil(self, container: Json) -> Json:
        raise NotImplementedError

    def repair(self, container: Json) -> Json:
        raise NotImplementedError

    def begin(self, world: World) -> None:
        found = world.kube.get("deployments.apps", BACKEND.name, BACKEND.namespace)
        if found is not None:
            self._cause = (found["metadata"].get("annotations") or {}).get(CAUSE, "")
            _roll_out(world, found, self.spoil, self.reason)
            world.kube.tick()  # which makes its first pod
            self.go_on(world)

    def go_on(self, world: World) -> None:
        for kind in ("replicasets.apps", "pods"):
            for found in world.kube.list(kind, BACKEND.namespace):
                name = found["metadata"]["name"]
                if name not in self._aged and self.is_bad(_container(found)):
                    self._aged.add(name)
                    _date(world, kind, name, world.now() - AGO)
        top = world.kube.get("deployments.apps", BACKEND.name, BACKEND.namespace)
        if top is not None and self.is_bad(_container(top)):
            place = BACKEND.name, _as_old(world.now()), BACKEND.namespace
            change_status(world, "deployments.apps", *place)

    def end(self, world: World) -> None:
        """What was before, unless somebody has seen to it; what the lever undid was long ago."""
        for each in world.kube.list("replicasets.apps", BACKEND.namespace):
            if self.is_bad(_container(each)):
                _date(
                    world,
                    "replicasets.apps",
                    each["metadata"]["name"],
                    world.now() - datetime.timedelta(days=1),
                )
        found = world.kube.get("deployments.apps", BACKEND.name, BACKEND.namespace)
        if found is not None and self.is_bad(_container(found)):
            _roll_out(world, found, self.repair, self._cause)


class BadRollout(_Rollout):
    """Somebody rolled out an image that nobody pushed."""

    title = "A rollout of an image that is not there"
    expect = (
        "KubeDeploymentRolloutStuck and KubePodNotReady fire, with a button that rolls back; `deploy history backend`"
        " says what changed"
    )
    IMAGE = "stefanprodan/podinfo:6.5.1-rc1"
    reason = "shop 2.5: podinfo 6.5.1-rc1"
    MESSAGE = f'failed to resolve reference "docker.io/{IMAGE}": docker.io/{IMAGE}: not found'

    def begin(self, world: World) -> None:
        world.kube.behave(kube.ImagePullError(self.MESSAGE), image=self.IMAGE)
        super().begin(world)

    def is_bad(self, container: Json) -> bool:
        return bool(container["image"] == self.IMAGE)

    def spoil(self, container: Json) -> Json:
        self._image = container["image"]
        return container | {"image": self.IMAGE}

    def repair(self, container: Json) -> Json:
        return container | {"image": self._image}


class BadConfig(_Rollout):
    """Somebody rolled out a template that asks for a key which nobody put into its ConfigMap."""

    title = "A backend pod with a bad configuration"
    expect = "KubeContainerWaiting fires: ConfigMap backend has no key cache-server; `deploy history backend` says who"
    SETTINGS, KEY = "backend", "cache-server"
    VARIABLE = "PODINFO_CACHE_SERVER"
    reason = "shop 2.5: a cache for the backend"
    MESSAGE = f"couldn't find key {KEY} in ConfigMap {BACKEND.namespace}/{SETTINGS}"

    def begin(self, world: World) -> None:
        born = stamp(world.now() - AGE)
        metadata = {"name": self.SETTINGS, "namespace": BACKEND.namespace, "creationTimestamp": born}
        data = {"log-level": "info"}
        world.kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
        super().begin(world)

    def go_on(self, world: World) -> None:
        for pod in backend_pods(world):
            name = pod["metadata"]["name"]
            if name not in self._aged and self.is_bad(_container(pod)):
                world.kube.behave(kube.ConfigError(self.MESSAGE), namespace=BACKEND.namespace, name=name)
        super().go_on(world)

    def is_bad(self, container: Json) -> bool:
        return any(each["name"] == self.VARIABLE for each in container.get("env") or ())

    def spoil(self, container: Json) -> Json:
        asked = {"configMapKeyRef": {"name": self.SETTINGS, "key": self.KEY}}
        variable = {"name": self.VARIABLE, "valueFrom": asked}
        return container | {"env": [*(container.get("env") or ()), variable]}

    def repair(self, container: Json) -> Json:
        return container | {"env": [each for each in container["env"] if each["name"] != self.VARIABLE]}


def _container(owner: Json) -> Json:
    """Of a pod, or of the template of what makes pods."""
    found: Json = owner["spec"].get("template", owner)["spec"]["containers"][0]
    return found


def _date(world: World, kind: str, name: str, moment: datetime.datetime) -> None:
    made = {"metadata": {"creationTimestamp": stamp(moment)}}
    world.kube.patch(kind, name, made, BACKEND.namespace)


def _as_old(now: datetime.datetime) -> Callable[[Json], None]:
    """The controller counts its deadline from when it last saw something move."""

    def change(status: Json) -> None:
        for condition in status.get("conditions") or ():
            if condition["type"] == "Progressing" and condition["reason"] == "ReplicaSetUpdated":
                condition["lastUpdateTime"] = stamp(now - AGO)

    return change


def _roll_out(world: World, deployment: Json, change: Callable[[Json], Json], cause: str) -> None:
    template = {"metadata": {"annotations": {CAUSE: cause}}}
    spec = {"template": {"spec": {"containers": [change(_container(deployment))]}}}
    world.kube.patch("deployments.apps", BACKEND.name, template | {"spec": spec}, BACKEND.namespace)

"""What goes wrong with single pods of the backend: they crash, they outgrow their memory, they cannot be pulled."""

from __future__ import annotations

import datetime
from typing import Any

from sandbox import kube
from sandbox.shop.fault import World, backend_pods, change_status, first_ready, image_of
from sandbox.shop.inventory import BACKEND, stamp

Json = dict[str, Any]

CAUSE = "kubernetes.io/change-cause"


class CrashLoop:
    """The first backend pod ends soon after each start. Its replacement, if it is deleted, does so too."""

    title = "Crash loop of a backend pod"
    expect = "KubePodCrashLooping fires; `health cluster` names the pod; one endpoint fewer"
    LOG = '{"level":"info","msg":"Starting podinfo"}\n{"level":"fatal","msg":"redis: connection refused"}'

    def __init__(self) -> None:
        self._pod = ""

    def begin(self, world: World) -> None:
        self._pod = first_ready(world)
        if self._pod:
            world.kube.behave(kube.CrashLoop(log=self.LOG), namespace=BACKEND.namespace, name=self._pod)

    def go_on(self, world: World) -> None:
        if world.kube.get("pods", self._pod, BACKEND.namespace) is None:
            self.begin(world)

    def end(self, world: World) -> None:
        world.kube.behave(kube.Healthy(), namespace=BACKEND.namespace, name=self._pod)


class OutOfMemory:
    """A backend pod takes a quarter of its limit more every second, and is killed at the limit; so is its next life."""

    title = "A backend pod outgrows its memory limit"
    expect = "KubePodCrashLooping fires: killed at its limit of 256 MiB, with what it used; `deploy limits` offers one"
    LIMIT_MIB = 256
    SECONDS = 4  # Prometheus looks every other second, and has to see it grow
    LOG = '{"level":"info","msg":"Starting podinfo"}\n{"level":"info","msg":"warming the cache: 180,000 products"}'

    def __init__(self) -> None:
        self._pod = ""
        self._age = 0
        self._is_killed = False

    def begin(self, world: World) -> None:
        self._pod, self._age, self._is_killed = first_ready(world), 0, False

    def go_on(self, world: World) -> None:
        if self._pod and world.kube.get("pods", self._pod, BACKEND.namespace) is None:
            self._forget(world)
            self.begin(world)
        self._age += 1
        grown = BACKEND.memory + (self.LIMIT_MIB - BACKEND.memory) * min(self._age / self.SECONDS, 0.996)
        world.simulation.conditions.memory_mib[self._pod] = grown
        if self._age > self.SECONDS + 2 and not self._is_killed:
            self._is_killed = True
            killed = kube.CrashLoop(exit_code=137, reason="OOMKilled", log=self.LOG)
            world.kube.behave(killed, namespace=BACKEND.namespace, name=self._pod)

    def end(self, world: World) -> None:
        self._forget(world)
        world.kube.behave(kube.Healthy(), namespace=BACKEND.namespace, name=self._pod)

    def _forget(self, world: World) -> None:
        world.simulation.conditions.memory_mib.pop(self._pod, None)


class BadRollout:
    """Somebody rolled out an image that nobody pushed: its first pod cannot start, the old ones go on.

    It was twelve minutes ago: after ten the controller says that it is stuck.
    """

    title = "A rollout of an image that is not there"
    expect = (
        "KubeDeploymentRolloutStuck and KubePodNotReady fire, with a button that rolls back; `deploy history backend`"
        " says what changed"
    )
    AGO = datetime.timedelta(minutes=12)
    IMAGE = "stefanprodan/podinfo:6.5.1-rc1"
    REASON = "shop 2.5: podinfo 6.5.1-rc1"
    MESSAGE = f'failed to resolve reference "docker.io/{IMAGE}": docker.io/{IMAGE}: not found'

    def __init__(self) -> None:
        self._image, self._cause = "", ""
        self._aged: set[str] = set()

    def begin(self, world: World) -> None:
        world.kube.behave(kube.ImagePullError(self.MESSAGE), image=self.IMAGE)
        found = world.kube.get("deployments.apps", BACKEND.name, BACKEND.namespace)
        if found is not None:
            self._image = image_of(found)
            self._cause = (found["metadata"].get("annotations") or {}).get(CAUSE, "")
            self._roll_out(world, found, self.IMAGE, self.REASON)
            world.kube.tick()  # which makes its first pod
            self.go_on(world)

    def go_on(self, world: World) -> None:
        """A rollback mends it, and is not fought."""
        for kind in ("replicasets.apps", "pods"):
            for found in world.kube.list(kind, BACKEND.namespace):
                name = found["metadata"]["name"]
                if name not in self._aged and image_of(found) == self.IMAGE:
                    self._aged.add(name)
                    made = {"creationTimestamp": stamp(world.now() - self.AGO)}
                    world.kube.patch(kind, name, {"metadata": made}, BACKEND.namespace)
        top = world.kube.get("deployments.apps", BACKEND.name, BACKEND.namespace)
        if top is not None and image_of(top) == self.IMAGE:
            change_status(
                world, "deployments.apps", BACKEND.name, self._as_old(world.now()), BACKEND.namespace
            )

    def end(self, world: World) -> None:
        """The image from before, unless somebody has seen to it; what the lever undid was long ago."""
        for each in world.kube.list("replicasets.apps", BACKEND.namespace):
            if image_of(each) == self.IMAGE:
                made = {"creationTimestamp": stamp(world.now() - datetime.timedelta(days=1))}
                world.kube.patch(
                    "replicasets.apps", each["metadata"]["name"], {"metadata": made}, BACKEND.namespace
                )
        found = world.kube.get("deployments.apps", BACKEND.name, BACKEND.namespace)
        if found is not None and image_of(found) == self.IMAGE:
            self._roll_out(world, found, self._image, self._cause)

    def _as_old(self, now: datetime.datetime) -> Any:
        """The controller counts its deadline from when it last saw something move."""

        def change(status: Json) -> None:
            for condition in status.get("conditions") or ():
                if condition["type"] == "Progressing" and condition["reason"] == "ReplicaSetUpdated":
                    condition["lastUpdateTime"] = stamp(now - self.AGO)

        return change

    def _roll_out(self, world: World, deployment: Json, image: str, cause: str) -> None:
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        change = {
            "metadata": {"annotations": {CAUSE: cause}},
            "spec": {"template": {"spec": {"containers": [container | {"image": image}]}}},
        }
        world.kube.patch("deployments.apps", BACKEND.name, change, BACKEND.namespace)


class NoMetrics:
    """The metrics page of a backend pod is gone; the pod itself serves on."""

    title = "A backend pod without its metrics page"
    expect = "TargetDown fires: one of three targets, and what it answers; the pods are well"

    def __init__(self) -> None:
        self._pod = ""

    def begin(self, world: World) -> None:
        self._pod = first_ready(world)
        world.simulation.conditions.mute_pods.add(self._pod)

    def go_on(self, world: World) -> None:
        """Another one, once this one was deleted."""
        if self._pod not in {pod["metadata"]["name"] for pod in backend_pods(world)}:
            self.end(world)
            self.begin(world)

    def end(self, world: World) -> None:
        world.simulation.conditions.mute_pods.discard(self._pod)

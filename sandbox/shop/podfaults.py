"""What goes wrong with single pods of the backend: they crash, they outgrow their memory, they cannot be pulled."""

from __future__ import annotations

from sandbox import kube
from sandbox.shop.fault import Group, InShop, World, backend_pods, first_ready, newest
from sandbox.shop.inventory import BACKEND


class CrashLoop(InShop):
    """The first backend pod ends soon after each start. Its replacement, if it is deleted, does so too."""

    group: Group = "pods"
    title = "Crash loop of a backend pod"
    expect = "KubePodCrashLooping fires; `health cluster` names the pod; one endpoint fewer"
    LOG = '{"level":"info","msg":"Starting podinfo"}\n{"level":"fatal","msg":"redis: connection refused"}'

    def __init__(self) -> None:
        self._pod = ""

    def begin(self, world: World) -> None:
        self._crash(world, first_ready(world))

    def go_on(self, world: World) -> None:
        if world.kube.get("pods", self._pod, BACKEND.namespace) is None:
            self._crash(world, newest(world))

    def _crash(self, world: World, pod: str) -> None:
        self._pod = pod
        if pod:
            world.kube.behave(kube.CrashLoop(log=self.LOG), namespace=BACKEND.namespace, name=pod)

    def end(self, world: World) -> None:
        world.kube.behave(kube.Healthy(), namespace=BACKEND.namespace, name=self._pod)


class OutOfMemory(InShop):
    """A backend pod takes a quarter of its limit more every second, and is killed at the limit; so is its next life."""

    group: Group = "pods"
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
            self._pod, self._age, self._is_killed = newest(world), 0, False
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


class ImagePull(InShop):
    """A backend pod was replaced, and the registry does not give its image away any more."""

    group: Group = "pods"
    title = "A backend pod whose image cannot be pulled"
    expect = "KubeContainerWaiting and KubePodNotReady fire: the registry wants a login; two pods serve on"
    MESSAGE = (
        f'failed to resolve reference "docker.io/{BACKEND.image}": pull access denied, repository does not exist or'
        " may require authorization: server message: insufficient_scope: authorization failed"
    )

    def begin(self, world: World) -> None:
        """Whoever is new among the backend's pods cannot be started, until it is mended."""
        self._known = {pod["metadata"]["name"] for pod in backend_pods(world)}
        gone = first_ready(world)
        if gone:
            world.kube.delete("pods", gone, BACKEND.namespace, grace=0)
            world.kube.tick()  # which makes the one in its place
        self.go_on(world)

    def go_on(self, world: World) -> None:
        for pod in backend_pods(world):
            name = pod["metadata"]["name"]
            if name not in self._known:
                self._known.add(name)
                world.kube.behave(
                    kube.ImagePullError(self.MESSAGE),
                    namespace=BACKEND.namespace,
                    name=name,
                    image=BACKEND.image,
                )

    def end(self, world: World) -> None:
        for name in self._known:
            world.kube.behave(kube.Healthy(), namespace=BACKEND.namespace, name=name, image=BACKEND.image)


class NoMetrics(InShop):
    """The metrics page of a backend pod is gone; the pod itself serves on."""

    group: Group = "monitoring"
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
            self._pod = newest(world)
            world.simulation.conditions.mute_pods.add(self._pod)

    def end(self, world: World) -> None:
        world.simulation.conditions.mute_pods.discard(self._pod)

"""A cage of the zoo: one namespace of an API server, in which things are broken as they break in the field.

Kubelets, drivers and registries speak as they do, in pod status and events. What controllers, the scheduler and
admission say is their own where they run; for the stand-in, which has not all of them, it is written down.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from road import MERGE, World

from sandbox.controlplane import ControlPlane
from sandbox.house import wait_until
from sandbox.kube import KubeStandIn, Unschedulable, build
from workers.cluster import Cluster

Json = dict[str, Any]
Labels = Mapping[str, str]

IMAGE = "registry.example.com/shop/web:1.4"
ZONES = {"zoo-a": "eu-central-1a", "zoo-b": "eu-central-1b"}
_ROOTS = {
    "/api/v1": ("Pod", "Service", "ConfigMap", "ResourceQuota", "PersistentVolumeClaim", "Event"),
    "/apis/apps/v1": ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"),
    "/apis/batch/v1": ("Job", "CronJob"),
    "/apis/policy/v1": ("PodDisruptionBudget",),
    "/apis/autoscaling/v2": ("HorizontalPodAutoscaler",),
}
_OF_CLUSTER = {
    "Namespace": "/api/v1/namespaces",
    "Node": "/api/v1/nodes",
    "PersistentVolume": "/api/v1/persistentvolumes",
    "StorageClass": "/apis/storage.k8s.io/v1/storageclasses",
    "APIService": "/apis/apiregistration.k8s.io/v1/apiservices",
    "ValidatingWebhookConfiguration": "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    "Lease": "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases",
}


# --- What a kubelet says of a container --------------------------------------------------------------------


@dataclass(frozen=True)
class Box:
    """A container as its kubelet tells of it."""

    state: Json
    last: Json = field(default_factory=dict)
    restarts: int = 0
    ready: bool = False

    def over(self) -> "Box":
        """Its end is for good."""
        return Box(self.last)

    def told(self, spec: Json) -> Json:
        return {
            "name": spec["name"], "image": spec["image"], "imageID": "", "ready": self.ready,
            "started": self.ready or "running" in self.state, "restartCount": self.restarts,
            "state": self.state, "lastState": self.last,
        }  # fmt: skip


def at(minutes: float) -> str:
    """So many minutes ago, as the API writes it."""
    return f"{datetime.now(UTC) - timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


def ended(code: int, reason: str = "Error", message: str = "", lived: float = 0.5) -> Json:
    told = {"exitCode": code, "reason": reason, "startedAt": at(2 + lived), "finishedAt": at(2)}
    return {"terminated": {**told, "message": message} if message else told}


def waits(reason: str, message: str = "", **more: Any) -> Box:
    return Box({"waiting": {"reason": reason, "message": message}}, **more)


def runs(ready: bool = True, **more: Any) -> Box:
    return Box({"running": {"startedAt": at(4)}}, ready=ready, **more)


def crashed(code: int, reason: str = "Error", message: str = "", name: str = "app") -> Box:
    said = f"back-off 2m40s restarting failed container={name} pod=web_zoo(0b3f)"
    return waits("CrashLoopBackOff", said, last=ended(code, reason, message), restarts=6)


# --- The cage -------------------------------------------------------------------------------------------


class Cage:
    """One namespace; several on a real control plane, one on each stand-in. is_real: controllers act of their own."""

    def __init__(self, world: World, cluster: Cluster, space: str) -> None:
        self.world, self.space, self.cluster = world, space, cluster
        self.is_real = isinstance(world.server, ControlPlane)
        self._events = 0
        self.of_cluster({"kind": "Namespace", "metadata": {"name": space}})
        self.make({"kind": "ServiceAccount", "metadata": {"name": "default"}}, "/api/v1", "serviceaccounts")

    # Objects.

    def path(self, kind: str, name: str = "", sub: str = "") -> str:
        root = next((root for root, kinds in _ROOTS.items() if kind in kinds), "")
        base = f"{root}/namespaces/{self.space}/{kind.lower()}s" if root else _OF_CLUSTER[kind]
        return "/".join(filter(None, (base, name, sub)))

    def make(self, body: Json, root: str = "", plural: str = "") -> Json:
        """With its status, where it has one."""
        body["metadata"]["namespace"] = self.space
        path = f"{root}/namespaces/{self.space}/{plural}" if root else self.path(body["kind"])
        return self._posted(path, body)

    def of_cluster(self, body: Json) -> Json:
        return self._posted(self.path(body["kind"]), body)

    def _posted(self, path: str, body: Json) -> Json:
        status, made = self.world.call("POST", path, body)
        assert status in (201, 409), made
        if status == 201 and "status" in body:
            self._patched(f"{path}/{body['metadata']['name']}/status", {"status": body["status"]})
        return made

    def get(self, kind: str, name: str) -> Json:
        status, found = self.world.call("GET", self.path(kind, name))
        assert status == 200, found
        return found

    def every(self, kind: str) -> list[Json]:
        found = self.world.call("GET", self.path(kind))[1]
        return [{"kind": kind, "apiVersion": found["apiVersion"], **item} for item in found["items"]]

    def change(self, kind: str, name: str, patch: Json, sub: str = "") -> Json:
        return self._patched(self.path(kind, name, sub), patch)

    def tell(self, kind: str, name: str, status: Json) -> Json:
        return self.change(kind, name, {"status": status}, "status")

    def _patched(self, path: str, patch: Json) -> Json:
        status, found = self.world.call("PATCH", path, patch, MERGE)
        assert status == 200, found
        return found

    def until(self, look: Callable[[], Any], what: str) -> Any:
        """What it finds once that is true; the stand-in's controllers take a turn before each look."""

        def looked() -> Any:
            if isinstance(self.world.server, KubeStandIn):
                self.world.server.tick()
            return look()

        return wait_until(looked, f"{what} in {self.space}")

    def until_told(self, kind: str, name: str, condition: str, reason: str) -> None:
        """A controller has written this condition; for the stand-in the fault did."""

        def told() -> bool:
            listed = self.get(kind, name).get("status", {}).get("conditions") or ()
            return any((each["type"], each.get("reason")) == (condition, reason) for each in listed)

        if self.is_real:
            self.until(told, f"{kind} {name} is {condition} for {reason}")

    def until_said(self, kind: str, reason: str) -> None:
        """A controller has said this of an object of this kind; for the stand-in the fault did."""

        def said() -> bool:
            return any(
                (each["reason"], each["involvedObject"]["kind"]) == (reason, kind)
                for each in self.every("Event")
            )

        if self.is_real:
            self.until(said, f"{reason} of a {kind}")

    def node(self, body: Json) -> None:
        """One more, as it is given: the real API server taints what is new, and its kubelet would see to that."""
        self.of_cluster(body)
        taints = body["spec"].get("taints")
        self.change("Node", body["metadata"]["name"], {"spec": {"taints": taints}})

    # What the stand-in has no controller for.

    def scheduler_says(self, reasons: str) -> None:
        """The stand-in's knows no volumes."""
        if isinstance(self.world.server, KubeStandIn):
            self.world.server.behave(Unschedulable(reasons), namespace=self.space)

    def stand_in_claim(self, name: str, phase: str) -> None:
        if not self.is_real:
            self.tell("PersistentVolumeClaim", name, {"phase": phase})

    # Workloads and their pods.

    def deployed(self, count: int = 1, kind: str = "Deployment", **given: Any) -> list[Json]:
        """The pods of `web`, each on a node, before their kubelet looked at them."""
        makers = {
            "Deployment": build.deployment,
            "StatefulSet": build.statefulset,
            "DaemonSet": build.daemonset,
        }
        given.setdefault("containers", [build.container(image=IMAGE)])
        sized: Json = {} if kind == "DaemonSet" else {"replicas": count}
        self.make(makers[kind]("web", **sized, **given))
        return self.pods(count)

    def web(self, template: Json | None = None, **container: Any) -> Json:
        """A pod of `web` with one container."""
        container.setdefault("image", IMAGE)
        return self.deployed(containers=[build.container(**container)], template=template or {})[0]

    def pods(self, count: int) -> list[Json]:
        def bound() -> list[Json]:
            found = [pod for pod in self.every("Pod") if pod["spec"].get("nodeName")]
            return found if len(found) >= count else []

        found: list[Json] = self.until(bound, f"{count} pods have nodes")
        return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))

    def unscheduled(self, **given: Any) -> Labels:
        """A pod of `web` that the scheduler found no node for; the alert's labels."""
        self.make(build.deployment("web", **given))

        def refused() -> Json | None:
            for pod in self.every("Pod"):
                for each in pod.get("status", {}).get("conditions") or ():
                    if (each["type"], each.get("reason")) == ("PodScheduled", "Unschedulable"):
                        return pod
            return None

        return self.labels(self.until(refused, "a pod is unschedulable"))

    def kubelet(self, pod: Json, phase: str = "Running", **boxes: Box) -> Labels:
        """It tells so of the pod's containers (those that are not named wait for them, or run); the alert's labels."""
        spec = pod["spec"]
        inits = spec.get("initContainers") or []
        waiting = any(each["name"] in boxes for each in inits if "restartPolicy" not in each)
        rest = waits("PodInitializing") if waiting else runs()
        told = {each["name"]: boxes.get(each["name"], rest) for each in (*inits, *spec["containers"])}
        ready = all(told[each["name"]].ready for each in spec["containers"])
        words = {"Initialized": not waiting, "Ready": ready, "ContainersReady": ready, "PodScheduled": True}
        self.tell("Pod", pod["metadata"]["name"], {
            "phase": phase, "startTime": at(6), "hostIP": "10.20.1.1",
            "conditions": [
                {"type": kind, "status": str(true), "lastTransitionTime": at(5)} for kind, true in words.items()
            ],
            "initContainerStatuses": [told[each["name"]].told(each) for each in inits],
            "containerStatuses": [told[each["name"]].told(each) for each in spec["containers"]],
        })  # fmt: skip
        worst = next((name for name, box in boxes.items() if not box.ready), "")
        return self.labels(pod, container=worst) if worst else self.labels(pod)

    def labels(self, pod: Json, **more: str) -> Labels:
        return {"pod": pod["metadata"]["name"], "uid": pod["metadata"]["uid"], **more}

    def event(self, about: Json, reason: str, message: str, count: int = 1, type: str = "Warning") -> None:
        """As kubelets, drivers and (on the stand-in) controllers write them."""
        self._events += 1
        body = build.event(
            f"said-{self._events}", about=about, reason=reason, message=message, type=type, count=count,
            first=at(6), last=at(1 - self._events / 100),
        )  # fmt: skip
        self.make(body)

    # Admission, of the real API server.

    def is_refused(self) -> bool:
        """Whether it makes no pod here (it is only rehearsed)."""
        status, _ = self.world.call("POST", f"{self.path('Pod')}?dryRun=All", build.pod("probe", self.space))
        return status >= 400

    def unpulled(self, image: str, said: str, template: Json | None = None) -> Labels:
        """A pod whose image is not pulled, with the registry's or runtime's words."""
        pod = self.web(template, image=image)
        self.event(pod, "Failed", f'Failed to pull image "{image}": {said}', 3)
        self.event(pod, "Failed", "Error: ErrImagePull", 3)
        word = f'Back-off pulling image "{image}": ErrImagePull: {said}'
        return self.kubelet(pod, "Pending", app=waits("ImagePullBackOff", word))

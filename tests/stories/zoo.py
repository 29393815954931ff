"""Where broken things are kept: what a fault is, and the cage (a namespace of one API server) it is built in.

A fault is a function that breaks something in its cage and returns the labels of the alert that would fire, with
the cause that has to be found. Kubelets, drivers and registries speak as they do, in pod status and events; what
controllers and the scheduler say is theirs where they run, and written down for the stand-in where it has none.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from road import MERGE, World

from commands.errors import Unreachable
from commands.model import Cause, Confidence, Gap, Read, Reads, Seen
from commands.reads import Now
from commands.site import ClusterSite, Monitoring, Prometheus
from commands.triage.rule import Diagnosis, Subject
from commands.triage.table import rule_for
from sandbox.controlplane import ControlPlane
from sandbox.house import wait_until
from sandbox.kube import KubeStandIn, Unschedulable, build
from workers.aws import Aws
from workers.cluster import Cluster
from workers.reader import Reader
from workers.signals import Signals
from workers.walk import walk

Json = dict[str, Any]
Labels = Mapping[str, str]

SITE = ClusterSite(name="zoo", eks=False, monitoring=replace(Monitoring(), prometheus=Prometheus(url="")))
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


# --- Faults ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    """says: pieces of the cause's sentence, each in it; first: the first thing offered. {space}, and every label of
    the alert, may stand in them."""

    alert: str
    break_it: "Callable[[Cage], Labels]"
    says: tuple[str, ...]
    sure: Confidence
    first: str

    def __str__(self) -> str:
        return self.break_it.__name__.replace("_", " ")


FAULTS: list[Fault] = []
_Building = Callable[["Cage"], Labels]


def fault(
    alert: str, *says: str, first: str, sure: Confidence = Confidence.CERTAIN
) -> Callable[[_Building], _Building]:
    def declared(build_it: _Building) -> _Building:
        FAULTS.append(Fault(alert, build_it, says, sure, first))
        return build_it

    return declared


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
        sized = {} if kind == "DaemonSet" else {"replicas": count}
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


# --- Asking ---------------------------------------------------------------------------------------------


class _NoAws:
    """The zoo is not on AWS: what AWS is asked stays unknown."""

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        return Aws(SITE).lanes()

    def read(self, read: Read, deadline: float) -> Any:
        raise Unreachable("AWS does not answer here")


class _Clock:
    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        return ((Now,),)

    def read(self, read: Read, deadline: float) -> Any:
        return datetime.now(UTC)


class Asked:
    """A reader that remembers what was answered, to ask again with less."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.answers: dict[Read, Any] = {}

    def see(self, reads: Reads, deadline: float) -> Seen:
        seen = self._reader.see(reads, deadline)
        self.answers.update(seen)
        return seen


class Without:
    """The same answers, but of some reads nothing is told."""

    HIDDEN = Gap("forbidden: may not read it", "Let the bot read it.")

    def __init__(self, answers: Mapping[Read, Any], hidden: Callable[[Read], bool]) -> None:
        self._answers, self._hidden = answers, hidden

    def see(self, reads: Reads, deadline: float) -> Seen:
        return Seen({
            read: self.HIDDEN if self._hidden(read) else self._answers.get(read, self.HIDDEN) for read in reads
        })  # fmt: skip


def subject(alert: str, cage: Cage, labels: Labels) -> Subject:
    """As kube-prometheus fires it; since five minutes."""
    usual = {
        "alertname": alert,
        "severity": "warning",
        "namespace": cage.space,
        "prometheus": "monitoring/k8s",
    }
    scraped = {"job": "kube-state-metrics", "instance": "10.20.9.9:8080"}
    known = {**usual, **scraped, **labels}
    return Subject(
        alert, {k: v for k, v in known.items() if v}, since=datetime.now(UTC) - timedelta(minutes=5)
    )


def diagnosed(about: Subject, cage: Cage) -> tuple[Diagnosis, dict[Read, Any]]:
    """What the alert is told to be, by the real clients; and every answer they got."""
    signals = Signals(SITE, cage.cluster)
    asked = Asked(Reader((cage.cluster, signals, _NoAws(), _Clock()), timedelta(seconds=15)))
    try:
        return walk(rule_for(about).diagnose(about, SITE), asked, time.monotonic() + 60), asked.answers
    finally:
        signals.close()


def with_less(about: Subject, answers: Mapping[Read, Any]) -> Iterator[tuple[str, Diagnosis]]:
    """The same diagnosis where one kind of read is forbidden, kind by kind; at last, all of them."""
    for kind in {type(read) for read in answers} - {Now}:
        reader = Without(answers, lambda read, kind=kind: type(read) is kind)  # type: ignore[misc]
        yield kind.__name__, walk(rule_for(about).diagnose(about, SITE), reader, 0.0)
    dark = Without(answers, lambda read: type(read) is not Now)
    yield "everything", walk(rule_for(about).diagnose(about, SITE), dark, 0.0)


def offered(found: Diagnosis, cause: Cause) -> list[str]:
    return [each.text for each in (*cause.suggestions, *found.suggestions)]

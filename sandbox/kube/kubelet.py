"""The kubelets of all nodes: they start bound pods, restart crashing ones and let deleted ones go.

Owns the status of pods and the logs a behaviour writes. A node that is not Ready, or gone, has a dead
kubelet: its pods stay as they are. Pods seeded as running are left alone unless a behaviour says otherwise.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from sandbox.kube import build, defaults
from sandbox.kube.behaviours import (
    ANNOTATION,
    BY_NAME,
    Behaviour,
    ConfigError,
    CrashLoop,
    Healthy,
    ImagePullError,
    NeverReady,
    NeverTerminates,
    Unschedulable,
)
from sandbox.kube.logs import PodLogs
from sandbox.kube.objects import DeleteOptions, Objects
from sandbox.kube.printers import parse_time
from sandbox.kube.recorder import Recorder
from sandbox.kube.store import Entry

Json = dict[str, Any]

MAX_BACKOFF = 300.0
# The kubelet's own figures.
LEASE_SECONDS = 40
RENEW_SECONDS = 10
HEALTHY = Healthy()


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take, in seconds of the clock. With all zero, one tick does each step."""

    # From bound to running, and from running to ready.
    start: float = 0.0
    ready: float = 0.0
    # From deleted to gone; never longer than the grace period.
    stop: float = 0.0
    # How long a crashing container runs, and the first wait before it is restarted.
    crash: float = 0.0
    backoff: float = 10.0
    # How long the pod of a job takes.
    job: float = 0.0


@dataclass(frozen=True, slots=True)
class _Rule:
    behaviour: Behaviour
    namespace: str
    name: str
    image: str

    def matches(self, pod: Json) -> bool:
        metadata = pod["metadata"]
        return (
            fnmatchcase(metadata["namespace"], self.namespace)
            and fnmatchcase(metadata["name"], self.name)
            and any(fnmatchcase(item.get("image", ""), self.image) for item in pod["spec"]["containers"])
        )


class Kubelet:
    def __init__(self, objects: Objects, logs: PodLogs, recorder: Recorder, pace: Pace) -> None:
        self._objects = objects
        self._logs = logs
        self._recorder = recorder
        self._pace = pace
        self._rules: list[_Rule] = []
        self._addresses = itertools.count(1)
        self.waiting = False
        self._renewed: datetime.datetime | None = None

    def renew_leases(self) -> None:
        """Dead kubelets do not, which is how their nodes are found out."""
        now = self._objects.clock()
        if self._renewed is not None and (now - self._renewed).total_seconds() < RENEW_SECONDS:
            return
        nodes = [entry.obj for entry in self._objects.store.entries(("", "nodes")) if _is_ready(entry.obj)]
        if nodes:
            self._renewed = now
        for node in nodes:
            name = node["metadata"]["name"]
            spec = {"holderIdentity": name, "leaseDurationSeconds": LEASE_SECONDS}
            spec["renewTime"] = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            self._objects.seed(
                {
                    "apiVersion": "coordination.k8s.io/v1",
                    "kind": "Lease",
                    "metadata": {"name": name, "namespace": "kube-node-lease"},
                    "spec": spec,
                }
            )

    def behave(self, behaviour: Behaviour, *, namespace: str, name: str, image: str) -> None:
        self._rules.insert(0, _Rule(behaviour, namespace, name, image))
        self.waiting = True

    def behaviour_of(self, pod: Json) -> Behaviour:
        return self._chosen(pod) or HEALTHY

    def tick(self) -> None:
        """`waiting` afterwards says whether time alone may change something."""
        self.waiting = False
        pods = self._objects.catalog.named("pods", "")
        alive = {entry.name for entry in self._objects.store.entries(("", "nodes")) if _is_ready(entry.obj)}
        now = self._objects.clock()
        for entry in self._objects.store.entries(pods.storage):
            pod = entry.obj
            if pod["spec"].get("nodeName") not in alive:
                continue
            told = pod.get("status") or {}
            if pod["metadata"].get("deletionTimestamp"):
                self._stop(entry, now)
            elif told.get("phase") in (None, "Pending", "Running"):
                chosen = self._chosen(pod)
                if chosen is not None or told.get("phase") != "Running" or _belongs_to_job(pod):
                    self._run(entry, chosen or HEALTHY, now)
                elif self._pace.ready and not _is_ready(pod):
                    self._run(entry, HEALTHY, now)

    def _chosen(self, pod: Json) -> Behaviour | None:
        named = (pod["metadata"].get("annotations") or {}).get(ANNOTATION)
        if named is not None:
            return BY_NAME[named]
        for rule in self._rules:
            if rule.matches(pod):
                return rule.behaviour
        return None

    def _stop(self, entry: Entry, now: datetime.datetime) -> None:
        if isinstance(self.behaviour_of(entry.obj), NeverTerminates):
            return
        metadata = entry.obj["metadata"]
        grace = metadata.get("deletionGracePeriodSeconds", 0)
        since = parse_time(metadata["deletionTimestamp"]) - datetime.timedelta(seconds=grace)
        # Timestamps have whole seconds: without this a pod deleted "just now" would wait for the next one.
        if self._pace.stop and (now - since).total_seconds() < min(self._pace.stop, grace):
            self.waiting = True
            return
        if metadata.get("finalizers") and not grace:
            return
        pods = self._objects.catalog.named("pods", "")
        self._recorder.record(
            entry.obj,
            "Killing",
            "Stopping container " + entry.obj["spec"]["containers"][0]["name"],
            component="kubelet",
        )
        self._objects.delete(pods, entry.namespace, entry.name, DeleteOptions(grace=0))

    def _run(self, entry: Entry, behaviour: Behaviour, now: datetime.datetime) -> None:
        pod = entry.obj
        told = pod.get("status") or {}
        moment = self._objects.now()
        if not told.get("startTime"):
            told = {**_started(pod, moment), "conditions": told.get("conditions") or []}
            entry = self._write(entry, told)
            pod = entry.obj
        steps: dict[type, Callable[[Entry, Any, datetime.datetime], None]] = {
            Healthy: self._run_healthy,
            NeverTerminates: self._run_healthy,
            Unschedulable: self._run_healthy,
            NeverReady: self._run_unready,
            CrashLoop: self._run_crashing,
            ImagePullError: self._run_unpulled,
            ConfigError: self._run_unmade,
        }
        steps[type(behaviour)](entry, behaviour, now)

    def _run_healthy(self, entry: Entry, behaviour: Behaviour, now: datetime.datetime) -> None:
        pod, told = entry.obj, entry.obj["status"]
        age = (now - parse_time(told["startTime"])).total_seconds()
        if _is_ready(pod):
            self._finish_job(entry, now)
            return
        if age < self._pace.start:
            self.waiting = True
            return
        ready = age >= self._pace.start + self._pace.ready
        self.waiting |= not ready
        states = [self._running(pod, each, ready=ready) for each in pod["spec"]["containers"]]
        if told.get("phase") != "Running":
            self._recorder.record(
                pod, "Started", f"Started container {states[0]['name']}", component="kubelet"
            )
            self._logs.write(pod, states[0]["name"], [(now, f"started {states[0]['name']}")])
        self._write(entry, self._told(pod, states, ready=ready))

    def _run_unready(self, entry: Entry, behaviour: NeverReady, now: datetime.datetime) -> None:
        pod = entry.obj
        states = [self._running(pod, each, ready=False) for each in pod["spec"]["containers"]]
        if pod["status"].get("phase") == "Running" and not _is_ready(pod):
            return
        self._write(entry, self._told(pod, states, ready=False))
        self._recorder.record(pod, "Unhealthy", behaviour.message, component="kubelet", warning=True)

    def _run_unpulled(self, entry: Entry, behaviour: ImagePullError, now: datetime.datetime) -> None:
        def why(image: str) -> str:
            unpacked = f'failed to pull and unpack image "{image}": {behaviour.message}'
            return f'Back-off pulling image "{image}": {unpacked}'

        image = entry.obj["spec"]["containers"][0]["image"]
        failed = f'Failed to pull image "{image}": {behaviour.message}'
        self._hold(entry, "ImagePullBackOff", why, failed)

    def _run_unmade(self, entry: Entry, behaviour: ConfigError, now: datetime.datetime) -> None:
        self._hold(
            entry, "CreateContainerConfigError", lambda _: behaviour.message, f"Error: {behaviour.message}"
        )

    def _hold(self, entry: Entry, reason: str, why: Callable[[str], str], event: str) -> None:
        """No container starts, each with its message; told once."""
        pod = entry.obj
        states = []
        for each in pod["spec"]["containers"]:
            waiting = {"reason": reason, "message": why(each["image"])}
            states.append({**_blank(each), "state": {"waiting": waiting}})
        if pod["status"].get("containerStatuses") == states:
            return
        self._write(entry, {**self._told(pod, states, ready=False), "phase": "Pending"})
        self._recorder.record(pod, "Failed", event, component="kubelet", warning=True)

    def _run_crashing(self, entry: Entry, behaviour: CrashLoop, now: datetime.datetime) -> None:
        """Running, then waiting ever longer, then running again; the first container is the sick one."""
        pod, told = entry.obj, entry.obj["status"]
        sick, *others = pod["spec"]["containers"]
        found = next(
            (s for s in told.get("containerStatuses") or () if s["name"] == sick["name"]), _blank(sick)
        )
        running = (found.get("state") or {}).get("running")
        ended = (found.get("lastState") or {}).get("terminated")
        healthy = [self._running(pod, each, ready=True) for each in others]
        if running is None:
            backoff = min(self._pace.backoff * 2 ** max(found["restartCount"] - 1, 0), MAX_BACKOFF)
            if ended and (now - parse_time(ended["finishedAt"])).total_seconds() < backoff:
                self.waiting = True
                return
            state = {**self._running(pod, sick, ready=False), "restartCount": found["restartCount"]}
            state["lastState"] = found.get("lastState") or {}
            self._write(entry, self._told(pod, [state, *healthy], ready=False))
            self.waiting = True
            return
        if (now - parse_time(running["startedAt"])).total_seconds() < self._pace.crash:
            self.waiting = True
            return
        self.waiting = True
        lines = [(now, line) for line in behaviour.log.splitlines()]
        self._logs.write(pod, sick["name"], lines, fresh=True)
        self._logs.rotate(pod, sick["name"])
        end = {"exitCode": behaviour.exit_code, "reason": behaviour.reason, "startedAt": running["startedAt"]}
        end |= {"finishedAt": self._objects.now(), "containerID": _container_id(pod, sick)}
        if pod["spec"].get("restartPolicy") == "Never":
            state = {**_blank(sick), "state": {"terminated": end}}
            self._write(entry, {**self._told(pod, [state, *healthy], ready=False), "phase": "Failed"})
            return
        where = f"{entry.name}_{entry.namespace}({pod['metadata']['uid']})"
        message = f"back-off restarting failed container={sick['name']} pod={where}"
        state = {**_blank(sick), "image": sick["image"], "restartCount": found["restartCount"] + 1}
        state |= {"lastState": {"terminated": end}, "started": False}
        state["state"] = {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
        self._write(entry, self._told(pod, [state, *healthy], ready=False))
        told_event = (
            f"Back-off restarting failed container {sick['name']} in pod {entry.name}_{entry.namespace}"
        )
        self._recorder.record(pod, "BackOff", told_event, component="kubelet", warning=True)

    def _finish_job(self, entry: Entry, now: datetime.datetime) -> None:
        pod = entry.obj
        if not _belongs_to_job(pod):
            return
        started = parse_time(pod["status"]["startTime"])
        if (now - started).total_seconds() < self._pace.start + self._pace.job:
            self.waiting = True
            return
        end = {"exitCode": 0, "reason": "Completed", "startedAt": pod["status"]["startTime"]}
        end["finishedAt"] = self._objects.now()
        states = [{**_blank(each), "state": {"terminated": end}} for each in pod["spec"]["containers"]]
        self._write(entry, {**self._told(pod, states, ready=False), "phase": "Succeeded"})

    def _running(self, pod: Json, each: Json, *, ready: bool) -> Json:
        """Keeps what is already known of a container that goes on running."""
        known = {item["name"]: item for item in pod["status"].get("containerStatuses") or ()}.get(
            each["name"]
        )
        state = {**_blank(each), **(known or {})}
        if not (state.get("state") or {}).get("running"):
            state["state"] = {"running": {"startedAt": self._objects.now()}}
        return {
            **state,
            "ready": ready,
            "started": True,
            "imageID": build.image_id(each["image"]),
            "containerID": _container_id(pod, each),
        }

    def _told(self, pod: Json, states: list[Json], *, ready: bool) -> Json:
        told = pod["status"]
        address = told.get("podIP")
        if not address:
            number = next(self._addresses)
            address = f"10.42.{number // 250 % 250}.{number % 250 + 1}"
        words = {"Initialized": True, "ContainersReady": ready, "Ready": ready, "PodScheduled": True}
        return {
            **told,
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "containerStatuses": states,
            "conditions": self._conditions(told.get("conditions") or [], words),
        }

    def _conditions(self, before: list[Json], words: dict[str, bool]) -> list[Json]:
        known = {item["type"]: item for item in before}
        for kind, true in words.items():
            word = "True" if true else "False"
            if known.get(kind, {}).get("status") != word:
                known[kind] = {"type": kind, "status": word, "lastTransitionTime": self._objects.now()}
                if not true:
                    known[kind] |= {
                        "reason": "ContainersNotReady",
                        "message": "containers with unready status",
                    }
        return list(known.values())

    def _write(self, entry: Entry, told: Json) -> Entry:
        pods = self._objects.catalog.named("pods", "")
        self._objects.write_status(pods, entry, told)
        return self._objects.get(pods, entry.namespace, entry.name)


def _is_ready(obj: Json) -> bool:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return any(item["type"] == "Ready" and item.get("status") == "True" for item in conditions)


def _belongs_to_job(pod: Json) -> bool:
    return any(owner["kind"] == "Job" for owner in pod["metadata"].get("ownerReferences") or ())


def _blank(each: Json) -> Json:
    return {
        "name": each["name"],
        "image": each.get("image", ""),
        "imageID": "",
        "ready": False,
        "started": False,
        "restartCount": 0,
        "lastState": {},
    }


def _started(pod: Json, moment: str) -> Json:
    """What a kubelet reports first: it has the pod and is making its containers."""
    creating = {"waiting": {"reason": "ContainerCreating"}}
    return {
        "phase": "Pending",
        "qosClass": defaults.qos_class(pod["spec"]),
        "startTime": moment,
        "hostIP": "10.20.1.1",
        "containerStatuses": [{**_blank(each), "state": creating} for each in pod["spec"]["containers"]],
    }


def _container_id(pod: Json, each: Json) -> str:
    digits = pod["metadata"]["uid"].replace("-", "") + each["name"].encode().hex()
    return f"containerd://{digits:0<64.64}"

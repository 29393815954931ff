"""A small kubelet for the real control plane: pods bound to its nodes run, become ready, and go when deleted.

There is no container anywhere: it only writes the status a kubelet would, and the last DELETE with grace 0.
How pods fare is told by rules, the newest first, which may change while pods live. Follows one watch, lives
through a restart of the API server, and starts over with a list when it has lost the thread.
Called by tests marked `cluster` and by benchmarks, beside sandbox/controlplane.py.
"""

from __future__ import annotations

import heapq
import itertools
import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from types import TracebackType
from typing import Any, Self

import urllib3

from sandbox.controlplane import ApiError, ControlPlane

Json = dict[str, Any]

HEARTBEAT_SECONDS = 10.0
AGAIN_SECONDS = 0.2
THREADS = 8
STRATEGIC = "application/strategic-merge-patch+json"


@dataclass(frozen=True, slots=True)
class Fate:
    """How a pod fares. ready_after: seconds from being bound; None: it runs and never becomes ready.

    gone_after: seconds from its deletion, but never beyond its grace; None: it never goes. waiting: its
    containers do not start, and this is why ("ImagePullBackOff", "CrashLoopBackOff").
    """

    ready_after: float | None = 0.0
    gone_after: float | None = 0.0
    waiting: str = ""
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class _Rule:
    fate: Fate
    namespace: str
    name: str
    image: str
    labels: Mapping[str, str]

    def is_about(self, pod: Json) -> bool:
        metadata = pod["metadata"]
        labels = metadata.get("labels") or {}
        return (
            fnmatchcase(metadata["namespace"], self.namespace)
            and fnmatchcase(metadata["name"], self.name)
            and any(fnmatchcase(each["image"], self.image) for each in pod["spec"]["containers"])
            and all(labels.get(key) == value for key, value in self.labels.items())
        )


@dataclass(slots=True)
class _Known:
    """A pod of ours as it was last seen; both times on the clock of time.monotonic()."""

    pod: Json
    bound: float
    deleted: float | None = None


class TestKubelet:
    """`with TestKubelet(plane) as kubelet: ...`; the kubelet of these nodes, or of every node."""

    __test__ = False  # for pytest, which takes the name for a test's

    def __init__(
        self, plane: ControlPlane, nodes: Iterable[str] | None = None, fate: Fate | None = None
    ) -> None:
        self._plane = plane
        self._nodes = None if nodes is None else frozenset(nodes)
        self._rules = [_Rule(fate or Fate(), "*", "*", "*", {})]
        self._lost: set[str] = set()
        self._known: dict[str, _Known] = {}
        self._due: list[tuple[float, int, str]] = []
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._numbers = itertools.count(1)
        self._pool = urllib3.PoolManager(ca_certs=str(plane.ca), retries=False)
        self._watch: urllib3.BaseHTTPResponse | None = None

    def __enter__(self) -> Self:
        self._hands = ThreadPoolExecutor(THREADS, "kubelet")
        self._threads = [
            threading.Thread(target=run, name=f"kubelet-{run.__name__}", daemon=True)
            for run in (self._follow, self._work, self._beat)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        watch = self._watch
        if watch is not None:
            with suppress(OSError, RuntimeError, ValueError):  # it ended by itself meanwhile
                watch.shutdown()
        for thread in self._threads:
            thread.join(HEARTBEAT_SECONDS)
        self._hands.shutdown()
        self._pool.clear()

    def fare(
        self,
        fate: Fate,
        *,
        namespace: str = "*",
        name: str = "*",
        image: str = "*",
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """From now on, for pods that are there and those to come; namespace, name and image are patterns."""
        with self._changed:
            self._rules.insert(0, _Rule(fate, namespace, name, image, labels or {}))
            for uid in self._known:
                self._look_at(uid)

    def lose(self, node: str) -> None:
        """The node is cut off: its Ready is Unknown, and nothing happens to its pods any more."""
        with self._changed:
            self._lost.add(node)
        self._tell_node(node, "Unknown")

    def find(self, node: str) -> None:
        with self._changed:
            self._lost.discard(node)
            for uid in self._known:
                self._look_at(uid)
        self._tell_node(node, "True")

    # What there is.

    def _follow(self) -> None:
        while not self._closing.is_set():
            try:
                version = self._start_over()
                for event in self._events(version):
                    self._see(event["type"], event["object"])
            except (ApiError, urllib3.exceptions.HTTPError, OSError, ValueError):
                # ValueError: the last line of a watch that was cut.
                self._closing.wait(AGAIN_SECONDS)

    def _start_over(self) -> str:
        listed = self._plane.request("GET", "/api/v1/pods")
        with self._changed:
            gone = self._known.keys() - {item["metadata"]["uid"] for item in listed["items"] or ()}
            for uid in gone:
                del self._known[uid]
        for pod in listed["items"] or ():
            self._see("ADDED", pod)
        return str(listed["metadata"]["resourceVersion"])

    def _events(self, version: str) -> Iterator[Json]:
        query = f"watch=1&timeoutSeconds=240&resourceVersion={version}"
        headers = {"Authorization": f"Bearer {self._plane.token}"}
        url = f"{self._plane.url}/api/v1/pods?{query}"
        timeout = urllib3.Timeout(connect=3, read=300)
        watch = self._pool.request("GET", url, headers=headers, preload_content=False, timeout=timeout)
        self._watch = watch
        try:
            if watch.status != 200:  # 429: a server that has just come back fills its cache of pods first
                raise ApiError(watch.status, watch.data.decode(errors="replace"))
            yield from self._read(watch)
        finally:  # one that was cut short has its connection still
            self._watch = None
            watch.close()

    def _read(self, watch: urllib3.BaseHTTPResponse) -> Iterator[Json]:
        rest = b""
        while not self._closing.is_set():
            piece = watch.read1()
            if not piece:
                return
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                yield event

    def _see(self, what: str, pod: Json) -> None:
        uid = pod["metadata"]["uid"]
        with self._changed:
            if what == "DELETED":
                self._known.pop(uid, None)
                return
            if not self._is_ours(pod):
                return
            known = self._known.setdefault(uid, _Known(pod, time.monotonic()))
            known.pod = pod
            if known.deleted is None and pod["metadata"].get("deletionTimestamp"):
                known.deleted = time.monotonic()
            self._look_at(uid)

    def _is_ours(self, pod: Json) -> bool:
        node = pod["spec"].get("nodeName")
        return bool(node) and (self._nodes is None or node in self._nodes)

    # What is to be done.

    def _look_at(self, uid: str) -> None:
        """With the lock held: puts the pod's next step where `_work` finds it in time."""
        step = self._step(self._known[uid])
        if step is not None:
            heapq.heappush(self._due, (step[0], next(self._numbers), uid))
            self._changed.notify_all()

    def _step(self, known: _Known) -> tuple[float, str] | None:
        """When to do what to this pod next; None when it is as it should be."""
        fate = next(rule.fate for rule in self._rules if rule.is_about(known.pod))
        if known.pod["spec"]["nodeName"] in self._lost:
            return None
        if known.deleted is not None:
            return (
                None
                if fate.gone_after is None
                else (known.deleted + _wait(known.pod, fate.gone_after), "gone")
            )
        if known.pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
            return None
        state = _state(known.pod)
        if fate.waiting or fate.ready_after is None:
            wanted = "waiting" if fate.waiting else "running"
            return None if state == wanted else (known.bound, wanted)
        if state == "ready":
            return None
        ready = known.bound + fate.ready_after
        is_slow = state != "running" and time.monotonic() < ready
        return (known.bound, "running") if is_slow else (ready, "ready")

    def _work(self) -> None:
        while not self._closing.is_set():
            with self._changed:
                left = self._due[0][0] - time.monotonic() if self._due else HEARTBEAT_SECONDS
                if left > 0:
                    self._changed.wait(left)
                    continue
                uid = heapq.heappop(self._due)[2]
                known = self._known.get(uid)
                step = self._step(known) if known else None
            if known is not None and step is not None and step[0] <= time.monotonic():
                self._hands.submit(self._do, uid, known.pod, step[1])

    def _do(self, uid: str, pod: Json, what: str) -> None:
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        try:
            if what == "gone":
                options = {"gracePeriodSeconds": 0, "preconditions": {"uid": uid}}
                self._plane.request("DELETE", f"/api/v1/namespaces/{namespace}/pods/{name}", options)
            else:
                path = f"/api/v1/namespaces/{namespace}/pods/{name}/status"
                body = {"metadata": {"uid": uid}, "status": self._status(pod, what)}
                self._plane.request("PATCH", path, body, content_type=STRATEGIC)
        except (ApiError, urllib3.exceptions.HTTPError, OSError):
            with self._changed:  # gone already, which the watch will say, or to be tried again
                if uid in self._known and not self._closing.is_set():
                    again = time.monotonic() + AGAIN_SECONDS
                    heapq.heappush(self._due, (again, next(self._numbers), uid))
                    self._changed.notify_all()

    def _status(self, pod: Json, what: str) -> Json:
        fate = next(rule.fate for rule in self._rules if rule.is_about(pod))
        now = _now()
        is_ready = what == "ready"
        address = pod.get("status", {}).get("podIP") or _address(next(self._numbers))
        conditions = [
            {"type": kind, "status": str(is_true), "lastTransitionTime": now}
            for kind, is_true in (
                ("PodReadyToStartContainers", True),
                ("Initialized", True),
                ("ContainersReady", is_ready),
                ("Ready", is_ready),
            )
        ]
        return {
            "phase": "Pending" if what == "waiting" and not fate.restarts else "Running",
            "startTime": pod.get("status", {}).get("startTime") or now,
            "hostIP": "127.0.0.1",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": conditions,
            "containerStatuses": [_container(each, what, fate, now) for each in pod["spec"]["containers"]],
        }

    # Nodes.

    def _beat(self) -> None:
        while not self._closing.wait(HEARTBEAT_SECONDS):
            try:
                for node in self._plane.request("GET", "/api/v1/nodes")["items"] or ():
                    name = node["metadata"]["name"]
                    is_ours = self._nodes is None or name in self._nodes
                    if is_ours and name not in self._lost:
                        self._tell_node(name, "True")
            except (ApiError, urllib3.exceptions.HTTPError, OSError):
                continue

    def _tell_node(self, name: str, ready: str) -> None:
        reason = "KubeletReady" if ready == "True" else "NodeStatusUnknown"
        condition = {"type": "Ready", "status": ready, "reason": reason, "lastHeartbeatTime": _now()}
        path = f"/api/v1/nodes/{name}/status"
        self._plane.request("PATCH", path, {"status": {"conditions": [condition]}}, content_type=STRATEGIC)


def _wait(pod: Json, gone_after: float) -> float:
    """A kubelet kills what is not over when its grace is."""
    grace = pod["metadata"].get("deletionGracePeriodSeconds")
    return gone_after if grace is None else min(gone_after, float(grace))


def _state(pod: Json) -> str:
    status = pod.get("status") or {}
    if any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions") or ()):
        return "ready"
    containers = status.get("containerStatuses") or ()
    if any("waiting" in (each.get("state") or {}) for each in containers):
        return "waiting"
    return "running" if containers and status.get("phase") == "Running" else ""


def _container(spec: Json, what: str, fate: Fate, now: str) -> Json:
    state: Json = {"running": {"startedAt": now}, "waiting": None}
    if what == "waiting":
        state = {"waiting": {"reason": fate.waiting, "message": "as the test wants it"}, "running": None}
    told: Json = {
        "name": spec["name"],
        "image": spec["image"],
        "imageID": "",
        "ready": what == "ready",
        "started": what != "waiting",
        "restartCount": fate.restarts,
        "state": state,
    }
    if fate.restarts:
        ended = {"exitCode": 1, "reason": "Error", "startedAt": now, "finishedAt": now}
        told["lastState"] = {"terminated": ended}
    return told


def _address(number: int) -> str:
    return f"10.{number // 65536 % 256}.{number // 256 % 256}.{number % 256}"


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"

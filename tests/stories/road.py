"""The whole road of a change over one API server: a desk, an engine with its real parts, and what stands around them.

One road has a namespace and nodes of its own, so that many can be walked side by side on one server. Between it
and the server lies a gate (gate.py); what a test does to the cluster as somebody else goes past it.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import urllib3
from gate import Gate

from bot.desk import Desk, Said
from bot.people import People
from bot.state import State
from commands.catalog import Catalog
from commands.model import Actor, Place, Read, Request
from commands.model import State as Standing
from commands.plan import Mark, Plan
from commands.plan import Standing as Stands
from commands.reads import Now
from commands.site import AccessRule, Approvals, ClusterSite, Monitoring, Namespaces, Prometheus, Roles, Site
from sandbox.controlplane import ControlPlane
from sandbox.house import PATIENCE, wait_until
from sandbox.kube import KubeStandIn, build
from sandbox.kube.behaviours import Healthy, ImagePullError, NeverReady, NeverTerminates
from sandbox.testkubelet import Fate, TestKubelet
from tests import build as records
from workers.clients import Own
from workers.cluster import Cluster
from workers.effects import Effects, Rehearsals
from workers.engine import Engine
from workers.reader import Reader
from workers.signals import Signals

Json = dict[str, Any]

ALICE, BOB, CAROL = records.ALICE, records.BOB, Actor("U0CAROL0001", records.TEAM)
CATALOG = Catalog.load()

# What a read may take: many roads share the machine, and how soon one is given up is tried elsewhere.
UNHURRIED = timedelta(seconds=30)

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"

_ROOTS = {
    "Namespace": ("/api/v1", "namespaces"),
    "Node": ("/api/v1", "nodes"),
    "Pod": ("/api/v1", "pods"),
    "ConfigMap": ("/api/v1", "configmaps"),
    "Service": ("/api/v1", "services"),
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "ResourceQuota": ("/api/v1", "resourcequotas"),
    "PodDisruptionBudget": ("/apis/policy/v1", "poddisruptionbudgets"),
    "HorizontalPodAutoscaler": ("/apis/autoscaling/v2", "horizontalpodautoscalers"),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1", "networkpolicies"),
    **{
        kind: ("/apis/apps/v1", f"{kind.lower()}s")
        for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ControllerRevision")
    },
}

# How pods fare, in the words of the stand-in's kubelet and in those of the test kubelet.
FATES: Mapping[str, tuple[Any, Fate]] = {
    "well": (Healthy(), Fate()),
    "never ready": (NeverReady(), Fate(ready_after=None)),
    "never gone": (NeverTerminates(), Fate(gone_after=None)),
    "no image": (ImagePullError(), Fate(waiting="ImagePullBackOff")),
}


class World:
    """One API server with its controllers and kubelets; somebody who may do everything there."""

    def __init__(self, server: KubeStandIn | ControlPlane, kubelet: TestKubelet | None = None) -> None:
        self.server, self._kubelet = server, kubelet
        self.url, self.token, self.ca = server.url, server.token, server.ca
        self._http = urllib3.PoolManager(ca_certs=str(self.ca) if self.ca else None, maxsize=32)

    def call(
        self, method: str, path: str, body: Any = None, how: str = "application/json"
    ) -> tuple[int, Json]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": how}
        text = None if body is None else json.dumps(body)
        answer = self._http.request(method, self.url + path, body=text, headers=headers, retries=3)
        return answer.status, json.loads(answer.data)

    def add_node(self, name: str, labels: Mapping[str, str]) -> None:
        if isinstance(self.server, ControlPlane):
            self.server.add_node(name, labels=labels)
        else:
            self.server.apply(build.node(name, labels=labels))
        self.until_open(name)

    def until_open(self, name: str) -> None:
        """A node that is new, or was closed, bears a taint until a controller has looked at it."""

        def is_open() -> bool:
            status, node = self.call("GET", f"/api/v1/nodes/{name}")
            return status == 200 and not node["spec"].get("taints")

        wait_until(is_open, f"{name} takes pods")

    def fare(self, fate: str, namespace: str, *, name: str = "*", image: str = "*") -> None:
        stand_in, real = FATES[fate]
        if isinstance(self.server, KubeStandIn):
            self.server.behave(stand_in, namespace=namespace, name=name, image=image)
        elif self._kubelet is not None:
            self._kubelet.fare(real, namespace=namespace, name=name, image=image)


class _Own(Own):
    """With the road's time."""

    def __init__(self, state: State, now: Callable[[], datetime]) -> None:
        super().__init__(state, "webhook")
        self._now = now

    def read(self, read: Read, deadline: float) -> Any:
        return self._now() if isinstance(read, Now) else super().read(read, deadline)


class Road:
    """One namespace, the nodes <namespace>-1 and so on, and everything of the bot that a change passes."""

    def __init__(self, world: World, state: State, slack: Any, name: str, folder: Path, gate: Gate) -> None:
        self.world, self.state, self.space, self.gate = world, state, name, gate
        self._late, self._is_closing = timedelta(), False
        self.site = _site(name)
        [own] = self.site.clusters.values()
        self.cluster = Cluster(own, _kubeconfig(folder / f"{name}.config", gate.url, world.token))
        self._signals = Signals(own, self.cluster, "")
        people = People(state, self.site, slack)
        people.refresh(slack)
        self.desk = Desk(state, CATALOG, self.site, people, now=self.now)
        sources = (self.cluster, Rehearsals(self.cluster.api), self._signals, _Own(state, self.now))
        self.engine = Engine(
            state, CATALOG, self.site, lambda _: Reader(sources, UNHURRIED),
            effects=lambda _: Effects(self.cluster.api), now=self.now, stopping=lambda: self._is_closing,
        )  # fmt: skip
        self._hands = ThreadPoolExecutor(2, f"worker-{name}")
        self._numbers = 0
        self._named: set[str] = set()
        self._make_space()

    def close(self) -> None:
        """What was made goes when it goes: nobody waits for it."""
        self._is_closing = True
        self._hands.shutdown()
        self.cluster.close()
        self._signals.close()
        self.world.fare("well", self.space)
        for node in self.nodes:
            self.world.call("DELETE", f"/api/v1/nodes/{node}")
        self.world.call("DELETE", f"/api/v1/namespaces/{self.space}")

    def now(self) -> datetime:
        return datetime.now(UTC) + self._late

    def later(self, **span: float) -> None:
        """Deadlines come nearer by so much; the cluster's clock is not touched."""
        self._late += timedelta(**span)

    # --- asking and deciding ---

    def ask(self, text: str) -> str:
        """Submit it as Alice, and let it be planned; its id."""
        self._numbers += 1
        said = f"{text} --why matrix"
        receipt = self.desk.submit(Said(ALICE, Place("C0SREDAILY1"), said, f"{self.space} {self._numbers}"))
        assert receipt.accepted, receipt.text
        id = receipt.text.rpartition("(")[2].partition(")")[0]
        self.engine.answer(id)
        return id

    def plan(self, id: str) -> Plan:
        found = self.request(id).plan
        assert found is not None
        return found

    def approve(self, id: str, by: Actor = BOB) -> None:
        asking = self.request(id).asking
        assert asking is not None, [f"{f.key}: {f.value} {f.evidence}" for f in self.plan(id).findings]
        receipt = self.desk.press(by, "approve", f"{id} {asking.turn} {asking.digest}")
        assert receipt.accepted, receipt.text

    def cancel(self, id: str) -> None:
        receipt = self.desk.press(ALICE, "cancel", f"{id} 1 {self.plan(id).digest}")
        assert receipt.accepted, receipt.text

    def begin(self, id: str) -> "Future[Request]":
        """Let a worker have it, until it ends or people are asked."""
        return self._hands.submit(self._work, id)

    def _work(self, id: str) -> Request:
        while self.request(id).is_open and not self._is_closing:
            self.engine.answer(id)
            if self.request(id).state is Standing.AWAITING:
                break
            time.sleep(0.05)
        return self.request(id)

    def go(self, text: str) -> Request:
        """All the way."""
        id = self.ask(text)
        self.approve(id)
        return self.ended(self.begin(id))

    def ended(self, under_way: "Future[Request]") -> Request:
        """What it ended as, or that people are asked again. Nothing was touched that its plan does not name."""
        try:
            request = under_way.result(PATIENCE)
        except TimeoutError:
            self.world.fare("well", self.space)
            raise AssertionError(f"it does not come to an end: {self._latest()}") from None
        self._named |= {target.name for target in self.plan(request.id).targets}
        strange = [each for each in self.gate.writes() if not self._named & set(each.path.split("/"))]
        made = [each for each in strange if not each.path.endswith("/networkpolicies")]
        assert not made, made
        return request

    def _latest(self) -> object:
        lines = [line for line in records.audit_lines(self.state) if line.get("cluster") == self.space]
        id = next(line["id"] for line in reversed(lines) if line.get("id"))
        return self.request(id).progress

    # --- what became of it ---

    def request(self, id: str) -> Request:
        stored = self.state.request(id)
        assert stored is not None
        return stored.record

    def marks(self, id: str) -> Mapping[str, Mark]:
        """By the path of the object."""
        request = self.request(id)
        if request.plan is None or request.progress is None:
            return {}
        marks = request.progress.marks
        return {s.effect.target.path: marks[s.key] for s in request.plan.steps if s.key in marks}

    def until_blocked(self, id: str) -> None:
        wait_until(
            lambda: any(mark.standing is Stands.BLOCKED for mark in self.marks(id).values()),
            f"{id} waits for a budget",
        )

    def until_waiting(self, id: str, words: str) -> None:
        def waits() -> bool:
            progress = self.request(id).progress
            return progress is not None and any(words in line for line in progress.waiting)

        wait_until(waits, f"{id} waits for {words}")

    def lines(self, id: str) -> list[dict[str, str]]:
        """Of the audit, oldest first."""
        return [line for line in records.audit_lines(self.state) if line.get("id") == id]

    def said(self, id: str) -> list[str]:
        return [line["what"] for line in self.lines(id)]

    # --- the cluster, as somebody else has it ---

    @property
    def nodes(self) -> list[str]:
        _, found = self.world.call("GET", "/api/v1/nodes")
        names = [item["metadata"]["name"] for item in found["items"]]
        return sorted(name for name in names if name.rpartition("-")[0] == self.space)

    def add_nodes(self, count: int) -> None:
        for number in range(1, count + 1):
            self.world.add_node(f"{self.space}-{number}", {"pool": self.space})

    def path(self, kind: str, name: str = "", sub: str = "") -> str:
        root, plural = _ROOTS[kind]
        scope = "" if kind in ("Node", "Namespace") else f"/namespaces/{self.space}"
        return f"{root}{scope}/{plural}" + (f"/{name}" if name else "") + sub

    def make(self, *bodies: Json) -> Json:
        for body in bodies:
            body["metadata"]["namespace"] = self.space
            status, made = self.world.call("POST", self.path(body["kind"]), body)
            assert status == 201, made
        return made

    def get(self, kind: str, name: str) -> Json | None:
        status, found = self.world.call("GET", self.path(kind, name))
        assert status in (200, 404), found
        return found if status == 200 else None

    def there(self, kind: str, name: str) -> Json:
        found = self.get(kind, name)
        assert found is not None, f"{kind} {name}"
        return found

    def change(self, kind: str, name: str, patch: Any, how: str = MERGE, sub: str = "") -> None:
        status, found = self.world.call("PATCH", self.path(kind, name, sub), patch, how)
        assert status == 200, found

    def remove(self, kind: str, name: str, grace: int | None = None) -> None:
        options = {} if grace is None else {"gracePeriodSeconds": grace}
        status, found = self.world.call("DELETE", self.path(kind, name), options)
        assert status in (200, 202), found

    def pods(self, **labels: str) -> list[Json]:
        _, found = self.world.call("GET", self.path("Pod"))
        every: list[Json] = found["items"]
        return [p for p in every if labels.items() <= (p["metadata"].get("labels") or {}).items()]

    def living(self, **labels: str) -> list[Json]:
        """Those that are not on their way out."""
        return [pod for pod in self.pods(**labels) if not pod["metadata"].get("deletionTimestamp")]

    def on(self, node: str, **labels: str) -> dict[str, str]:
        """Uids by name of the living pods there."""
        return {
            pod["metadata"]["name"]: pod["metadata"]["uid"]
            for pod in self.living(**labels)
            if pod["spec"].get("nodeName") == f"{self.space}-{node}"
        }

    def is_closed(self, node: str) -> bool:
        return bool(self.there("Node", f"{self.space}-{node}")["spec"].get("unschedulable"))

    def workload(self, kind: str, name: str, replicas: int = 1, *, on: str = "", **given: Any) -> None:
        """Of pods that stay on this road's nodes, and begin on that one; it returns when all are ready.

        `on` is only where they begin: afterwards any node of the road will do.
        """
        makers = {
            "Deployment": build.deployment,
            "StatefulSet": build.statefulset,
            "DaemonSet": build.daemonset,
        }
        given.setdefault("labels", {"app": name})
        template = {"nodeSelector": {"pool": self.space}, **given.pop("template", {})}
        template.setdefault("terminationGracePeriodSeconds", 30)
        sized: Json = {} if kind == "DaemonSet" else {"replicas": replicas}
        with self._only(on):
            self.make(makers[kind](name, template=template, **sized, **given))
            wanted = replicas if sized else len(self.nodes)
            self.until_ready(wanted, **given["labels"])

    def until_ready(self, count: int, **labels: str) -> None:
        def ready() -> bool:
            pods = self.living(**labels)
            return len(pods) == count and all(map(_is_ready, pods))

        wait_until(ready, f"{count} pods of {labels} are ready in {self.space}")

    @contextmanager
    def _only(self, node: str) -> Iterator[None]:
        others = [name for name in self.nodes if node and name != f"{self.space}-{node}"]
        for name in others:
            self.change("Node", name, {"spec": {"unschedulable": True}})
        yield
        for name in others:
            self.change("Node", name, {"spec": {"unschedulable": None}})
            self.world.until_open(name)

    def roll(self, kind: str, name: str, image: str) -> None:
        """Somebody deploys, and does not wait."""
        patch = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": image}]}}}}
        self.change(kind, name, patch, STRATEGIC)

    def image(self, kind: str, name: str) -> str:
        containers = self.there(kind, name)["spec"]["template"]["spec"]["containers"]
        return str(containers[0]["image"])

    def until_rolled(self, kind: str, name: str, image: str, count: int) -> None:
        def rolled() -> bool:
            pods = self.living(app=name)
            images = {pod["spec"]["containers"][0]["image"] for pod in pods}
            found = self.there(kind, name)
            seen = found.get("status", {}).get("observedGeneration", 0) >= found["metadata"]["generation"]
            return seen and images == {image} and len(pods) == count and all(map(_is_ready, pods))

        wait_until(rolled, f"{kind} {name} runs {image} in {self.space}")

    def budget(self, name: str, least: int, **labels: str) -> None:
        """Returns when its controller has counted."""
        self.make(build.pdb(name, selector=labels, min_available=least))
        wait_until(
            lambda: self.there("PodDisruptionBudget", name).get("status", {}).get("observedGeneration"),
            f"budget {name} is counted",
        )

    def until_followed(self) -> None:
        """After a restart of the API server: its controllers and its scheduler work again.

        That is theirs and not the bot's: they ask a server that was away again after up to a minute each.
        """
        marker = {"app": "marker"}
        near = {"nodeSelector": {"pool": self.space}}
        self.make(build.deployment("marker", labels=marker, template=near))
        self.make(build.pdb("marker", selector=marker))

        def counted() -> Any:
            return self.there("PodDisruptionBudget", "marker").get("status", {}).get("currentHealthy")

        wait_until(counted, "the controllers are back", seconds=3 * PATIENCE)

    def _make_space(self) -> None:
        self.world.call("POST", "/api/v1/namespaces", {"metadata": {"name": self.space}})
        account = {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": "default"}}
        self.world.call("POST", self.path("ServiceAccount"), account)


def _is_ready(pod: Json) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _site(name: str) -> Site:
    nothing = replace(Monitoring(), prometheus=Prometheus(url=""))
    own = ClusterSite(name=name, namespaces=Namespaces(app=name), monitoring=nothing)
    rules = (AccessRule((ALICE.user,), ("submit",), ("*",)), AccessRule(("approvers",), ("approve",), ("*",)))
    return Site(
        clusters={name: own}, roles=Roles(approvers=(BOB.user, CAROL.user)), access=rules,
        approvals=Approvals(reason_required=False),
    )  # fmt: skip


def _kubeconfig(path: Path, url: str, token: str) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "gate", "cluster": {"server": url}}],
        "users": [{"name": "bot", "user": {"token": token}}],
        "contexts": [{"name": "gate", "context": {"cluster": "gate", "user": "bot"}}],
        "current-context": "gate",
    }
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    return path

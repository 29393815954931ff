"""The controllers of workloads: deployments, replica sets, stateful sets, daemon sets and jobs.

Owns how they make and unmake pods, roll out revisions and report their status. Simplified where the
project cannot tell the difference: no collision counts, no minReadySeconds, no parallel pod management.
"""

from __future__ import annotations

import copy
import hashlib
import math
import random
from collections import defaultdict
from typing import Any

import orjson

from sandbox.kube import build, claims
from sandbox.kube.catalog import Resource
from sandbox.kube.objects import NAME_ALPHABET, DeleteOptions, Objects
from sandbox.kube.printers import parse_time
from sandbox.kube.recorder import Recorder
from sandbox.kube.scheduler import refuses
from sandbox.kube.status import ApiError
from sandbox.kube.store import Entry

Json = dict[str, Any]

HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
# Annotations that a deployment does not hand down to its sets.
_KEPT_BACK = (
    REVISION,
    "deployment.kubernetes.io/desired-replicas",
    "kubectl.kubernetes.io/last-applied-configuration",
)
REVISION_HASH = "controller-revision-hash"
_MERGE = "application/merge-patch+json"
# Daemon pods run on nodes in any of these conditions.
_DAEMON_TOLERATED = (
    "not-ready",
    "unreachable",
    "disk-pressure",
    "memory-pressure",
    "pid-pressure",
    "unschedulable",
)
_DAEMON_TOLERATIONS = [
    {
        "key": f"node.kubernetes.io/{name}",
        "operator": "Exists",
        "effect": "NoExecute" if name in ("not-ready", "unreachable") else "NoSchedule",
    }
    for name in _DAEMON_TOLERATED
] + [
    {"key": f"node.kubernetes.io/{name}", "operator": "Exists", "effect": "NoSchedule"}
    for name in ("not-ready", "unreachable")
]


def is_ready(pod: Json) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(item["type"] == "Ready" and item.get("status") == "True" for item in conditions)


def is_active(pod: Json) -> bool:
    phase = (pod.get("status") or {}).get("phase")
    return phase not in ("Succeeded", "Failed") and not pod["metadata"].get("deletionTimestamp")


def share(bound: int | str, total: int, *, up: bool) -> int:
    """An absolute number or a percentage of the total."""
    if isinstance(bound, int):
        return bound
    part = float(bound.rstrip("%")) * total / 100
    return math.ceil(part) if up else math.floor(part)


def template_hash(template: Json) -> str:
    bare = copy.deepcopy(template)
    (bare.get("metadata", {}).get("labels") or {}).pop(HASH, None)
    digest = hashlib.sha256(orjson.dumps(bare, option=orjson.OPT_SORT_KEYS)).digest()
    return "".join(NAME_ALPHABET[byte % len(NAME_ALPHABET)] for byte in digest[:10])


class Workloads:
    def __init__(self, objects: Objects, recorder: Recorder) -> None:
        self._objects = objects
        self._recorder = recorder
        self._owned: dict[str, list[Entry]] = {}
        # True while a progress deadline is running, which time alone can end.
        self.waiting = False

    def tick(self) -> None:
        claims.settle(self._objects)
        self._index()
        for entry in self._entries("deployments")[1]:
            if not entry.obj["metadata"].get("deletionTimestamp"):
                self._roll_out(entry)
        self._index()
        steps = {
            "replicasets": self._scale_set,
            "statefulsets": self._keep_ordinals,
            "daemonsets": self._cover_nodes,
            "jobs": self._work_off,
        }
        for plural, step in steps.items():
            for entry in self._entries(plural)[1]:
                if not entry.obj["metadata"].get("deletionTimestamp"):
                    step(entry)

    def report(self) -> None:
        """Statuses, after the kubelets have had their turn."""
        self._index()
        self.waiting = False
        reports = {
            "replicasets": self._set_status,
            "deployments": self._deployment_status,
            "statefulsets": self._stateful_status,
            "daemonsets": self._daemon_status,
            "jobs": self._job_status,
        }
        for plural, status_of in reports.items():
            resource, entries = self._entries(plural)
            for entry in entries:
                self._objects.write_status(resource, entry, status_of(entry))
            self._index(only_sets=True)

    def replicas_of(self, uid: str) -> int:
        """What the workload with that uid is meant to have, for budgets in per cent."""
        for plural in ("replicasets", "statefulsets"):
            for entry in self._entries(plural)[1]:
                if entry.obj["metadata"]["uid"] == uid:
                    return int(entry.obj["spec"].get("replicas", 1))
        return 0

    def _entries(self, plural: str) -> tuple[Resource, tuple[Entry, ...]]:
        resource = self._objects.catalog.named(plural)
        return resource, self._objects.store.entries(resource.storage)

    def _index(self, *, only_sets: bool = False) -> None:
        """Pods and replica sets by the uid of their controller."""
        kinds = ("replicasets",) if only_sets else ("replicasets", "pods", "controllerrevisions")
        found: dict[str, list[Entry]] = defaultdict(list)
        if only_sets:
            for uid, entries in self._owned.items():
                found[uid] = [entry for entry in entries if entry.obj["kind"] != "ReplicaSet"]
        for kind in kinds:
            for entry in self._entries(kind)[1]:
                for owner in entry.obj["metadata"].get("ownerReferences") or ():
                    if owner.get("controller"):
                        found[owner["uid"]].append(entry)
        self._owned = found

    def _of(self, entry: Entry, kind: str) -> list[Entry]:
        return [
            item for item in self._owned.get(entry.obj["metadata"]["uid"], ()) if item.obj["kind"] == kind
        ]

    # Deployments.

    def _roll_out(self, entry: Entry) -> None:
        deployment = entry.obj
        sets = self._of(entry, "ReplicaSet")
        wanted = template_hash(deployment["spec"]["template"])
        current = next((item for item in sets if template_hash(item.obj["spec"]["template"]) == wanted), None)
        if deployment["spec"].get("paused"):
            if current is not None:
                self._scale(current, deployment["spec"]["replicas"], deployment)
            return
        if current is None:
            current = self._new_set(entry, wanted, sets)
            sets = [*sets, current]
        self._hand_down(entry, current)
        self._number(entry, current, sets)
        self._clean_up(entry, current, sets)
        old = [item for item in sets if item.name != current.name and item.obj["spec"]["replicas"]]
        if deployment["spec"]["strategy"].get("type") == "Recreate":
            self._recreate(deployment, current, old)
        else:
            self._roll(deployment, current, old)

    def _new_set(self, entry: Entry, wanted: str, sets: list[Entry]) -> Entry:
        deployment = entry.obj
        template = copy.deepcopy(deployment["spec"]["template"])
        template.setdefault("metadata", {}).setdefault("labels", {})[HASH] = wanted
        selector = copy.deepcopy(deployment["spec"]["selector"])
        selector.setdefault("matchLabels", {})[HASH] = wanted
        resource, _ = self._entries("replicasets")
        annotations = dict(deployment["metadata"].get("annotations") or {})
        annotations[REVISION] = str(_highest(sets) + 1)
        annotations["deployment.kubernetes.io/desired-replicas"] = str(deployment["spec"]["replicas"])
        metadata = build.meta(
            f"{entry.name}-{wanted}",
            entry.namespace,
            labels=template["metadata"]["labels"],
            annotations=annotations,
            owner=build.owner_of(deployment),
        )
        spec = {"replicas": 0, "selector": selector, "template": template}
        body = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec}
        self._objects.create(resource, entry.namespace, body)
        return self._objects.get(resource, entry.namespace, metadata["name"])

    def _hand_down(self, entry: Entry, current: Entry) -> None:
        """The deployment's annotations, the change-cause among them, are those of the set in force."""
        own = entry.obj["metadata"].get("annotations") or {}
        wanted = {key: value for key, value in own.items() if key not in _KEPT_BACK}
        has = current.obj["metadata"].get("annotations") or {}
        if any(has.get(key) != value for key, value in wanted.items()):
            resource, _ = self._entries("replicasets")
            change = {"metadata": {"annotations": wanted}}
            self._objects.patch(resource, entry.namespace, current.name, change, how=_MERGE)

    def _number(self, entry: Entry, current: Entry, sets: list[Entry]) -> None:
        """A template used again gets the newest revision number, and the deployment shows it."""
        highest = _highest([item for item in sets if item.name != current.name])
        number = _revision(current)
        replicasets, _ = self._entries("replicasets")
        if number <= highest:
            number = highest + 1
            self._annotate(replicasets, current, number)
        if (entry.obj["metadata"].get("annotations") or {}).get(REVISION) != str(number):
            self._annotate(self._entries("deployments")[0], entry, number)

    def _annotate(self, resource: Resource, entry: Entry, number: int) -> None:
        change = {"metadata": {"annotations": {REVISION: str(number)}}}
        self._objects.patch(resource, entry.namespace, entry.name, change, how=_MERGE)

    def _clean_up(self, entry: Entry, current: Entry, sets: list[Entry]) -> None:
        limit = entry.obj["spec"].get("revisionHistoryLimit", 10)
        old = [item for item in sets if item.name != current.name and not item.obj["spec"]["replicas"]]
        resource, _ = self._entries("replicasets")
        for item in sorted(old, key=_revision)[: max(len(old) - limit, 0)]:
            if not (item.obj.get("status") or {}).get("replicas"):
                self._objects.delete(resource, item.namespace, item.name, DeleteOptions())

    def _recreate(self, deployment: Json, current: Entry, old: list[Entry]) -> None:
        for item in old:
            self._scale(item, 0, deployment)
        if not any((item.obj.get("status") or {}).get("replicas") for item in old):
            self._scale(current, deployment["spec"]["replicas"], deployment)

    def _roll(self, deployment: Json, current: Entry, old: list[Entry]) -> None:
        spec = deployment["spec"]
        replicas, bounds = spec["replicas"], spec["strategy"].get("rollingUpdate") or {}
        surge = share(bounds.get("maxSurge", "25%"), replicas, up=True)
        unavailable = share(bounds.get("maxUnavailable", "25%"), replicas, up=False)
        if not surge and not unavailable:
            unavailable = 1
        have = current.obj["spec"]["replicas"]
        total = have + sum(item.obj["spec"]["replicas"] for item in old)
        if have > replicas:
            self._scale(current, replicas, deployment)
        elif have < replicas:
            room = replicas + (surge if old else 0) - total
            if room > 0:
                self._scale(current, min(replicas, have + room), deployment)
                return
        self._shrink(deployment, current, old, floor=replicas - unavailable)

    def _shrink(self, deployment: Json, current: Entry, old: list[Entry], *, floor: int) -> None:
        """Unhealthy old pods first: they cost no availability. Then as many as the floor lets go. What the new
        pods still lack counts as if it had been let go, so a rollout that is stuck takes no old pod along."""
        told = {item.name: item.obj.get("status") or {} for item in (current, *old)}
        lacking = current.obj["spec"]["replicas"] - told[current.name].get("availableReplicas", 0)
        most = sum(item.obj["spec"]["replicas"] for item in (current, *old)) - floor - lacking
        if most <= 0:
            return
        for item in old:
            unhealthy = item.obj["spec"]["replicas"] - told[item.name].get("availableReplicas", 0)
            if unhealthy > 0:
                self._scale(item, item.obj["spec"]["replicas"] - min(unhealthy, most), deployment)
                return
        spare = sum(state.get("availableReplicas", 0) for state in told.values()) - floor
        for item in old:
            step = min(spare, item.obj["spec"]["replicas"])
            if step > 0:
                self._scale(item, item.obj["spec"]["replicas"] - step, deployment)
                spare -= step

    def _scale(self, entry: Entry, replicas: int, deployment: Json) -> None:
        before = entry.obj["spec"]["replicas"]
        if before == replicas:
            return
        resource, _ = self._entries("replicasets")
        change = {"spec": {"replicas": replicas}}
        self._objects.patch(resource, entry.namespace, entry.name, change, how=_MERGE)
        word = "up" if replicas > before else "down"
        message = f"Scaled {word} replica set {entry.name} from {before} to {replicas}"
        self._recorder.record(deployment, "ScalingReplicaSet", message, component="deployment-controller")

    def _deployment_status(self, entry: Entry) -> Json:
        spec, before = entry.obj["spec"], entry.obj.get("status") or {}
        sets = self._of(entry, "ReplicaSet")
        if not sets:
            return before
        wanted = template_hash(spec["template"])
        current = [item for item in sets if template_hash(item.obj["spec"]["template"]) == wanted]
        counts = {
            "replicas": _sum(sets, "replicas"),
            "updatedReplicas": _sum(current, "replicas"),
            "readyReplicas": _sum(sets, "readyReplicas"),
            "availableReplicas": _sum(sets, "availableReplicas"),
        }
        missing = max(sum(item.obj["spec"]["replicas"] for item in sets) - counts["availableReplicas"], 0)
        told: Json = {"observedGeneration": entry.obj["metadata"].get("generation", 1)}
        told |= {name: count for name, count in {**counts, "unavailableReplicas": missing}.items() if count}
        told["conditions"] = self._deployment_conditions(entry, counts, before)
        return told

    def _deployment_conditions(self, entry: Entry, counts: dict[str, int], before: Json) -> list[Json]:
        spec = entry.obj["spec"]
        replicas = spec["replicas"]
        known = {item["type"]: item for item in before.get("conditions") or ()}
        bounds = spec["strategy"].get("rollingUpdate") or {}
        floor = replicas - share(bounds.get("maxUnavailable", 0), replicas, up=False)
        enough = counts["availableReplicas"] >= floor
        available = (
            ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
            if enough
            else ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
        )
        done = counts["updatedReplicas"] == counts["replicas"] == counts["availableReplicas"] == replicas
        moved = any(counts[name] != before.get(name, 0) for name in counts)
        progress = known.get("Progressing")
        name = f"{entry.name}-{template_hash(spec['template'])}"
        if done:
            said = ("True", "NewReplicaSetAvailable", f'ReplicaSet "{name}" has successfully progressed.')
        elif progress is None or moved or progress["reason"] == "NewReplicaSetAvailable":
            said = ("True", "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.')
        elif self._is_late(spec, progress):
            said = ("False", "ProgressDeadlineExceeded", f'ReplicaSet "{name}" has timed out progressing.')
        else:
            said = (progress["status"], progress["reason"], progress["message"])
        self.waiting |= not done
        return [
            self._condition("Available", available, known, touch=False),
            self._condition("Progressing", said, known, touch=moved),
        ]

    def _is_late(self, spec: Json, progress: Json) -> bool:
        since = parse_time(progress["lastUpdateTime"])
        waited = (self._objects.clock() - since).total_seconds()
        return bool(waited > spec.get("progressDeadlineSeconds", 600))

    def _condition(
        self, kind: str, said: tuple[str, str, str], known: dict[str, Json], *, touch: bool
    ) -> Json:
        word, reason, message = said
        before = known.get(kind) or {}
        now = self._objects.now()
        same = before.get("status") == word and before.get("reason") == reason and not touch
        return {
            "type": kind,
            "status": word,
            "lastUpdateTime": before["lastUpdateTime"] if same else now,
            "lastTransitionTime": before["lastTransitionTime"] if before.get("status") == word else now,
            "reason": reason,
            "message": message,
        }

    # Replica sets.

    def _scale_set(self, entry: Entry) -> None:
        pods = [item for item in self._of(entry, "Pod") if is_active(item.obj)]
        surplus = len(pods) - entry.obj["spec"]["replicas"]
        for _ in range(-surplus):
            self._make_pod(entry, entry.obj["spec"]["template"], f"{entry.name}-{_suffix()}")
        if surplus > 0:
            for item in sorted(pods, key=_worth_keeping)[:surplus]:
                self._delete_pod(item)

    def _set_status(self, entry: Entry) -> Json:
        pods = [item.obj for item in self._of(entry, "Pod") if is_active(item.obj)]
        if not pods and (entry.obj.get("status") or {}).get("observedGeneration") is None:
            return {"replicas": 0, "observedGeneration": entry.obj["metadata"].get("generation", 1)}
        ready = sum(is_ready(pod) for pod in pods)
        counts = {"fullyLabeledReplicas": len(pods), "readyReplicas": ready, "availableReplicas": ready}
        told: Json = {"replicas": len(pods), "observedGeneration": entry.obj["metadata"].get("generation", 1)}
        return told | {name: count for name, count in counts.items() if count}

    # Stateful sets.

    def _keep_ordinals(self, entry: Entry) -> None:
        spec = entry.obj["spec"]
        revision = self._revision(entry)
        pods = {item.name: item for item in self._of(entry, "Pod")}
        wanted = [f"{entry.name}-{number}" for number in range(spec["replicas"])]
        for name in wanted:
            found = pods.get(name)
            if found is None:
                labels = {REVISION_HASH: revision, "statefulset.kubernetes.io/pod-name": name}
                self._make_pod(entry, spec["template"], name, labels=labels)
                return
            if not is_ready(found.obj):
                return
        for name in sorted(pods.keys() - set(wanted), key=_ordinal, reverse=True)[:1]:
            self._delete_pod(pods[name])
            return
        if spec["updateStrategy"].get("type") != "RollingUpdate":
            return
        partition = (spec["updateStrategy"].get("rollingUpdate") or {}).get("partition", 0)
        for name in reversed(wanted[partition:]):
            if pods[name].obj["metadata"]["labels"].get(REVISION_HASH) != revision:
                self._delete_pod(pods[name])
                return

    def _stateful_status(self, entry: Entry) -> Json:
        spec, before = entry.obj["spec"], entry.obj.get("status") or {}
        revision = self._revision(entry)
        pods = [item.obj for item in self._of(entry, "Pod")]
        updated = [pod for pod in pods if pod["metadata"]["labels"].get(REVISION_HASH) == revision]
        ready = sum(is_ready(pod) for pod in pods)
        rolled = len(updated) == len(pods) == spec["replicas"] == ready
        current = revision if rolled else before.get("currentRevision", revision)
        told: Json = {
            "observedGeneration": entry.obj["metadata"].get("generation", 1),
            "replicas": len(pods),
            "availableReplicas": ready,
            "currentRevision": current,
            "updateRevision": revision,
            "collisionCount": 0,
        }
        on_current = sum(pod["metadata"]["labels"].get(REVISION_HASH) == current for pod in pods)
        counts = {"readyReplicas": ready, "currentReplicas": on_current, "updatedReplicas": len(updated)}
        return told | {name: count for name, count in counts.items() if count}

    def _revision(self, entry: Entry) -> str:
        """The name of the ControllerRevision of the template, made if need be; reused ones come first again."""
        template = entry.obj["spec"]["template"]
        data = {"spec": {"template": {**template, "$patch": "replace"}}}
        revisions = self._of(entry, "ControllerRevision")
        name = f"{entry.name}-{template_hash(template)}"
        newest = max((item.obj["revision"] for item in revisions), default=0)
        resource, _ = self._entries("controllerrevisions")
        found = self._objects.find(resource, entry.namespace, name)
        if found is not None and found.obj["revision"] == newest:
            return name
        metadata = build.meta(
            name,
            entry.namespace,
            labels=entry.obj["spec"]["selector"].get("matchLabels"),
            owner=build.owner_of(entry.obj),
        )
        body = {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": metadata, "data": data}
        self._objects.seed({**body, "revision": newest + 1})
        stored = self._objects.get(resource, entry.namespace, name)
        owned = self._owned.setdefault(entry.obj["metadata"]["uid"], [])
        owned[:] = [item for item in owned if item.obj["kind"] != "ControllerRevision" or item.name != name]
        owned.append(stored)
        return name

    # Daemon sets.

    def _cover_nodes(self, entry: Entry) -> None:
        spec = entry.obj["spec"]
        revision = self._revision(entry)
        nodes = self._daemon_nodes(entry)
        pods = self._of(entry, "Pod")
        covered = {item.obj["spec"].get("nodeName") for item in pods}
        label = revision.removeprefix(f"{entry.name}-")
        for node in nodes:
            if node not in covered:
                template = copy.deepcopy(spec["template"])
                template["spec"]["nodeName"] = node
                template["spec"]["tolerations"] = [
                    *(template["spec"].get("tolerations") or ()),
                    *_DAEMON_TOLERATIONS,
                ]
                self._make_pod(entry, template, f"{entry.name}-{_suffix()}", labels={REVISION_HASH: label})
        for item in pods:
            if item.obj["spec"].get("nodeName") not in nodes and is_active(item.obj):
                self._delete_pod(item)
        if spec["updateStrategy"].get("type") != "RollingUpdate" or not all(is_ready(p.obj) for p in pods):
            return
        for item in pods:
            if (item.obj["metadata"].get("labels") or {}).get(REVISION_HASH) != label and is_active(item.obj):
                self._delete_pod(item)
                return

    def _daemon_nodes(self, entry: Entry) -> list[str]:
        spec = entry.obj["spec"]["template"]["spec"]
        tolerant = {**spec, "tolerations": [*(spec.get("tolerations") or ()), *_DAEMON_TOLERATIONS]}
        names = []
        for node in self._objects.store.entries(("", "nodes")):
            # A cordon keeps no daemon away; the taint that comes with it is tolerated.
            open_node = {**node.obj, "spec": {**(node.obj.get("spec") or {}), "unschedulable": False}}
            if not refuses(open_node, tolerant):
                names.append(node.name)
        return names

    def _daemon_status(self, entry: Entry) -> Json:
        label = self._revision(entry).removeprefix(f"{entry.name}-")
        pods = [item.obj for item in self._of(entry, "Pod") if is_active(item.obj)]
        ready = sum(is_ready(pod) for pod in pods)
        desired = len(self._daemon_nodes(entry))
        updated = sum((pod["metadata"].get("labels") or {}).get(REVISION_HASH) == label for pod in pods)
        told: Json = {
            "currentNumberScheduled": len(pods),
            "numberMisscheduled": 0,
            "desiredNumberScheduled": desired,
            "numberReady": ready,
            "observedGeneration": entry.obj["metadata"].get("generation", 1),
        }
        rest = {
            "updatedNumberScheduled": updated,
            "numberAvailable": ready,
            "numberUnavailable": desired - ready,
        }
        return told | {name: count for name, count in rest.items() if count}

    # Jobs.

    def _work_off(self, entry: Entry) -> None:
        spec = entry.obj["spec"]
        if spec.get("suspend") or _is_over(entry.obj):
            return
        pods = [item.obj for item in self._of(entry, "Pod")]
        succeeded, failed, active = _tally(pods)
        if failed > spec.get("backoffLimit", 6):
            return
        missing = min(spec.get("parallelism", 1), spec.get("completions", 1) - succeeded) - active
        for _ in range(missing):
            self._make_pod(entry, spec["template"], f"{entry.name}-{_suffix()}")

    def _job_status(self, entry: Entry) -> Json:
        spec, before = entry.obj["spec"], entry.obj.get("status") or {}
        if _is_over(entry.obj) or spec.get("suspend"):
            return before
        succeeded, failed, active = _tally([item.obj for item in self._of(entry, "Pod")])
        now = self._objects.now()
        told: Json = {"startTime": before.get("startTime", now), "uncountedTerminatedPods": {}}
        counts = {"active": active, "ready": active, "succeeded": succeeded, "failed": failed}
        told |= {name: count for name, count in counts.items() if count}
        if succeeded >= spec.get("completions", 1):
            told["completionTime"] = now
            told["conditions"] = [_job_condition("Complete", "CompletionsReached", now)]
        elif failed > spec.get("backoffLimit", 6):
            told["conditions"] = [_job_condition("Failed", "BackoffLimitExceeded", now)]
        return told

    # Pods of all of them.

    def _make_pod(self, entry: Entry, template: Json, name: str, *, labels: Json | None = None) -> None:
        pods, _ = self._entries("pods")
        given = copy.deepcopy(template.get("metadata") or {})
        metadata = build.meta(
            name,
            entry.namespace,
            labels={**(given.get("labels") or {}), **(labels or {})},
            annotations=given.get("annotations"),
            owner=build.owner_of(entry.obj),
        )
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": copy.deepcopy(template["spec"]),
        }
        try:
            made = self._objects.create(pods, entry.namespace, body)
        except ApiError as error:
            # The namespace is going, or a pod of that name is still terminating: next tick, or never.
            if error.code not in (403, 409):
                raise
            return
        kind = entry.obj["kind"].lower()
        message = f"Created pod: {made['metadata']['name']}"
        self._recorder.record(entry.obj, "SuccessfulCreate", message, component=f"{kind}-controller")

    def _delete_pod(self, item: Entry) -> None:
        pods, _ = self._entries("pods")
        if is_active(item.obj):
            self._objects.delete(pods, item.namespace, item.name, DeleteOptions())


def _suffix() -> str:
    return "".join(random.choices(NAME_ALPHABET, k=5))


def _ordinal(name: str) -> int:
    return int(name.rpartition("-")[2])


def _revision(entry: Entry) -> int:
    return int((entry.obj["metadata"].get("annotations") or {}).get(REVISION, 0))


def _highest(sets: list[Entry]) -> int:
    return max((_revision(item) for item in sets), default=0)


def _sum(sets: list[Entry], field: str) -> int:
    return sum((item.obj.get("status") or {}).get(field, 0) for item in sets)


def _worth_keeping(item: Entry) -> tuple[bool, bool, str]:
    """Unscheduled pods go first, then those not ready, then the youngest."""
    pod = item.obj
    return bool(pod["spec"].get("nodeName")), is_ready(pod), pod["metadata"].get("creationTimestamp", "")


def _tally(pods: list[Json]) -> tuple[int, int, int]:
    phases = [(pod.get("status") or {}).get("phase") for pod in pods]
    active = sum(is_active(pod) for pod in pods)
    return phases.count("Succeeded"), phases.count("Failed"), active


def _is_over(job: Json) -> bool:
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(item["type"] in ("Complete", "Failed") and item["status"] == "True" for item in conditions)


def _job_condition(kind: str, reason: str, now: str) -> Json:
    return {"type": kind, "status": "True", "lastTransitionTime": now, "lastProbeTime": now, "reason": reason}

"""Whose pod is whose: controllers let go of pods that their selector no longer finds, and take in those that it
finds and nobody has.

As the real ones do it: a pod on its way out is neither let go nor taken in, a finished one is not taken in, and a
stateful set takes in only what bears a name of its own. Called by the controllers of workloads before each round.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sandbox.kube import build
from sandbox.kube.objects import Objects
from sandbox.kube.selectors import matching
from sandbox.kube.store import Entry

Json = dict[str, Any]

_KINDS = ("replicasets", "statefulsets", "daemonsets")
_MERGE = "application/merge-patch+json"


def settle(objects: Objects) -> None:
    owned, orphans = _pods(objects)
    for plural in _KINDS:
        resource = objects.catalog.named(plural)
        for entry in objects.store.entries(resource.storage):
            if entry.obj["metadata"].get("deletionTimestamp"):
                continue
            finds = matching(entry.obj["spec"].get("selector"))
            for pod in owned[entry.obj["metadata"]["uid"]]:
                if not finds(_labels(pod)):
                    _give(objects, pod, _others(pod, entry))
            for pod in [
                pod for pod in orphans[entry.namespace] if _may_take(entry, pod, finds(_labels(pod)))
            ]:
                orphans[entry.namespace].remove(pod)
                _give(objects, pod, [*(_references(pod)), build.owner_of(entry.obj)])


def _pods(objects: Objects) -> tuple[dict[str, list[Entry]], dict[str, list[Entry]]]:
    """Those that stay, by the uid of their controller; those without one, by namespace."""
    owned: dict[str, list[Entry]] = defaultdict(list)
    orphans: dict[str, list[Entry]] = defaultdict(list)
    for entry in objects.store.entries(objects.catalog.named("pods").storage):
        if entry.obj["metadata"].get("deletionTimestamp"):
            continue
        controllers = [each["uid"] for each in _references(entry) if each.get("controller")]
        if controllers:
            owned[controllers[0]].append(entry)
        else:
            orphans[entry.namespace].append(entry)
    return owned, orphans


def _may_take(entry: Entry, pod: Entry, is_found: bool) -> bool:
    if not is_found or (pod.obj.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return False
    stem, _, ordinal = pod.name.rpartition("-")
    return entry.obj["kind"] != "StatefulSet" or (stem == entry.name and ordinal.isdecimal())


def _labels(pod: Entry) -> dict[str, str]:
    return pod.obj["metadata"].get("labels") or {}


def _references(pod: Entry) -> list[Json]:
    return list(pod.obj["metadata"].get("ownerReferences") or ())


def _others(pod: Entry, owner: Entry) -> list[Json]:
    return [each for each in _references(pod) if each["uid"] != owner.obj["metadata"]["uid"]]


def _give(objects: Objects, pod: Entry, references: list[Json]) -> None:
    change = {"metadata": {"ownerReferences": references or None}}
    objects.patch(objects.catalog.named("pods"), pod.namespace, pod.name, change, how=_MERGE)

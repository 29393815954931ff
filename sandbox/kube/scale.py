"""The scale subresource: one view on the replicas of deployments, replica sets, stateful sets and custom
resources. Pure; reading and writing the object is the caller's.
"""

from __future__ import annotations

import copy
from typing import Any

from sandbox.kube import printers, validation
from sandbox.kube.catalog import Resource

Json = dict[str, Any]

_COPIED = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def view(resource: Resource, obj: Json) -> Json:
    spec, told = obj.get("spec") or {}, obj.get("status") or {}
    selector = printers.format_selector(spec.get("selector"))
    shown: Json = {"replicas": told.get("replicas", 0)}
    if selector != printers.NONE:
        shown["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: obj["metadata"][key] for key in _COPIED if key in obj["metadata"]},
        "spec": {"replicas": spec["replicas"]} if spec.get("replicas") else {},
        "status": shown,
    }


def apply(resource: Resource, obj: Json, wanted: Json) -> Json:
    """The object with the replicas wanted, carrying the preconditions of the Scale's metadata."""
    replicas = (wanted.get("spec") or {}).get("replicas", 0)
    validation.check_replicas("autoscaling", "Scale", obj["metadata"]["name"], replicas)
    scaled = copy.deepcopy(obj)
    scaled["spec"]["replicas"] = replicas
    metadata = wanted.get("metadata") or {}
    for field in ("name", "uid", "resourceVersion"):
        if metadata.get(field):
            scaled["metadata"][field] = metadata[field]
    if not metadata.get("resourceVersion"):
        scaled["metadata"].pop("resourceVersion", None)
    return scaled

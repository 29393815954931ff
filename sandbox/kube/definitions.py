"""Custom resource definitions: what creating or deleting one does to the catalogue.

Owns the status a definition gets once established and its entry in discovery. Schemas are not enforced:
custom resources are stored as sent.
"""

from __future__ import annotations

from typing import Any

from sandbox.kube.catalog import Catalog, Resource

Json = dict[str, Any]

STORAGE = ("apiextensions.k8s.io", "customresourcedefinitions")
_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


def learn(catalog: Catalog, resource: Resource, obj: Json) -> bool:
    """Serves what a definition defines; false when the object is none."""
    if resource.storage != STORAGE:
        return False
    spec = obj["spec"]
    for version in spec["versions"]:
        if version.get("served", True):
            entry = _discovery_entry(spec, version)
            catalog.add_group(spec["group"], version["name"], [entry], custom=True)
    return True


def forget(catalog: Catalog, resource: Resource, obj: Json) -> None:
    if resource.storage == STORAGE:
        catalog.remove_group(obj["spec"]["group"], obj["spec"]["names"]["plural"])


def established(obj: Json, now: str) -> Json:
    spec = obj["spec"]
    names = {**spec["names"], "listKind": spec["names"].get("listKind", f"{spec['names']['kind']}List")}
    names.setdefault("singular", spec["names"]["kind"].lower())
    made = (obj.get("status") or {}).get("conditions") or [
        _condition("NamesAccepted", "NoConflicts", "no conflicts found", now),
        _condition("Established", "InitialNamesAccepted", "the initial names have been accepted", now),
    ]
    stored = [version["name"] for version in spec["versions"] if version.get("storage")]
    return {"conditions": made, "acceptedNames": names, "storedVersions": stored}


def _condition(kind: str, reason: str, message: str, now: str) -> Json:
    return {"type": kind, "status": "True", "lastTransitionTime": now, "reason": reason, "message": message}


def _discovery_entry(spec: Json, version: Json) -> Json:
    names = spec["names"]
    kind = {"group": spec["group"], "version": version["name"], "kind": names["kind"]}
    entry: Json = {
        "resource": names["plural"],
        "responseKind": kind,
        "scope": spec["scope"],
        "singularResource": names.get("singular") or names["kind"].lower(),
        "verbs": list(_VERBS),
    }
    entry |= {key: names[key] for key in ("shortNames", "categories") if names.get(key)}
    subresources = version.get("subresources") or {}
    listed = []
    if "status" in subresources:
        verbs = ["get", "patch", "update"]
        listed.append({"subresource": "status", "responseKind": kind, "verbs": verbs})
    if "scale" in subresources:
        scale = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
        verbs = ["get", "patch", "update"]
        listed.append({"subresource": "scale", "responseKind": scale, "verbs": verbs})
    return entry | ({"subresources": listed} if listed else {})

"""The bodies of the writes: what is sent to the API server for each effect, as data.

Pure: an effect, and where it matters what was just read, in; the body out. Bodies name only what is meant
to change, so that a field this program has never heard of survives. Called by workers/effects.py alone.
"""

from typing import Any

import orjson

from commands.effects import (
    FROZEN,
    Cordon,
    DenyTraffic,
    Evict,
    ExceptTraffic,
    Freeze,
    Relabel,
    Restart,
    RollBack,
    Scale,
    Target,
    Thaw,
)
from commands.scheduling import QUARANTINE
from commands.templates import template_hash
from workers.fields import Json, part

CORDONED = "sre-bot/cordoned"
CAUSE = "kubernetes.io/change-cause"
RESTARTED = "kubectl.kubernetes.io/restartedAt"
MANAGED_BY = {"app.kubernetes.io/managed-by": "sre-bot"}

# Written by the Deployment controller into the template of each ReplicaSet.
_HASH_LABEL = "pod-template-hash"


def eviction(effect: Evict) -> Json:
    return {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": effect.target.name, "namespace": effect.target.namespace},
        "deleteOptions": _deletion(effect.target, effect.grace),
    }


def delete_options(target: Target, grace: int | None = None) -> Json:
    return {"apiVersion": "v1", "kind": "DeleteOptions", **_deletion(target, grace)}


def _deletion(target: Target, grace: int | None) -> Json:
    options: Json = {"preconditions": {"uid": target.uid}} if target.uid else {}
    return options if grace is None else {**options, "gracePeriodSeconds": grace}


# Merge patches. A uid that is not the object's is refused: "field is immutable".


def cordon(effect: Cordon) -> Json:
    return {**_annotated(effect.target, {CORDONED: effect.note}), "spec": {"unschedulable": True}}


def uncordon(target: Target) -> Json:
    return {**_annotated(target, {CORDONED: None}), "spec": {"unschedulable": None}}


def of_version(patch: Json, found: Json) -> Json:
    """The same patch for the object as it was just read, and for no later one."""
    return {**patch, "metadata": {**part(patch, "metadata"), **_version(found)}}


def relabel(effect: Relabel) -> Json:
    metadata = {
        "uid": effect.target.uid,
        "labels": {**dict.fromkeys(effect.without_labels), **dict(effect.labels)},
        "annotations": {**dict.fromkeys(effect.without_annotations), **dict(effect.annotations)},
    }
    return {"metadata": {key: value for key, value in metadata.items() if value}}


def is_relabelled(effect: Relabel, pod: Json) -> bool:
    metadata = part(pod, "metadata")
    labels, annotations = part(metadata, "labels"), part(metadata, "annotations")
    return (
        all(labels.get(key) == value for key, value in effect.labels)
        and all(annotations.get(key) == value for key, value in effect.annotations)
        and not any(key in labels for key in effect.without_labels)
        and not any(key in annotations for key in effect.without_annotations)
    )


def _annotated(target: Target, annotations: dict[str, str | None]) -> Json:
    return {"metadata": {"uid": target.uid, "annotations": annotations}}


# Network policies.


def _policy(target: Target, spec: Json) -> Json:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": target.name, "namespace": target.namespace, "labels": MANAGED_BY},
        "spec": spec,
    }


def denial(effect: DenyTraffic) -> Json:
    selector = {"matchLabels": dict([effect.label])}
    return _policy(effect.target, {"podSelector": selector, "policyTypes": ["Ingress", "Egress"]})


def exception(effect: ExceptTraffic) -> Json:
    """Everything else is let through: pods of any namespace, which no address range may mean, and both families.
    A pod in quarantine is not meant: policies add up, and this one would let it out."""
    blocks = []
    for all_of, colon in (("0.0.0.0/0", False), ("::/0", True)):
        out = [cidr for cidr in effect.cidrs if (":" in cidr) is colon]
        blocks.append({"ipBlock": {"cidr": all_of, **({"except": out} if out else {})}})
    peers = [{"namespaceSelector": {}}, *blocks]
    selector: Json = {"matchExpressions": [{"key": QUARANTINE, "operator": "DoesNotExist"}]}
    if effect.labels:
        selector["matchLabels"] = dict(effect.labels)
    spec: Json = {
        "podSelector": selector,
        "policyTypes": list(effect.directions),
    }
    if "Ingress" in effect.directions:
        spec["ingress"] = [{"from": peers}]
    if "Egress" in effect.directions:
        spec["egress"] = [{"to": peers}]
    return _policy(effect.target, spec)


def excepts(effect: ExceptTraffic, policy: Json) -> bool:
    """Whether this policy is the one that is meant, to the letter."""
    return part(policy, "spec") == part(exception(effect), "spec")


def denies(effect: DenyTraffic, policy: Json) -> bool:
    """Whether this policy lets nothing in or out of exactly the pods that are meant."""
    spec = part(policy, "spec")
    return (
        part(spec, "podSelector") == {"matchLabels": dict([effect.label])}
        and set(spec.get("policyTypes") or ()) == {"Ingress", "Egress"}
        and not spec.get("ingress")
        and not spec.get("egress")
    )


# Workloads.


def held_template(source: Json) -> Json:
    """The pod template that a ReplicaSet or a ControllerRevision keeps."""
    spec = part(part(source, "data"), "spec") or part(source, "spec")
    template = {key: value for key, value in part(spec, "template").items() if key != "$patch"}
    metadata = dict(part(template, "metadata"))
    labels = {key: value for key, value in part(metadata, "labels").items() if key != _HASH_LABEL}
    return {**template, "metadata": {**metadata, "labels": labels}}


def hash_of(workload: Json) -> str:
    return template_hash(part(part(workload, "spec"), "template"))


def restarted_at(workload: Json) -> str:
    template = part(part(workload, "spec"), "template")
    return str(part(part(template, "metadata"), "annotations").get(RESTARTED) or "")


def roll_back_deployment(effect: RollBack, deployment: Json, source: Json) -> list[Any]:
    """A JSON patch, because the template is to be replaced and not merged. All other annotations stay."""
    metadata = part(deployment, "metadata")
    key = CAUSE.replace("/", "~1")
    cause: Json = {"op": "add", "path": f"/metadata/annotations/{key}", "value": effect.cause}
    if not metadata.get("annotations"):
        cause = {"op": "add", "path": "/metadata/annotations", "value": {CAUSE: effect.cause}}
    return [
        {"op": "test", "path": "/metadata/uid", "value": effect.target.uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]},
        {"op": "replace", "path": "/spec/template", "value": held_template(source)},
        cause,
    ]


def roll_back_revision(effect: RollBack, workload: Json, source: Json) -> Json:
    """The strategic merge patch that a ControllerRevision keeps, on the workload as it was just read."""
    return {**part(source, "data"), "metadata": {**_version(workload), "annotations": {CAUSE: effect.cause}}}


def restart(effect: Restart, workload: Json) -> Json:
    template = {"metadata": {"annotations": {RESTARTED: effect.at}}}
    return {"metadata": _version(workload), "spec": {"template": template}}


def scale(effect: Scale, found: Json) -> Json:
    """The scale as it was read, with another number."""
    return {**found, "spec": {**part(found, "spec"), "replicas": effect.replicas}}


# A field that is frozen, and what it was. JSON patches: a field is to be replaced and never merged.

_BOUNDS = ("minReplicas", "maxReplicas")


def freeze(effect: Freeze, found: Json) -> list[Any]:
    """What the field is at this very version goes into the annotation, whatever it was when the plan was made."""
    note: Json = {"request": effect.request, "service": effect.service, "field": effect.field}
    was = value_at(found, effect.field)
    if was:
        note["was"] = orjson.loads(was)
    spec = part(found, "spec")
    if effect.target.kind == "HorizontalPodAutoscaler":
        note |= {key: spec[key] for key in _BOUNDS if key in spec}
    annotation = orjson.dumps(note, option=orjson.OPT_SORT_KEYS).decode()
    return [
        *_same(found),
        *_annotated_with(found, annotation),
        *_field_set(found, effect.field, orjson.loads(effect.to)),
    ]


def thaw(effect: Thaw, found: Json) -> list[Any]:
    field: list[Any] = [{"op": "remove", "path": effect.field}] if value_at(found, effect.field) else []
    if effect.to:
        field = _field_set(found, effect.field, orjson.loads(effect.to))
    return [*_same(found), {"op": "remove", "path": f"/metadata/annotations/{_escaped(FROZEN)}"}, *field]


def is_frozen(effect: Freeze, found: Json) -> bool:
    """Whether it is as this freeze leaves it, or was, and somebody changed it since. A record of another freeze on an
    object that goes on is an old one: kubectl's undo brings annotations of an earlier revision back."""
    note = frozen(found)
    if note is None:
        return False
    held = value_at(found, effect.field)
    is_so = bool(held) and _within(orjson.loads(effect.to), orjson.loads(held))
    return is_so or f'"request":{orjson.dumps(effect.request).decode()}' in note


def _within(wanted: Any, held: Any) -> bool:
    """Whether what is wanted is there, beside what the API server adds."""
    if isinstance(wanted, dict) and isinstance(held, dict):
        return all(key in held and _within(value, held[key]) for key, value in wanted.items())
    return bool(wanted == held)


def frozen(found: Json) -> str | None:
    """The annotation, None where the object is not frozen."""
    note = part(part(found, "metadata"), "annotations").get(FROZEN)
    return None if note is None else str(note)


def value_at(found: Json, pointer: str) -> str:
    """The field as JSON, "" where it is not there. No key of one has a character that a pointer escapes."""
    held: Any = found
    for key in pointer.split("/")[1:]:
        held = held.get(key) if isinstance(held, dict) else None
    return "" if held is None else orjson.dumps(held, option=orjson.OPT_SORT_KEYS).decode()


def _same(found: Json) -> list[Any]:
    return [
        {"op": "test", "path": f"/metadata/{key}", "value": held} for key, held in _version(found).items()
    ]


def _annotated_with(found: Json, annotation: str) -> list[Any]:
    if part(found, "metadata").get("annotations"):
        path = f"/metadata/annotations/{_escaped(FROZEN)}"
        return [{"op": "add", "path": path, "value": annotation}]
    return [{"op": "add", "path": "/metadata/annotations", "value": {FROZEN: annotation}}]


def _field_set(found: Json, pointer: str, value: Any) -> list[Any]:
    above, _, _ = pointer.rpartition("/")
    room = [] if value_at(found, above) else [{"op": "add", "path": above, "value": {}}]
    return [*room, {"op": "add", "path": pointer, "value": value}]


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _version(found: Json) -> Json:
    metadata = part(found, "metadata")
    return {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}

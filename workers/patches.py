"""The bodies of the writes: what is sent to the API server for each effect, as data.

Pure: an effect, and where it matters what was just read, in; the body out. Bodies name only what is meant
to change, so that a field this program has never heard of survives. Called by workers/effects.py alone.
"""

from typing import Any

from commands.effects import Cordon, DenyTraffic, Evict, Relabel, Restart, RollBack, Scale, Target
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


def denial(effect: DenyTraffic) -> Json:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": effect.target.name,
            "namespace": effect.target.namespace,
            "labels": MANAGED_BY,
        },
        "spec": {
            "podSelector": {"matchLabels": dict([effect.label])},
            "policyTypes": ["Ingress", "Egress"],
        },
    }


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


def _version(found: Json) -> Json:
    metadata = part(found, "metadata")
    return {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}

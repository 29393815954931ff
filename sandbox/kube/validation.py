"""Which objects and changes the real API server would refuse with 422 Invalid.

Owns only the rules a client of the project can run into: names, required containers, selectors, immutable
fields, pod updates. Passing here does not mean the real server would take the object. No state.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

from sandbox.kube.catalog import Resource
from sandbox.kube.selectors import matching
from sandbox.kube.status import Cause, invalid

Json = dict[str, Any]

_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_BAD_NAME = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and "
    "must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    rf"'{_SUBDOMAIN}')"
)
_LABEL_NAME = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_BAD_LABEL_NAME = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    f"'{_LABEL_NAME}')"
)
_BAD_LABEL_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
    f"for validation is '{_LABEL_VALUE}')"
)
_LABEL_LENGTH = 63
# RBAC and a few others take any path segment as a name.
_FREE_NAMES = frozenset({"rbac.authorization.k8s.io", "certificates.k8s.io"})
_WITH_TEMPLATE = frozenset({"deployments", "replicasets", "statefulsets", "daemonsets"})
_POD_UPDATE = (
    "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
    "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
    "previously negative)"
)
_STATEFUL_SET_MUTABLE = frozenset(
    {
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    }
)
_STATEFUL_SET_UPDATE = (
    "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
    "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' "
    "are forbidden"
)


def check_create(resource: Resource, obj: Json) -> None:
    _refuse(resource, obj, [*_name(resource, obj), *_labels(obj), *_content(resource, obj)])


def check_update(resource: Resource, old: Json, new: Json) -> None:
    causes = [*_labels(new), *_content(resource, new)]
    if resource.storage == ("", "pods"):
        causes += _pod_update(old, new)
    elif resource.group == "apps" and resource.plural == "statefulsets":
        causes += _stateful_set_update(old, new)
    elif resource.group == "apps" and resource.plural in _WITH_TEMPLATE:
        causes += _immutable(old, new, "selector")
    elif resource.storage == ("batch", "jobs"):
        causes += [*_immutable(old, new, "selector"), *_immutable(old, new, "template")]
    elif resource.storage == ("rbac.authorization.k8s.io", "clusterrolebindings") and (
        old.get("roleRef") != new.get("roleRef")
    ):
        causes.append(Cause("roleRef", f"Invalid value: {_told(new.get('roleRef'))}: cannot change roleRef"))
    _refuse(resource, new, causes)


def check_replicas(group: str, kind: str, name: str, replicas: int) -> None:
    if replicas < 0:
        message = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise invalid(group, kind, name, [Cause("spec.replicas", message)])


def _refuse(resource: Resource, obj: Json, causes: list[Cause]) -> None:
    if causes:
        raise invalid(resource.group, resource.kind, obj["metadata"].get("name", ""), causes)


def _name(resource: Resource, obj: Json) -> Iterator[Cause]:
    name = obj["metadata"].get("name", "")
    if not name:
        message = "Required value: name or generateName is required"
        yield Cause("metadata.name", message, "FieldValueRequired")
    elif resource.group not in _FREE_NAMES and (len(name) > 253 or not re.fullmatch(_SUBDOMAIN, name)):
        yield Cause("metadata.name", f"Invalid value: {_told(name)}: {_BAD_NAME}")


def _labels(obj: Json) -> Iterator[Cause]:
    for key, value in (obj["metadata"].get("labels") or {}).items():
        prefix, slash, name = key.rpartition("/")
        if slash and not re.fullmatch(_SUBDOMAIN, prefix):
            yield _label(key, f"prefix part {_BAD_NAME}")
        if not re.fullmatch(_LABEL_NAME, name):
            yield _label(key, _BAD_LABEL_NAME)
        if len(name) > _LABEL_LENGTH:
            yield _label(key, f"name part must be no more than {_LABEL_LENGTH} bytes")
        if not re.fullmatch(_LABEL_VALUE, value):
            yield _label(value, _BAD_LABEL_VALUE)
        if len(value) > _LABEL_LENGTH:
            yield _label(value, f"must be no more than {_LABEL_LENGTH} bytes")


def _label(wrong: str, message: str) -> Cause:
    return Cause("metadata.labels", f"Invalid value: {_told(wrong)}: {message}")


def _content(resource: Resource, obj: Json) -> Iterator[Cause]:
    if resource.storage == ("", "pods"):
        yield from _containers(obj.get("spec") or {}, "spec")
    elif resource.group == "apps" and resource.plural in _WITH_TEMPLATE:
        yield from _workload(obj.get("spec") or {})
    elif resource.storage == ("batch", "jobs"):
        template = (obj.get("spec") or {}).get("template") or {}
        yield from _containers(template.get("spec") or {}, "spec.template.spec")
    elif resource.storage == ("policy", "poddisruptionbudgets"):
        yield from _budget(obj)


def _containers(spec: Json, path: str) -> Iterator[Cause]:
    if not spec.get("containers"):
        yield Cause(f"{path}.containers", "Required value", "FieldValueRequired")
    for number, container in enumerate(spec.get("containers") or ()):
        if not container.get("name"):
            yield Cause(f"{path}.containers[{number}].name", "Required value", "FieldValueRequired")


def _workload(spec: Json) -> Iterator[Cause]:
    selector = spec.get("selector")
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels")
    if not selector:
        yield Cause("spec.selector", "Required value", "FieldValueRequired")
    if not selector or not matching(selector)(labels or {}):
        message = f"Invalid value: {_told(labels)}: `selector` does not match template `labels`"
        yield Cause("spec.template.metadata.labels", message)
    if spec.get("replicas", 0) < 0:
        message = f"Invalid value: {spec['replicas']}: must be greater than or equal to 0"
        yield Cause("spec.replicas", message)
    yield from _containers(template.get("spec") or {}, "spec.template.spec")


def _budget(obj: Json) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        yield Cause(
            "spec", f"Invalid value: {_told(spec)}: minAvailable and maxUnavailable cannot be both set"
        )
    for field, value in (obj.get("status") or {}).items():
        if isinstance(value, int) and value < 0:
            message = f"Invalid value: {value}: must be greater than or equal to 0"
            yield Cause(f"status.{field}", message)


def _pod_update(old: Json, new: Json) -> Iterator[Cause]:
    if _fixed(old["spec"]) != _fixed(new["spec"]):
        yield Cause("spec", _POD_UPDATE, "FieldValueForbidden")


def _fixed(spec: Json) -> Json:
    fixed = {key: value for key, value in spec.items() if key not in ("tolerations", "activeDeadlineSeconds")}
    for field in ("containers", "initContainers"):
        if field in fixed:
            fixed[field] = [{**container, "image": ""} for container in fixed[field]]
    return fixed


def _immutable(old: Json, new: Json, field: str) -> Iterator[Cause]:
    if old["spec"].get(field) != new["spec"].get(field):
        message = f"Invalid value: {_told(new['spec'].get(field))}: field is immutable"
        yield Cause(f"spec.{field}", message)


def _stateful_set_update(old: Json, new: Json) -> Iterator[Cause]:
    changed = {
        key for key in old["spec"].keys() | new["spec"].keys() if old["spec"].get(key) != new["spec"].get(key)
    }
    if changed - _STATEFUL_SET_MUTABLE:
        yield Cause("spec", _STATEFUL_SET_UPDATE, "FieldValueForbidden")


def _told(value: Any) -> str:
    return orjson.dumps(value).decode()

"""The three patch formats: JSON merge patch, strategic merge patch and JSON patch.

Pure functions from a document and a patch to a new document; inputs are not changed. Which lists a
strategic patch merges, and by which key, is the table in MERGE_KEYS, taken from the API types. Server-side
apply is not implemented; the server answers it with 415.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.kube.status import ApiError, bad_request, rejected

Json = dict[str, Any]

MERGE_KEYS: Mapping[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    # A container's ports merge by containerPort, a Service's by port.
    "ports": ("containerPort", "port"),
    "conditions": ("type",),
    "addresses": ("type",),
    "imagePullSecrets": ("name",),
    "secrets": ("name",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey",),
    "ownerReferences": ("uid",),
    "resourceClaims": ("name",),
    "podIPs": ("ip",),
    "hostIPs": ("ip",),
    "webhooks": ("name",),
}
MERGED_PRIMITIVES = frozenset({"finalizers", "podCIDRs"})


def merge_patch(document: Any, patch: Any) -> Any:
    """RFC 7386: null deletes, lists are replaced."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def strategic_merge_patch(document: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: copy.deepcopy(value) for key, value in patch.items() if key != "$patch"}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise bad_request(f"Unknown patch type found: {directive}")
    merged = dict(document) if isinstance(document, dict) else {}
    retained = patch.get("$retainKeys")
    if retained is not None:
        merged = {key: value for key, value in merged.items() if key in retained}
    for key, value in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            name = key.partition("/")[2]
            merged[name] = [item for item in merged.get(name) or () if item not in value]
        elif key.startswith("$"):
            continue
        elif value is None:
            merged.pop(key, None)
        elif isinstance(value, list):
            merged[key] = _merged_list(key, merged.get(key), value, patch.get(f"$setElementOrder/{key}"))
        else:
            merged[key] = strategic_merge_patch(merged.get(key), value)
    return merged


def _merged_list(field: str, before: Any, patch: list[Any], order: list[Any] | None) -> list[Any]:
    existing = list(before or ())
    if field in MERGED_PRIMITIVES:
        added = [item for item in patch if item not in existing]
        return _in_order([*existing, *added], existing, order or patch, _itself)
    key = _merge_key(field, [*existing, *patch])
    if key is None:
        return copy.deepcopy(patch)
    if any(item.get("$patch") == "replace" for item in patch if isinstance(item, dict)):
        return [_undirected(item) for item in patch if item.get("$patch") != "replace" or len(item) > 1]
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise ApiError(500, "", f"map: {item} does not contain declared merge key: {key}")
        at = next((n for n, old in enumerate(existing) if old.get(key) == item[key]), None)
        if item.get("$patch") == "delete":
            if at is not None:
                del existing[at]
        elif at is None:
            existing.append(strategic_merge_patch({}, item))
        else:
            existing[at] = strategic_merge_patch(existing[at], item)

    def named(item: Any) -> Any:
        return item.get(key)

    return _in_order(existing, list(before or ()), order or patch, named)


def _in_order(
    items: list[Any], before: list[Any], wanted: list[Any], name: Callable[[Any], Any]
) -> list[Any]:
    """What the patch names keeps the patch's order and goes before what it does not name, unless that came
    before it already. This is mergeSortedSlice of apimachinery."""
    order, positions = [name(item) for item in wanted], [name(item) for item in before]
    right = sorted((i for i in items if name(i) in order), key=lambda item: order.index(name(item)))
    left = [item for item in items if name(item) not in order]
    merged = []
    while left and right:
        known = name(right[0]) in positions
        first = known and positions.index(name(left[0])) < positions.index(name(right[0]))
        merged.append((left if first else right).pop(0))
    return merged + left + right


def _itself(item: Any) -> Any:
    return item


def _merge_key(field: str, items: list[Any]) -> str | None:
    for key in MERGE_KEYS.get(field, ()):
        if any(isinstance(item, dict) and key in item for item in items):
            return key
    return None


def _undirected(item: Json) -> Json:
    return {key: copy.deepcopy(value) for key, value in item.items() if key != "$patch"}


def json_patch(document: Any, operations: Any) -> Any:
    """RFC 6902; whatever fails, the server says only that it rejected the request."""
    if not isinstance(operations, list):
        message = "json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
        raise bad_request(f"error decoding patch: {message}")
    patched = copy.deepcopy(document)
    for operation in operations:
        try:
            patched = _apply(patched, operation)
        except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
            raise rejected() from error
    return patched


def _apply(document: Any, operation: Json) -> Any:
    name, path = operation["op"], _pointer(operation["path"])
    if name == "test":
        if _look_up(document, path) != operation.get("value"):
            raise ValueError(path)
        return document
    if name in ("move", "copy"):
        source = _pointer(operation["from"])
        value = copy.deepcopy(_look_up(document, source))
        if name == "move":
            document = _remove(document, source)
        return _add(document, path, value)
    if name == "remove":
        return _remove(document, path)
    if name not in ("add", "replace"):
        raise ValueError(name)
    value = copy.deepcopy(operation.get("value"))
    if name == "replace" and path:
        parent = _look_up(document, path[:-1])
        if isinstance(parent, list):
            parent[_index(parent, path[-1])] = value
            return document
        # The library of the real server takes the replacement of a missing key for its addition.
    return _add(document, path, value)


def _pointer(text: str) -> list[str]:
    if text and not text.startswith("/"):
        raise ValueError(text)
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _look_up(document: Any, path: list[str]) -> Any:
    for step in path:
        document = document[_index(document, step)] if isinstance(document, list) else document[step]
    return document


def _index(items: list[Any], step: str) -> int:
    index = int(step)
    if not 0 <= index < len(items):
        raise IndexError(step)
    return index


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _look_up(document, path[:-1])
    last = path[-1]
    if isinstance(parent, list):
        at = len(parent) if last == "-" else int(last)
        if not 0 <= at <= len(parent):
            raise IndexError(last)
        parent.insert(at, value)
    else:
        parent[last] = value
    return document


def _remove(document: Any, path: list[str]) -> Any:
    parent = _look_up(document, path[:-1])
    if isinstance(parent, list):
        del parent[_index(parent, path[-1])]
    else:
        del parent[path[-1]]
    return document

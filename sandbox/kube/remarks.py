"""What the API server remarks on an object that it takes all the same: the texts of its `Warning` headers.

Owns the one remark that the project's writes can meet, a variable that is defined twice. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox.kube.catalog import Resource

Json = dict[str, Any]

_WORKLOADS = frozenset({"deployments", "replicasets", "statefulsets", "daemonsets"})


def on(resource: Resource, obj: Json, before: Json | None = None) -> tuple[str, ...]:
    """On what was written; a workload is looked at again only when its spec is not as it was `before`."""
    spec = obj.get("spec") or {}
    if resource.storage == ("", "pods"):
        return () if before else tuple(_hidden(spec, "spec"))
    if resource.group != "apps" or resource.plural not in _WORKLOADS or spec == (before or {}).get("spec"):
        return ()
    return tuple(_hidden((spec.get("template") or {}).get("spec") or {}, "spec.template.spec"))


def _hidden(spec: Json, path: str) -> Iterator[str]:
    for place, container in enumerate(spec.get("containers") or ()):
        known: set[str] = set()
        for number, variable in enumerate(container.get("env") or ()):
            name = str(variable.get("name"))
            if name in known:
                where = f"{path}.containers[{place}].env[{number}]"
                yield f'{where}: hides previous definition of "{name}", which may be dropped when using apply'
            known.add(name)

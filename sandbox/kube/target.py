"""What a request is about: the verb, resource and object a path and method name.

Pure parsing, shared by routing, authorization, faults and the request log, so that all four speak of the
same thing. Mirrors the RequestInfo of the real server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_VERBS = {
    "GET": "get",
    "HEAD": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}


@dataclass(frozen=True, slots=True)
class Target:
    path: str
    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    # What follows `.../proxy`, always with its leading slash.
    rest: str = ""

    @property
    def is_resource(self) -> bool:
        return bool(self.resource)

    @property
    def what(self) -> str:
        """`pods/eviction`, as roles and error messages write it."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def is_set(value: str | None) -> bool:
    """Booleans of the query: the real server takes anything but these for true."""
    return value not in (None, "", "0", "false")


def parse(method: str, path: str, query: Mapping[str, str]) -> Target:
    parts = [part for part in path.split("/") if part]
    verb = _VERBS.get(method, method.lower())
    group, version, rest = _group_version(parts)
    if not rest:
        return Target(path, verb, group=group, version=version)
    watching = is_set(query.get("watch"))
    if rest[0] == "watch":
        watching, rest = True, rest[1:]
    namespace, rest = _namespace(rest)
    if not rest:
        return Target(path, verb, group=group, version=version)
    resource, name, subresource = (*rest, "", "")[:3]
    tail = ""
    if subresource == "proxy":
        tail = path.partition("/proxy")[2] or "/"
    if resource == "namespaces" and not namespace:
        namespace = name
    if not name:
        verb = {"get": "list", "delete": "deletecollection"}.get(verb, verb)
        if verb == "list" and watching:
            verb = "watch"
    return Target(path, verb, group, version, resource, subresource, namespace, name, tail)


def _group_version(parts: list[str]) -> tuple[str, str, list[str]]:
    if parts[:1] == ["api"] and len(parts) > 1:
        return "", parts[1], parts[2:]
    if parts[:1] == ["apis"] and len(parts) > 2:
        return parts[1], parts[2], parts[3:]
    return (parts[1] if parts[:1] == ["apis"] and len(parts) > 1 else ""), "", []


def _namespace(rest: list[str]) -> tuple[str, list[str]]:
    """`namespaces/x` alone is a namespace; with a resource behind it, it is where that lives."""
    if len(rest) > 2 and rest[0] == "namespaces" and rest[2] not in ("status", "finalize"):
        return rest[1], rest[2:]
    return "", rest

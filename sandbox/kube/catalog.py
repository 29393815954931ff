"""Which resources the API server serves, and the discovery documents that say so.

Owns `catalog.json`, recorded from kube-apiserver 1.36.3 (discovery and the columns of every Table), and
what custom resource definitions and the metrics API add at run time. autoscaling/v1 is left out: the
stand-in does not convert between versions. Called by the server and by everything that names a resource.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

Json = dict[str, Any]

# events.k8s.io and core events are one set of objects in two shapes; the core one is stored.
SHARED_STORAGE = {("events.k8s.io", "events"): ("", "events")}


@dataclass(frozen=True, slots=True)
class Resource:
    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    verbs: frozenset[str]
    subresources: frozenset[str] = frozenset()
    custom: bool = False

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """`deployments.apps`, as error messages name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def storage(self) -> tuple[str, str]:
        key = (self.group, self.plural)
        return SHARED_STORAGE.get(key, key)

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        prefix = f"/apis/{self.group}" if self.group else "/api"
        parts = [prefix, self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part]
        return "/".join(parts)


@cache
def _recorded() -> Json:
    loaded: Json = json.loads(files("sandbox.kube").joinpath("catalog.json").read_bytes())
    return loaded


def _resource(group: str, version: str, entry: Json, *, custom: bool = False) -> Resource:
    return Resource(
        group=group,
        version=version,
        plural=entry["resource"],
        kind=entry["responseKind"]["kind"],
        namespaced=entry["scope"] == "Namespaced",
        verbs=frozenset(entry["verbs"]),
        subresources=frozenset(sub["subresource"] for sub in entry.get("subresources", ())),
        custom=custom,
    )


@dataclass
class Catalog:
    """`groups` is kept in the aggregated discovery shape, from which the older documents are derived."""

    core: list[Json] = field(default_factory=lambda: copy.deepcopy(_recorded()["core"]))
    groups: list[Json] = field(default_factory=lambda: copy.deepcopy(_recorded()["groups"]))

    def __post_init__(self) -> None:
        self._by_path: dict[tuple[str, str, str], Resource] = {}
        self._by_kind: dict[tuple[str, str], Resource] = {}
        self.columns: dict[tuple[str, str], list[Json]] = {}
        for group in (*self.core, *self.groups):
            name = group["metadata"].get("name", "")
            for version in group["versions"]:
                for entry in version["resources"]:
                    self._learn(_resource(name, version["version"], entry))
        for path, columns in _recorded()["columns"].items():
            group_name, _, plural = path.split("/")
            self.columns[group_name, plural] = columns

    @property
    def server_version(self) -> Json:
        version: Json = _recorded()["version"]
        return version

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        return self._by_path.get((group, version, plural))

    def has_version(self, group: str, version: str) -> bool:
        return self._version(group, version) is not None

    def of(self, obj: Json) -> Resource:
        """The resource an object belongs to, by its apiVersion and kind."""
        return self.kind(obj["apiVersion"], obj["kind"])

    def kind(self, api_version: str, kind: str) -> Resource:
        return self._by_kind[api_version, kind]

    def named(self, plural: str, group: str | None = None) -> Resource:
        """By plural or `deployments.apps`, as on a command line; the core group wins a tie."""
        plural, _, dotted = plural.partition(".")
        wanted = group if group is not None else dotted or None
        found = [r for r in self._by_path.values() if r.plural == plural and wanted in (None, r.group)]
        if not found:
            raise KeyError(plural)
        return min(found, key=lambda resource: resource.group)

    def resources(self) -> list[Resource]:
        return list(self._by_path.values())

    def add_group(self, group: str, version: str, entries: list[Json], *, custom: bool) -> list[Resource]:
        found = next((item for item in self.groups if item["metadata"]["name"] == group), None)
        if found is None:
            found = {"metadata": {"name": group}, "versions": []}
            self.groups.append(found)
        known = next((item for item in found["versions"] if item["version"] == version), None)
        if known is None:
            known = {"version": version, "resources": [], "freshness": "Current"}
            found["versions"].append(known)
        plurals = {entry["resource"] for entry in entries}
        known["resources"] = [old for old in known["resources"] if old["resource"] not in plurals] + entries
        return [self._learn(_resource(group, version, entry, custom=custom)) for entry in entries]

    def remove_group(self, group: str, plural: str | None = None) -> None:
        """One resource of a group, or all; a group without resources is gone."""
        for item in [item for item in self.groups if item["metadata"]["name"] == group]:
            for version in item["versions"]:
                version["resources"] = [
                    entry for entry in version["resources"] if plural not in (None, entry["resource"])
                ]
            item["versions"] = [version for version in item["versions"] if version["resources"]]
            if not item["versions"]:
                self.groups.remove(item)
        for path, resource in list(self._by_path.items()):
            if resource.group == group and plural in (None, resource.plural):
                del self._by_path[path]
                self._by_kind.pop((resource.api_version, resource.kind), None)

    def mark_stale(self, group: str, *, stale: bool) -> None:
        for item in self.groups:
            if item["metadata"]["name"] == group:
                for version in item["versions"]:
                    version["freshness"] = "Stale" if stale else "Current"

    def aggregated(self, *, core: bool) -> Json:
        return {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": "apidiscovery.k8s.io/v2",
            "metadata": {},
            "items": self.core if core else self.groups,
        }

    def api_versions(self, address: str) -> Json:
        addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}

    def group_list(self) -> Json:
        groups = [_group_document(item) for item in self.groups]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}

    def group(self, name: str) -> Json | None:
        for item in self.groups:
            if item["metadata"]["name"] == name:
                return {"kind": "APIGroup", "apiVersion": "v1", **_group_document(item)}
        return None

    def resource_list(self, group: str, version: str) -> Json | None:
        found = self._version(group, version)
        if found is None:
            return None
        listed: list[Json] = []
        for entry in found["resources"]:
            listed += _resource_documents(group, version, entry)
        group_version = f"{group}/{version}" if group else version
        return {"kind": "APIResourceList", "groupVersion": group_version, "resources": listed} | (
            {"apiVersion": "v1"} if group else {}
        )

    def _version(self, group: str, version: str) -> Json | None:
        for item in self.groups if group else self.core:
            if item["metadata"].get("name", "") == group:
                for candidate in item["versions"]:
                    if candidate["version"] == version:
                        found: Json = candidate
                        return found
        return None

    def _learn(self, resource: Resource) -> Resource:
        self._by_path[resource.group, resource.version, resource.plural] = resource
        # `bindings` and `pods/binding` share a kind, and so do review resources: the first one keeps it.
        self._by_kind.setdefault((resource.api_version, resource.kind), resource)
        return resource


def _group_document(item: Json) -> Json:
    name = item["metadata"]["name"]
    versions = [
        {"groupVersion": f"{name}/{version['version']}", "version": version["version"]}
        for version in item["versions"]
    ]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _resource_documents(group: str, version: str, entry: Json) -> list[Json]:
    namespaced = entry["scope"] == "Namespaced"
    main: Json = {
        "name": entry["resource"],
        "singularName": entry["singularResource"],
        "namespaced": namespaced,
        "kind": entry["responseKind"]["kind"],
        "verbs": entry["verbs"],
    }
    main |= {key: entry[key] for key in ("shortNames", "categories") if key in entry}
    documents = [main]
    for sub in entry.get("subresources", ()):
        kind = sub["responseKind"]
        document: Json = {
            "name": f"{entry['resource']}/{sub['subresource']}",
            "singularName": "",
            "namespaced": namespaced,
            "kind": kind["kind"],
            "verbs": sub["verbs"],
        }
        if kind["version"] and (kind["group"], kind["version"]) != (group, version):
            document |= {"group": kind["group"], "version": kind["version"]}
        documents.append(document)
    return documents

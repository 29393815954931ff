"""REST semantics over the store: create, read, list, update, patch, delete, and the seeding of tests.

Owns what a write does to metadata (uid, generation, deletionTimestamp, finalizers), preconditions, dry run
and paging. Asks defaults and validation about the content. Does not know HTTP or users; the server,
the controllers and the tests all write through here.
"""

from __future__ import annotations

import base64
import copy
import datetime
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from sandbox.kube import defaults, definitions, events, patch, selectors, status, validation
from sandbox.kube.catalog import Catalog, Resource
from sandbox.kube.status import ApiError
from sandbox.kube.store import Entry, Expired, Store, order_of

Json = dict[str, Any]
Clock = Callable[[], datetime.datetime]

NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
SYSTEM_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
NAMESPACES = ("", "namespaces")
PODS = ("", "pods")

# Deleting one of these answers the object; the others answer a Status.
_ANSWERS_DELETED = frozenset(
    {
        "pods",
        "services",
        "namespaces",
        "serviceaccounts",
        "persistentvolumes",
        "persistentvolumeclaims",
        "podtemplates",
        "replicationcontrollers",
        "resourcequotas",
    }
)
PATCHES: dict[str, Callable[[Any, Any], Any]] = {
    "application/json-patch+json": patch.json_patch,
    "application/merge-patch+json": patch.merge_patch,
    "application/strategic-merge-patch+json": patch.strategic_merge_patch,
}


# No write changes these.
_KEPT = (
    "name",
    "namespace",
    "generateName",
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)


def wall_clock() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def stamp(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Listing:
    """One answered list: `metadata` is that of the List object."""

    entries: tuple[Entry, ...]
    metadata: Json


@dataclass(frozen=True, slots=True)
class Query:
    """What a list or watch asks for; `limit` 0 is no limit."""

    labels: str = ""
    fields: str = ""
    limit: int = 0
    token: str = ""
    revision: str = ""
    match: str = ""

    def predicate(self, resource: Resource) -> selectors.Predicate:
        by_label = selectors.labels(self.labels)
        by_field = selectors.fields(self.fields, resource)
        if by_label is selectors.everything:
            return by_field
        if by_field is selectors.everything:
            return by_label
        return lambda obj: by_field(obj) and by_label(obj)


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    grace: int | None = None
    propagation: str = "Background"
    uid: str = ""
    revision: str = ""
    dry_run: bool = False


class Objects:
    def __init__(
        self, store: Store, catalog: Catalog, clock: Clock = wall_clock, *, continue_ttl: float = 300.0
    ) -> None:
        self.store = store
        self.catalog = catalog
        self.clock = clock
        self.continue_ttl = continue_ttl
        for name in SYSTEM_NAMESPACES:
            self.seed({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def now(self) -> str:
        return stamp(self.clock())

    def find(self, resource: Resource, namespace: str, name: str) -> Entry | None:
        return self.store.get(resource.storage, namespace if resource.namespaced else "", name)

    def get(self, resource: Resource, namespace: str, name: str) -> Entry:
        entry = self.find(resource, namespace, name)
        if entry is None:
            raise status.not_found(resource, name)
        return entry

    def list(self, resource: Resource, namespace: str, query: Query) -> Listing:
        predicate = query.predicate(resource)
        revision, after, consistent = self._position(resource, namespace, query)
        try:
            entries = self.store.snapshot(resource.storage, revision)
        except Expired as error:
            raise status.expired("The resourceVersion for the provided list is too old.") from error
        found = select(entries, namespace, predicate)
        if after:
            found = [entry for entry in found if entry.order > after]
        metadata: Json = {"resourceVersion": str(revision)}
        limit = 0 if query.revision == "0" and query.match != "Exact" else query.limit
        if 0 < limit < len(found):
            left = len(found) - limit
            found = found[:limit]
            page = self.store.remember_page() if consistent else revision
            metadata["resourceVersion"] = str(page)
            metadata["continue"] = _continue_token(page, found[-1].order, namespace)
            if predicate is selectors.everything:
                metadata["remainingItemCount"] = left
        return Listing(tuple(found), metadata)

    def create(self, resource: Resource, namespace: str, obj: Json, *, dry_run: bool = False) -> Json:
        metadata = obj["metadata"] = dict(obj.get("metadata") or {})
        if resource.namespaced:
            if metadata.setdefault("namespace", namespace) != namespace:
                mismatch = (
                    "the namespace of the provided object does not match the namespace sent on the request"
                )
                raise status.bad_request(mismatch)
        elif metadata.get("namespace"):
            raise status.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        if metadata.get("resourceVersion"):
            raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
        if metadata.get("generateName") and not metadata.get("name"):
            metadata["name"] = metadata["generateName"] + "".join(random.choices(NAME_ALPHABET, k=5))
        with self.store.lock:
            if resource.namespaced:
                self.check_namespace(resource, namespace, metadata.get("name", ""))
            obj = self._fresh(resource, obj)
            if self.find(resource, namespace, metadata["name"]) is not None:
                raise status.already_exists(resource, metadata["name"])
            if dry_run:
                return obj
            stored = self.store.put(resource.storage, obj).obj
            self._notice(resource, stored)
            return stored

    def update(
        self,
        resource: Resource,
        namespace: str,
        obj: Json,
        *,
        name: str,
        part: str = "",
        dry_run: bool = False,
    ) -> Json:
        """PUT; `part` is empty or `status`."""
        metadata = obj["metadata"] = dict(obj.get("metadata") or {})
        _check_name(metadata, name)
        with self.store.lock:
            entry = self.get(resource, namespace, name)
            found = entry.obj["metadata"]
            if metadata.get("uid") not in (None, "", found["uid"]):
                where = f"{resource.plural}/{namespace}/{name}" if namespace else f"{resource.plural}/{name}"
                why = (
                    f"StorageError: invalid object, Code: 4, Key: /registry/{where}, ResourceVersion: 0, "
                    f"AdditionalErrorMsg: Precondition failed: UID in precondition: {metadata['uid']}, "
                    f"UID in object meta: {found['uid']}"
                )
                raise status.conflict(resource, name, why)
            return self._replace(resource, entry, obj, part=part, dry_run=dry_run)

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        body: Any,
        *,
        how: str,
        part: str = "",
        dry_run: bool = False,
    ) -> Json:
        with self.store.lock:
            entry = self.get(resource, namespace, name)
            patched = PATCHES[how](entry.obj, body)
            if not isinstance(patched, dict):
                raise status.rejected()
            patched["metadata"] = dict(patched.get("metadata") or {})
            _check_name(patched["metadata"], name)
            uid = patched["metadata"].get("uid")
            if uid != entry.obj["metadata"]["uid"]:
                message = f'Invalid value: "{uid}": field is immutable'
                # The real server checks it twice and says so.
                causes = [status.Cause("metadata.uid", message)] * 2
                raise _once(resource, name, causes)
            return self._replace(resource, entry, patched, part=part, dry_run=dry_run)

    def delete(self, resource: Resource, namespace: str, name: str, options: DeleteOptions) -> Json:
        """Answers what the client gets: the object, or a Status when it is gone at once."""
        with self.store.lock:
            entry = self.get(resource, namespace, name)
            check_preconditions(resource, entry, uid=options.uid, revision=options.revision)
            obj = self._deleted(resource, entry, options)
            gone = options.dry_run or self.find(resource, namespace, name) is None
            if gone and not (resource.group == "" and resource.plural in _ANSWERS_DELETED):
                return _deleted_status(resource, obj)
            return obj

    def delete_all(
        self, resource: Resource, namespace: str, query: Query, options: DeleteOptions
    ) -> tuple[Entry, ...]:
        with self.store.lock:
            listing = self.list(resource, namespace, query)
            for entry in listing.entries:
                self._deleted(resource, entry, options)
            return listing.entries

    def seed(self, obj: Json) -> Json:
        """Stores it with its status as given, creating or replacing; the way tests and the sandbox set
        a cluster up. A missing namespace is made. The object is copied."""
        obj = orjson.loads(orjson.dumps(obj))
        resource = self.catalog.of(obj)
        metadata = obj.setdefault("metadata", {})
        if resource.storage[0] != resource.group:
            obj = events.to_core(obj)
        with self.store.lock:
            if resource.namespaced:
                namespace = metadata.setdefault("namespace", "default")
                if self.store.get(NAMESPACES, "", namespace) is None:
                    self.seed({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
            before = self.find(resource, metadata.get("namespace", ""), metadata["name"])
            if before is None:
                metadata.setdefault("uid", str(uuid.uuid4()))
                defaults.fill_in(resource, obj)
                metadata.setdefault("creationTimestamp", self.now())
                if _counts_generations(resource):
                    metadata.setdefault("generation", 1)
            else:
                for field in ("uid", "creationTimestamp", "generation"):
                    if field in before.obj["metadata"]:
                        metadata.setdefault(field, before.obj["metadata"][field])
                defaults.fill_in(resource, obj)
                if _counts_generations(resource) and _wanted(resource, obj) != _wanted(resource, before.obj):
                    metadata["generation"] = before.obj["metadata"].get("generation", 0) + 1
            stored = self.store.put(resource.storage, obj).obj
            self._notice(resource, stored)
            return stored

    def write_status(self, resource: Resource, entry: Entry, new_status: Json) -> Json:
        """For controllers: no write when nothing changed."""
        if entry.obj.get("status") == new_status:
            return entry.obj
        return self.store.put(
            resource.storage, {**entry.obj, "metadata": dict(entry.obj["metadata"]), "status": new_status}
        ).obj

    def bind(self, pods: Resource, pod: Json, node: str) -> Json:
        """The scheduler's decision; no generation counts it."""
        told = pod.get("status") or {}
        conditions = [item for item in told.get("conditions") or () if item["type"] != "PodScheduled"]
        conditions.append({"type": "PodScheduled", "status": "True", "lastTransitionTime": self.now()})
        return self.store.put(
            pods.storage,
            {
                **pod,
                "metadata": dict(pod["metadata"]),
                "spec": {**pod["spec"], "nodeName": node},
                "status": {**told, "conditions": conditions},
            },
        ).obj

    def remove(self, resource: Resource, entry: Entry) -> Json:
        """Takes the object away whatever its finalizers or grace period say."""
        gone = self.store.remove(resource.storage, entry)
        definitions.forget(self.catalog, resource, gone)
        return gone

    def _fresh(self, resource: Resource, obj: Json) -> Json:
        metadata = obj["metadata"]
        for field in ("generation", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields"):
            metadata.pop(field, None)
        for field in [field for field, value in metadata.items() if value in (None, {}, [])]:
            del metadata[field]
        metadata["uid"] = str(uuid.uuid4())
        metadata.pop("creationTimestamp", None)
        if resource.storage == PODS and not obj.get("spec"):
            obj["spec"] = {}
        validation.check_create(resource, obj)
        defaults.fill_in(resource, obj)
        defaults.reset_status(resource, obj)
        if resource.storage == ("", "nodes"):
            defaults.admit_node(obj)
        metadata["creationTimestamp"] = self.now()
        if _counts_generations(resource):
            metadata["generation"] = 1
        return {"kind": resource.kind, "apiVersion": obj.get("apiVersion", resource.api_version), **obj}

    def _replace(self, resource: Resource, entry: Entry, obj: Json, *, part: str, dry_run: bool) -> Json:
        old, metadata = entry.obj, obj["metadata"]
        if metadata.get("resourceVersion") not in (None, "", "0", old["metadata"]["resourceVersion"]):
            raise status.modified(resource, entry.name)
        new = _with_kept_metadata(old, obj)
        if part == "status":
            new = _only_status(resource, old, new)
        else:
            defaults.fill_in(resource, new)
            if "status" in resource.subresources:
                _keep_status(old, new)
        validation.check_update(resource, old, new)
        if _counts_generations(resource) and _wanted(resource, new) != _wanted(resource, old):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        if new == old or dry_run:
            return new
        if _may_go(resource, new):
            self.remove(resource, entry)
            return new
        stored = self.store.put(resource.storage, new).obj
        self._notice(resource, stored)
        return stored

    def _deleted(self, resource: Resource, entry: Entry, options: DeleteOptions) -> Json:
        old = entry.obj
        if resource.storage == NAMESPACES:
            return self._terminate_namespace(resource, entry, dry_run=options.dry_run)
        grace = _grace(resource, old, options)
        metadata = dict(old["metadata"])
        already = metadata.get("deletionTimestamp") is not None
        finalizers = list(metadata.get("finalizers") or ())
        if not already:
            finalizers += _propagation_finalizers(options.propagation, finalizers)
        if finalizers:
            metadata["finalizers"] = finalizers
        if already and (grace >= metadata.get("deletionGracePeriodSeconds", 0) and (finalizers or grace > 0)):
            return old
        ends = self.clock() + datetime.timedelta(seconds=grace)
        metadata["deletionTimestamp"] = stamp(ends)
        metadata["deletionGracePeriodSeconds"] = grace
        if metadata.get("generation") and not already:
            metadata["generation"] += 1
        obj = {**old, "metadata": metadata}
        if options.dry_run:
            return old
        if finalizers or grace > 0:
            return self.store.put(resource.storage, obj).obj
        if resource.storage != PODS:
            self.remove(resource, entry)
            return old
        gone = self.remove(resource, entry)
        return {**obj, "metadata": {**metadata, "resourceVersion": gone["metadata"]["resourceVersion"]}}

    def _terminate_namespace(self, resource: Resource, entry: Entry, *, dry_run: bool) -> Json:
        old = entry.obj
        if dry_run or old["metadata"].get("deletionTimestamp"):
            return old
        metadata = {**old["metadata"], "deletionTimestamp": self.now()}
        terminating = {
            **old,
            "metadata": metadata,
            "status": {**old.get("status", {}), "phase": "Terminating"},
        }
        return self.store.put(resource.storage, terminating).obj

    def check_namespace(self, resource: Resource, namespace: str, name: str) -> None:
        spaces = self.catalog.named("namespaces", "")
        found = self.get(spaces, "", namespace)
        if found.obj["metadata"].get("deletionTimestamp"):
            raise status.namespace_terminating(resource, name, namespace)

    def _position(self, resource: Resource, namespace: str, query: Query) -> tuple[int, str, bool]:
        """The revision to list at, the key to continue after, and whether that revision is the newest."""
        revision = _revision(query)
        if query.token:
            page, start = _read_token(query.token)
            if query.revision not in ("", "0"):
                raise status.bad_request("specifying resource version is not allowed when using continue")
            after = order_of(namespace, start) if namespace else start
            if page < 0:
                return self.store.revision, after, True
            if self.store.page_age(page) > self.continue_ttl:
                token = _continue_token(-1, start, "")
                raise status.expired(status.EXPIRED_CONTINUE, continue_token=token)
            return page, after, False
        if revision > self.store.revision:
            raise status.too_large_version(revision, self.store.revision)
        if query.match == "Exact":
            return revision, "", False
        return self.store.revision, "", True

    def _notice(self, resource: Resource, obj: Json) -> None:
        if definitions.learn(self.catalog, resource, obj):
            established = definitions.established(obj, self.now())
            if obj.get("status") != established:
                self.store.put(
                    resource.storage, {**obj, "metadata": dict(obj["metadata"]), "status": established}
                )


def select(entries: tuple[Entry, ...], namespace: str, predicate: selectors.Predicate) -> list[Entry]:
    if namespace:
        prefix = f"{namespace}/"
        return [entry for entry in entries if entry.order.startswith(prefix) and predicate(entry.obj)]
    if predicate is selectors.everything:
        return list(entries)
    return [entry for entry in entries if predicate(entry.obj)]


def check_preconditions(resource: Resource, entry: Entry, *, uid: str, revision: str) -> None:
    found = entry.obj["metadata"]
    if uid and uid != found["uid"]:
        raise status.wrong_precondition(resource, entry.name, "UID", uid, found["uid"])
    if revision and revision != found["resourceVersion"]:
        raise status.wrong_precondition(
            resource, entry.name, "ResourceVersion", revision, found["resourceVersion"]
        )


def _once(resource: Resource, name: str, causes: list[status.Cause]) -> ApiError:
    """The message tells a repeated cause once, the details repeat it."""
    error = status.invalid(resource.group, resource.kind, name, causes[:1])
    error.body["details"]["causes"] *= len(causes)
    return error


def _check_name(metadata: Json, name: str) -> None:
    if metadata.get("name", name) != name:
        given = metadata["name"]
        raise status.bad_request(
            f"the name of the object ({given}) does not match the name on the URL ({name})"
        )


def _counts_generations(resource: Resource) -> bool:
    return resource.custom or resource.storage in defaults.WITH_GENERATION


def _wanted(resource: Resource, obj: Json) -> Json:
    """What a change of makes a new generation."""
    wanted = {key: value for key, value in obj.items() if key not in ("metadata", "apiVersion", "kind")}
    if "status" in resource.subresources:
        wanted.pop("status", None)
    if resource.storage == ("apps", "deployments"):
        # Deployments alone count a change of their annotations too.
        wanted["annotations"] = obj["metadata"].get("annotations") or {}
    return wanted


def _with_kept_metadata(old: Json, obj: Json) -> Json:
    metadata = {key: value for key, value in obj["metadata"].items() if key not in (*_KEPT, "managedFields")}
    metadata = {key: value for key, value in metadata.items() if value not in (None, {}, [])}
    was = old["metadata"]
    metadata = {**{key: was[key] for key in _KEPT if key in was}, **metadata}
    new = {**copy.deepcopy(obj), "metadata": metadata}
    return {"kind": old["kind"], "apiVersion": old["apiVersion"]} | {
        key: value for key, value in new.items() if key not in ("kind", "apiVersion")
    }


def _only_status(resource: Resource, old: Json, new: Json) -> Json:
    metadata = dict(old["metadata"])
    if resource.storage in (PODS, ("", "nodes")):
        for field in ("labels", "annotations"):
            metadata.pop(field, None)
            if new["metadata"].get(field):
                metadata[field] = new["metadata"][field]
    return {**old, "metadata": metadata, "status": new.get("status") or {}}


def _keep_status(old: Json, new: Json) -> None:
    if "status" in old:
        new["status"] = old["status"]
    else:
        new.pop("status", None)


def _may_go(resource: Resource, obj: Json) -> bool:
    metadata = obj["metadata"]
    if not metadata.get("deletionTimestamp") or metadata.get("finalizers"):
        return False
    if resource.storage == NAMESPACES:
        return not (obj.get("spec") or {}).get("finalizers")
    return not metadata.get("deletionGracePeriodSeconds")


def _grace(resource: Resource, obj: Json, options: DeleteOptions) -> int:
    """Only a pod that some kubelet runs is given time."""
    if resource.storage != PODS or not obj["spec"].get("nodeName"):
        return 0
    if (obj.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    if options.grace is not None:
        return max(options.grace, 0)
    return int(obj["spec"].get("terminationGracePeriodSeconds", 30))


def _propagation_finalizers(propagation: str, present: list[str]) -> list[str]:
    name = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}.get(propagation)
    return [name] if name and name not in present else []


def _deleted_status(resource: Resource, obj: Json) -> Json:
    details: Json = {"name": obj["metadata"]["name"]}
    if resource.group:
        details["group"] = resource.group
    details |= {"kind": resource.plural, "uid": obj["metadata"]["uid"]}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _revision(query: Query) -> int:
    if query.match and not query.revision:
        why = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
        causes = [status.Cause("resourceVersionMatch", why, "FieldValueForbidden")]
        raise status.invalid("meta.k8s.io", "ListOptions", "", causes)
    if not query.revision:
        return 0
    if not query.revision.isdigit():
        why = f'strconv.ParseUint: parsing "{query.revision}": invalid syntax'
        told = f'invalid resource version: resourceVersion: Invalid value: "{query.revision}": {why}'
        raise status.bad_request(told)
    return int(query.revision)


def _continue_token(revision: int, order: str, namespace: str) -> str:
    start = order.removeprefix(f"{namespace}/") if namespace else order
    slash = "/" if revision >= 0 else ""
    token = {"v": "meta.k8s.io/v1", "rv": revision, "start": f"{slash}{start}\0"}
    return base64.urlsafe_b64encode(orjson.dumps(token)).decode().rstrip("=")


def _read_token(token: str) -> tuple[int, str]:
    try:
        decoded = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return int(decoded["rv"]), str(decoded["start"]).lstrip("/").rstrip("\0")
    except (ValueError, KeyError, TypeError) as error:
        raise status.bad_request(f"invalid continue token: continue key is not valid: {error}") from error

"""Objects, their resource versions and their history.

Owns the one global revision counter and every object, keyed by resource, namespace and name. Stored
objects are never changed in place: a write puts a new dict, so lists, pages and watches may hold on to the
old one. The history of each resource answers watches and pages of an older revision; what fell out of it
is answered with 410. Knows nothing about HTTP, defaults or validation.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
StorageKey = tuple[str, str]
ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]

HISTORY = 20_000
REMEMBERED_SNAPSHOTS = 16


class Expired(Exception):
    """The revision asked for fell out of the history; `oldest` is the oldest one still known."""

    def __init__(self, oldest: int) -> None:
        super().__init__(str(oldest))
        self.oldest = oldest


@dataclass(slots=True, eq=False)
class Entry:
    """One version of one object. `row` caches its Table cells, which do not change with it."""

    obj: Json
    order: str
    row: Any = None

    @property
    def namespace(self) -> str:
        namespace: str = self.obj["metadata"].get("namespace", "")
        return namespace

    @property
    def name(self) -> str:
        name: str = self.obj["metadata"]["name"]
        return name


@dataclass(frozen=True, slots=True)
class Change:
    revision: int
    type: ChangeType
    entry: Entry
    before: Entry | None


@dataclass(slots=True)
class _Shelf:
    """All objects of one resource."""

    entries: dict[str, Entry] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    oldest: int = 0
    ordered: tuple[Entry, ...] | None = None

    def remember(self, change: Change) -> None:
        self.changes.append(change)
        if len(self.changes) > 2 * HISTORY:
            self.oldest = self.changes[HISTORY - 1].revision
            del self.changes[:HISTORY]

    def sorted(self) -> tuple[Entry, ...]:
        if self.ordered is None:
            self.ordered = tuple(self.entries[order] for order in sorted(self.entries))
        return self.ordered


def order_of(namespace: str, name: str) -> str:
    """etcd sorts by this, so `team-a-b/x` comes before `team-a/x`."""
    return f"{namespace}/{name}" if namespace else name


class Store:
    def __init__(self) -> None:
        # Tests write from their own thread while the server reads in its own.
        self.lock = threading.RLock()
        self.revision = 1
        self._shelves: dict[StorageKey, _Shelf] = {}
        self._listeners: list[Callable[[StorageKey], None]] = []
        self._snapshots: dict[tuple[StorageKey, int], tuple[Entry, ...]] = {}
        self._paged: dict[int, float] = {}

    def get(self, key: StorageKey, namespace: str, name: str) -> Entry | None:
        return self._shelf(key).entries.get(order_of(namespace, name))

    def entries(self, key: StorageKey) -> tuple[Entry, ...]:
        """Every object of the resource in etcd's order."""
        with self.lock:
            return self._shelf(key).sorted()

    def put(self, key: StorageKey, obj: Json) -> Entry:
        """Creates or replaces; the object gets the new resource version and belongs to the store."""
        with self.lock:
            metadata = obj["metadata"]
            order = order_of(metadata.get("namespace", ""), metadata["name"])
            shelf = self._shelf(key)
            before = shelf.entries.get(order)
            self.revision += 1
            metadata["resourceVersion"] = str(self.revision)
            entry = Entry(obj, order)
            shelf.entries[order] = entry
            shelf.ordered = None
            self._record(key, Change(self.revision, "MODIFIED" if before else "ADDED", entry, before))
            return entry

    def remove(self, key: StorageKey, entry: Entry) -> Json:
        """Answers the object as a DELETED event shows it: with the revision of its removal."""
        with self.lock:
            shelf = self._shelf(key)
            before = shelf.entries.pop(entry.order)
            shelf.ordered = None
            self.revision += 1
            metadata = {**before.obj["metadata"], "resourceVersion": str(self.revision)}
            last = Entry({**before.obj, "metadata": metadata}, entry.order)
            self._record(key, Change(self.revision, "DELETED", last, before))
            return last.obj

    def remember_page(self) -> int:
        """The current revision, kept for the continue token that will name it."""
        with self.lock:
            self._paged.setdefault(self.revision, time.monotonic())
            return self.revision

    def page_age(self, revision: int) -> float:
        """Seconds since the first page at this revision; a token nobody was given is infinitely old."""
        issued = self._paged.get(revision)
        return float("inf") if issued is None else time.monotonic() - issued

    def snapshot(self, key: StorageKey, revision: int) -> tuple[Entry, ...]:
        """The resource as it was at an older revision, by undoing what came after."""
        with self.lock:
            shelf = self._shelf(key)
            if revision < shelf.oldest:
                raise Expired(shelf.oldest)
            later = [change for change in shelf.changes if change.revision > revision]
            if not later:
                return shelf.sorted()
            found = self._snapshots.get((key, revision))
            if found is None:
                found = self._undo(shelf, later)
                while len(self._snapshots) >= REMEMBERED_SNAPSHOTS:
                    del self._snapshots[next(iter(self._snapshots))]
                self._snapshots[key, revision] = found
            return found

    def changes_after(self, key: StorageKey, revision: int) -> list[Change]:
        with self.lock:
            shelf = self._shelf(key)
            if revision < shelf.oldest:
                raise Expired(shelf.oldest)
            start = bisect_right(shelf.changes, revision, key=lambda change: change.revision)
            return shelf.changes[start:]

    def compact(self) -> None:
        """Forgets all history, as etcd does every five minutes: old pages and watches get 410."""
        with self.lock:
            self.revision += 1
            for shelf in self._shelves.values():
                shelf.changes.clear()
                shelf.oldest = self.revision
            self._snapshots.clear()
            self._paged.clear()

    def listen(self, listener: Callable[[StorageKey], None]) -> Callable[[], None]:
        """Calls it after every change, from the writing thread; answers how to stop that."""
        with self.lock:
            self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def keys(self) -> list[StorageKey]:
        with self.lock:
            return [key for key, shelf in self._shelves.items() if shelf.entries]

    def _shelf(self, key: StorageKey) -> _Shelf:
        shelf = self._shelves.get(key)
        if shelf is None:
            shelf = self._shelves.setdefault(key, _Shelf())
        return shelf

    def _record(self, key: StorageKey, change: Change) -> None:
        self._shelf(key).remember(change)
        for listener in tuple(self._listeners):
            listener(key)

    @staticmethod
    def _undo(shelf: _Shelf, later: list[Change]) -> tuple[Entry, ...]:
        entries = dict(shelf.entries)
        for change in reversed(later):
            if change.before is None:
                entries.pop(change.entry.order, None)
            else:
                entries[change.entry.order] = change.before
        return tuple(entries[order] for order in sorted(entries))

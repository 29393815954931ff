"""The watch protocol: a stream of ADDED, MODIFIED, DELETED, BOOKMARK and ERROR lines.

Owns turning stored changes into events as one selector sees them, and when the stream ends: at its
timeout, when the client leaves, when the server closes, or with ERROR 410 when the asked revision is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from sandbox.kube import status
from sandbox.kube.catalog import Resource
from sandbox.kube.objects import Objects, Query, select
from sandbox.kube.selectors import Predicate
from sandbox.kube.store import Change, Entry, Expired, StorageKey
from sandbox.kube.table import Form, Presenter

Json = dict[str, Any]

# The real server picks 30 to 60 minutes when the client names no timeout.
DEFAULT_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class Wanted:
    resource: Resource
    namespace: str
    query: Query
    form: Form
    seconds: float = DEFAULT_SECONDS
    bookmarks: bool = False
    # Of the streaming list: existing objects first, then a bookmark that says so.
    initial_events: bool = False


class Watch:
    def __init__(
        self, objects: Objects, presenter: Presenter, wanted: Wanted, *, bookmark_every: float = 60.0
    ) -> None:
        self._objects = objects
        self._presenter = presenter
        self._wanted = wanted
        self._bookmark_every = bookmark_every
        self._predicate: Predicate = wanted.query.predicate(wanted.resource)
        self._described = False
        revision = wanted.query.revision
        if revision and not revision.isdigit():
            why = f'strconv.ParseUint: parsing "{revision}": invalid syntax'
            message = f'resourceVersion: Invalid value: "{revision}": {why}'
            raise status.ApiError(500, "", message)
        self._check_initial_events()
        self._position = int(revision or "0")

    async def lines(self, ended: Callable[[], bool]) -> AsyncIterator[bytes]:
        """`ended` is asked whenever something woke the stream up; see `wake`."""
        loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        stop = self._objects.store.listen(lambda key: self._on_change(loop, key))
        try:
            deadline = loop.time() + self._wanted.seconds
            if self._wanted.initial_events or self._position == 0:
                for line in self._initial():
                    yield line
            bookmark_at = loop.time() + self._bookmark_every
            while not ended() and loop.time() < deadline:
                self._woken.clear()
                try:
                    changes = self._objects.store.changes_after(self._wanted.resource.storage, self._position)
                except Expired as error:
                    yield _error(f"too old resource version: {self._position} ({error.oldest})")
                    return
                for change in changes:
                    self._position = change.revision
                    line_or_none = self._event(change)
                    if line_or_none is not None:
                        yield line_or_none
                if self._wanted.bookmarks and loop.time() >= bookmark_at:
                    bookmark_at = loop.time() + self._bookmark_every
                    yield self._bookmark({})
                if not changes:
                    await self._wait(min(deadline, bookmark_at) - loop.time())
        finally:
            stop()

    def wake(self) -> None:
        """From the event loop: look again, also at `ended`."""
        self._woken.set()

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._woken.wait(), max(seconds, 0.001))
        except TimeoutError:
            return

    def _on_change(self, loop: asyncio.AbstractEventLoop, key: StorageKey) -> None:
        if key == self._wanted.resource.storage:
            loop.call_soon_threadsafe(self._woken.set)

    def _check_initial_events(self) -> None:
        if self._wanted.initial_events and self._wanted.query.match != "NotOlderThan":
            why = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            cause = status.Cause("resourceVersionMatch", why, "FieldValueForbidden")
            raise status.invalid("meta.k8s.io", "ListOptions", "", [cause])

    def _initial(self) -> Iterator[bytes]:
        store, wanted = self._objects.store, self._wanted
        with store.lock:
            self._position = store.revision
            entries = select(store.entries(wanted.resource.storage), wanted.namespace, self._predicate)
        for entry in entries:
            yield self._line("ADDED", entry)
        # A watch from "0" is taken for the old spelling of a streaming list.
        if wanted.bookmarks and (wanted.initial_events or wanted.query.revision == "0"):
            yield self._bookmark({"k8s.io/initial-events-end": "true"})

    def _event(self, change: Change) -> bytes | None:
        before = change.before is not None and self._sees(change.before)
        after = change.type != "DELETED" and self._sees(change.entry)
        if after:
            return self._line("MODIFIED" if before else "ADDED", change.entry)
        if not before or change.before is None:
            return None
        if change.type == "DELETED":
            return self._line("DELETED", change.entry)
        # It left the selection: shown as it last was in it, at the revision it left.
        metadata = {**change.before.obj["metadata"], "resourceVersion": str(change.revision)}
        return self._line("DELETED", Entry({**change.before.obj, "metadata": metadata}, change.entry.order))

    def _sees(self, entry: Entry) -> bool:
        inside = not self._wanted.namespace or entry.namespace == self._wanted.namespace
        return inside and self._predicate(entry.obj)

    def _line(self, kind: str, entry: Entry) -> bytes:
        wanted, form = self._wanted, self._wanted.form
        shown: Json
        if form.shape == "Table":
            revision = {"resourceVersion": entry.obj["metadata"]["resourceVersion"]}
            now = self._objects.clock()
            # Only the first event describes the columns.
            shown = self._presenter.table(
                wanted.resource, [entry], revision, form, now, with_columns=not self._described
            )
            self._described = True
        else:
            shown = self._presenter.plain(wanted.resource, entry.obj, form)
        return orjson.dumps({"type": kind, "object": shown}) + b"\n"

    def _bookmark(self, annotations: Json) -> bytes:
        metadata: Json = {"resourceVersion": str(max(self._position, 1))}
        if annotations:
            metadata["annotations"] = annotations
        resource = self._wanted.resource
        shown = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
        return orjson.dumps({"type": "BOOKMARK", "object": shown}) + b"\n"


def _error(message: str) -> bytes:
    return orjson.dumps({"type": "ERROR", "object": status.expired(message).body}) + b"\n"

"""Representations of answers: whole objects, Tables, metadata only.

Owns content negotiation and the encoding of lists into bytes. Table rows are cached on their entries, so a
page of 1,000 pods costs little more than filling in the ages. Called by the server for lists, single
objects and watch events.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from sandbox.kube import events, printers, status
from sandbox.kube.catalog import Catalog, Resource
from sandbox.kube.store import Entry

Json = dict[str, Any]

_META = "meta.k8s.io/v1"
_FALLBACK_COLUMNS = [
    {"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0},
    {"name": "Age", "type": "string", "format": "", "description": "", "priority": 0},
]
_INCLUDED = ("", "Metadata", "Object", "None")


@dataclass(frozen=True, slots=True)
class Form:
    """What the client accepts: `shape` is empty, Table, PartialObjectMetadata or ...List."""

    shape: str = ""
    include: str = "Metadata"


def negotiate(accept: str, include: str) -> Form:
    """The first acceptable media type wins; a client that takes only protobuf or HTML gets 406."""
    for choice in (accept or "*/*").split(","):
        media, *parameters = [part.strip() for part in choice.split(";")]
        if media not in ("application/json", "*/*", "application/*"):
            continue
        given = dict(parameter.partition("=")[::2] for parameter in parameters)
        shape = given.get("as", "")
        if shape and (given.get("g"), given.get("v")) != ("meta.k8s.io", "v1"):
            if len(accept.split(",")) > 1:
                continue
            raise status.not_acceptable()
        if shape == "Table" and include not in _INCLUDED:
            why = (
                f"includeObject: Invalid value: \"{include}\": must be 'Metadata', 'Object', 'None', or empty"
            )
            raise status.bad_request(f"Unable to convert to Table as requested: {why}")
        return Form(shape, include or "Metadata")
    raise status.not_acceptable()


class Presenter:
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def one(self, resource: Resource, entry: Entry, form: Form, now: datetime.datetime) -> bytes:
        if form.shape == "Table":
            revision = {"resourceVersion": entry.obj["metadata"]["resourceVersion"]}
            return orjson.dumps(self.table(resource, [entry], revision, form, now))
        if form.shape.endswith("List"):
            what = f"you requested {form.shape}, but the requested object is not a list"
            raise status.ApiError(406, "NotAcceptable", f"{what} (*core.{resource.kind})")
        return orjson.dumps(self.plain(resource, entry.obj, form))

    def plain(self, resource: Resource, obj: Json, form: Form) -> Json:
        if form.shape == "PartialObjectMetadata":
            return _partial(obj)
        return as_served(resource, obj)

    def many(
        self,
        resource: Resource,
        entries: Sequence[Entry],
        metadata: Json,
        *,
        form: Form,
        now: datetime.datetime,
    ) -> bytes:
        if form.shape == "Table":
            return orjson.dumps(self.table(resource, entries, metadata, form, now))
        if form.shape == "PartialObjectMetadataList":
            items = [_partial(entry.obj) for entry in entries]
            return orjson.dumps(
                {
                    "kind": "PartialObjectMetadataList",
                    "apiVersion": _META,
                    "metadata": metadata,
                    "items": items,
                }
            )
        if form.shape:
            what = f"you requested {form.shape}, but the requested object is a list"
            raise status.ApiError(406, "NotAcceptable", f"{what} (*core.{resource.kind}List)")
        return orjson.dumps(
            {
                "kind": f"{resource.kind}List",
                "apiVersion": resource.api_version,
                "metadata": metadata,
                "items": [_item(resource, entry.obj) for entry in entries],
            }
        )

    def table(
        self,
        resource: Resource,
        entries: Iterable[Entry],
        metadata: Json,
        form: Form,
        now: datetime.datetime,
        *,
        with_columns: bool = True,
    ) -> Json:
        rows = [_row(resource, entry, form.include, now) for entry in entries]
        columns = self.columns(resource) if with_columns else None
        return {
            "kind": "Table",
            "apiVersion": _META,
            "metadata": metadata,
            "columnDefinitions": columns,
            "rows": rows,
        }

    def columns(self, resource: Resource) -> list[Json]:
        if resource.storage not in printers.PRINTERS:
            return _FALLBACK_COLUMNS
        return self._catalog.columns[resource.storage]


def as_served(resource: Resource, obj: Json) -> Json:
    """The stored object in the version it was asked for."""
    if resource.group == "events.k8s.io":
        return events.to_new(obj)
    if resource.custom and obj["apiVersion"] != resource.api_version:
        return {**obj, "apiVersion": resource.api_version}
    return obj


def _item(resource: Resource, obj: Json) -> Json:
    """Items of a list do not repeat their kind, except custom resources."""
    served = as_served(resource, obj)
    if resource.custom:
        return served
    return {key: value for key, value in served.items() if key not in ("kind", "apiVersion")}


def _partial(obj: Json) -> Json:
    return {"kind": "PartialObjectMetadata", "apiVersion": _META, "metadata": obj["metadata"]}


def _row(resource: Resource, entry: Entry, include: str, now: datetime.datetime) -> Json:
    if entry.row is None:
        entry.row = printers.row(resource.storage, entry.obj)
    cached: printers.Row = entry.row
    cells = [
        cell.at(now) if cell.__class__ in (printers.Since, printers.Restarts) else cell
        for cell in cached.cells
    ]
    row: Json = {"cells": cells}
    if cached.conditions:
        row["conditions"] = cached.conditions
    if include == "None":
        row["object"] = None
    else:
        row["object"] = as_served(resource, entry.obj) if include == "Object" else _partial(entry.obj)
    return row

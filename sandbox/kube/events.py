"""Events in their two API shapes: core/v1 and events.k8s.io/v1 name the same fields differently.

Pure functions; the store keeps the core shape.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_CORE_TO_NEW = {
    "involvedObject": "regarding",
    "message": "note",
    "reportingComponent": "reportingController",
    "count": "deprecatedCount",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
}
_NEW_TO_CORE = {new: core for core, new in _CORE_TO_NEW.items()}


def to_new(event: Json) -> Json:
    shown = {_CORE_TO_NEW.get(key, key): value for key, value in event.items()}
    empty = ("reportingController", "reportingInstance")
    shown = {key: value for key, value in shown.items() if value or key not in empty}
    return {**shown, "apiVersion": "events.k8s.io/v1"}


def to_core(event: Json) -> Json:
    return {**{_NEW_TO_CORE.get(key, key): value for key, value in event.items()}, "apiVersion": "v1"}

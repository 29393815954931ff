"""Events the controllers and kubelets leave behind, aggregated as client-go does: same reason, same event."""

from __future__ import annotations

import random
from typing import Any

from sandbox.kube.objects import Objects

Json = dict[str, Any]


class Recorder:
    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._names: dict[tuple[str, str, str], str] = {}

    def record(
        self, about: Json, reason: str, message: str, *, component: str, warning: bool = False
    ) -> None:
        metadata, now = about["metadata"], self._objects.now()
        namespace = metadata.get("namespace", "default")
        key = (metadata["uid"], reason, message)
        events = self._objects.catalog.named("events", "")
        known = self._objects.find(events, namespace, self._names.get(key, ""))
        if known is not None:
            again = {**known.obj, "metadata": dict(known.obj["metadata"])}
            again |= {"count": again["count"] + 1, "lastTimestamp": now}
            self._objects.store.put(events.storage, again)
            return
        name = f"{metadata['name']}.{random.getrandbits(64):016x}"
        self._names[key] = name
        involved = {"kind": about["kind"], "apiVersion": about["apiVersion"], "name": metadata["name"]}
        involved |= {"namespace": namespace, "uid": metadata["uid"]}
        self._objects.seed(
            {
                "kind": "Event",
                "apiVersion": "v1",
                "metadata": {"name": name, "namespace": namespace},
                "involvedObject": involved,
                "reason": reason,
                "message": message,
                "type": "Warning" if warning else "Normal",
                "count": 1,
                "source": {"component": component},
                "reportingComponent": component,
                "firstTimestamp": now,
                "lastTimestamp": now,
            }
        )

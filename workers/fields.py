"""How Kubernetes objects write what is read of them: parts that may be null, times, quantities, conditions.

Pure: text and dictionaries in, values out. What is not what it should be raises the plain Python error,
which workers/api.py's `projected` turns into a refusal. Called by everything that projects an object.
"""

from datetime import datetime
from typing import Any

from commands import reads
from commands.quantity import quantity as quantity

Json = dict[str, Any]


def part(item: Json, key: str) -> Json:
    """An object's field that is an object; {} where it is absent or null."""
    return item.get(key) or {}


def moment(text: Any) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None


def conditions(status: Json) -> tuple[reads.Condition, ...]:
    return tuple(
        reads.Condition(
            type=str(each.get("type", "")),
            status=str(each.get("status", "")),
            reason=str(each.get("reason") or ""),
            message=str(each.get("message") or ""),
            since=moment(each.get("lastTransitionTime")),
        )
        for each in status.get("conditions") or ()
    )

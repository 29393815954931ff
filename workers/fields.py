"""How Kubernetes objects write what is read of them: parts that may be null, times, quantities, conditions.

Pure: text and dictionaries in, values out. What is not what it should be raises the plain Python error,
which workers/api.py's `projected` turns into a refusal. Called by everything that projects an object.
"""

import re
from datetime import datetime
from fractions import Fraction
from typing import Any

from commands import reads

Json = dict[str, Any]

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d+)|([KMGTPE]i|[numkMGTPE])?)")
_SCALES = {suffix: Fraction(1000) ** power for power, suffix in zip(range(-3, 0), "num", strict=True)}
_SCALES |= {suffix: Fraction(1000) ** power for power, suffix in enumerate("kMGTPE", 1)}
_SCALES |= {f"{suffix}i": Fraction(1024) ** power for power, suffix in enumerate("KMGTPE", 1)}


def quantity(text: Any) -> float:
    """A Kubernetes quantity ("250n", "7910m", "128Mi", "1e3") in its unit, exact until the last step."""
    found = _QUANTITY.fullmatch(str(text))
    if not found:
        raise ValueError(f"not a quantity: {text!r}")
    number, exponent, suffix = found.groups()
    return float(Fraction(number) * Fraction(10) ** int(exponent or 0) * _SCALES.get(suffix, 1))


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

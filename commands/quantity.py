"""Kubernetes quantities as numbers, exact until the last step, and numbers as people write quantities."""

import re
from fractions import Fraction

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d+)|([KMGTPE]i|[numkMGTPE])?)")
_SCALES = {suffix: Fraction(1000) ** power for power, suffix in zip(range(-3, 0), "num", strict=True)}
_SCALES |= {suffix: Fraction(1000) ** power for power, suffix in enumerate("kMGTPE", 1)}
_SCALES |= {f"{suffix}i": Fraction(1024) ** power for power, suffix in enumerate("KMGTPE", 1)}


def quantity(text: object) -> float:
    """A Kubernetes quantity ("250n", "7910m", "128Mi", "1e3") in its unit; raises ValueError for no such."""
    found = _QUANTITY.fullmatch(str(text))
    if not found:
        raise ValueError(f"not a quantity: {text!r}")
    number, exponent, suffix = found.groups()
    return float(Fraction(number) * Fraction(10) ** int(exponent or 0) * _SCALES.get(suffix, 1))

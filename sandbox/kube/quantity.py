"""Resource quantities as numbers: `250m`, `1Gi`, `12345n`. Pure."""

from __future__ import annotations

_UNITS = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12} | {
    f"{letter}i": 1024.0 ** (power + 1) for power, letter in enumerate("KMGT")
}


def number(quantity: str | int | float) -> float:
    text = str(quantity)
    for width in (2, 1):
        unit = _UNITS.get(text[-width:])
        if unit is not None:
            return float(text[:-width]) * unit
    return float(text)

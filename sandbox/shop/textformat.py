"""Prometheus' text format, and Kubernetes' quantities as the numbers in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Labels = Mapping[str, str]
Samples = Iterable[tuple[Labels, float]]


def family(name: str, kind: str, samples: Samples) -> str:
    """One metric in Prometheus' text format; nothing when it has no sample."""
    lines = [f"{name}{written(labels)} {_number(value)}\n" for labels, value in samples]
    return "".join((f"# TYPE {name} {kind}\n", *lines)) if lines else ""


def written(labels: Labels) -> str:
    inside = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return f"{{{inside}}}" if inside else ""


def _number(value: float) -> str:
    return f"{float(value):.10g}" if isinstance(value, float) else str(int(value))


_SUFFIXES = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9}


def quantity(text: str) -> float:
    """A Kubernetes quantity as a number: 100m is 0.1, 128Mi is 134217728."""
    for suffix, factor in _SUFFIXES.items():
        if text.endswith(suffix):
            return float(text.removesuffix(suffix)) * factor
    return float(text)

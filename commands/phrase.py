"""How durations and counts are said, in one voice, wherever people read them."""

from datetime import timedelta
from math import ceil


def span(length: timedelta) -> str:
    """A duration as people say it: "45 s", "12 min", "3 h 20 min", "2 d 4 h"; never negative."""
    seconds = max(round(length.total_seconds()), 0)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 86_400:
        return _two(seconds // 3600, "h", seconds % 3600 // 60, "min")
    return _two(seconds // 86_400, "d", seconds % 86_400 // 3600, "h")


def counted(count: int, noun: str) -> str:
    """ "1 alert", "3 alerts"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def millicores(cores: float) -> str:
    """CPU as `kubectl top` says it: "250m"."""
    return f"{ceil(round(cores * 1000, 6))}m"


def mebibytes(amount: float) -> str:
    """Memory in the unit of `kubectl top`: "128 MiB"."""
    return f"{int(amount // 2**20):,} MiB"


def _two(major: int, major_unit: str, minor: int, minor_unit: str) -> str:
    return f"{major} {major_unit} {minor} {minor_unit}" if minor else f"{major} {major_unit}"

"""How durations and counts are said, in one voice, wherever people read them."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
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


def moment(at: datetime) -> str:
    """A time inside a sentence. Slack shows what is written so in each reader's own zone (bot/blocks.py: dated)."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


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


# What AWS appends to the address of a machine is the same for all machines of a cluster.
_AWS_NAME = re.compile(r"\b(ip-\d+-\d+-\d+-\d+)(?:\.[a-z0-9-]+){1,3}\.internal\b")


def shortly(text: str) -> str:
    """The text with machines of AWS called as people call them: ip-10-0-2-82."""
    return _AWS_NAME.sub(r"\1", text)


def full_name(name: str, known: Iterable[str]) -> str:
    """The node that is meant: by its name, or by how `shortly` shows it where that is one node's alone."""
    same = [each for each in known if name in (each, shortly(each))]
    return same[0] if len(same) == 1 else name

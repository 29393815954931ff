"""Words that the four parts share: ages, latencies, and a finding for what could not be read."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from commands.finding import Finding, Light, Suggestion
from commands.model import Gap
from commands.phrase import span

Fact = tuple[Light, str]  # one line of evidence and how it is judged

KEPT = 50  # lines of evidence a record carries; the renderer shows the first and counts the rest

# Younger than this a pod (or a node's metrics) may be on its way, whatever else is said of it.
NEW = timedelta(seconds=120)

_ORDER = (Light.RED, Light.UNKNOWN, Light.YELLOW, Light.GREEN)


def age(since: datetime | None, now: datetime | None) -> str:
    """ " for 12 min", or "" where nobody said since when, or what time it is."""
    return f" for {span(now - since)}" if since and now else ""


def took(length: timedelta) -> str:
    """A latency: "12 ms", "1.2 s"."""
    milliseconds = length / timedelta(milliseconds=1)
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def one_line(text: str, limit: int = 160) -> str:
    """Foreign text on one line, cut where it gets long."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"


def unread(key: str, label: str, gap: Gap, threshold: str = "") -> Finding:
    """What was not read: never green, with the reason and the line that makes it readable."""
    return Finding(key, label, Light.UNKNOWN, f"unknown: {one_line(gap.reason)}", threshold, mend=gap.mend)


def buttons(light: Light, *offered: Suggestion) -> tuple[Suggestion, ...]:
    """Suggestions for what is wrong; none for what is green or was not read."""
    return tuple(offered) if light in (Light.RED, Light.YELLOW) else ()


def worst_first(facts: Iterable[Fact]) -> tuple[str, ...]:
    """Facts with their lights as evidence, worst first and otherwise in the order given; at most KEPT."""
    return tuple(text for _, text in sorted(facts, key=lambda fact: _ORDER.index(fact[0])))[:KEPT]

"""What is judged: a finding, its light, and the buttons and links that go with it."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Light(StrEnum):
    """How a finding is judged. UNKNOWN is a colour of its own: what was not read is never green."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"
    UNKNOWN = "unknown"


# Worst first. A red symptom outranks an unread source, and an unread source outranks a warning:
# a summary must never look better than what is not known.
_ORDER = (Light.RED, Light.UNKNOWN, Light.YELLOW, Light.GREEN)


def worst(lights: "list[Light] | tuple[Light, ...]") -> Light:
    """The light a summary shows for these; UNKNOWN when there are none, because nothing was read."""
    return min(lights, key=_ORDER.index, default=Light.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A button that types a command for the presser: `label` is what it says, `text` what it submits."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One judged line.

    key: the manual's row it answers, such as "DH-1.5" (several findings may share a row).
    value, threshold: as people read them, units included ("99.95 %", "> 99.9 %").
    evidence: the facts behind the judgement, worst first; the renderer cuts and counts.
    alarm: set on a red flag: the sentence that goes with the mention of on-call.
    again_after: how long this is not news again, nor on-call mentioned again for it (DH-1.9: an hour; longer
    where the measured window is so long that it stays red for days; zero for what is no news at all).
    mend: for UNKNOWN, the exact line that makes the source readable.
    """

    key: str
    label: str
    light: Light
    value: str = ""
    threshold: str = ""
    evidence: tuple[str, ...] = ()
    link: Link | None = None
    suggestions: tuple[Suggestion, ...] = ()
    alarm: str = ""
    mend: str = ""
    again_after: timedelta = timedelta(hours=1)

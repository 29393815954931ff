"""What a drawn graph shows, as data: made of what was read, drawn by workers/pictures.py alone."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Curve:
    """One series. points: (epoch seconds, value), oldest first; a gap is a missing point."""

    label: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A graph over time. unit: "ratio", "bytes", "seconds", "cores", or "" for a plain number. threshold: a level
    line, with what it says ("> 90 %"). onset: when it began, an upright line. note: what is left out."""

    title: str
    curves: tuple[Curve, ...]
    start: datetime
    end: datetime
    unit: str = ""
    threshold: float | None = None
    threshold_text: str = ""
    onset: datetime | None = None
    note: str = ""

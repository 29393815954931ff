"""What is due of an incident at a moment, as events: nobody asked, the clock did.

Every timer that is due fires once, and says so when it is late. Whatever a timer is about (the first part of its key)
adds what that means: a checklist line to be reminded of, an offer nobody took, a page nobody answered. Pure;
workers/timers.py asks it, and compare-and-set makes each happen once.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from commands.ledger import Draft
from commands.phrase import span
from commands.response.events import Kind, draft
from commands.response.incident import Incident, Timer
from commands.site import Site

# A timer that fires later than that says so: the house was away, or busy.
LATE = timedelta(seconds=30)

Due = Callable[[Incident, Timer, datetime, Site], Iterator[Draft]]

# By the first part of a timer's key.
_DUE: Mapping[str, Due] = {}


def due(incident: Incident, now: datetime, site: Site) -> tuple[Draft, ...]:
    """The events of all timers that are due, the longest due first."""
    ripe = sorted((t for t in incident.timers if t.fired is None and t.due <= now), key=lambda t: t.due)
    return tuple(told for timer in ripe for told in _fired(incident, timer, now, site))


def _fired(incident: Incident, timer: Timer, now: datetime, site: Site) -> Iterator[Draft]:
    late = now - timer.due
    said = f"{timer.key} is due" + (f", told {span(late)} late" if late > LATE else "")
    yield draft(Kind.FIRED, said, key=timer.key, late=span(late) if late > LATE else "")
    about = _DUE.get(timer.key.partition(":")[0])
    if about is not None and not incident.is_over:
        yield from about(incident, timer, now, site)

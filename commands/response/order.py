"""Whether the milestones of an incident are complete, and in the order in which they can have happened.

Called where an incident is closed, where a milestone is set by hand, and where a postmortem is published.
"""

from collections.abc import Mapping
from datetime import datetime
from itertools import combinations

from commands.response.incident import Incident, Milestone

# What people must know of an incident before it can be learned from.
NEEDED = (
    Milestone.STARTED,
    Milestone.DETECTED,
    Milestone.ACKNOWLEDGED,
    Milestone.DECLARED,
    Milestone.IDENTIFIED,
    Milestone.MITIGATED,
    Milestone.RESOLVED,
)
# Of one that few noticed: what its numbers are made of.
NEEDED_OF_SMALL = (Milestone.STARTED, Milestone.MITIGATED, Milestone.RESOLVED)

# Each of these comes no later than the next. The others may: users may be well again before anybody declares it.
ORDER = (Milestone.STARTED, Milestone.MITIGATED, Milestone.RESOLVED, Milestone.CLOSED)
# And nobody knows what it is before it is.
_PAIRS = (*combinations(ORDER, 2), (Milestone.STARTED, Milestone.IDENTIFIED))


def missing(incident: Incident) -> tuple[Milestone, ...]:
    """The milestones that nobody has said yet."""
    needed = NEEDED if incident.severity <= 2 else NEEDED_OF_SMALL
    return tuple(each for each in needed if each not in incident.milestones)


def inverted(at: Mapping[Milestone, datetime]) -> tuple[tuple[Milestone, Milestone], ...]:
    """The pairs of which the first is later than the second, although it must come before."""
    return tuple((one, two) for one, two in _PAIRS if one in at and two in at and at[one] > at[two])


def times(incident: Incident) -> dict[Milestone, datetime]:
    return {name: marked.at for name, marked in incident.milestones.items()}

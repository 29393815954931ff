"""What follows from an incident's events by the rules, whoever wrote them: its checklist, its timers, what evidence
completes.

Called once for every write, with the record before and after (bot/records.py), so no verb can forget it. It must
answer nothing when asked again about what it has already answered.
"""

from datetime import datetime

from commands.ledger import Draft
from commands.response.incident import Incident
from commands.site import Site


def of(before: Incident | None, after: Incident, now: datetime, site: Site) -> tuple[Draft, ...]:
    """The events to be added behind those that made `after` of `before` (None: it was declared just now)."""
    return ()

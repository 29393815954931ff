"""What keeps a postmortem from being published: all of it at once, each with the line that mends it."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from commands.response.incident import Incident
from commands.response.order import inverted, missing, times

GRAVE = 2  # up to this severity a lesson is owed
# A draft is kept for 30 days (bot/state.py); what is published is kept for good, so it must still be there.
_FRESH = timedelta(days=25)


def gaps(incident: Incident) -> Iterator[str]:
    """What the record itself lacks."""
    unknown = missing(incident)
    if unknown:
        names = ", ".join(f"`{each.value}`" for each in unknown)
        yield f"Nobody has said when it was {names}: `/sre incident set {unknown[0].value} 14:02`."
    for one, two in inverted(times(incident)):
        yield f"`{one.value}` is later than `{two.value}`: `/sre incident set {one.value} 14:02` corrects it."
    if incident.severity <= GRAVE and not incident.lessons.strip():
        yield "Nobody has written what was learned: `/sre incident postmortem --lessons`."


def draft_gaps(incident: Incident, now: datetime) -> Iterator[str]:
    """What the last draft lacks."""
    report = incident.report
    if report.drafted is None:
        yield f"It is not drafted yet: `/sre incident postmortem {incident.id}`."
    elif not (report.stored and report.sha256):
        yield f"The file of its last draft could not be kept: `/sre incident postmortem {incident.id}`."
    elif report.moved > report.seq:
        again = f"`/sre incident postmortem {incident.id}` drafts it anew"
        yield f"The record has moved on since draft {report.version}: {again}."
    elif now - report.drafted > _FRESH:
        yield f"Its last draft is too old: `/sre incident postmortem {incident.id}` drafts it anew."

"""All of a postmortem as Markdown: every section in its order, none of them empty."""

from collections.abc import Iterator

from commands.phrase import counted, span
from commands.postmortem import judged, people, record
from commands.postmortem.facts import Cast, Facts, stamp
from commands.postmortem.gaps import gaps
from commands.postmortem.record import Lines
from commands.response.incident import Incident, Milestone

DRILL = "🧪 Drill · "


def document(facts: Facts) -> str:
    cast, incident = Cast(facts), facts.incident
    drill = DRILL if incident.is_drill else ""
    head = (
        f"# {drill}Postmortem: {cast.told(incident.title) or incident.id}",
        "",
        *record.header(facts, cast),
    )
    body = (line for title, lines in sections(facts, cast) for line in ("", f"## {title}", "", *lines))
    return "\n".join((*head, *body)) + "\n"


def sections(facts: Facts, cast: Cast) -> Iterator[tuple[str, Lines]]:
    incident = facts.incident
    missing = tuple(f"- {each}" for each in gaps(incident))
    if missing:
        yield "Before it is published", missing
    yield "Summary", (*people.written("summary", facts), "", summary(facts, cast))
    yield "Impact", record.impact(facts, cast)
    if people.has_lost_data(incident):
        yield "Data loss", (*people.written("data", facts), "", _recovered(facts))
    yield "Timeline", record.told(facts, cast)
    yield "Milestones", record.milestones(facts, cast)
    yield "Numbers", record.numbers(facts, cast)
    yield "Detection", judged.detection(facts, cast)
    yield "What changed", judged.changed(facts, cast)
    yield "Contributing factors", people.written("factors", facts)
    yield (
        "What went well",
        (*people.written("well", facts), "", "The record shows:", "", *judged.well(facts, cast)),
    )
    yield (
        "What went badly",
        (*people.written("badly", facts), "", "The record shows:", "", *judged.badly(facts, cast)),
    )
    yield "Actions", people.actions(facts, cast)
    yield "Responders", judged.responders(facts, cast)
    yield "Lessons", people.written("lessons", facts)


def summary(facts: Facts, cast: Cast) -> str:
    """What the record says of it in a paragraph."""
    incident = facts.incident
    told = [f"Sev{incident.severity} on {cast.told(incident.service) or 'an unnamed service'}."]
    if users := cast.told(incident.impact).rstrip("."):
        told.append(f"Users: {users}.")
    told += [_lasted(facts), *_ended(incident, facts)]
    if incident.caused_by:
        told.append(f"Cause ({incident.caused_by.confidence}): {cast.told(incident.caused_by.change)}.")
    return " ".join(told)


def _lasted(facts: Facts) -> str:
    started, length = facts.incident.at(Milestone.STARTED), record.felt(facts)
    if started is None or length is None:
        return "How long users felt it is not known."
    again = f", with {counted(facts.incident.reopened, 'relapse')}" if facts.incident.reopened else ""
    return f"Users felt it for {span(length)}, from {stamp(started, facts.zone)}{again}."


def _ended(incident: Incident, facts: Facts) -> Iterator[str]:
    resolved = incident.at(Milestone.RESOLVED)
    yield f"Resolved {stamp(resolved, facts.zone)}." if resolved else "It is not resolved yet."


def _recovered(facts: Facts) -> str:
    """What the record knows of the time to recover."""
    length = record.felt(facts) if facts.incident.at(Milestone.MITIGATED) else None
    return f"RTO by the record: {span(length)}." if length is not None else "RTO by the record: unknown."

"""What belongs to an incident, in events: alerts, commands that were run, causes, actions, its place, its report."""

from dataclasses import replace

from commands.ledger import Event
from commands.response.events import Kind, read
from commands.response.incident import AlertLink, Blame, Incident, Milestone, Room
from commands.response.life import reach


def _alert(incident: Incident, event: Event) -> Incident:
    facts = event.facts
    started = read(facts.get("started", "")) or event.at
    known = next((link for link in incident.alerts if link.group == facts["group"]), None)
    link = known or AlertLink(facts["group"], facts.get("name", ""), started)
    match facts.get("state", "firing"):
        case "firing":
            again = known is not None and known.ended is not None
            link = replace(link, ended=None, refired=link.refired + again)
        case "resolved":
            link = replace(link, ended=read(facts.get("ended", "")) or event.at)
        case "silenced":
            link = replace(link, is_silenced=True)
        case "acked" if event.by:
            incident = reach(incident, Milestone.ACKNOWLEDGED, event, event.at)
    others = tuple(each for each in incident.alerts if each.group != link.group)
    return reach(replace(incident, alerts=(*others, link)), Milestone.ALERTED, event, started)


def _run(incident: Incident, event: Event) -> Incident:
    id = event.facts["id"]
    changed = (id,) if event.facts.get("changes") == "yes" else ()
    is_answer = event.facts.get("state") == "answered"
    shows = {"changes"} if is_answer and event.facts.get("line", "").startswith("change recent") else set()
    return replace(
        incident,
        shown=incident.shown | shows,
        runs=tuple(dict.fromkeys((*incident.runs, id))),
        changes=tuple(dict.fromkeys((*incident.changes, *changed))),
    )


def _blamed(incident: Incident, event: Event) -> Incident:
    change = event.facts.get("change", "")
    confidence = event.facts.get("confidence", "suspected")
    blame = Blame(change, confidence, event.by, event.seq, event.recorded)
    return replace(incident, caused_by=blame if change else None)


def _linked(incident: Incident, event: Event) -> Incident:
    return replace(incident, related=tuple(dict.fromkeys((*incident.related, event.facts["id"]))))


def _task(incident: Incident, event: Event) -> Incident:
    return replace(incident, tasks=tuple(dict.fromkeys((*incident.tasks, event.facts["id"]))))


def _room(incident: Incident, event: Event) -> Incident:
    facts = event.facts
    room = Room(
        facts.get("channel", ""), facts.get("name", ""), facts.get("thread", ""),
        facts.get("own") == "yes", facts.get("lost", ""),
    )  # fmt: skip
    was = incident.room
    has_moved = bool(was.channel) and (was.channel, was.thread) != (room.channel, room.thread)
    places = (*incident.places, was) if has_moved else incident.places
    return replace(incident, room=room, wants_channel=room.is_own, places=places)


def _scope(incident: Incident, event: Event) -> Incident:
    return replace(incident, scopes=tuple(dict.fromkeys((*incident.scopes, event.facts["what"]))))


def _report(incident: Incident, event: Event) -> Incident:
    facts, report = event.facts, incident.report
    match facts["step"]:
        case "drafted":
            report = replace(
                report, version=report.version + 1, stored=facts.get("stored", ""), drafted=event.at
            )
        case "published":
            report = replace(report, published=event.at, by=event.by)
        case "waived":
            report = replace(report, waived=facts.get("why", ""), waived_by=event.by)
    moved = replace(incident, report=report)
    return reach(moved, Milestone.PUBLISHED, event, event.at) if facts["step"] == "published" else moved


STEPS = {
    Kind.ALERT: _alert,
    Kind.RUN: _run,
    Kind.BLAMED: _blamed,
    Kind.LINKED: _linked,
    Kind.TASK: _task,
    Kind.ROOM: _room,
    Kind.SCOPE: _scope,
    Kind.REPORT: _report,
}

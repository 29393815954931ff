"""What belongs to an incident, in events: alerts, commands that were run, causes, actions, its place, its report."""

from dataclasses import replace

from commands.ledger import Event
from commands.response.events import Kind, read
from commands.response.incident import AlertLink, Blame, Edition, Incident, Milestone, Report, Room, Written
from commands.response.life import reach


def _alert(incident: Incident, event: Event) -> Incident:
    facts = event.facts
    started = read(facts.get("started", "")) or event.at
    known = next((link for link in incident.alerts if link.group == facts["group"]), None)
    others = tuple(each for each in incident.alerts if each.group != facts["group"])
    if facts.get("state") == "left":
        return replace(incident, alerts=others)
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
    """One of them, or why there are none."""
    id = event.facts.get("id", "")
    if not id:
        return replace(incident, no_tasks=event.facts.get("why", ""))
    return replace(incident, tasks=tuple(dict.fromkeys((*incident.tasks, id))), no_tasks="")


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


# What the postmortem shows and people change: after one of these the last draft is stale.
_SHOWN = frozenset(
    {
        Kind.FIELD, Kind.MILESTONE, Kind.SEVERITY, Kind.REOPENED, Kind.BLAMED, Kind.TASK, Kind.NOTE, Kind.MESSAGE,
        Kind.REVISED, Kind.REMOVED, Kind.RELEASED, Kind.ERASED,
    }
)  # fmt: skip


def moved(report: Report, event: Event) -> Report:
    """The postmortem after any event."""
    return replace(report, moved=event.seq) if event.kind in _SHOWN else report


def _report(incident: Incident, event: Event) -> Incident:
    facts, report = event.facts, incident.report
    match facts["step"]:
        case "section":
            return _section(incident, event)
        case "deleted":
            report = replace(report, has_deleted=True, moved=event.seq)
        case "drafted":
            report = replace(
                report, version=report.version + 1, drafted=event.at, stored=facts.get("stored", ""),
                sha256=facts.get("sha256", ""), bucket=facts.get("bucket", ""), seq=int(facts.get("seq", "0")),
            )  # fmt: skip
        case "published":
            return _published(incident, event)
        case "waived":
            report = replace(report, waived=facts.get("why", ""), waived_by=event.by)
    return replace(incident, report=report)


def _section(incident: Incident, event: Event) -> Incident:
    name, text = event.facts["name"], event.facts.get("said", "")
    sections = {**incident.report.sections, name: Written(text, event.by, event.at)}
    told = replace(incident, report=replace(incident.report, sections=sections, moved=event.seq))
    return replace(told, lessons=text) if name == "lessons" else told


def _published(incident: Incident, event: Event) -> Incident:
    facts, report = event.facts, incident.report
    version = int(facts.get("version", "") or report.version)
    edition = Edition(version, facts.get("stored", ""), facts.get("sha256", ""), event.at, event.by)
    first = (report.published, report.by) if report.published else (event.at, event.by)
    told = replace(report, published=first[0], by=first[1], editions=(*report.editions, edition))
    return reach(replace(incident, report=told), Milestone.PUBLISHED, event, event.at)


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

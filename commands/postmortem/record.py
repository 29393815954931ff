"""The sections of a postmortem that the record gives: impact, timeline, milestones, and how long what took."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from commands import timeline
from commands.ledger import Event
from commands.numbers.durations import Measure, durations
from commands.numbers.population import Population, impacts
from commands.numbers.spread import total
from commands.numbers.window import Window
from commands.phrase import counted, span
from commands.postmortem.facts import Cast, Facts, stamp
from commands.response.events import Kind
from commands.response.incident import Incident, Marked, Milestone
from commands.response.order import NEEDED, inverted, times

Lines = tuple[str, ...]


def header(facts: Facts, cast: Cast) -> Lines:
    incident = facts.incident
    owner = cast.of(next(iter(_owners(incident)), ""))
    worst = min((severity for severity, _ in severities(facts)), default=incident.severity)
    grave = f"Sev{incident.severity}" + (f", at worst Sev{worst}" if worst != incident.severity else "")
    rows = (
        ("Incident", incident.id),
        ("Severity", grave),
        ("Stands", incident.status.value),
        ("Service", cast.told(incident.service) or "not said: `/sre incident set service NAME`"),
        ("Cluster", cast.told(incident.cluster) or "not said"),
        ("Owner of this document", owner),
        ("Declared", stamp(incident.opened, facts.zone)),
        ("Resolved", _when(incident, Milestone.RESOLVED, facts)),
        ("Draft", f"{incident.report.version + 1}, of event {incident.head.seq} ({incident.head.hash[:12]})"),
    )
    return ("| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows))


def _owners(incident: Incident) -> Iterator[str]:
    """Who commanded it at last, else who declared it."""
    yield from (held.user for role, held in incident.roles.items() if role.value == "ic")
    yield incident.by


def _when(incident: Incident, milestone: Milestone, facts: Facts) -> str:
    at = incident.at(milestone)
    return stamp(at, facts.zone) if at else "not yet"


# --- impact ---------------------------------------------------------------------------------------


def felt(facts: Facts) -> timedelta | None:
    """How long users felt it, None where nobody said since when."""
    stretches = impacts(facts.incident, facts.incident.updated)
    return total(stretches) if stretches or facts.incident.at(Milestone.STARTED) else None


def impact(facts: Facts, cast: Cast) -> Lines:
    incident = facts.incident
    said = cast.told(incident.impact) or "_What users felt is not said: `/sre incident set impact …`._"
    others = ", ".join(map(cast.told, incident.affected)) or "none that anybody named"
    return (
        said,
        "",
        f"- Felt for: {_felt(facts)}",
        *(f"  - {stamp(one, facts.zone)} to {stamp(two, facts.zone)}" for one, two in _stretches(facts)),
        f"- Faulty service: {cast.told(incident.service) or 'not said'}",
        f"- Also affected: {others}",
        "- Time in each severity: "
        + ", ".join(f"Sev{each} {span(took)}" for each, took in severities(facts)),
    )


def _felt(facts: Facts) -> str:
    length = felt(facts)
    if length is None:
        return "unknown: nobody has said when it started"
    goes_on = not facts.incident.at(Milestone.MITIGATED) and not facts.incident.at(Milestone.RESOLVED)
    return _exact(length) + (" so far" if goes_on else "")


def _stretches(facts: Facts) -> tuple[tuple[datetime, datetime], ...]:
    return impacts(facts.incident, facts.incident.updated)


def severities(facts: Facts) -> tuple[tuple[int, timedelta], ...]:
    """How long it had each, the gravest first, from its declaration to its resolution."""
    incident, spent = facts.incident, dict[int, timedelta]()
    until = max(incident.at(Milestone.RESOLVED) or incident.updated, incident.opened)
    since, severity = incident.opened, int(facts.events[0].facts.get("severity", "2"))
    for event in facts.events:
        if event.kind == Kind.SEVERITY:
            ended = min(max(event.at, since), until)
            spent[severity] = spent.get(severity, timedelta()) + (ended - since)
            since, severity = ended, int(event.facts["to"])
    spent[severity] = spent.get(severity, timedelta()) + max(until - since, timedelta())
    return tuple(sorted(spent.items()))


# --- what happened when ---------------------------------------------------------------------------

# Of use to nobody who was not there: who came and went, paper, and what the checklist says of itself.
_PAPER = frozenset(
    {
        Kind.ITEM, Kind.ROOM, Kind.SCOPE, Kind.JOINED, Kind.LEFT, Kind.REPORT, Kind.LINKED, Kind.TASK, Kind.OFFERED,
        Kind.DECLINED, Kind.ENDED, Kind.ERASED, Kind.FIELD,
    }
)  # fmt: skip
# Of a command what it came to; that it was asked for and waited stands in the whole timeline.
_RESULTS = frozenset({"answered", "approved", "succeeded", "partial", "failed", "cancelled", "rejected"})
# Who reads the record adds nothing to it.
_READING = tuple(
    f"incident {verb}" for verb in ("postmortem", "timeline", "export", "verify", "status", "brief")
)
DELETED = "deleted in Slack"


def happened(facts: Facts) -> tuple[timeline.Line, ...]:
    """The entries that stand in it: neither the clock's own nor what was taken out, erased or deleted."""
    results = {event.seq for event in facts.events if event.kind == Kind.RUN and _is_result(event)}
    return tuple(
        line for line in timeline.lines(facts.events)
        if line.kind not in _PAPER
        and (line.kind != Kind.RUN or line.seq in results)
        and (not line.gone or (facts.incident.report.has_deleted and line.gone.startswith(DELETED)))
    )  # fmt: skip


def _is_result(event: Event) -> bool:
    asked = event.facts.get("line", "")
    return event.facts.get("state", "") in _RESULTS and not asked.startswith(_READING)


def deleted(facts: Facts) -> int:
    """How many messages their authors deleted in Slack."""
    return sum(line.gone.startswith(DELETED) for line in timeline.lines(facts.events))


def told(facts: Facts, cast: Cast) -> Lines:
    day, found = "", list[str]()
    for line in happened(facts):
        local = line.at.astimezone(facts.zone)
        if f"{local:%A, %-d %B %Y}" != day:
            day = f"{local:%A, %-d %B %Y}"
            found += [*([""] if found else []), f"**{day}** ({facts.zone})", ""]
        found.append(f"- {local:%H:%M:%S} {cast.told(timeline.sentence(line, cast.of))}")
    return (*found, "", *_left_out(facts))


def _left_out(facts: Facts) -> Iterator[str]:
    yield f"The whole record: `/sre incident export {facts.incident.id}`."
    count = deleted(facts)
    if count and not facts.incident.report.has_deleted:
        yield (
            f"Left out: {counted(count, 'message')} that somebody deleted in Slack. The incident commander may let that in: "
            "`/sre incident publish --with-deleted`."
        )


# --- milestones -----------------------------------------------------------------------------------


def milestones(facts: Facts, cast: Cast) -> Lines:
    incident = facts.incident
    rows = [_milestone(each, incident.milestones.get(each), facts, cast) for each in _shown(incident)]
    wrong = [
        f"- **Inverted:** `{one.value}` is later than `{two.value}`."
        for one, two in inverted(times(incident))
    ]
    return (
        "| milestone | when | how it is known |",
        "|---|---|---|",
        *rows,
        *(["", *wrong] if wrong else []),
    )


def _shown(incident: Incident) -> Iterable[Milestone]:
    return (each for each in Milestone if each in NEEDED or each in incident.milestones)


def _milestone(name: Milestone, marked: Marked | None, facts: Facts, cast: Cast) -> str:
    if marked is None:
        return f"| {name.value} | **missing** | `/sre incident set {name.value} 14:02` |"
    about = "about " if marked.is_approximate else ""
    said = sum(e.kind == Kind.MILESTONE and e.facts.get("name") == name.value for e in facts.events)
    corrected = f", said {said} times" if said > 1 else ""
    source = f"{marked.source or 'record'}, event {marked.seq}"
    return f"| {name.value} | {about}{stamp(marked.at, facts.zone)} | {cast.of(marked.by)}: {source}{corrected} |"


# --- the numbers ----------------------------------------------------------------------------------

_CALLED = {
    "restore": "Time to restore",
    "ttd": "Time to detect",
    "respond": "Time to respond",
    "tta_incident": "Time to acknowledge the incident",
    "time_to_ic": "Time to a commander",
    "resolve": "Time to resolve",
    "tta_page": "Time to answer a page",
}


def measures(incident: Incident) -> dict[str, Measure]:
    """Of this incident alone, by key."""
    window = Window(incident.opened, incident.updated)
    return {each.key: each for each in durations(Population(window, (incident,)))}


def numbers(facts: Facts, cast: Cast) -> Lines:
    rows = (
        f"| {_CALLED[key]} | {each.meaning} | {_value(each)} |"
        for key, each in measures(facts.incident).items()
    )
    return ("| | from, to | |", "|---|---|---|", *rows)


def _value(measure: Measure) -> str:
    unanswered = f"; {counted(measure.unanswered, 'page')} without an answer" if measure.unanswered else ""
    if measure.spread:
        about = " (approximate)" if measure.approximate else ""
        return _exact(timedelta(seconds=measure.spread.mean)) + about + unanswered
    if measure.inverted:
        return "unknown: the second lies before the first"
    if measure.missing:
        return "unknown: one of the two is missing"
    return unanswered.removeprefix("; ") or "no page was sent"


def _exact(length: timedelta) -> str:
    seconds = round(length.total_seconds())
    return f"{span(length)} ({seconds:,} s)" if seconds >= 60 else span(length)

"""`incident postmortem`: its draft from the record, and what people write into it.

Without a section it looks: the document as a file, and what is still missing in a few lines. With one it enters a text,
which stands in every later draft as it was written. Drafted by itself when the incident is resolved.
"""

from collections.abc import Generator, Iterator
from dataclasses import replace
from zoneinfo import ZoneInfo

from commands.called import names_of
from commands.command import Command, Flag, Part, Parts
from commands.entry import Entry, Given
from commands.errors import Stale, UsageError
from commands.finding import Finding, Light, Suggestion
from commands.form import Field, FieldErrors
from commands.incident.about import NOTHING, WHICH, ask, event, lines, text, the, write
from commands.ledger import Addition, Event
from commands.model import Args, Attachment, Gap, Inquiry, Reads, Section, Seen
from commands.numbers.coverage import GAPS, covered, signals
from commands.phrase import counted, span
from commands.postmortem.document import document
from commands.postmortem.facts import Facts, users
from commands.postmortem.gaps import gaps
from commands.postmortem.people import SECTIONS, has_lost_data, is_written
from commands.postmortem.record import felt
from commands.response import fold
from commands.response.events import Kind, draft
from commands.response.incident import Incident, Status
from commands.response.order import inverted, missing, times
from commands.responsereads import EventsOf, HouseZone, IncidentOf, TasksOf
from commands.site import ClusterSite
from commands.wording import missing as absent
from commands.wording import one_line, unread

KEY = "EM-5.1"
LONGEST = 3000  # characters of a section, as a window takes them
# Nothing happened of which anything could be learned.
NONE = frozenset({Status.FALSE_ALARM, Status.MERGED, Status.CANCELED})

_FLAGS = {
    "summary": "what happened",
    "factors": "what contributed to it",
    "well": "what went well",
    "badly": "what went badly",
    "lessons": "what was learned",
    "data": "which data is lost",
}


# --- what people write ----------------------------------------------------------------------------


def enters(args: Args) -> bool:
    return any(name in args.flags for name in SECTIONS)


def entered(given: Given) -> Entry:
    """One section, as it is to stand in the document."""
    incident, name = the(given), _section(given.args)
    if incident.status in NONE:
        raise Stale(f"{incident.id} is {incident.status.value}: it has no postmortem. {NOTHING}")
    said, before = lines(text(given)), incident.section(name)
    if not said:
        field = Field("rest", SECTIONS[name][0], "text", initial=before, most=LONGEST)
        typed = f"Type it: `/sre incident postmortem --{name} …`."
        raise ask(given, "The postmortem", "Write it down", typed, field)
    if len(said) > LONGEST:
        raise FieldErrors({"rest": f"That is {len(said):,} characters; here fit {LONGEST:,}. {NOTHING}"})
    if said == before:
        raise Stale(f"That stands there already. {NOTHING}")
    told = event(
        given, Kind.REPORT, f"wrote into the postmortem {_FLAGS[name]}", step="section", name=name, said=said
    )
    anew = () if incident.is_active else ("incident postmortem {id}",)
    then = " A new draft follows." if anew else ""
    return Entry(
        f"Written into the postmortem of {incident.id}: {_FLAGS[name]}.{then}", write(incident, told), anew
    )


def _section(args: Args) -> str:
    named = [name for name in SECTIONS if name in args.flags]
    if len(named) > 1:
        raise UsageError(f"One section at a time: {' or '.join(f'`--{each}`' for each in named)}. {NOTHING}")
    return named[0]


# --- the draft ------------------------------------------------------------------------------------


def parts(args: Args, site: ClusterSite) -> Parts:
    return {"postmortem": Part(f"Postmortem · {args.name}", inquiry(args.name))}


def inquiry(id: str) -> Inquiry:
    facts = yield from _facts(id)
    if isinstance(facts, Finding):
        return Section("postmortem", "Postmortem", True, (facts,))
    incident = facts.incident
    drill = "🧪 Drill · " if incident.is_drill else ""
    file = Attachment(
        f"{incident.id}-postmortem.md", f"{drill}Postmortem", document(facts), keep_in_bucket=True
    )
    number = incident.report.version + 1
    drafted = draft(
        Kind.REPORT, f"postmortem drafted, version {number}", step="drafted", seq=str(incident.head.seq)
    )
    note = f"draft {number}, of event {incident.head.seq}; the same record gives the same text"
    return Section(
        "postmortem", f"{drill}Postmortem · {incident.id}", True, tuple(_essence(facts)), note, (file,),
        additions=() if incident.is_active else (Addition(incident.id, drafted, of_file=True),),
    )  # fmt: skip


def _facts(id: str) -> Generator[Reads, Seen, Facts | Finding]:
    """All of it from the events: the record is what they make."""
    if not id:
        return Finding(
            KEY, "Incident", Light.UNKNOWN, "which one? Name it, or ask in its channel",
            suggestions=(Suggestion("Open incidents", "incident list"),),
        )  # fmt: skip
    wanted = (IncidentOf(id), EventsOf(id), HouseZone(), TasksOf(id))
    seen = yield wanted
    gap = next((seen[each] for each in wanted[:3] if isinstance(seen[each], Gap)), None)
    if gap is not None:
        return unread(KEY, "Record", gap)
    events: tuple[Event, ...] = seen[EventsOf(id)]
    if seen[IncidentOf(id)] is None or not events:
        return absent(KEY, "incident", id, "", (), "incident postmortem")
    incident = fold.fold(id, events)
    if incident.status in NONE:
        into = f" into {incident.merged_into}" if incident.merged_into else ""
        return Finding(KEY, "Postmortem", Light.GREEN, f"none: it is {incident.status.value}{into}")
    facts = Facts(incident, events, ZoneInfo(seen[HouseZone()]), seen[TasksOf(id)])
    return replace(facts, names=(yield from names_of(users(facts))))


# --- the essence ----------------------------------------------------------------------------------


def _essence(facts: Facts) -> Iterator[Finding]:
    incident, length = facts.incident, felt(facts)
    lasted = (
        f"users felt it for {span(length)}" if length is not None else "how long users felt it is not known"
    )
    light = Light.YELLOW if length is None else Light.GREEN
    yield Finding(KEY, "What", light, f"Sev{incident.severity} {one_line(incident.title, 120)}: {lasted}")
    yield _milestones(incident)
    yield _detection(incident)
    yield _actions(facts)
    yield _unwritten(incident)


def _milestones(incident: Incident) -> Finding:
    gone = [each.value for each in missing(incident)]
    pairs = [f"{one.value} is later than {two.value}" for one, two in inverted(times(incident))]
    said = "; ".join([*([f"missing: {', '.join(gone)}"] if gone else []), *pairs])
    set_ = (
        (Suggestion(f"Set {gone[0]}…", f"incident set {gone[0]} --incident {incident.id}"),) if gone else ()
    )
    light = Light.YELLOW if said else Light.GREEN
    return Finding(KEY, "Milestones", light, said or "all known and in order", suggestions=set_)


def _detection(incident: Incident) -> Finding:
    kind = covered(incident, signals((incident,)))
    if kind not in GAPS:
        return Finding(KEY, "Detection", Light.GREEN, kind.value)
    line = f'incident action "add an alert that would have told" --due 14d --incident {incident.id}'
    owed = () if incident.is_drill else (Suggestion("Add the alert…", line),)
    return Finding(KEY, "Detection", Light.YELLOW, kind.value, suggestions=owed)


def _actions(facts: Facts) -> Finding:
    if isinstance(facts.tasks, Gap):
        return unread("EM-5.3", "Actions", facts.tasks)
    if facts.tasks or facts.incident.no_tasks:
        said = (
            f"{counted(len(facts.tasks), 'action')}, each with an owner and a day"
            if facts.tasks
            else "none is needed"
        )
        return Finding("EM-5.3", "Actions", Light.GREEN, said)
    new = Suggestion("Add an action…", f"incident action --incident {facts.incident.id}")
    return Finding("EM-5.3", "Actions", Light.YELLOW, "none yet", suggestions=(new,))


def _unwritten(incident: Incident) -> Finding:
    bare = [
        each
        for each in SECTIONS
        if not is_written(incident, each) and (each != "data" or has_lost_data(incident))
    ]
    ways = [
        Suggestion(f"Write: {_FLAGS[each]}…", f"incident postmortem --{each} --incident {incident.id}")
        for each in bare
    ]
    if not any(gaps(incident)):
        ways.insert(0, Suggestion("Publish", f"incident publish --incident {incident.id}"))
    light, said = (
        (Light.YELLOW, "; ".join(_FLAGS[each] for each in bare)) if bare else (Light.GREEN, "nothing")
    )
    lessons_first = sorted(ways, key=lambda way: ("publish" not in way.text, "lessons" not in way.text))
    return Finding("EM-5.2", "To be written", light, said, suggestions=tuple(lessons_first[:3]))


POSTMORTEM = Command(
    word="incident",
    verbs=("postmortem",),
    summary="Its draft from the record as a file; with a section, your words in it.",
    rows=(KEY, "EM-5.2", "EM-5.0", "DL-4.5", "IN-40"),
    parts=parts,
    examples=(
        "incident postmortem INC-2026-11-23-001",
        "incident postmortem --lessons every pool needs a limit",
    ),
    flags=(WHICH, *(Flag(name, help) for name, help in _FLAGS.items())),
    names="INC TEXT…",
    entry=entered,
    enters=enters,
)

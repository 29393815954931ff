"""`incident timeline`, `incident export`, `incident verify`: what happened when, as pages, as files, and whether it holds.

The record is read whole and nothing of it is left out silently: a page says how many there are, and the files hold
them all.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from zoneinfo import ZoneInfo

from commands import timeline
from commands.called import names_of
from commands.command import Command, Flag, Part, Parts
from commands.errors import UsageError
from commands.finding import Finding, Light, Suggestion
from commands.ledger import Event, faults
from commands.model import Args, Attachment, Gap, Inquiry, Reads, Section, Seen
from commands.phrase import counted
from commands.response.incident import Incident
from commands.responsereads import EventsOf, HouseZone, IncidentOf
from commands.site import ClusterSite
from commands.timeline import Names
from commands.wording import missing, one_line, unread

SIZE = 20  # entries of one page: what a message takes, and a phone
KEY = "IN-23"


@dataclass(frozen=True, slots=True)
class _Told:
    """What is read for each of the three."""

    incident: Incident
    events: tuple[Event, ...]
    zone: tzinfo
    names: Names
    merged: Mapping[str, tuple[Event, ...]]

    def lines(self, *, everything: bool = False) -> tuple[timeline.Line, ...]:
        """Of this one and of what was merged into it."""
        own = timeline.lines(self.events, everything=everything)
        others = {id: timeline.lines(events, everything=everything) for id, events in self.merged.items()}
        return timeline.together(own, others)


Look = Callable[[Args, str, _Told], Section]


def parts(args: Args, site: ClusterSite) -> Parts:
    _number(args)
    _zone(args.flags.get("zone", ""))
    looks = {"timeline": _page, "export": _files, "verify": _verified}
    titles = {"timeline": "Timeline", "export": "Export", "verify": "Is the record whole?"}
    title = f"{titles[args.verb]} · {args.name}"
    return {args.verb: Part(title, _inquiry(args, title, looks[args.verb]))}


def _inquiry(args: Args, title: str, look: Look) -> Inquiry:
    read = yield from _read(args)
    if isinstance(read, Finding):
        return Section(args.verb, title, True, (read,))
    return look(args, title, read)


def _read(args: Args) -> Generator[Reads, Seen, _Told | Finding]:
    if not args.name:
        return Finding(
            KEY, "Incident", Light.UNKNOWN, "which one? Name it, or ask in its channel",
            suggestions=(Suggestion("Open incidents", "incident list"),),
        )  # fmt: skip
    wanted = (IncidentOf(args.name), EventsOf(args.name), HouseZone())
    seen = yield wanted
    gap = next((seen[each] for each in wanted if isinstance(seen[each], Gap)), None)
    if gap is not None:
        return unread(KEY, "Record", gap)
    incident: Incident | None = seen[IncidentOf(args.name)]
    if incident is None:
        return missing(KEY, "incident", args.name, "", (), "incident timeline")
    events: tuple[Event, ...] = seen[EventsOf(args.name)]
    merged: dict[str, tuple[Event, ...]] = {}
    if incident.merged and args.verb != "verify":
        found = yield tuple(EventsOf(id) for id in incident.merged)
        dark = next((gap for gap in found.values() if isinstance(gap, Gap)), None)
        if dark is not None:
            return unread(KEY, "Records that were merged into it", dark)
        merged = {id: found[EventsOf(id)] for id in incident.merged}
    names = yield from names_of(each.by for told in (events, *merged.values()) for each in told)
    zone = _zone(args.flags.get("zone", "") or seen[HouseZone()])
    return _Told(incident, events, zone, lambda user: names.get(user, user), merged)


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError) as error:
        raise UsageError(
            f"`{one_line(name, 40)}` is no time zone; write one like `Europe/Berlin` or `UTC`. Nothing was done."
        ) from error


def _number(args: Args) -> int:
    text = args.flags.get("page", "0")
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"`--page` takes a number, not `{one_line(text, 20)}`. Nothing was done.")
    return int(text)


# --- a page ---------------------------------------------------------------------------------------


def _page(args: Args, title: str, read: _Told) -> Section:
    told = read.lines(everything="all" in args.flags)
    of = timeline.pages(told, SIZE)
    number = min(_number(args) or of, of)
    shown = timeline.page(told, number, SIZE)
    lines = tuple(_row(line, read) for line in shown)
    note = f"page {number} of {of}, {counted(len(told), 'line')}, times in {read.zone}, with the number of each event"
    return Section("timeline", title, True, (_where(args, number, of, len(told)),), note, table=_dated(lines))


def _row(line: timeline.Line, read: _Told) -> tuple[str, str]:
    local = line.at.astimezone(read.zone)
    return (
        f"{local:%a %d %b}",
        f"{local:%H:%M:%S}  {'' if line.origin else line.seq:>3}  {one_line(timeline.sentence(line, read.names), 220)}",
    )


def _dated(rows: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """With the day above the first line of each: an incident may last longer than one."""
    lines, day = [], ""
    for date, text in rows:
        lines += [date] if date != day else []
        lines.append(text)
        day = date
    return tuple(lines)


def _where(args: Args, number: int, of: int, count: int) -> Finding:
    line = f"incident timeline {args.name}"
    ways = [
        *([Suggestion("Earlier", f"{line} --page {number - 1}")] if number > 1 else []),
        *([Suggestion("Later", f"{line} --page {number + 1}")] if number < of else []),
        Suggestion("As files", f"incident export {args.name}"),
    ]
    return Finding(KEY, "Entries", Light.GREEN, f"{count}", suggestions=tuple(ways))


# --- files ----------------------------------------------------------------------------------------


def _files(args: Args, title: str, read: _Told) -> Section:
    told = timeline.lines(read.events, everything=True)
    name = read.incident.id
    documents = read.lines()
    files = (
        Attachment(f"{name}.md", "Timeline", timeline.markdown(read.incident, documents, read.zone, read.names)),
        Attachment(f"{name}.csv", "Timeline as a table", timeline.as_csv(told, read.zone, read.names)),
        Attachment(
            f"{name}.json", "The record, with its chain", timeline.as_json(read.incident, read.events, read.zone),
            keep_in_bucket=True,
        ),
    )  # fmt: skip
    found = (_whole(read), Finding(KEY, "Files", Light.GREEN, "Markdown, CSV and JSON in this thread"))
    return Section("export", title, True, found, f"times in {read.zone}", files)


# --- does it hold ---------------------------------------------------------------------------------


def _verified(args: Args, title: str, read: _Told) -> Section:
    return Section("verify", title, True, (_whole(read),), "each event is sealed to the one before it")


def _whole(read: _Told) -> Finding:
    incident = read.incident
    found = faults(read.events, incident.head, incident.erased)
    head = f"event {incident.head.seq}, {incident.head.hash}"
    if found:
        lines = tuple(f"event {fault.seq} {fault.what}" for fault in found[:20])
        value = f"{counted(len(found), 'event')} do not hold"
        return Finding("IN-20", "Chain", Light.RED, value, evidence=(*lines, head))
    erased = f", {counted(len(incident.erased), 'content')} erased by two people" if incident.erased else ""
    return Finding(
        "IN-20", "Chain", Light.GREEN, f"{counted(len(read.events), 'event')} hold{erased}", evidence=(head,)
    )


_ZONE = Flag("zone", "times as they were there", "Europe/Berlin")
TIMELINE = Command(
    word="incident",
    verbs=("timeline",),
    summary="What happened when, a page at a time, the last page first.",
    rows=("EM-0", KEY),
    parts=parts,
    examples=("incident timeline", "incident timeline INC-2026-11-23-001 --page 1 --zone UTC"),
    flags=(
        Flag("page", "which page, from 1", "1"),
        _ZONE,
        Flag("all", "also what only the clock wrote"),
    ),
    names="INCIDENT",
)
EXPORT = Command(
    word="incident",
    verbs=("export", "verify"),
    summary="The whole record as Markdown, CSV and JSON; or whether its chain of events holds.",
    rows=("IN-43", "IN-20"),
    parts=parts,
    examples=("incident export INC-2026-11-23-001", "incident verify INC-2026-11-23-001"),
    flags=(_ZONE,),
    names="INCIDENT",
)

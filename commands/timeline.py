"""The timeline of an incident: its events in the order in which they happened, as people read and keep them.

What was edited, deleted, released or erased later stands with the entry it is about. Three forms: pages for a
message, Markdown for people, JSON and CSV for machines; JSON holds every event whole, so that what was exported can
be read back and its chain checked (`read_back`). Pure: who people are and which zone they live by comes from outside.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Any

from commands.errors import UsageError
from commands.ledger import Content, Event, Evidence, Head, Kept
from commands.phrase import counted, span
from commands.response.events import Kind
from commands.response.incident import Incident
from commands.response.said import erased_by

# What only the clock and the rules wrote: of use to who looks whether they were kept, and noise to the others.
HIDDEN = frozenset({Kind.TIMER, Kind.FIRED, Kind.ITEMS, Kind.NUDGE, Kind.ERASE_ASKED})

Names = Callable[[str], str]

_FORMAT = 1  # of the JSON


@dataclass(frozen=True, slots=True)
class Line:
    """One entry as it stands now. text: as it was last said; edits: how often it was changed since. gone: "", or what
    became of it ("deleted by its author at 14:32", "taken out by @bob", "erased: a password"). wanted: the two who
    had it erased. late: written down so long after it happened, "" within a minute. origin: the incident that was
    merged into this one and whose entry it is, "" for an own one."""

    seq: int
    at: datetime
    recorded: datetime
    kind: str
    by: str
    text: str
    earlier: tuple[str, ...] = ()
    gone: str = ""
    late: str = ""
    permalink: str = ""
    files: tuple[Kept, ...] = ()
    hash: str = ""
    wanted: tuple[str, ...] = ()
    origin: str = ""

    @property
    def edits(self) -> int:
        return len(self.earlier)


def lines(events: Iterable[Event], *, everything: bool = False) -> tuple[Line, ...]:
    """Entries by when they happened, then by when they were told of; without the clock's own unless `everything`."""
    found: dict[int, Line] = {}
    said: dict[str, int] = {}  # by message, where its entry is
    for event in events:
        if event.kind in (Kind.REVISED, Kind.REMOVED, Kind.RELEASED, Kind.ERASED):
            found |= {seq: _with(found[seq], event) for seq in _about(event, said) if seq in found}
            continue
        if event.kind in HIDDEN and not everything:
            continue
        found[event.seq] = _line(event)
        if event.kind == Kind.MESSAGE and event.content and event.content.evidence:
            said[f"{event.content.evidence.channel} {event.content.evidence.ts}"] = event.seq
    return tuple(sorted(found.values(), key=lambda line: (line.at, line.seq)))


def together(own: Iterable[Line], others: Mapping[str, Iterable[Line]]) -> tuple[Line, ...]:
    """With the entries of what was merged into it, by id, each where it happened and by whose it is."""
    theirs = (replace(line, origin=id) for id, told in others.items() for line in told)
    return tuple(sorted((*own, *theirs), key=lambda line: (line.at, line.origin, line.seq)))


def _about(event: Event, said: Mapping[str, int]) -> tuple[int, ...]:
    return erased_by(event) if event.kind == Kind.ERASED else (said.get(event.facts.get("of", ""), 0),)


def _line(event: Event) -> Line:
    evidence = event.content.evidence if event.content else None
    return Line(
        event.seq, event.at, event.recorded, event.kind, event.by, event.text,
        late=span(event.recorded - event.at) if event.is_late else "",
        permalink=evidence.permalink if evidence else "", files=evidence.files if evidence else (),
        hash=event.hash,
    )  # fmt: skip


def _with(line: Line, event: Event) -> Line:
    at = event.at.astimezone(UTC).strftime("%H:%M UTC")
    match event.kind:
        case Kind.REVISED:
            return replace(line, text=event.text, earlier=(*line.earlier, line.text))
        case Kind.REMOVED:
            return replace(line, gone=f"deleted in Slack at {at}; its text is kept")
        case Kind.RELEASED:
            return replace(line, gone=f"taken out at {at}")
    why, wanted = event.facts.get("why", ""), (event.facts.get("asked", ""), event.by)
    return replace(line, text="", earlier=(), files=(), gone=f"erased: {why}", wanted=wanted)


# --- as people read it ----------------------------------------------------------------------------


def pages(told: Sequence[Line], size: int) -> int:
    return max(1, -(-len(told) // size))


def page(told: Sequence[Line], number: int, size: int) -> Sequence[Line]:
    """The `number`-th page, from 1; the last one for a number beyond it."""
    number = min(max(number, 1), pages(told, size))
    return told[(number - 1) * size : number * size]


def sentence(line: Line, names: Names) -> str:
    """What happened, by whom, and what became of it, on one line."""
    by = f"{names(line.by)}: " if line.by else ""
    what = " ".join(line.text.split()) or ("(erased)" if line.gone.startswith("erased") else "(no text)")
    files = f" [{', '.join(kept.name for kept in line.files)}]" if line.files else ""
    notes = [
        *([f"edited ×{line.edits}"] if line.edits else []),
        *([line.gone] if line.gone else []),
        *([f"agreed by {' and '.join(map(names, filter(None, line.wanted)))}"] if line.wanted else []),
        *([f"added {line.late} later"] if line.late else []),
    ]
    remarks = f" ({'; '.join(notes)})" if notes else ""
    origin = f"[{line.origin}] " if line.origin else ""
    return f"{origin}{by}{what}{files}{remarks}"


def markdown(incident: Incident, told: Sequence[Line], zone: tzinfo, names: Names) -> str:
    """The timeline as a document: a heading for each day, a line for each entry."""
    head = [
        f"# {incident.id}: {plain(incident.title)}",
        "",
        f"Sev{incident.severity}, {incident.status.value}; times in {zone}; {counted(len(told), 'line')}.",
        f"Event {incident.head.seq}, {incident.head.hash}.",
    ]
    day, body = "", []
    for line in told:
        local = line.at.astimezone(zone)
        if local.strftime("%A, %-d %B %Y") != day:
            day = local.strftime("%A, %-d %B %Y")
            body += ["", f"## {day}", ""]
        link = f" ([message]({line.permalink}))" if line.permalink else ""
        body.append(f"- **{local:%H:%M:%S}** {plain(sentence(line, names))}{link}")
        body += [f"  - before: {plain(' '.join(text.split()))}" for text in line.earlier]
    return "\n".join((*head, *body)) + "\n"


_MARKS = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_[]<>#|"})


def plain(text: str) -> str:
    """Text of anybody's, which is no markup here."""
    return text.translate(_MARKS)


def as_csv(told: Sequence[Line], zone: tzinfo, names: Names) -> str:
    """One row for each entry, the header first."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(
        ("seq", "at", "recorded", "kind", "by", "name", "text", "edits", "gone", "files", "permalink", "hash")
    )
    for line in told:
        cells = (
            line.seq, line.at.astimezone(zone).isoformat(), line.recorded.astimezone(zone).isoformat(), line.kind,
            line.by, names(line.by) if line.by else "", line.text, line.edits, line.gone,
            " ".join(kept.name for kept in line.files), line.permalink, line.hash,
        )  # fmt: skip
        rows.writerow([_cell(cell) for cell in cells])
    return out.getvalue()


def _cell(value: object) -> object:
    """A spreadsheet would calculate what begins like a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


# --- as machines keep it --------------------------------------------------------------------------


def as_json(incident: Incident, events: Iterable[Event], zone: tzinfo) -> str:
    """Every event whole and on a line of its own, with its seal and hash, and the head of the chain."""
    head = {"seq": incident.head.seq, "hash": incident.head.hash}
    told = {
        "format": _FORMAT, "incident": incident.id, "title": incident.title, "head": head,
        "erased": {str(seq): hash for seq, hash in incident.erased.items()}, "events": [],
    }  # fmt: skip
    lines = ",\n".join(json.dumps(_told(event, zone), ensure_ascii=False) for event in events)
    return json.dumps(told, ensure_ascii=False).removesuffix("]}") + f"\n{lines}\n]}}\n"


def _told(event: Event, zone: tzinfo) -> Mapping[str, Any]:
    return {
        "seq": event.seq, "kind": event.kind, "at": event.at.astimezone(zone).isoformat(),
        "recorded": event.recorded.astimezone(zone).isoformat(), "by": event.by, "source": event.source,
        "key": event.key, "is_told": event.is_told, "mention": event.mention, "seal": event.seal,
        "prev": event.prev, "hash": event.hash, "content": _content(event.content) if event.content else None,
    }  # fmt: skip


def _content(content: Content) -> Mapping[str, Any]:
    evidence = content.evidence
    told: dict[str, Any] = {"text": content.text, "facts": dict(content.facts), "salt": content.salt}
    if evidence is not None:
        files = [
            {"name": k.name, "mimetype": k.mimetype, "size": k.size, "sha256": k.sha256, "stored": k.stored,
             "missing": k.missing}
            for k in evidence.files
        ]  # fmt: skip
        told["evidence"] = {
            "channel": evidence.channel, "ts": evidence.ts, "thread": evidence.thread,
            "permalink": evidence.permalink, "files": files,
        }  # fmt: skip
    return told


@dataclass(frozen=True, slots=True)
class Export:
    """What an exported file holds."""

    incident: str
    events: tuple[Event, ...]
    head: Head
    erased: Mapping[int, str]


def read_back(text: str) -> Export:
    """What `as_json` wrote; raises UsageError for what it did not."""
    try:
        told = json.loads(text)
        if told["format"] != _FORMAT:
            raise UsageError(f"This export has format {told['format']}; this version reads format {_FORMAT}.")
        events = tuple(_event(each) for each in told["events"])
        head = Head(int(told["head"]["seq"]), str(told["head"]["hash"]))
        return Export(
            str(told["incident"]), events, head, {int(k): str(v) for k, v in told["erased"].items()}
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"This is no export of an incident: {type(error).__name__}: {error}.") from error


def _event(told: Mapping[str, Any]) -> Event:
    content = told["content"]
    return Event(
        seq=int(told["seq"]), kind=str(told["kind"]), at=_moment(told["at"]), recorded=_moment(told["recorded"]),
        by=str(told["by"]), source=str(told["source"]), seal=str(told["seal"]), prev=str(told["prev"]),
        hash=str(told["hash"]), content=_content_of(content) if content is not None else None,
        key=str(told["key"]), is_told=bool(told["is_told"]), mention=str(told["mention"]),
    )  # fmt: skip


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _content_of(told: Mapping[str, Any]) -> Content:
    said = told.get("evidence")
    evidence = None
    if said is not None:
        files = tuple(Kept(**each) for each in said["files"])
        evidence = Evidence(said["channel"], said["ts"], said["thread"], said["permalink"], files)
    facts = {str(name): str(value) for name, value in told["facts"].items()}
    return Content(str(told["text"]), facts, evidence, str(told["salt"]))

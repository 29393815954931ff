"""The record of an incident or a change request: events that are only ever added, each sealed to the one before.

An event's hash covers its frame (who, when, what kind) and the seal of its content, not the content itself: two
people may have a secret erased from it, and the chain still holds. What an incident is now is a fold over its events
(commands/response/fold.py); bot/book.py keeps both. Pure: the salts and the time come from there.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

# What the first event continues.
ROOT = "0" * 64


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a thread: key makes it unique in its card, so that it is sent once.

    mention: a Slack user or user-group id that it calls, in front of the text. by: the user who did what it says,
    named behind it ("acknowledged" by @bob), or before it where it is a deed ("@bob joined"). alone: it is for the one
    it calls, and nobody else sees it.
    """

    key: str
    text: str
    at: datetime
    mention: str = ""
    by: str = ""
    alone: bool = False
    is_deed: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that somebody shared: sha256 and size in bytes of what was fetched, stored its key in the store; missing
    says why it is not kept ("" when it is)."""

    name: str
    mimetype: str
    size: int
    sha256: str = ""
    stored: str = ""
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where in Slack it was said: channel and ts of the message, thread of its parent, a link to it, its files."""

    channel: str
    ts: str
    thread: str = ""
    permalink: str = ""
    files: tuple[Kept, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """What may be erased of an event. text: a sentence for people; facts: what the fold reads, by name."""

    text: str
    facts: Mapping[str, str] = field(default_factory=dict)
    evidence: Evidence | None = None
    salt: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """An event to be added.

    at: when it happened, None for now. by: the Slack user who did it, "" for the bot itself. source: how it is known
    ("command", "button", "slack", "alert", "audit", "timer", "import"). key: what makes another telling of the same
    thing recognisable; "" where nothing can repeat it. is_told: it is also said in the incident's channel, calling
    `mention`; one that is not told and has a mention is said to that user alone.
    """

    kind: str
    text: str
    at: datetime | None = None
    by: str = ""
    source: str = "command"
    facts: Mapping[str, str] = field(default_factory=dict)
    evidence: Evidence | None = None
    key: str = ""
    is_told: bool = False
    mention: str = ""


@dataclass(frozen=True, slots=True)
class Addition:
    """An event that an answer brings to the record of an incident, once it is given: id, of the record. of_file: it
    speaks of the answer's first file, and where that was kept is added to its facts (stored, sha256, bucket)."""

    id: str
    draft: Draft
    of_file: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """at: when it happened, as claimed; recorded: when it was written down, a fact. Both aware UTC.

    seq counts from 1. seal: the hash of the content; content is None once it was erased. is_told, mention: as of
    the draft; they are of the frame, so that they cannot be added later.
    """

    seq: int
    kind: str
    at: datetime
    recorded: datetime
    by: str
    source: str
    seal: str
    prev: str
    hash: str
    content: Content | None
    key: str = ""
    is_told: bool = False
    mention: str = ""

    @property
    def text(self) -> str:
        return self.content.text if self.content else ""

    @property
    def facts(self) -> Mapping[str, str]:
        return self.content.facts if self.content else {}

    @property
    def is_late(self) -> bool:
        """Written down more than a minute after it happened: "added later"."""
        return (self.recorded - self.at).total_seconds() > 60


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: how many events there are, and the hash of the last."""

    seq: int = 0
    hash: str = ROOT


START = Head()


def sealed(drafts: Iterable[Draft], head: Head, now: datetime, salts: Iterable[str]) -> tuple[Event, ...]:
    """The drafts as the next events behind `head`, in this order."""
    events: list[Event] = []
    for draft, salt in zip(drafts, salts, strict=False):
        content = Content(draft.text, dict(draft.facts), draft.evidence, salt)
        event = Event(
            seq=head.seq + 1, kind=draft.kind, at=draft.at or now, recorded=now, by=draft.by,
            source=draft.source, seal=seal(content), prev=head.hash, hash="", content=content,
            key=draft.key, is_told=draft.is_told, mention=draft.mention,
        )  # fmt: skip
        event = replace(event, hash=digest(event))
        events.append(event)
        head = Head(event.seq, event.hash)
    return tuple(events)


def seal(content: Content) -> str:
    """The hash of a content; the salt keeps short texts from being guessed once they are erased."""
    evidence = content.evidence
    said = [
        content.salt, content.text, sorted(content.facts.items()),
        _plain(evidence) if evidence else None,
    ]  # fmt: skip
    return _hash(said)


def _plain(evidence: Evidence) -> list[object]:
    files = [[k.name, k.mimetype, k.size, k.sha256, k.stored, k.missing] for k in evidence.files]
    return [evidence.channel, evidence.ts, evidence.thread, evidence.permalink, files]


def digest(event: Event) -> str:
    """The hash of an event: of its frame, the seal of its content and the event before."""
    return _hash(
        [
            event.seq, event.kind, _epoch(event.at), _epoch(event.recorded), event.by, event.source,
            event.key, event.is_told, event.mention, event.seal, event.prev,
        ]
    )  # fmt: skip


def _epoch(at: datetime) -> int:
    """Microseconds, exactly: the same instant written in another zone is the same."""
    since = at.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _hash(parts: Sequence[object]) -> str:
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


# --- does it hold ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fault:
    """What does not hold, and at which event."""

    seq: int
    what: str


def faults(events: Iterable[Event], head: Head, erased: Mapping[int, str]) -> tuple[Fault, ...]:
    """Every event that was changed, left out, moved or added behind the chain's back; () when all holds.

    erased: what two people had erased, by seq, with the hash of the event that says so.
    """
    found: list[Fault] = []
    before, prev = 0, ROOT
    for event in events:
        if event.seq != before + 1:
            found.append(Fault(event.seq, f"follows event {before}: those between are missing or moved"))
        elif event.prev != prev:
            found.append(Fault(event.seq, "does not continue the event before it"))
        if digest(event) != event.hash:
            found.append(Fault(event.seq, "was changed after it was written"))
        found += _content_faults(event, erased)
        before, prev = event.seq, event.hash
    if (before, prev) != (head.seq, head.hash):
        found.append(Fault(before, f"is the last one, and the record ends at event {head.seq}"))
    return tuple(found)


def _content_faults(event: Event, erased: Mapping[int, str]) -> Iterable[Fault]:
    if event.content is None:
        return () if event.seq in erased else (Fault(event.seq, "has no content, and nobody had it erased"),)
    changed = seal(event.content) != event.seal
    return (Fault(event.seq, "has another content than was written"),) if changed else ()

"""What people say in an incident's room and mark for its timeline, as events: captured, edited, deleted, taken out.

A message is compared with what the record has of it, whoever noticed that something happened: a live event, a
repeated one, or a look at the history after the bot was away. The same comparison twice adds nothing. Pure;
bot/scribe.py reads Slack for it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

from commands.ledger import Draft, Evidence, Kept
from commands.response.events import Kind, draft

LONGEST = 8000  # characters of a message that are kept; Slack's own limit is 40,000
PINS = ("pushpin", "round_pushpin")
TASK = "ballot_box_with_check"  # ☑: what it is put under is something to do


@dataclass(frozen=True, slots=True)
class Said:
    """A message as Slack has it now. author: a user id, "" for an app, whose name is `name`. pinned_by: who marked it.
    edited: Slack's time of its last edit, "" for none; editor: whose."""

    channel: str
    ts: str
    text: str
    author: str = ""
    name: str = ""
    thread: str = ""
    permalink: str = ""
    pinned_by: tuple[str, ...] = ()
    edited: str = ""
    editor: str = ""
    files: tuple[Kept, ...] = ()

    @property
    def of(self) -> str:
        return f"{self.channel} {self.ts}"


class Standing(StrEnum):
    """What the record last said of a message."""

    HELD = "held"
    RELEASED = "released"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Known:
    """text: a hash of it as last captured; seq: the event that last said anything of it."""

    standing: Standing
    text: str
    seq: int = 0


def plain(text: str) -> str:
    """What somebody typed, of what Slack delivers: it writes three characters in their place by name."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def hashed(text: str) -> str:
    return hashlib.sha256(text[:LONGEST].encode(errors="replace")).hexdigest()[:16]


STANDINGS: Mapping[str, Standing] = {
    Kind.MESSAGE: Standing.HELD,
    Kind.REVISED: Standing.HELD,
    Kind.REMOVED: Standing.GONE,
    Kind.RELEASED: Standing.RELEASED,
}


def compared(said: Said, known: Known | None, by: str = "") -> tuple[Draft, ...]:
    """The events that bring the record up to date with a message that is there. by: who did what was noticed."""
    if known is None or known.standing is not Standing.HELD:
        return (_captured(said, known),) if said.pinned_by else ()
    revised = (_revised(said, known),) if hashed(said.text) != known.text else ()
    released = () if said.pinned_by else (_about(Kind.RELEASED, "taken out", said.of, known, by),)
    return (*revised, *released)


def followed(said: Said, then: Said | None, known: Known | None, by: str = "") -> tuple[Draft, ...]:
    """Likewise of one that was edited twice before it was looked at. then: as it was after the first time; it is of
    before what the record says where that knows the last one already."""
    is_last = known is not None and known.text == hashed(said.text)
    return compared(said if then is None or is_last else then, known, by)


def gone(of: str, known: Known | None, by: str = "") -> tuple[Draft, ...]:
    """Likewise of a message that is not there any more; what was captured of it is kept."""
    if known is None or known.standing is Standing.GONE:
        return ()
    return (_about(Kind.REMOVED, "deleted in Slack", of, known, by),)


def _captured(said: Said, known: Known | None) -> Draft:
    who = "" if said.author else f"{said.name}: " if said.name else ""
    text = f"{who}{said.text}"[:LONGEST] or "(no text)"
    evidence = Evidence(said.channel, said.ts, said.thread, said.permalink, said.files)
    told = draft(Kind.MESSAGE, text, of=said.of, hash=hashed(said.text), pinned_by=said.pinned_by[0])
    return replace(
        told, at=moment(said.ts), by=said.author, source="slack", evidence=evidence,
        key=f"message {said.of} {known.seq if known else 0}",
    )  # fmt: skip


def _revised(said: Said, known: Known) -> Draft:
    told = draft(Kind.REVISED, said.text[:LONGEST] or "(no text)", of=said.of, hash=hashed(said.text))
    at = moment(said.edited) if said.edited else None
    key = f"revised {said.of} {known.seq}"  # of the text nothing: it may be erased, and the key stays
    return replace(told, at=at, by=said.editor or said.author, source="slack", key=key)


def _about(kind: Kind, text: str, of: str, known: Known, by: str) -> Draft:
    told = draft(kind, text, of=of, hash=known.text)
    return replace(told, by=by, source="slack", key=f"{kind.value} {of} {known.seq}")


def moment(ts: str) -> datetime:
    """Slack's time of a message; the first moment of all for what is none."""
    try:
        return datetime.fromtimestamp(float(ts), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


# --- files ----------------------------------------------------------------------------------------

MOST = 5 * 1024 * 1024  # bytes of one file that are fetched
ALL = 100 * 1024 * 1024  # of all of an incident, as they lie in the store for a month
_KINDS = ("image/", "text/", "application/pdf", "application/json", "application/yaml", "application/x-yaml")


def refused(name: str, mimetype: str, size: int) -> str:
    """Why a file is not fetched, "" when it is: its name, size and type are kept either way."""
    if not mimetype.startswith(_KINDS):
        return f"{mimetype or 'its type'} is not kept, only images, text, PDF, JSON and YAML"
    if size > MOST:
        return f"{size / 1024 / 1024:.1f} MiB, and {MOST // 1024 // 1024} are kept"
    return ""


@dataclass(frozen=True, slots=True)
class Seen:
    """All that was read of a room: the messages by `of`, and the channel that was read whole: what the record has of
    it and is not among them is gone. Of where the room was before nothing is said."""

    said: Mapping[str, Said] = field(default_factory=dict)
    channel: str = ""


def caught_up(seen: Seen, known: Mapping[str, Known]) -> tuple[Draft, ...]:
    """What happened while nobody listened, oldest message first."""
    drafts: list[Draft] = []
    for of in sorted({*seen.said, *known}, key=_order):
        if of in seen.said:
            drafts += compared(seen.said[of], known.get(of))
        elif of.partition(" ")[0] == seen.channel:
            drafts += gone(of, known.get(of))
    return tuple(drafts)


def _order(of: str) -> tuple[float, str]:
    return moment(of.rpartition(" ")[2]).timestamp(), of


def marks(
    reactions: Sequence[Mapping[str, object]], pinned_to: Sequence[str], channel: str
) -> tuple[str, ...]:
    """Who marked a message, each once: by one of PINS, or by pinning it to the channel (then nobody is named)."""
    users = [
        str(user)
        for each in reactions
        if str(each.get("name", "")).partition("::")[0] in PINS
        for user in _list(each.get("users"))
    ]
    pinned = ["a pin"] if channel in pinned_to else []
    return tuple(dict.fromkeys((*users, *pinned)))


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()

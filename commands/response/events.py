"""The kinds of events an incident is made of, and what facts each carries; all facts are strings.

`draft` builds one. Times in facts are ISO 8601 with their zone. A kind that the fold does not know changes nothing:
records outlive versions.
"""

from datetime import UTC, datetime
from enum import StrEnum

from commands.ledger import Draft


class Kind(StrEnum):
    # Its life. DECLARED: title severity cluster service drill private security channel("yes" wants one) alert detection
    DECLARED = "declared"
    STATUS = "status"  # to, why
    SEVERITY = "severity"  # to (1-4), why
    # FIELD: name (title, service, affected, impact, detection, private, lessons, channel: "yes" wants one), value
    FIELD = "field"
    MILESTONE = "milestone"  # name, at ("" takes it back), about ("yes"), why
    REOPENED = "reopened"  # why
    MERGED = "merged"  # into (of the one that goes), or: took (of the one that stays)
    UNMERGED = "unmerged"  # from, or: gave
    # Its people. OFFERED: role user · ACCEPTED: role user · DECLINED: role user why · ENDED: role user
    OFFERED = "role offered"
    ACCEPTED = "role accepted"
    DECLINED = "role declined"
    ENDED = "role ended"
    PAGED = "paged"  # id user rung
    PAGE_ACKED = "page acknowledged"  # id
    JOINED = "joined"  # user
    LEFT = "left"  # user
    # Alone, where two must agree. BROKEN: request line requester · REVIEWED: request why
    BROKEN = "break-glass"
    REVIEWED = "break-glass reviewed"
    # Its clock. ITEMS: one fact for each, its key → JSON of phase text role due evidence
    ITEMS = "checklist"
    ITEM = "checklist line"  # key state why
    TIMER = "timer"  # key due ("" takes it away)
    FIRED = "timer fired"  # key, late (in words, "" when on time)
    NUDGE = "reminder"
    UPDATE = "status update"  # conditions actions needs audience channels next (due)
    # What belongs to it. ALERT: group name state(firing, resolved, silenced, acked, told, left) started ended
    ALERT = "alert"
    RUN = "command"  # id line state changes("yes")
    ROLLOUT = "deploy seen"  # object
    BLAMED = "cause"  # change confidence
    LINKED = "linked"  # id (of a change request, an incident, a request)
    TASK = "action"  # id, or: why (there are none)
    # What was said. NOTE: - · MESSAGE: captured, with evidence · the others: of (channel ts)
    NOTE = "note"
    MESSAGE = "message"
    REVISED = "message edited"  # of, number
    REMOVED = "message deleted"  # of
    RELEASED = "message released"  # of
    ERASE_ASKED = "erasure asked"  # seq why
    ERASED = "erased"  # seq why asked (who first wanted it) also (seqs of the same message)
    # Its place and its papers. ROOM: channel name thread own lost
    ROOM = "room"
    SCOPE = "not allowed"  # what
    # REPORT: step · section: name said · deleted · drafted: seq stored sha256 bucket · published: version stored sha256
    # · waived: why
    REPORT = "postmortem"


def draft(kind: Kind, text: str, **facts: str) -> Draft:
    """With its empty facts left out."""
    return Draft(kind, text, facts={name: value for name, value in facts.items() if value})


def written(at: datetime) -> str:
    """A time as facts have it."""
    return at.astimezone(UTC).isoformat()


def read(text: str) -> datetime | None:
    """Such a time, None for what is none."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if text else None
    except ValueError:
        return None

"""`change new` and `change edit`: ask for a change, or for another one in its place.

Both end with the pre-checks, which decide whether it is put before people. An edit makes void what was agreed: an
approval is given to one payload and to no other.
"""

from collections.abc import Mapping
from datetime import timedelta

from commands.changes import draft as drafting
from commands.changes.meant import WORD, about, demand, did, entered
from commands.changes.window import begins, overlapping
from commands.command import Command, Flag
from commands.entry import Entry, Given, Write
from commands.errors import Denied, UsageError
from commands.form import NeedsForm
from commands.ledger import Draft
from commands.model import Args
from commands.phrase import span
from commands.response.changeevents import Kind, draft, payload_facts
from commands.response.changemoves import Move
from commands.response.changerequest import ChangeRequest, Payload
from commands.response.incident import Incident, Role

# So many that are not over one person may have asked for in so short a time.
MOST, FLOOD = 20, timedelta(minutes=10)

_TYPED = (
    '/sre change new "checkout 2.0" --at 22:00 --for 30m --rollback "/sre deploy rollback backend" '
    '--why "fixes the lost orders" --risk medium'
)


def new(given: Given) -> Entry:
    fields = _fields(given)
    gone = drafting.missing(fields)
    if gone and gone != ("rollback",):  # that alone is said under its field
        usual = {"risk": "medium", "irreversible": "no", "auto": drafting.usual_auto(given, fields)}
        known = {**usual, **fields, "at": _moment(given, fields)}
        asked = drafting.form(Args(WORD, "new", "", _carried(given)), known, "Ask for a change", "Check it")
        raise NeedsForm(asked, f"Missing: {', '.join(f'--{name}' for name in gone)}. Type: `{_TYPED}`.")
    payload = drafting.payload(given, fields)
    _refuse_flood(given)
    emergency = _emergency(given)
    channel = given.site.channel("changes") or given.place.channel
    opened = Draft(
        Kind.OPENED, f"asked for: {payload.what}", by=given.actor.user,
        facts={**payload_facts(payload), "channel": channel, **({"emergency": emergency.id} if emergency else {})},
    )  # fmt: skip
    submitted = draft(Kind.MOVED, "its pre-checks begin", move=Move.SUBMIT)
    answer = (
        f"{{id}} is written (numbered by the day in {given.site.timezone}). Its pre-checks run now, and its card in "
        f"{channel} says what they find.{_overlaps(payload, given)}"
    )
    return Entry(answer, (Write((opened, submitted), word=WORD),), ("change check {id}",))


def edit(given: Given) -> Entry:
    change = about(given)
    demand(change, Move.EDIT)
    if not is_author(given, change):
        raise Denied(f"{change.id} is for who asked for it to edit. Nothing was done.")
    known = drafting.fields_of(change.payload)
    typed = {name: value for name, value in _fields(given).items() if name != "title" or value}
    if not typed:
        window = drafting.form(Args(WORD, "edit", change.id), known, "Edit the change", "Check it again")
        raise NeedsForm(window, f"Say what is different: `/sre change edit {change.id} --at 23:00`.")
    payload = drafting.payload(given, {**known, **typed})
    if payload.digest == change.digest:
        raise UsageError(f"{change.id} says this already. Nothing was done.")
    void = " What was agreed is void." if change.agreed else ""
    edited = did(given, Kind.EDITED, f"✏️ edited.{void}", **payload_facts(payload))
    submitted = draft(Kind.MOVED, "its pre-checks begin anew", move=Move.SUBMIT)
    answer = f"{change.id} is edited.{void} Its pre-checks run again.{_overlaps(payload, given, change.id)}"
    return entered(change, answer, (edited, submitted), f"change check {change.id}")


def is_author(given: Given, change: ChangeRequest) -> bool:
    """Whether the actor asked for it or made it, with whatever id."""
    person = given.site.person(given.actor.user)
    return person in {given.site.person(user) for user in (change.by, *change.payload.authors)}


def _refuse_flood(given: Given) -> None:
    """Each has a card, and its pre-checks ask the whole cluster."""
    person = given.site.person
    own = (each for each in given.changes if person(each.by) == person(given.actor.user))
    young = [each.id for each in own if given.now - each.opened < FLOOD]
    if len(young) >= MOST:
        raise Denied(
            f"You asked for {len(young)} changes in {span(FLOOD)}, {young[-1]} to {young[0]}. Let some be decided first, or "
            "take one back with `/sre change cancel CR-…`. Nothing was done."
        )


_NAMES = (
    "service", "at", "for", "rollback", "why", "risk", "steps", "verify", "expected", "irreversible", "auto", "image",
    "approvers", "authors",
)  # fmt: skip


def _fields(given: Given) -> dict[str, str]:
    flags = given.args.flags
    typed = {name: flags[name] for name in _NAMES if name in flags}
    title = flags.get("title", "")
    if given.args.verb == "new":
        title = title or f"{given.args.name} {given.args.rest}".strip()
    return {"title": title, **typed} if title else typed


def _moment(given: Given, fields: Mapping[str, str]) -> str:
    """When it begins, as a window has it; "" for what is no such time."""
    try:
        return begins(fields.get("at", ""), given.now, given.site.timezone).isoformat()
    except UsageError:
        return ""


def _carried(given: Given) -> Mapping[str, str]:
    """What the window has no field for."""
    return {name: given.args.flags[name] for name in ("emergency", "cluster") if name in given.args.flags}


def _overlaps(payload: Payload, given: Given, but: str = "") -> str:
    others = overlapping(payload, given.changes, but)
    if not others:
        return ""
    told = ", ".join(f"{other.id} ({other.payload.service}: {other.payload.what})" for other in others[:3])
    return f" ⚠️ Its window overlaps {told}."


def _emergency(given: Given) -> Incident | None:
    """The incident in which it is done without the usual approval: only its commander may."""
    if "emergency" not in given.args.flags:
        return None
    named = given.args.flags["emergency"].upper()
    found = [each for each in given.open if named and f"-{each.id}".endswith(f"-{named}")]
    if len(found) != 1 or not is_grave(found[0]):
        shown = named[:40].replace("`", "")
        raise Denied(
            f"`{shown}` is no open Sev1 or Sev2, or a drill. Ask without --emergency. Nothing was done."
        )
    if not is_commander(given, found[0]):
        raise Denied(
            f"Only the commander of {found[0].id} may do that without an approval. Nothing was done."
        )
    if found[0].is_private:
        raise Denied(
            f"{found[0].id} is private, and everybody reads a change request. Ask for the change itself in its channel, "
            "and type `/sre incident break-glass` there. Nothing was done."
        )
    return found[0]


def is_grave(incident: Incident) -> bool:
    """Whether one person may be enough in it."""
    return incident.is_active and incident.severity <= 2 and not incident.is_drill


def is_commander(given: Given, incident: Incident) -> bool:
    """Whether the actor leads it, and a commander may approve alone here."""
    may = given.site.approvals.sev1_break_glass == "ic"
    return may and incident.holder(Role.IC) == given.actor.user


_FLAGS = (
    Flag("title", "what is changed, where the line does not say it", "TEXT"),
    Flag("service", "which service", "NAME"),
    Flag("at", "when it begins: 22:00, 2026-11-24 22:00, +30m, now", "14:32"),
    Flag("for", "how long users feel it: 30m, 2h, none", "30m"),
    Flag("rollback", "how it is taken back; may hold `/sre` lines", "TEXT"),
    Flag("why", "what it is for", "TEXT"),
    Flag("risk", "low, medium or high", "RISK"),
    Flag("steps", "the steps, by semicolon; `/sre` lines are run or offered", "TEXT"),
    Flag("verify", "`/sre` lines that show whether it worked", "TEXT"),
    Flag("expected", "alerts that it will cause, by comma", "NAMES"),
    Flag("irreversible", "it cannot be taken back"),
    Flag("auto", "the bot may roll it back by itself"),
    Flag("image", "the image that it brings", "IMAGE"),
    Flag("approvers", "who should look at it", "PEOPLE"),
    Flag("authors", "who else made it; they cannot approve it", "PEOPLE"),
)

_EMERGENCY = Flag(
    "emergency", "the open Sev1 or Sev2 that you command: no approval before, a review after", "INC-…"
)

NEW = Command(
    word=WORD,
    verbs=("new",),
    summary="Ask for a change: when, how long, how it is taken back, why.",
    rows=("CM-0", "CM-0.1", "CM-0.2", "CM-0.3", "CM-0.4", "CM-0.5", "CM-2.0", "CM-2.3"),
    examples=("change new", 'change new "checkout 2.0" --at 22:00 --for 30m'),
    flags=(*_FLAGS, _EMERGENCY),
    names="WHAT",
    entry=new,
)  # fmt: skip
EDIT = Command(
    word=WORD,
    verbs=("edit",),
    summary="Change what a change request says; what was agreed is void.",
    rows=("CM-0",),
    examples=("change edit CR-2026-11-23-001", "change edit CR-2026-11-23-001 --at 23:00"),
    flags=_FLAGS,
    names="CR-…",
    entry=edit,
)

"""`break-glass` and `review`: the commander of a grave incident approves one change alone, and somebody looks at it later.

Only where the configuration lets them (`approvals.sev1_break_glass`), only what was asked for in that incident, only
with its id typed twice, never in a drill. A second person reviews it within a day; until then it is asked for.
"""

from datetime import timedelta

from commands.command import Command, Flag
from commands.consequences import REVIEW
from commands.entry import CHANGE, Entry, Given
from commands.errors import Denied, Stale, UsageError
from commands.form import Field
from commands.incident.about import (
    NOTHING,
    REASON,
    WHICH,
    WHY,
    aloud,
    ask,
    event,
    live,
    reason,
    the,
    unset,
    write,
)
from commands.ledger import Draft
from commands.model import Request, State
from commands.response.events import Kind, written
from commands.response.incident import Glass, Incident, Role

WITHIN = timedelta(hours=24)  # somebody else has looked
GRAVE = 2


def key(request: str) -> str:
    """The timer of a review."""
    return f"{REVIEW}{request}"


def break_glass(given: Given) -> Entry:
    incident = live(given)
    _refuse(given, incident)
    request = _request(given, incident)
    typed = given.args.flags.get("confirm", "")
    if typed.upper() != request.id:
        raise ask(
            given, "Approve it alone", "Break the glass",
            f"You would approve `{request.text}` alone. Type its id again: `/sre incident break-glass {request.id} "
            f"--confirm {request.id}`.",
            Field("confirm", f"Type {request.id} to approve it alone", hint="Somebody else reviews it.", most=20),
            Field("why", "Why can nobody else approve it?", is_optional=True, most=REASON), name=request.id,
        )  # fmt: skip
    return Entry(
        f"Approved by you alone: `{request.text}` ({request.id}). Somebody else must review it within 24 h.",
        write(incident, *_drafts(given, incident, request)),
        breaks=request.id,
    )


def _refuse(given: Given, incident: Incident) -> None:
    if given.site.approvals.sev1_break_glass != "ic":
        raise Denied(f"Nobody approves alone here: `approvals.sev1_break_glass` is `nobody`. {NOTHING}")
    if incident.is_drill:
        raise Denied(f"{incident.id} is a drill: in a drill no glass is broken. {NOTHING}")
    if not incident.is_active or incident.severity > GRAVE:
        raise Denied(
            f"{incident.id} is Sev{incident.severity} and {incident.status}: only in an open Sev1 or Sev2 one person is "
            f"enough. {NOTHING}"
        )
    if incident.holder(Role.IC) != given.actor.user:
        raise Denied(
            f"Only the incident commander may approve alone. `/sre incident assign ic me` makes you that. {NOTHING}"
        )
    if incident.is_private and not _others(given, incident):
        raise Denied(
            f"{incident.id} is private and nobody but you is in it, so nobody would see it. Call somebody first: "
            f"`/sre incident page WHO WHY`. {NOTHING}"
        )


def _others(given: Given, incident: Incident) -> frozenset[str]:
    """Everybody else who is in it."""
    person = given.site.person
    users = (incident.by, *incident.people, *(held.user for held in incident.roles.values()))
    return frozenset(person(user) for user in users if user) - {person(given.actor.user)}


def _request(given: Given, incident: Incident) -> Request:
    """The change, if it waits for approval and was asked for in this incident."""
    request = given.request
    if request is None:
        raise UsageError(
            f"Name the change as its card shows it: `/sre incident break-glass R… --confirm R…`. {NOTHING}"
        )
    if request.state is not State.AWAITING:
        raise Stale(f"{request.id} waits for nobody's approval: it is {request.state}. {NOTHING}")
    if not _is_of(request, incident):
        raise Denied(
            f"{request.id} was not asked for in {incident.id}. Ask for it in its channel, or with `--incident "
            f"{incident.id}`. {NOTHING}"
        )
    return request


def _is_of(request: Request, incident: Incident) -> bool:
    room, place = incident.room, request.place
    is_here = (
        bool(room.channel) and place.channel == room.channel and (room.is_own or place.thread == room.thread)
    )
    flag = request.args.flags.get("incident", "").upper()
    return is_here or request.id in incident.runs or (bool(flag) and flag == incident.id)


def _drafts(given: Given, incident: Incident, request: Request) -> tuple[Draft, ...]:
    why = reason(given, given.args.rest)
    because = f": {why}" if why else ""
    told = event(
        given, Kind.BROKEN, f"🔨 approved alone, break-glass: `{request.text}` ({request.id}){because}."
        f"{_own(given, incident, request)} Somebody else reviews it: `/sre incident review {request.id}`",
        request=request.id, line=request.text, requester=request.actor.user, why=why,
    )  # fmt: skip
    timer = event(
        given,
        Kind.TIMER,
        f"a review of {request.id} is due",
        key=key(request.id),
        due=written(given.now + WITHIN),
    )
    return (aloud(told, _witness(given)), timer)


def _own(given: Given, incident: Incident, request: Request) -> str:
    """What else of it is the doing of the same person, so that nobody has to look it up."""
    person = given.site.person
    mine = person(given.actor.user)
    deeds = (
        ("declared the incident", incident.by and person(incident.by) == mine),
        ("asked for the change", person(request.actor.user) == mine),
    )
    said = " and ".join(deed for deed, is_own in deeds if is_own)
    return f" The same person {said}." if said else ""


def _witness(given: Given) -> str:
    """Who is called at once: somebody else who leads or is on call, "" where there is nobody."""
    person, ladder = given.site.person, (*given.site.roles.sre_lead, *given.site.rota(given.now))
    return next((each for each in ladder if person(each) != person(given.actor.user)), "")


# --- review ---------------------------------------------------------------------------------------


def review(given: Given) -> Entry:
    incident = the(given)
    glass = _broken(given, incident)
    for other, what in ((glass.by, "approved it alone"), (glass.requester, "asked for it")):
        if other and given.site.person(other) == given.site.person(given.actor.user):
            raise Denied(f"You {what}: somebody else must review it. {NOTHING}")
    why = reason(given, given.args.rest)
    if not why:
        raise ask(
            given, "Review it", "Reviewed", f"Say what you found: `/sre incident review {glass.request} REASON`.",
            Field("why", "Was it right? What follows?", most=REASON), name=glass.request,
        )  # fmt: skip
    told = event(
        given, Kind.REVIEWED, f"reviewed {glass.request}, which was approved alone: {why}",
        request=glass.request, why=why,
    )  # fmt: skip
    return Entry(
        f"{glass.request} is reviewed.", write(incident, aloud(told), unset(given, key(glass.request)))
    )


def _broken(given: Given, incident: Incident) -> Glass:
    asked = given.args.name.upper()
    waiting = [each for each in incident.glass if each.reviewed is None]
    found = next((each for each in waiting if each.request == asked), None)
    if found is None:
        listed = ", ".join(f"`{each.request}` {each.line}" for each in waiting) or "nothing"
        raise Stale(f"No such change waits for a review in {incident.id}. What does: {listed}. {NOTHING}")
    return found


GLASS = (
    Command(
        word="incident", verbs=("break-glass",),
        summary="The commander of a Sev1 or Sev2 approves one change alone; its id is typed twice.",
        rows=("EM-3.1",), examples=("incident break-glass R1A2B --confirm R1A2B",),
        flags=(WHICH, WHY, Flag("confirm", "the id of the change once more", "ID")), names=f"{CHANGE} REASON…",
        entry=break_glass,
    ),
    Command(
        word="incident", verbs=("review",), summary="Look at a change that was approved alone.", rows=("EM-3.1",),
        examples=("incident review R1A2B it was right, the runbook gets a line",), flags=(WHICH, WHY),
        names=f"{CHANGE} REASON…", entry=review,
    ),
)  # fmt: skip

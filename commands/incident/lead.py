"""Who does what in an incident: `ack`, `assign`, `accept`, `decline`, `leave`, `join`.

A role is offered and taken: who holds it keeps it until somebody else has accepted, so it never has two holders. Who
takes one for themselves has accepted already; to take it from somebody they must say why. How long an offer waits is
commands/consequences.py's.
"""

import re

from commands.command import Command
from commands.entry import Entry, Given
from commands.errors import Denied, Stale, UsageError
from commands.finding import Suggestion
from commands.form import Field
from commands.incident.about import (
    NOTHING,
    REASON,
    WHICH,
    WHY,
    active,
    aloud,
    ask,
    event,
    line,
    live,
    milestone,
    name,
    reason,
    role,
    text,
    the,
    unset,
    where,
    write,
)  # fmt: skip
from commands.ledger import Draft
from commands.response import escalation
from commands.response.events import Kind
from commands.response.incident import ROLE_NAMES, Incident, Milestone, Offer, Role, Status
from commands.response.standing import in_short

_USER = re.compile(r"@?([UW][A-Z0-9]{4,})")
_ME = ("me", "@me", "myself")


# --- ack ------------------------------------------------------------------------------------------


def ack(given: Given) -> Entry:
    incident = active(given)
    pages = escalation.waiting(incident)
    answered = [aloud(event(given, Kind.PAGE_ACKED, "answered the page", id=page)) for page in pages] + [
        unset(given, escalation.key(page)) for page in pages
    ]
    first = () if Milestone.ACKNOWLEDGED in incident.milestones else _first(given, is_paged=bool(pages))
    joined = () if given.actor.user in incident.people else (_joined(given),)
    if not (answered or first or joined):
        raise Stale(f"{incident.id} is acknowledged already, and you are in it. {NOTHING}")
    moved = (_begun(given),) if incident.status is Status.DECLARED else ()
    has_commander = bool(incident.holder(Role.IC))
    lead = Suggestion("I take command", f"incident assign ic me --incident {incident.id}")
    told = f"You are on {incident.id}: {incident.title}."
    return Entry(
        told if has_commander else f"{told} Nobody commands it yet.",
        write(incident, *answered, *first, *moved, *joined),
        suggestions=(*(() if has_commander else (lead,)), _brief(incident), *_alerts(given, incident)),
    )


def _alerts(given: Given, incident: Incident) -> tuple[Suggestion, ...]:
    """Of an alert that still asks for somebody: that it is seen, and quiet for a while if they like."""
    group = next((each for each in given.groups if each.firing and not each.care.acked), None)
    if group is None:
        return ()
    silence = f'alert silence {group.id} --for 2h --why "{incident.id}"'
    return (
        Suggestion("Acknowledge the alert", f"alert ack {group.id}"),
        Suggestion("Silence it for 2 h", silence),
    )


def _first(given: Given, *, is_paged: bool) -> tuple[Draft, ...]:
    """A page that is answered acknowledges it by itself."""
    reached = milestone(given, Milestone.ACKNOWLEDGED, "acknowledged")
    return () if is_paged else (aloud(reached),)


def _begun(given: Given) -> Draft:
    return event(given, Kind.STATUS, "investigating", to=Status.INVESTIGATING.value)


def _joined(given: Given) -> Draft:
    return event(given, Kind.JOINED, "joined", user=given.actor.user)


def _brief(incident: Incident) -> Suggestion:
    return Suggestion("What is known", f"incident brief {incident.id}")


def join(given: Given) -> Entry:
    incident = live(given)
    if given.actor.user in incident.people:
        raise Stale(f"You are in {incident.id} already{where(incident)}. {NOTHING}")
    joined = aloud(_joined(given))
    return Entry(
        f"You joined {incident.id}: {incident.title}{where(incident)}.",
        write(incident, joined),
        suggestions=(_brief(incident),),
    )


# --- roles ----------------------------------------------------------------------------------------


def assign(given: Given) -> Entry:
    incident = live(given)
    first, _, rest = text(given).partition(" ")
    if not (first and rest):
        raise _who(given, first)
    wanted, (user, why) = role(first), _user(given, rest)
    why = reason(given, why)
    if incident.holder(wanted) == user:
        raise Stale(f"{_called(given, user)} the {ROLE_NAMES[wanted]} of {incident.id} already. {NOTHING}")
    if user == given.actor.user:
        return _taken(given, incident, wanted, why)
    return _offered(given, incident, wanted, user)


def _who(given: Given, first: str) -> Exception:
    roles = tuple((each.value, called.capitalize()) for each, called in ROLE_NAMES.items())
    return ask(
        given, "Give a role", "Ask them", "Type who does what: `/sre incident assign ic @somebody`.",
        Field("name", "Which role?", "choice", initial=first or Role.IC.value, options=roles),
        Field("rest", "Who?", "person", "They are asked, and have it once they accept.", given.actor.user),
    )  # fmt: skip


def _user(given: Given, said: str) -> tuple[str, str]:
    who, _, rest = said.partition(" ")
    if who.casefold() in _ME:
        return given.actor.user, rest
    found = _USER.fullmatch(who)
    if found is None:
        shown = line(who, 40).replace("`", "")
        raise UsageError(
            f"`{shown}` is nobody the bot knows: mention them, as in `/sre incident assign ic @somebody`, or say `me`. "
            f"A role is one person's. {NOTHING}"
        )
    return found[1], rest


def _called(given: Given, user: str) -> str:
    return "You are" if user == given.actor.user else f"{name(given, user)} is"


def _taken(given: Given, incident: Incident, wanted: Role, why: str) -> Entry:
    """Who takes it for themselves has accepted; from somebody else only with a reason."""
    holder, called = incident.holder(wanted), ROLE_NAMES[wanted]
    if holder and not why:
        raise ask(
            given, "Take over", "Take over",
            f"{name(given, holder)} is the {called} of {incident.id}. They hand over with `/sre incident assign "
            f"{wanted.value} @you`; to take over without that, say why: `/sre incident assign {wanted.value} me REASON`.",
            Field("why", f"Why do you take over from {name(given, holder)}?", most=REASON),
            name=wanted.value, rest=given.actor.user,
        )  # fmt: skip
    said = f"is the {called}" + (f", taken over: {why}" if holder else "")
    accepted = event(given, Kind.ACCEPTED, said, role=wanted.value, user=given.actor.user)
    told = aloud(accepted, holder, drill=incident.is_drill)
    return Entry(f"You are the {called} of {incident.id}.", write(incident, told))


def _offered(given: Given, incident: Incident, wanted: Role, user: str) -> Entry:
    called, holder = ROLE_NAMES[wanted], incident.holder(wanted)
    drill = incident.is_drill  # nobody is called, so it names who is meant
    whom = name(given, user) if drill else "you"
    do = f"press Accept on the card, or type `/sre incident accept {wanted.value}` (or `decline`)."
    handed = f" {in_short(incident, given.now)}" if holder else ""
    told = event(
        given, Kind.OFFERED, f"asks {name(given, user)} to be {called}", role=wanted.value, user=user,
        told=f"asks {whom} to be {called}: {do}{handed}",
    )  # fmt: skip
    keeps = f" {name(given, holder)} keeps it until then." if holder else ""
    return Entry(
        f"{name(given, user)} is asked to be the {called} of {incident.id}.{keeps}",
        write(incident, aloud(told, user, drill=drill)),
    )


def _offer(given: Given, incident: Incident) -> Offer:
    """The offer that the actor means: of the role they name, else their only one."""
    said = text(given).partition(" ")[0]
    own = [offer for offer in incident.offers if offer.user == given.actor.user]
    if said:
        own = [offer for offer in own if offer.role is role(said)]
    if len(own) > 1:
        listed = ", ".join(f"`{offer.role.value}`" for offer in own)
        raise UsageError(f"Which one? You are asked for {listed}. {NOTHING}")
    if not own:
        raise Stale(
            f"Nobody asks you to take that role in {incident.id}, or not any more. To take it: `/sre incident assign "
            f"{said or 'ic'} me`. {NOTHING}"
        )
    return own[0]


def accept(given: Given) -> Entry:
    incident = live(given)
    offer = _offer(given, incident)
    called, before = ROLE_NAMES[offer.role], incident.holder(offer.role)
    told = event(given, Kind.ACCEPTED, f"is the {called}", role=offer.role.value, user=given.actor.user)
    return Entry(
        f"You are the {called} of {incident.id}.",
        write(incident, aloud(told, before, drill=incident.is_drill)),
        suggestions=(_brief(incident),),
    )


def decline(given: Given) -> Entry:
    """By who was asked, or taken back by who asked."""
    incident = live(given)
    said, _, rest = text(given).partition(" ")
    mine = [
        offer
        for offer in incident.offers
        if offer.by == given.actor.user and said and offer.role is role(said)
    ]
    offer = mine[0] if mine else _offer(given, incident)
    why = reason(given, rest)
    verb = "takes back the offer to be" if mine else "cannot be"
    told = event(
        given, Kind.DECLINED, f"{verb} {ROLE_NAMES[offer.role]}" + (f" ({why})" if why else ""),
        role=offer.role.value, user=offer.user, why=why,
    )  # fmt: skip
    other = offer.user if mine else offer.by
    return Entry(
        f"The {ROLE_NAMES[offer.role]} of {incident.id} is still to be found.",
        write(incident, aloud(told, other, drill=incident.is_drill)),
    )


def leave(given: Given) -> Entry:
    incident = the(given)
    said = text(given).partition(" ")[0]
    held = tuple(Role) if said.casefold() == "all" else (role(said),) if said else ()
    ended = [each for each in held or tuple(Role) if incident.holder(each)]
    if said.casefold() == "all" and incident.is_active:
        raise Stale(f"{incident.id} is not over: name the role that ends. {NOTHING}")
    if not said:
        ended = [each for each in ended if incident.holder(each) == given.actor.user]
    if not (ended or said):
        raise Stale(f"You hold no role in {incident.id}. {NOTHING}")
    if not ended:
        raise Stale(f"Nobody holds that role in {incident.id}. {NOTHING}")
    for each in ended:
        _demand_own(given, incident, each)
    lone = Role.IC in ended and incident.is_active
    drafts = [_ended(given, incident, each, is_lone=lone) for each in ended]
    left = ", ".join(ROLE_NAMES[each] for each in ended)
    find = (
        (Suggestion("Give the command to somebody", f"incident assign --incident {incident.id}"),)
        if lone
        else ()
    )
    return Entry(f"Ended in {incident.id}: {left}.", write(incident, *drafts), suggestions=find)


def _demand_own(given: Given, incident: Incident, each: Role) -> None:
    """One's own; the commander ends anybody's, and when all is over anybody tidies up."""
    allowed = (incident.holder(each), incident.holder(Role.IC))
    if incident.is_active and given.actor.user not in allowed:
        raise Denied(
            f"{name(given, incident.holder(each))} is the {ROLE_NAMES[each]} of {incident.id}: only they or the commander "
            f"end that. `/sre incident assign {each.value} me REASON` takes it over. {NOTHING}"
        )


def _ended(given: Given, incident: Incident, each: Role, *, is_lone: bool) -> Draft:
    lone = is_lone and each is Role.IC
    held = incident.holder(each)
    own = f"is no longer the {ROLE_NAMES[each]}"
    said = own if held == given.actor.user else f"relieved {name(given, held)} as the {ROLE_NAMES[each]}"
    asked = ". Nobody commands this incident: who does?" if lone else ""
    told = event(given, Kind.ENDED, f"{said}{asked}", role=each.value, user=held)
    if not incident.is_active:
        return told  # tidied up: nobody waits for it
    return aloud(told, given.site.oncall(given.now) if lone else "", drill=incident.is_drill)


LEAD = (
    Command(
        word="incident", verbs=("ack",), summary="I am on it: answers a page, and says who looks.",
        rows=("EM-1.1",), examples=("incident ack",), flags=(WHICH,), names="INC", entry=ack,
    ),
    Command(
        word="incident", verbs=("join",), summary="Be part of an incident.", rows=("EM-1.3",),
        examples=("incident join INC-2026-11-23-001",), flags=(WHICH,), names="INC", entry=join,
    ),
    Command(
        word="incident", verbs=("assign",),
        summary="Who is commander (ic), deputy, scribe, comms, ops: they are asked, and have it once they accept.",
        rows=("EM-1.3",), examples=("incident assign ic me", "incident assign comms @U0ALICE0001"),
        flags=(WHICH, WHY), names="ROLE WHO…", entry=assign,
    ),
    Command(
        word="incident", verbs=("accept",), summary="Take the role you were asked to take.", rows=("EM-1.3",),
        examples=("incident accept ic",), flags=(WHICH,), names="ROLE", entry=accept,
    ),
    Command(
        word="incident", verbs=("decline",), summary="Refuse a role, or take an offer back.", rows=("EM-1.3",),
        examples=("incident decline ic I am on a train",), flags=(WHICH, WHY), names="ROLE REASON…", entry=decline,
    ),
    Command(
        word="incident", verbs=("leave",), summary="Lay a role down; `all` when it is over.", rows=("EM-1.3",),
        examples=("incident leave scribe",), flags=(WHICH,), names="ROLE", entry=leave,
    ),
)  # fmt: skip

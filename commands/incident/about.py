"""What the verbs of an incident share: which one is meant, what was said behind the verb, and an event by the actor.

A verb that is typed where no incident lives is never silent: it says which ones are open and where.
"""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from commands.command import Flag
from commands.entry import INCIDENT, Given, Otherwise, Write, is_id, is_whole
from commands.errors import Stale, UsageError
from commands.finding import Suggestion
from commands.form import Field, Form, NeedsForm
from commands.grammar import visible
from commands.ledger import Draft
from commands.model import Args
from commands.response.events import Kind, draft, written
from commands.response.incident import ROLE_NAMES, Incident, Milestone, Role
from commands.wording import one_line

NOTHING = "Nothing was done."
REASON = 500  # characters of a reason; more is not read in a line
_LISTED = 5
_BUTTONS = 3

WHY = Flag("why", "the reason, for the record", "TEXT")
WHICH = Flag("incident", "which incident, where this is not its channel", "ID")
NAMES = f"{INCIDENT} REASON…"

_JOINER = "\u200d"


def the(given: Given) -> Incident:
    """The incident that is meant; refuses with those that are open where none is."""
    if given.incident is not None:
        return given.incident
    verb = f"incident {given.args.verb}"
    if not given.open:
        raise UsageError(
            f"This is no incident's channel, and none is open. `/sre incident declare` opens one. {NOTHING}"
        )
    listed = "; ".join(f"`{each.id}` {each.title}{where(each)}" for each in given.open[:_LISTED])
    raise Otherwise(
        f"This is no incident's channel. Open: {listed}. Type it there, or with its id: `/sre {verb} "
        f"{given.open[0].id}`. {NOTHING}",
        *(
            Suggestion(f"{each.id}: {one_line(each.title, 30)}", _elsewhere(given, each))
            for each in _few(given)
        ),
    )


def _few(given: Given) -> tuple[Incident, ...]:
    """Only a line that says all without more words is offered for another incident."""
    return given.open[:_BUTTONS] if not (given.args.rest or given.args.flags) else ()


def _elsewhere(given: Given, incident: Incident) -> str:
    name = f" {given.args.name}" if given.args.name.isalnum() else ""
    return f"incident {given.args.verb}{name} --incident {incident.id}"


def where(incident: Incident) -> str:
    """ " in #inc-20261123-001-checkout", "" where it has no channel of its own."""
    return f" in #{incident.room.name}" if incident.room.is_own and incident.room.name else ""


def live(given: Given) -> Incident:
    """The incident that is meant; refuses where it is over."""
    incident = the(given)
    if not incident.is_over:
        return incident
    if incident.merged_into:
        raise Stale(
            f"{incident.id} was merged into {incident.merged_into}: go on there, or take that back with "
            f"`/sre incident unmerge {incident.id}`. {NOTHING}"
        )
    raise Stale(
        f"{incident.id} is over: {incident.status}. `/sre incident reopen {incident.id} REASON` opens it again. {NOTHING}"
    )


def active(given: Given) -> Incident:
    """The incident that is meant; refuses where it is resolved or over."""
    incident = live(given)
    if incident.is_active:
        return incident
    raise Stale(
        f"{incident.id} is {incident.status} already. `/sre incident reopen {incident.id} REASON` opens it again. "
        f"{NOTHING}"
    )


# --- what was said --------------------------------------------------------------------------------


def words(given: Given) -> str:
    """What stands behind the verb, without the id of the incident where the verb takes one first."""
    args = given.args
    has_id = given.incident is not None and is_id(args.name) and "incident" not in args.flags
    return args.rest if has_id else f"{args.name} {args.rest}".strip()


def text(given: Given) -> str:
    """What stands behind a verb whose first word is its own: only a whole id is none of it."""
    args = given.args
    return args.rest if is_whole(args.name) else f"{args.name} {args.rest}".strip()


def reason(given: Given, text: str | None = None) -> str:
    """Why, as it was typed behind the verb or with --why: both, because `--why` takes one word without quotes."""
    said = words(given) if text is None else text
    return line(f"{given.args.flags.get('why', '')} {said}", REASON)


def line(text: str, most: int) -> str:
    """One line of what can be seen, "" for what is nothing to anybody's eyes."""
    seen = one_line(visible(text), most)
    return seen if seen.replace(_JOINER, "").strip() else ""


def lines(text: str) -> str:
    """The same of a text of several lines, none of it cut."""
    told = (line(each, len(each) + 1) for each in text.splitlines())
    return "\n".join(told).strip()


def ask(
    given: Given, title: str, submit: str, text: str, *fields: Field, name: str = "", rest: str = ""
) -> NeedsForm:
    """The window that completes this verb for this incident; `text` says what to type where none can be opened.
    name, rest: what the line said already."""
    incident = the(given)
    kept = {**given.args.flags, "incident": incident.id}
    kept.pop("why", None)
    args = Args("incident", given.args.verb, name, kept, rest)
    intro = one_line(f"{incident.id}: {incident.title}", 140)
    return NeedsForm(Form(title, submit, args, fields, intro), f"{text} {NOTHING}")


# --- what is entered ------------------------------------------------------------------------------


def event(given: Given, kind: Kind, text: str, **facts: str) -> Draft:
    """An event by the actor, now."""
    return replace(draft(kind, text, **facts), at=given.now, by=given.actor.user)


def aloud(told: Draft, mention: str = "", *, drill: bool = False) -> Draft:
    """The same, said in the room; nobody is called for a drill."""
    return replace(told, is_told=True, mention="" if drill else mention)


def unset(given: Given, key: str) -> Draft:
    """The timer is taken away."""
    return event(given, Kind.TIMER, f"{key} needs no reminder", key=key)


def milestone(given: Given, name: Milestone, text: str) -> Draft:
    return event(given, Kind.MILESTONE, text, name=name.value, at=written(given.now))


def write(incident: Incident, *drafts: Draft) -> tuple[Write, ...]:
    return (Write(drafts, incident.id),)


def name(given: Given, user: str) -> str:
    """What people call somebody, else the id."""
    return given.names.get(user, user)


def clock(given: Given, at: datetime) -> str:
    """A time in the house's zone, with its day where that is not today's."""
    zone = ZoneInfo(given.site.timezone)
    local, now = at.astimezone(zone), given.now.astimezone(zone)
    return f"{local:%H:%M %Z}" if local.date() == now.date() else f"{local:%Y-%m-%d %H:%M %Z}"


def role(text: str) -> Role:
    """Raises UsageError naming the roles."""
    wanted = _ROLE_WORDS.get(text.casefold())
    if wanted is None:
        known = ", ".join(f"`{each.value}`" for each in Role)
        raise UsageError(
            f"`{line(text, 40).replace('`', '')}` is no role of an incident. Roles: {known}. {NOTHING}"
        )
    return wanted


_ROLE_WORDS = {
    **{each.value: each for each in Role},
    **{called: each for each, called in ROLE_NAMES.items()},
    "commander": Role.IC,
    "communications": Role.COMMS,
    "operations": Role.OPS,
    "lead": Role.IC,
}

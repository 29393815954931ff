"""How a task comes to be: what is to be done, by whom, until which day; without one of these it is none.

Shared by `task new` and `incident action`, and by what the scribe offers for a ☑ under a message. Pure.
"""

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from commands.command import Flag
from commands.entry import Given, Write, is_id, is_whole
from commands.errors import UsageError
from commands.finding import Suggestion
from commands.form import Field, FieldErrors, Form, NeedsForm
from commands.grammar import visible
from commands.model import Args
from commands.response import task
from commands.response.events import Kind, draft
from commands.response.incident import Incident
from commands.response.task import Task
from commands.site import Site
from commands.wording import one_line

NOTHING = "Nothing was done."
WORD = "task"
TITLE = 200
OWNER = Flag("owner", "who does it", "PERSON")
DUE = Flag("due", "until when: 2026-12-01, 3d, tomorrow, friday", "DAY")
TOPIC = Flag("topic", "what it is about, such as techtalk", "WORD")

_USER = re.compile(r"@?([UW][A-Z0-9]{4,})")
_ME = ("me", "@me", "myself")
_SPAN = re.compile(r"(\d{1,3})([dw])")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_FAR = timedelta(days=731)


@dataclass(frozen=True, slots=True)
class Wish:
    title: str
    owner: str
    due: date
    topic: str = ""


def today(now: datetime, site: Site) -> date:
    return now.astimezone(ZoneInfo(site.timezone)).date()


# --- what is wished -------------------------------------------------------------------------------


def wished(given: Given, window: str) -> Wish:
    """Raises NeedsForm where something of it is missing, and UsageError where it cannot be meant."""
    title, flags = _title(given), given.args.flags
    if not (title and flags.get("owner") and flags.get("due")):
        raise _asked(given, window, title)
    topic = one_line(visible(flags.get("topic", "")), 40).casefold()
    return Wish(title, owner(given, flags["owner"]), day(flags["due"], today(given.now, given.site)), topic)


def _title(given: Given) -> str:
    args = given.args
    names_incident = given.incident is not None and is_id(args.name) and "incident" not in args.flags
    has_id = is_whole(args.name) or (args.word == "incident" and names_incident)
    said = args.rest if has_id else f"{args.name} {args.rest}"
    return one_line(visible(said), TITLE).strip()


def _asked(given: Given, window: str, title: str) -> NeedsForm:
    args, incident = given.args, given.incident
    kept = {**args.flags, **({"incident": incident.id} if incident else {})}
    line = f"/sre {args.word} {args.verb}"
    form = Form(
        window, "Write it down", Args(args.word, args.verb, "", kept, ""),
        (
            Field("rest", "What is to be done?", initial=title, most=TITLE),
            Field("owner", "Who does it?", "person", initial=_known(given)),
            Field("due", "Until which day?", "date", initial=_day_or_none(given)),
        ),
        f"{incident.id}: {one_line(incident.title, 100)}" if incident else "",
    )  # fmt: skip
    text = f'A task has an owner and a day: `{line} "add an alert" --owner @somebody --due 2026-12-01`. {NOTHING}'
    return NeedsForm(form, text)


def _known(given: Given) -> str:
    found = _USER.fullmatch(given.args.flags.get("owner", ""))
    return found[1] if found else given.actor.user


def _day_or_none(given: Given) -> str:
    try:
        return day(given.args.flags.get("due", ""), today(given.now, given.site)).isoformat()
    except UsageError:
        return ""


def owner(given: Given, said: str) -> str:
    """The user who is meant; raises UsageError where nobody is."""
    if said.casefold() in _ME:
        return given.actor.user
    found = _USER.fullmatch(said)
    if found is None:
        shown = one_line(visible(said), 40).replace("`", "")
        raise FieldErrors(
            {
                "owner": f"`{shown}` is nobody the bot knows: mention them, or say `me`. A task is one person's. {NOTHING}"
            }
        )
    return found[1]


def day(said: str, now: date) -> date:
    """The day that is meant, today at the earliest; raises UsageError for what is none."""
    text = said.strip().casefold()
    span = _SPAN.fullmatch(text)
    if text in ("today", "tomorrow"):
        meant = now + timedelta(days=text == "tomorrow")
    elif text in _DAYS:
        meant = now + timedelta(days=(_DAYS.index(text) - now.weekday() - 1) % 7 + 1)
    elif span:
        meant = now + timedelta(days=int(span[1]) * (7 if span[2] == "w" else 1))
    else:
        meant = _date(said)
    if not now <= meant <= now + _FAR:
        raise FieldErrors(
            {"due": f"{meant} is {'over' if meant < now else 'too far away'}. Today is {now}. {NOTHING}"}
        )
    return meant


def _date(said: str) -> date:
    try:
        return date.fromisoformat(said.strip()[:10] if "T" in said else said.strip())
    except ValueError:
        shown = one_line(visible(said), 40).replace("`", "")
        raise FieldErrors(
            {"due": f"`{shown}` is no day. Type 2026-12-01, 3d, 2w, tomorrow or friday. {NOTHING}"}
        ) from None


# --- what is entered ------------------------------------------------------------------------------


def opened(given: Given, wish: Wish, incident: Incident | None) -> tuple[Write, ...]:
    """The task, and the incident that it is an action of."""
    yes = {True: "yes", False: ""}
    made = task.draft(
        task.Kind.OPENED, f"{wish.title}, due {wish.due}", given.actor.user,
        title=wish.title, owner=wish.owner, due=wish.due.isoformat(), topic=wish.topic,
        incident=incident.id if incident else "", cluster=incident.cluster if incident else given.cluster,
        channel="" if incident else _channel(given), drill=yes[bool(incident and incident.is_drill)],
        private=yes[bool(incident and (incident.is_private or incident.is_security))],
    )  # fmt: skip
    first = Write((made,), word=WORD)
    if incident is None:
        return (first,)
    said = draft(Kind.TASK, f"action {{id}}: {wish.title}, due {wish.due}", id="{id}")
    return (first, Write((replace(said, by=given.actor.user),), incident.id))


def _channel(given: Given) -> str:
    """Where it is told: here, unless only who types can see this."""
    place = given.place
    return "" if place.private or place.channel.startswith("D") else place.channel


# --- what is offered ------------------------------------------------------------------------------


def offer(text: str, user: str, incident: Incident) -> tuple[str, Suggestion]:
    """What somebody is told alone who put a ☑ under a message in the room of an incident: the button opens the window
    with the message as what is to be done, themselves as who does it."""
    title = one_line(visible(text), 120).replace('"', "'") or "what the message says"
    line = f'incident action "{title}" --owner {user} --incident {incident.id}'
    return f"Make an action of it? It needs a day: “{title}”.", Suggestion("Make it an action…", line)


def lateness(task: Task, now: date) -> int:
    """By how many days it is late, 0 for in time."""
    return max((now - task.due).days, 0) if task.is_active else 0

"""`incident set`: correct what the record says: title, service, impact, and the times of its milestones.

A correction is another event; what stood there before stays in the timeline. A time is read in the house's zone
unless one is named, never lies ahead, and keeps the order in which things can have happened.
"""

from commands.command import Command
from commands.entry import Entry, Given
from commands.errors import UsageError
from commands.form import Field, FieldErrors
from commands.incident.about import (
    NOTHING,
    WHICH,
    WHY,
    aloud,
    ask,
    clock,
    event,
    line,
    lines,
    reason,
    text,
    the,
    write,
)
from commands.incident.declare import SOURCES, TITLE
from commands.response.events import Kind, written
from commands.response.incident import Detection, Incident, Milestone
from commands.response.moments import moment
from commands.response.order import inverted, times

_LONGEST = 1000

# What can be set beside the milestones, and what it means.
FIELDS = {
    "title": "what is wrong",
    "service": "which service fails",
    "impact": "what users feel",
    "affected": "which others suffer, with commas between",
    "detection": "what told of it first",
    "lessons": "what was learned",
}
# Of the milestones those that only happen here: nobody remembers them better than the record.
_FIXED = (Milestone.DECLARED, Milestone.CLOSED, Milestone.PUBLISHED)
_TIMES = tuple(each for each in Milestone if each not in _FIXED)


def set_(given: Given) -> Entry:
    incident = the(given)
    first, _, value = text(given).partition(" ")
    name = first.casefold()
    milestone = next((each for each in _TIMES if each.value == name), None)
    if not first:
        raise _which(given)
    if milestone is None and name not in FIELDS:
        known = ", ".join(f"`{each}`" for each in (*FIELDS, *(each.value for each in _TIMES)))
        raise UsageError(f"`{line(first, 40).replace('`', '')}` cannot be set. What can: {known}. {NOTHING}")
    if not value.strip():
        raise _value(given, incident, name, milestone)
    return _timed(given, incident, milestone, value) if milestone else _named(given, incident, name, value)


def _which(given: Given) -> Exception:
    options = tuple(FIELDS.items()) + tuple((each.value, f"when it was {each.value}") for each in _TIMES)
    shown = tuple((name, f"{name}: {meaning}") for name, meaning in options)
    return ask(
        given, "Correct the record", "Set it", "Type what and how: `/sre incident set started 14:02`.",
        Field("name", "What?", "choice", options=shown),
        Field("rest", "What is right?", hint="A time as 14:02, yesterday 23:50 or 2026-11-22 14:02.", most=_LONGEST),
    )  # fmt: skip


def _value(given: Given, incident: Incident, name: str, milestone: Milestone | None) -> Exception:
    if name == "detection":
        options = tuple(SOURCES)
        field = Field("rest", "What told of it first?", "choice", options=options)
    elif milestone:
        field = Field("rest", f"When was it {name}?", hint="14:02, yesterday 23:50, about 14:40", most=100)
    else:
        now = getattr(incident, name)
        initial = ", ".join(now) if isinstance(now, tuple) else now
        kind = "text" if name in ("impact", "lessons") else "line"
        most = TITLE if name == "title" else _LONGEST
        field = Field("rest", FIELDS[name].capitalize(), kind, initial=initial, most=most)  # type: ignore[arg-type]
    return ask(
        given, f"Set {name}"[:24], "Set it", f"Type it: `/sre incident set {name} …`.", field, name=name
    )


# --- fields ---------------------------------------------------------------------------------------


def _named(given: Given, incident: Incident, name: str, value: str) -> Entry:
    said = _checked(name, value)
    shown = f"{name}: {said}"
    told = event(given, Kind.FIELD, shown, name=name, value=said)
    is_news = name in ("title", "impact")
    return Entry(f"{incident.id}: {shown}", write(incident, aloud(told) if is_news else told))


def _checked(name: str, value: str) -> str:
    said = lines(value) if name in ("impact", "lessons") else line(value, len(value) + 1)
    most = TITLE if name == "title" else _LONGEST
    if not said:
        raise FieldErrors({"rest": f"That is no text that anybody can read. {NOTHING}"})
    if len(said) > most:
        raise FieldErrors({"rest": f"That is {len(said)} characters; here fit {most}. {NOTHING}"})
    if name == "affected":
        return ", ".join(each.strip() for each in said.split(",") if each.strip())
    if name == "detection" and said.casefold() not in {each.value for each in Detection}:
        known = ", ".join(f"`{each.value}`" for each in Detection)
        raise FieldErrors({"rest": f"What told of it first is one of {known}. {NOTHING}"})
    return said.casefold() if name == "detection" else said


# --- times ----------------------------------------------------------------------------------------


def _timed(given: Given, incident: Incident, milestone: Milestone, value: str) -> Entry:
    meant = moment(value, given.now, given.site.timezone)
    for one, two in inverted({**times(incident), milestone: meant.at}):
        if milestone in (one, two):
            at = times(incident)[two if one is milestone else one]
            raise UsageError(
                f"`{one.value}` would be later than `{two.value}`: the other stands at {clock(given, at)}. Correct that "
                f"one first. {NOTHING}"
            )
    about = "about " if meant.is_about else ""
    said = f"{milestone.value} {about}{clock(given, meant.at)}"
    before = incident.at(milestone)
    was = f", not {clock(given, before)}" if before else ""
    why = reason(given, "")
    told = event(
        given, Kind.MILESTONE, said + was + (f": {why}" if why else ""), name=milestone.value,
        at=written(meant.at), about="yes" if meant.is_about else "", why=why,
    )  # fmt: skip
    return Entry(f"{incident.id}: {said}{was}.", write(incident, told))


SETTING = Command(
    word="incident", verbs=("set",), summary="Correct the record: title, service, impact, or when it began.",
    rows=("EM-1.4",),
    examples=("incident set impact every third payment fails", "incident set started 14:02"),
    flags=(WHICH, WHY), names="WHAT VALUE…", entry=set_,
)  # fmt: skip

"""`note`: a line of the timeline that people write, and `redact`: a text of it that must not stand there.

A note may say when it happened. Two people erase a text: one asks, and another, who did not write it either, confirms.
The event stays with its author and its time, and so does the chain.
"""

from dataclasses import replace

from commands.command import Command
from commands.entry import EVENT, Entry, Given, Write
from commands.errors import Denied, Stale, UsageError
from commands.form import Field, FieldErrors
from commands.incident.about import (
    NOTHING,
    REASON,
    WHICH,
    WHY,
    aloud,
    ask,
    clock,
    event,
    lines,
    reason,
    text,
    the,
    write,
)
from commands.ledger import Event
from commands.response.events import Kind
from commands.response.incident import Incident
from commands.response.moments import Meant, leading
from commands.response.said import ERASABLE

LONGEST = 3000  # characters; what is longer is a file


def note(given: Given) -> Entry:
    incident = the(given)
    said = text(given)
    meant = leading(said, given.now, given.site.timezone) or Meant(given.now, rest=said)
    told = lines(meant.rest)
    if not told:
        raise ask(
            given, "Note", "Note it", "Type what happened: `/sre incident note 14:32 restarted the database`.",
            Field("rest", "What happened?", "text", "Begin with a time if it was earlier: 14:32, yesterday 23:50.",
                  said, most=LONGEST),
        )  # fmt: skip
    if len(told) > LONGEST:
        raise FieldErrors(
            {
                "rest": f"That is {len(told):,} characters; a note has at most {LONGEST:,}. Share the text as a file in "
                f"the channel and pin it: then it is in the timeline, too. {NOTHING}"
            }
        )
    about = "about " if meant.is_about else ""
    shown = f"[{about}{clock(given, meant.at)}] {told}" if meant.at != given.now else told
    draft = replace(aloud(event(given, Kind.NOTE, shown)), at=meant.at)
    return Entry(f"Noted in {incident.id}.", write(incident, draft))


# --- redact ---------------------------------------------------------------------------------------


def redact(given: Given) -> Entry:
    incident, meant = the(given), _event(given)
    if meant.content is None:
        raise Stale(f"Event {meant.seq} of {incident.id} is erased already. {NOTHING}")
    if meant.kind not in ERASABLE:
        raise UsageError(
            f"Event {meant.seq} is a {meant.kind}: the record is made of it. Only notes and messages can be erased; the "
            f"rest is corrected with `/sre incident set`. {NOTHING}"
        )
    asked = next((each for each in incident.erasures if each.seq == meant.seq), None)
    return (
        _asked(given, incident, meant)
        if asked is None
        else _erased(given, incident, meant, asked.by, asked.why)
    )


def _event(given: Given) -> Event:
    if given.event is None:
        raise UsageError(
            f"Name the event by its number: `/sre incident redact 17 REASON`; `/sre incident timeline` shows them. {NOTHING}"
        )
    return given.event


def _asked(given: Given, incident: Incident, meant: Event) -> Entry:
    why = reason(given, given.args.rest)
    if not why:
        raise ask(
            given, "Erase a text", "Ask for it", f"Say why: `/sre incident redact {meant.seq} REASON`.",
            Field("why", "Why must it not stand there?", hint="Do not repeat it here.", most=REASON),
            name=str(meant.seq),
        )  # fmt: skip
    told = event(
        given, Kind.ERASE_ASKED, f"wants event {meant.seq} erased: {why}. Somebody else confirms: "
        f"`/sre incident redact {meant.seq}`", seq=str(meant.seq), why=why,
    )  # fmt: skip
    return Entry(
        f"Asked for. Somebody else, who did not write event {meant.seq} either, must confirm it.",
        write(incident, aloud(told)),
    )


def _erased(given: Given, incident: Incident, meant: Event, asked: str, why: str) -> Entry:
    person = given.site.person
    if person(given.actor.user) == person(asked):
        raise Denied(f"You asked for it yourself: somebody else must confirm. {NOTHING}")
    if meant.by and person(given.actor.user) == person(meant.by):
        raise Denied(f"You wrote event {meant.seq}: somebody else must confirm that it goes. {NOTHING}")
    told = event(
        given, Kind.ERASED, f"event {meant.seq} is erased: {why}", seq=str(meant.seq), why=why, asked=asked
    )
    return Entry(
        f"Event {meant.seq} of {incident.id} is erased. If it stands in Slack, too, delete it there.",
        (Write((aloud(told),), incident.id, erases=meant.seq),),
    )


TELLING = (
    Command(
        word="incident", verbs=("note",), summary="A line for the timeline, now or at a time you name.",
        rows=("EM-2.0",), examples=("incident note 14:32 restarted the database", "incident note errors fall"),
        flags=(WHICH,), names="TIME TEXT…", entry=note,
    ),
    Command(
        word="incident", verbs=("redact",), summary="Erase the text of an event; a second person confirms.",
        rows=("SI-2.4",), examples=("incident redact 17 it holds a password",), flags=(WHICH, WHY),
        names=f"{EVENT} REASON…", entry=redact,
    ),
)  # fmt: skip

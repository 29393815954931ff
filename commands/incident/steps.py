"""How an incident goes on: `sev`, `investigate`, `identify`, `mitigate`, `monitor`, `promote`.

Forward any step may be left out; back needs a reason, because somebody has been told already. A graver severity is
taken at once, a milder one needs a reason: who is unsure takes the graver.
"""

from commands.command import Command
from commands.entry import Entry, Given
from commands.errors import Denied, Stale, UsageError
from commands.finding import Suggestion
from commands.form import Field
from commands.incident.about import (
    NAMES,
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
    reason,
    text,
    write,
)  # fmt: skip
from commands.incident.declare import SEVERITIES
from commands.incident.ending import GRAVE
from commands.ledger import Draft
from commands.response.events import Kind
from commands.response.incident import WAY, Incident, Milestone, Role, Status

_TO = {
    "investigate": Status.INVESTIGATING,
    "identify": Status.IDENTIFIED,
    "mitigate": Status.MITIGATED,
    "monitor": Status.MONITORING,
}
# What the room is told of a step where nobody says more.
_SAID = {
    Status.INVESTIGATING: "the cause is looked for",
    Status.IDENTIFIED: "the cause is known",
    Status.MITIGATED: "users no longer feel it",
    Status.MONITORING: "it is mended, and watched",
}


# --- severity -------------------------------------------------------------------------------------


def sev(given: Given) -> Entry:
    incident = live(given)
    said, _, rest = text(given).partition(" ")
    level = said.casefold().removeprefix("sev")
    if not said:
        raise _graver(given, incident)
    if level not in dict(SEVERITIES):
        raise UsageError(
            f"Severity is 1 (gravest) to 4; `{line(said, 20).replace('`', '')}` is none. {NOTHING}"
        )
    to, why = int(level), reason(given, rest)
    if to == incident.severity:
        raise Stale(f"{incident.id} is Sev{to} already. {NOTHING}")
    if to > incident.severity and not why:
        raise ask(
            given, f"Sev{incident.severity} to Sev{to}", "Change",
            f"Less grave needs a reason: `/sre incident sev {to} REASON`.",
            Field("why", "Why is it less grave?", hint="It stands in the timeline.", most=REASON), name=level,
        )  # fmt: skip
    _demand_second(given, incident, to)
    return _changed(given, incident, to, why)


def _demand_second(given: Given, incident: Incident, to: int) -> None:
    """Of one that has ended as a grave one a postmortem is owed: who led it does not make it a milder one alone."""
    person = given.site.person
    own = {person(user) for user in (incident.holder(Role.IC), *incident.led) if user}
    if not incident.is_active and incident.severity <= GRAVE < to and person(given.actor.user) in own:
        raise Denied(
            f"You commanded {incident.id}, and it ended as a Sev{incident.severity}: somebody else must agree that it was "
            f"less. {NOTHING}"
        )


def _graver(given: Given, incident: Incident) -> Exception:
    return ask(
        given, "Change the severity", "Change", "Type `/sre incident sev 1`, with a reason where it is less grave.",
        Field("name", "How grave?", "choice", "Unsure? Take the graver one.", str(incident.severity), SEVERITIES),
        Field("why", "Why?", hint="Needed where it is less grave than before.", most=REASON, is_optional=True),
    )  # fmt: skip


def _changed(given: Given, incident: Incident, to: int, why: str) -> Entry:
    because = f": {why}" if why else ""
    told = event(
        given, Kind.SEVERITY, f"Sev{incident.severity} → Sev{to}{because}", to=str(to), why=why,
    )  # fmt: skip
    is_graver = to < incident.severity
    call = given.site.oncall(given.now) if is_graver and to == 1 and incident.is_active else ""
    needs_room = to <= 2 and not incident.wants_channel and not incident.room.is_own
    promote = (Suggestion("Give it a channel", f"incident promote {incident.id}"),) if needs_room else ()
    return Entry(
        f"{incident.id} is Sev{to} now, and its times are counted anew.",
        write(incident, aloud(told, call, drill=incident.is_drill)),
        suggestions=promote,
    )


# --- status ---------------------------------------------------------------------------------------


def step(given: Given) -> Entry:
    incident, to = active(given), _TO[given.args.verb]
    why = reason(given)
    if incident.status is to:
        raise Stale(f"{incident.id} is {to} already. {NOTHING}")
    is_back = WAY.index(to) < WAY.index(incident.status)
    if is_back and not why:
        raise ask(
            given, "One step back", "Go back",
            f"{incident.id} is {incident.status}. Back to {to} needs a reason: `/sre incident {given.args.verb} REASON`.",
            Field("why", f"Why is it {to} again?", hint="People were told otherwise.", most=REASON),
        )  # fmt: skip
    said = why or _SAID[to]
    moved = aloud(event(given, Kind.STATUS, f"{to}: {said}", to=to.value, why=why))
    return Entry(
        f"{incident.id} is {to}.",
        write(incident, moved, *_taken_back(given, incident, to)),
        suggestions=_after(incident, to),
    )


def _taken_back(given: Given, incident: Incident, to: Status) -> tuple[Draft, ...]:
    """Users feel it again, so what was called its end was none."""
    is_felt = WAY.index(to) < WAY.index(Status.MITIGATED)
    if not is_felt or Milestone.MITIGATED not in incident.milestones:
        return ()
    return (event(given, Kind.MILESTONE, "it was not mitigated after all", name=Milestone.MITIGATED.value),)


def _after(incident: Incident, to: Status) -> tuple[Suggestion, ...]:
    id = f"--incident {incident.id}"
    match to:
        case Status.MITIGATED:
            return (
                Suggestion("Watch it", f"incident monitor {id}"),
                Suggestion("Resolve", f"incident resolve {id}"),
            )
        case Status.MONITORING:
            return (Suggestion("Resolve", f"incident resolve {id}"),)
    return ()


def promote(given: Given) -> Entry:
    """From a thread to a channel of its own; the record, and so the timeline, stays one."""
    incident = live(given)
    if incident.wants_channel or incident.room.is_own:
        raise Stale(f"{incident.id} has a channel of its own already, or gets one. {NOTHING}")
    told = aloud(event(given, Kind.FIELD, "goes on in a channel of its own", name="channel", value="yes"))
    return Entry(f"{incident.id} gets a channel of its own. Its timeline stays one.", write(incident, told))


STEPS = (
    Command(
        word="incident", verbs=("sev",), summary="How grave it is, 1 to 4; less grave needs a reason.",
        rows=("EM-0",), examples=("incident sev 1", "incident sev 3 only one node is left out"),
        flags=(WHICH, WHY), names="LEVEL REASON…", entry=sev,
    ),
    Command(
        word="incident", verbs=tuple(_TO), summary="Where it stands: looked for, cause known, no longer felt, watched.",
        rows=("EM-3.0", "EM-4.1", "EM-4.3"),
        examples=("incident identify the pool of connections is full", "incident mitigate rolled back to 41"),
        flags=(WHICH, WHY), names=NAMES, entry=step,
    ),
    Command(
        word="incident", verbs=("promote",), summary="From a thread to a channel of its own.", rows=("EM-0",),
        examples=("incident promote",), flags=(WHICH,), names="INC", entry=promote,
    ),
)  # fmt: skip

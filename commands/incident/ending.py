"""How an incident ends: `false-alarm`, `cancel`, `waive`, `close`.

Closing is gated: what happened must be known and in order, nobody may still be on duty in it, and of a grave one there
is a postmortem, or a second person says why there is none. All that is missing is said in one answer.
"""

from collections.abc import Iterator

from commands.command import Command
from commands.entry import Entry, Given, Otherwise
from commands.errors import Denied, Stale
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
    live,
    reason,
    write,
)  # fmt: skip
from commands.response.events import Kind
from commands.response.incident import ROLE_NAMES, Incident, Milestone, Role, Status
from commands.response.order import inverted, missing, times
from commands.response.standing import is_resolved

GRAVE = 2  # up to this severity there is a postmortem


def false_alarm(given: Given) -> Entry:
    """It is in no numbers and needs no postmortem then, so somebody says why; the weekly review tells of a grave one."""
    incident, why = active(given), reason(given)
    if not why:
        raise ask(
            given, "A false alarm", "It was none", "Say what was wrong: `/sre incident false-alarm REASON`.",
            Field("why", "Why was nothing wrong?", most=REASON),
        )  # fmt: skip
    told = aloud(event(given, Kind.STATUS, f"a false alarm: {why}", to=Status.FALSE_ALARM.value, why=why))
    return Entry(f"{incident.id} was a false alarm. It is in no numbers.", write(incident, told))


def cancel(given: Given) -> Entry:
    incident, why = active(given), reason(given)
    if not why:
        raise ask(
            given, "Cancel the incident", "Cancel it", "Say why it is none: `/sre incident cancel REASON`.",
            Field("why", "Why is it none?", most=REASON),
        )  # fmt: skip
    told = aloud(event(given, Kind.STATUS, f"cancelled: {why}", to=Status.CANCELED.value, why=why))
    return Entry(f"{incident.id} is cancelled. It is in no numbers.", write(incident, told))


def waive(given: Given) -> Entry:
    """That there is no postmortem, said by somebody who did not command it."""
    incident, why = live(given), reason(given)
    if incident.report.published:
        raise Stale(f"The postmortem of {incident.id} is published already. {NOTHING}")
    if any(_is_same(given, each, given.actor.user) for each in (incident.holder(Role.IC), *incident.led)):
        raise Denied(
            f"You commanded {incident.id}: somebody else must agree that it needs no postmortem. {NOTHING}"
        )
    if not why:
        raise ask(
            given, "No postmortem", "Waive it", "Say why: `/sre incident waive REASON`.",
            Field("why", "Why does it need none?", most=REASON),
        )  # fmt: skip
    told = aloud(event(given, Kind.REPORT, f"there will be no postmortem: {why}", step="waived", why=why))
    return Entry(f"{incident.id} needs no postmortem.", write(incident, told))


def _is_same(given: Given, one: str, other: str) -> bool:
    return bool(one) and given.site.person(one) == given.site.person(other)


# --- close ----------------------------------------------------------------------------------------


def close(given: Given) -> Entry:
    incident = live(given)
    if not is_resolved(incident):
        raise Otherwise(
            f"{incident.id} is {incident.status}: it is closed once it is resolved. {NOTHING}",
            Suggestion("Resolve", f"incident resolve --incident {incident.id}"),
        )
    gaps = list(_gaps(given, incident))
    if gaps:
        listed = " ".join(f"({n}) {gap}" for n, gap in enumerate(gaps, start=1))
        raise Otherwise(f"{incident.id} cannot be closed yet. {listed} {NOTHING}", *_mends(incident))
    told = aloud(event(given, Kind.STATUS, "closed", to=Status.CLOSED.value))
    return Entry(f"{incident.id} is closed.", write(incident, told))


def _gaps(given: Given, incident: Incident) -> Iterator[str]:
    unknown = missing(incident)
    if unknown:
        names = ", ".join(f"`{each.value}`" for each in unknown)
        yield f"Nobody has said when it was {names}: `/sre incident set {unknown[0].value} 14:02`."
    for one, two in inverted(times(incident)):
        yield f"`{one.value}` is later than `{two.value}`: correct one with `/sre incident set {one.value} 14:02`."
    held = [ROLE_NAMES[role] for role in Role if incident.holder(role)]
    if held:
        yield f"Still on duty: {', '.join(held)}. `/sre incident leave all` ends that."
    for glass in incident.glass:
        if glass.reviewed is None:
            yield f"Nobody has reviewed {glass.request}, approved by one alone: `/sre incident review {glass.request}`."
    if incident.severity <= GRAVE and not incident.is_drill:
        yield from _learning_gaps(incident)
        yield from _report_gaps(given, incident)


def _learning_gaps(incident: Incident) -> Iterator[str]:
    """A task has an owner and a day from its first event on, so all that follows is owned."""
    if not (incident.tasks or incident.no_tasks):
        yield "No action follows from it: `/sre incident action`, or `/sre incident action --none REASON`."
    if not (incident.lessons or incident.report.waived):
        yield "Nobody has said what was learned: `/sre incident postmortem --lessons`."


def _report_gaps(given: Given, incident: Incident) -> Iterator[str]:
    report = incident.report
    if report.published:
        return
    if not report.waived:
        yield (
            "Its postmortem is not published: `/sre incident postmortem`; or somebody else says why there is none: "
            "`/sre incident waive REASON`."
        )
    elif _is_same(given, report.waived_by, given.actor.user):
        yield "You said yourself that it needs no postmortem: somebody else must close it."


def _mends(incident: Incident) -> tuple[Suggestion, ...]:
    id = f"--incident {incident.id}"
    held = any(incident.holder(role) for role in Role)
    leave = (Suggestion("End the roles", f"incident leave all {id}"),) if held else ()
    unset = [each for each in missing(incident) if each is not Milestone.DECLARED]
    known = (Suggestion("Set a time", f"incident set {unset[0].value} {id}"),) if unset else ()
    owes = incident.severity <= GRAVE and not incident.is_drill and not (incident.tasks or incident.no_tasks)
    follows = (Suggestion("An action…", f"incident action {id}"),) if owes else ()
    return (*leave, *known, *follows)


ENDING = (
    Command(
        word="incident", verbs=("false-alarm",), summary="Nothing was wrong: in no numbers.", rows=("EM-4.4",),
        examples=("incident false-alarm the probe was wrong",), flags=(WHICH, WHY), names=NAMES, entry=false_alarm,
    ),
    Command(
        word="incident", verbs=("cancel",), summary="It was declared by mistake: in no numbers.", rows=("EM-4.4",),
        examples=("incident cancel a rehearsal nobody marked as one",), flags=(WHICH, WHY), names=NAMES, entry=cancel,
    ),
    Command(
        word="incident", verbs=("waive",), summary="It needs no postmortem, says somebody who did not command it.",
        rows=("EM-5.1",), examples=("incident waive the same cause as last week, which has one",),
        flags=(WHICH, WHY), names=NAMES, entry=waive,
    ),
    Command(
        word="incident", verbs=("close",), summary="All is done: says at once what is missing.", rows=("EM-5.0",),
        examples=("incident close",), flags=(WHICH,), names="INC", entry=close,
    ),
)  # fmt: skip

"""`resolve` and `reopen`: that it is over, and that it was not.

It is not over while an alert of it fires or its service is red: whoever knows better says so with --force and why.
Opened again within half an hour it goes on as it was; later it is another one, and both know of each other.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from commands.command import Command, Flag
from commands.consequences import REOPEN
from commands.entry import Entry, Given, Otherwise, Write
from commands.errors import Stale
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
    reason,
    the,
    where,
    write,
)  # fmt: skip
from commands.incident.declare import refuse_flood
from commands.ledger import Draft
from commands.model import AlertGroup, Severity
from commands.numbers.coverage import GAPS, Signal, covered, signals
from commands.phrase import span
from commands.response.events import Kind, written
from commands.response.incident import Incident, Milestone, Role, Status
from commands.tasking import Wish, opened, today
from commands.wording import one_line

DETECTION = timedelta(days=14)  # to have an alert for what none told of
GRAVE = 2  # up to this severity a postmortem is drafted at once


def resolve(given: Given) -> Entry:
    incident = active(given)
    why, is_forced = reason(given), "force" in given.args.flags
    red = _red(given, incident)
    if red and not is_forced:
        raise Stale(
            f"{incident.id} is not over: {red}. If you know better: `/sre incident resolve --force REASON`. {NOTHING}"
        )
    if red and not why:
        raise ask(
            given, "Resolve all the same", "Resolve",
            "Say why it is over all the same: `/sre incident resolve --force REASON`.",
            Field("why", "Why is it over all the same?", hint=f"Now: {red}"[:150], most=REASON),
        )  # fmt: skip
    override = f", although {red}" if red else ""
    length = span(given.now - (incident.at(Milestone.STARTED) or incident.opened))
    said = f"resolved after {length}" + (f": {why}" if why else "") + override
    told = aloud(event(given, Kind.STATUS, said, to=Status.RESOLVED.value, why=why))
    runs = ("incident postmortem {id}",) if incident.severity <= GRAVE else ()
    answer, owed = _answer(given, incident), _owed(given, incident)
    if not owed:
        return Entry(answer, write(incident, told), runs, (*_after(incident), *_silenced(given)))
    task, action = owed
    answer += " No alert told of it in time: {id} is to add one."
    return Entry(
        answer,
        (Write((told, *action.drafts), incident.id), task),
        runs,
        (*_after(incident), *_silenced(given)),
    )


def _owed(given: Given, incident: Incident) -> tuple[Write, ...]:
    """Of one that no alert announced, the first time it is over: the task to have one, and that it is its action."""
    around = tuple(Signal(incident.service, group.name, group.lead.starts_at) for group in given.around)
    is_gap = covered(incident, (*signals((incident,)), *around)) in GAPS
    if not is_gap or incident.is_drill or incident.reopened:
        return ()
    title = f"add detection: no alert told of “{one_line(incident.title, 100)}” in time"
    until = today(given.now, given.site) + DETECTION
    return opened(given, Wish(title, incident.holder(Role.IC) or given.actor.user, until), incident)


def _answer(given: Given, incident: Incident) -> str:
    started = incident.at(Milestone.STARTED)
    mitigated = incident.at(Milestone.MITIGATED)
    felt = f" Users felt it for {span(mitigated - started)}." if started and mitigated else ""
    unknown = "" if felt else " How long users felt it is not known: set `started` and `mitigated`."
    length = span(given.now - (started or incident.opened))
    return f"{incident.id} is resolved after {length}.{felt}{unknown} The postmortem is next."


def _silenced(given: Given) -> Iterator[Suggestion]:
    """What was made quiet while people worked is to be heard again."""
    for group in given.groups:
        if any(not each.ended and each.until > given.now for each in group.care.silences):
            yield Suggestion(f"End the silence of {one_line(group.name, 30)}", f"alert unsilence {group.id}")


def _after(incident: Incident) -> tuple[Suggestion, ...]:
    return (
        Suggestion("Postmortem", f"incident postmortem {incident.id}"),
        Suggestion("It is not over", f"incident reopen --incident {incident.id}"),
    )


def _red(given: Given, incident: Incident) -> str:
    """What still says that it is not over, in words; "" for nothing."""
    known = {group.id: group for group in given.groups}
    live = [group for group in given.groups if group.firing]
    gone = [link for link in incident.firing if link.group not in known]
    names = [*(group.name for group in live), *(link.name or link.group for link in gone)]
    if names:
        return f"{', '.join(dict.fromkeys(names))} {'fires' if len(set(names)) == 1 else 'fire'} still"
    critical = [group.name for group in given.around if _is_grave(group)]
    return f"{incident.service} is red: {', '.join(dict.fromkeys(critical))} fires" if critical else ""


def _is_grave(group: AlertGroup) -> bool:
    return bool(group.firing) and group.severity is Severity.CRITICAL


# --- reopen ---------------------------------------------------------------------------------------


def reopen(given: Given) -> Entry:
    incident = the(given)
    if incident.is_active:
        raise Stale(f"{incident.id} is {incident.status}: it is not over. {NOTHING}")
    if incident.status is Status.MERGED:
        raise Stale(
            f"{incident.id} was merged: `/sre incident unmerge {incident.id}` takes that back. {NOTHING}"
        )
    why = reason(given)
    if not why:
        raise ask(
            given, "Open it again", "Open again", "Say why: `/sre incident reopen REASON`.",
            Field("why", "Why is it not over?", most=REASON),
        )  # fmt: skip
    if given.now - _ended(incident) <= REOPEN:
        told = aloud(event(given, Kind.REOPENED, f"opened again: {why}", why=why))
        return Entry(f"{incident.id} goes on.", write(incident, told))
    return _another(given, incident, why)


def _ended(incident: Incident) -> datetime:
    """When it was called over the first time since it was last open; of one that never was resolved, its last word."""
    return incident.at(Milestone.RESOLVED) or incident.updated


def _another(given: Given, incident: Incident, why: str) -> Entry:
    _refuse_second(given, incident)
    refuse_flood(given)
    after = span(given.now - _ended(incident))
    drafts = (_declared(given, incident, why), *_alerts(given, incident))
    here = event(given, Kind.LINKED, f"it came back after {after}, as another one: {why}", id="{id}")
    return Entry(
        f"{{id}} is opened: {incident.id} was over for {after}, and what comes back after more than "
        f"{span(REOPEN)} is counted as another one. The two are linked.",
        (Write(drafts), Write((aloud(here),), incident.id)),
    )


def _refuse_second(given: Given, incident: Incident) -> None:
    """Whoever says later than somebody else that it is back wants to help there."""
    known = (each for each in given.open if each.id in incident.related and each.is_active)
    again = next((each for each in known if each.opened > _ended(incident)), None)
    if again is not None:
        raise Otherwise(
            f"{incident.id} is back already, as {again.id}{where(again)}. {NOTHING}",
            Suggestion(f"Join {again.id}", f"incident join {again.id}"),
        )


def _has_channel(incident: Incident) -> bool:
    """Whether the next one has a channel of its own."""
    return incident.severity <= 2 or incident.is_private or incident.room.is_own


def _declared(given: Given, incident: Incident, why: str) -> Draft:
    yes = {True: "yes", False: ""}
    has_channel = _has_channel(incident)
    return event(
        given, Kind.DECLARED, f"declared Sev{incident.severity}: {incident.title} (again: {why})",
        title=incident.title, severity=str(incident.severity), cluster=incident.cluster, service=incident.service,
        drill=yes[incident.is_drill], private=yes[incident.is_private], security=yes[incident.is_security],
        channel=yes[has_channel], alert="" if has_channel else incident.alert,
        detection=incident.detection.value if incident.detection else "",
    )  # fmt: skip


def _alerts(given: Given, incident: Incident) -> tuple[Draft, ...]:
    """What it was after, where it is told if it has no channel, and the alerts that fire now."""
    linked = [event(given, Kind.LINKED, f"{incident.id} came back", id=incident.id)]
    if not _has_channel(incident):
        room = incident.room
        linked.append(
            event(given, Kind.ROOM, f"told in {room.channel}", channel=room.channel, thread=room.thread)
        )
    for group in given.groups:
        if group.firing:
            started = written(group.lead.starts_at)
            linked.append(
                event(
                    given, Kind.ALERT, f"{group.name} fires", group=group.id, name=group.name, state="firing",
                    started=started,
                )
            )  # fmt: skip
    return tuple(linked)


RESOLVING = (
    Command(
        word="incident", verbs=("resolve",), summary="It is over; not while an alert of it fires.",
        rows=("EM-4.4",), examples=("incident resolve", "incident resolve --force the alert looks at the old pods"),
        flags=(WHICH, WHY, Flag("force", "although something still fires; say why")), names=NAMES, entry=resolve,
    ),
    Command(
        word="incident", verbs=("reopen",), summary="It is not over; after half an hour it is another one.",
        rows=("EM-4.3",), examples=("incident reopen errors are back",), flags=(WHICH, WHY), names=NAMES, entry=reopen,
    ),
)  # fmt: skip

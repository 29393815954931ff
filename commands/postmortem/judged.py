"""The sections of a postmortem that weigh the record: what told of it, what changed, what went well and what badly.

Only what the record shows is said, each with its number; the rest is for people to write.
"""

from collections.abc import Iterator
from datetime import timedelta

from commands.ledger import Event
from commands.numbers.coverage import GAPS, Coverage, covered, signals
from commands.phrase import counted, span
from commands.postmortem.facts import Cast, Facts, stamp
from commands.postmortem.record import Lines, felt, measures
from commands.response.events import Kind
from commands.response.incident import ROLE_NAMES, Incident, Item, ItemState, Milestone, Role

SOON = timedelta(minutes=5)  # to notice it, and to lead
RESTORE = timedelta(minutes=30)  # the manual's target of restoring
_SHOWN = 20
_CHANGED = ("succeeded", "partial", "failed")


# --- detection ------------------------------------------------------------------------------------


def detection(facts: Facts, cast: Cast) -> Lines:
    incident = facts.incident
    first = min(incident.alerts, key=lambda link: link.started, default=None)
    source = incident.detection.value if incident.detection else "not said: `/sre incident set detection …`"
    kind = covered(incident, signals((incident,)))
    told = [f"- First told by: {source}"]
    if first:
        told.append(
            f"- First alert: {cast.told(first.name or first.group)}, {stamp(first.started, facts.zone)}"
        )
    told.append(f"- Coverage: {_COVERED[kind]}")
    if kind in GAPS:
        told.append(
            f'- Owed: an alert that would have told. `/sre incident action "add detection for {incident.id}"`'
        )
    return tuple(told)


_COVERED = {
    Coverage.COVERED: "an alert told before anybody declared it, and somebody took notice",
    Coverage.UNANSWERED: "an alert told in time, and nobody acknowledged it",
    Coverage.SILENCED: "an alert told in time, and it was silenced",
    Coverage.LATE: "**gap**: alerts came only after people had declared it",
    Coverage.NONE: "**gap**: no alert told of it",
}


# --- what changed ---------------------------------------------------------------------------------


def changed(facts: Facts, cast: Cast) -> Lines:
    blame = facts.incident.caused_by
    found = sorted((event for event in facts.events if _is_change(event)), key=lambda event: event.at)
    told = [f"- {stamp(event.at, facts.zone)} {cast.told(event.text)}" for event in found[:_SHOWN]]
    told += [f"- and {len(found) - _SHOWN} more, in the whole record"] if len(found) > _SHOWN else []
    cause = f"{cast.told(blame.change)} ({blame.confidence})" if blame else "not said"
    none = "- The record names no change: neither one that was seen nor one that was made in it."
    return (f"- Cause: {cause}", *(told or [none]))


def _is_change(event: Event) -> bool:
    if event.kind == Kind.RUN:
        return event.facts.get("changes") == "yes" and event.facts.get("state") in _CHANGED
    return event.kind == Kind.ROLLOUT or (
        event.kind == Kind.LINKED and event.facts.get("id", "").startswith("CR-")
    )


# --- well and badly -------------------------------------------------------------------------------


def well(facts: Facts, cast: Cast) -> Lines:
    return tuple(f"- {each}" for each in _well(facts)) or ("- nothing by itself.",)


def badly(facts: Facts, cast: Cast) -> Lines:
    return tuple(f"- {each}" for each in _badly(facts)) or ("- nothing by itself.",)


def _took(incident: Incident, key: str) -> timedelta | None:
    spread = measures(incident)[key].spread
    return timedelta(seconds=spread.mean) if spread else None


def _well(facts: Facts) -> Iterator[str]:
    incident = facts.incident
    if covered(incident, signals((incident,))) is Coverage.COVERED:
        yield "An alert told of it before anybody declared it."
    for key, what in (("tta_incident", "Acknowledged"), ("time_to_ic", "Commanded")):
        took = _took(incident, key)
        if took is not None and took <= SOON:
            yield f"{what} within {span(took)}."
    length = felt(facts)
    if length is not None and incident.at(Milestone.MITIGATED) and length <= RESTORE:
        yield f"Restored in {span(length)}; the target is {span(RESTORE)}."
    if incident.updates:
        yield f"{counted(len(incident.updates), 'status update')} went out."
    if incident.merged:
        yield f"{counted(len(incident.merged), 'duplicate')} merged into it: {', '.join(incident.merged)}."


def _badly(facts: Facts) -> Iterator[str]:
    incident = facts.incident
    yield from _noticed(incident)
    yield from _led(incident)
    length = felt(facts)
    if length is not None and length > RESTORE:
        yield f"Users felt it for {span(length)}; the target is {span(RESTORE)}."
    if incident.reopened:
        yield f"It was opened again {counted(incident.reopened, 'time')}."
    yield from _kept(incident)


def _noticed(incident: Incident) -> Iterator[str]:
    kind = covered(incident, signals((incident,)))
    if kind is not Coverage.COVERED:
        yield f"Detection: {kind.value}."
    took = _took(incident, "tta_incident")
    if took is not None and took > SOON:
        yield f"It took {span(took)} until somebody took notice."
    silent = sum(page.acked is None for page in incident.pages)
    if silent:
        yield f"{counted(silent, 'page')} of {len(incident.pages)} had no answer."


def _led(incident: Incident) -> Iterator[str]:
    if incident.severity > 2:
        return
    took = _took(incident, "time_to_ic")
    if Milestone.COMMANDED not in incident.milestones:
        yield "Nobody commanded it."
    elif took is not None and took > SOON:
        yield f"It took {span(took)} until somebody commanded it."
    if not incident.updates:
        yield "No status update went out."


def _kept(incident: Incident) -> Iterator[str]:
    late = [item for item in incident.items if _is_late(item)]
    if late:
        yield f"{counted(len(late), 'checklist line')} done after its time, first: {late[0].text}."
    open_ = [each for each in incident.glass if each.reviewed is None]
    if open_:
        yield f"{counted(len(open_), 'change')} approved by the commander alone and not reviewed yet."
    if incident.firing and not incident.is_active:
        yield f"{counted(len(incident.firing), 'alert')} of it still fired at the end."


def _is_late(item: Item) -> bool:
    return item.state in (ItemState.DONE, ItemState.AUTO) and item.at is not None and item.at > item.due


# --- who ------------------------------------------------------------------------------------------


def responders(facts: Facts, cast: Cast) -> Lines:
    """By role: who they are the record knows, and this document does not say."""
    taken = [event for event in facts.events if event.kind == Kind.ACCEPTED]
    told = []
    for role in Role:
        held = [event for event in taken if event.facts.get("role") == role.value]
        hands = len({event.facts.get("user", "") for event in held})
        if held:
            since = stamp(held[0].at, facts.zone)
            told.append(
                f"- {ROLE_NAMES[role]}: since {since}" + (f", {hands} people in turn" if hands > 1 else "")
            )
    others = f"- {counted(cast.others, 'other responder')}" if cast.others else "- no others"
    return (*(told or ["- Nobody took a role."]), others)

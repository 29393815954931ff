"""From events to the change request they make: the one way in which a `ChangeRequest` comes to be or changes.

Replaying the events gives the record again, field for field. Each kind has one function; a kind that nobody knows, and
a move that the way does not have, change nothing but the head.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from commands.ledger import Event
from commands.response import changemoves
from commands.response.changeevents import Kind, lines_of, payload_of
from commands.response.changemoves import Move
from commands.response.changerequest import (
    OVER,
    Agreed,
    ChangeRequest,
    Checks,
    Linked,
    Stage,
    StepMark,
    StepState,
    Tick,
    TickState,
    Validated,
)
from commands.response.folding import line_of, told, with_fired, with_timer


def begun(id: str, event: Event) -> ChangeRequest:
    """Raises ValueError for another event."""
    if event.kind != Kind.OPENED:
        raise ValueError(f"{id} does not begin with its opening")
    payload = payload_of(event.facts)
    opened = ChangeRequest(
        id=id, payload=payload, digest=payload.digest, by=event.by, opened=event.at, updated=event.recorded,
        channel=event.facts.get("channel", ""), emergency=event.facts.get("emergency", ""),
    )  # fmt: skip
    return told(opened, event, line_of(event))


def after(change: ChangeRequest, event: Event) -> ChangeRequest:
    step = _STEPS.get(event.kind)
    return told(step(change, event) if step else change, event, line_of(event))


# --- Its way --------------------------------------------------------------------------------------


def _edited(change: ChangeRequest, event: Event) -> ChangeRequest:
    """Whatever was agreed was agreed to another payload."""
    payload = payload_of(event.facts)
    edited = replace(change, payload=payload, digest=payload.digest, version=change.version + 1)
    return _unasked(_to(edited, Move.EDIT))


def _moved(change: ChangeRequest, event: Event) -> ChangeRequest:
    move = Move(event.facts["move"])
    there = _to(change, move)
    if there is change:
        return change
    about = _ABOUT.get(move)
    there = about(there, event) if about else there
    if there.stage not in OVER:
        return there
    return replace(there, ended=event.at, ended_by=event.by, ended_why=event.facts.get("why", ""))


def _to(change: ChangeRequest, move: Move) -> ChangeRequest:
    stage = changemoves.after(change.stage, move)
    return change if stage is None else replace(change, stage=stage)


def _unasked(change: ChangeRequest) -> ChangeRequest:
    return replace(change, cleared=None, agreed=(), granted=None, target="", roles=())


def _cleared(change: ChangeRequest, event: Event) -> ChangeRequest:
    roles = tuple(filter(None, event.facts.get("roles", "").split(",")))
    return replace(_unasked(change), cleared=event.at, roles=roles)


def _granted(change: ChangeRequest, event: Event) -> ChangeRequest:
    return replace(change, granted=event.at, target=change.checks.target if change.checks else "")


def _started(change: ChangeRequest, event: Event) -> ChangeRequest:
    return replace(change, started=event.at, started_by=event.by)


def _finished(change: ChangeRequest, event: Event) -> ChangeRequest:
    return replace(change, done=event.at)


def _lost(change: ChangeRequest, event: Event) -> ChangeRequest:
    """As the verdict of samples that nobody could read."""
    return replace(change, done=event.at, verdict="blind", verdict_why=event.facts.get("why", ""))


def _recovered(change: ChangeRequest, event: Event) -> ChangeRequest:
    return replace(change, restored=event.at)


_Step = Callable[[ChangeRequest, Event], ChangeRequest]

_ABOUT: Mapping[Move, _Step] = {
    Move.CLEAR: _cleared,
    Move.GRANT: _granted,
    Move.START: _started,
    Move.FINISH: _finished,
    Move.LOSE: _lost,
    Move.RECOVER: _recovered,
}


# --- What people say ------------------------------------------------------------------------------


def _agreed(change: ChangeRequest, event: Event) -> ChangeRequest:
    if change.stage is not Stage.PENDING or event.facts.get("digest") != change.digest:
        return change
    agreed = Agreed(event.by, event.at, event.facts.get("person", ""))
    return replace(change, agreed=(*change.agreed, agreed))


def _ticked(change: ChangeRequest, event: Event) -> ChangeRequest:
    item, state = event.facts["item"], TickState(event.facts["state"])
    tick = Tick(item, state, event.by, event.at, event.facts.get("note", ""))
    return replace(change, ticks={**change.ticks, item: tick})


def _standby(change: ChangeRequest, event: Event) -> ChangeRequest:
    return replace(change, standby={**change.standby, event.by: event.facts["yes"] == "yes"})


def _step(change: ChangeRequest, event: Event) -> ChangeRequest:
    facts = event.facts
    mark = StepMark(
        int(facts["number"]), StepState(facts["state"]), event.by, event.at, facts.get("note", "")
    )
    return replace(change, steps=(*change.steps, mark))


def _notified(change: ChangeRequest, event: Event) -> ChangeRequest:
    is_on_page = change.is_on_page or event.facts.get("page") == "yes"
    return replace(change, notified=event.at, is_on_page=is_on_page)


def _reported(change: ChangeRequest, event: Event) -> ChangeRequest:
    return replace(change, reports=(*change.reports, (event.by, event.at)))


def _reviewed(change: ChangeRequest, event: Event) -> ChangeRequest:
    return replace(change, reviewed=event.by)


# --- What was seen --------------------------------------------------------------------------------


def _checked(change: ChangeRequest, event: Event) -> ChangeRequest:
    facts = event.facts
    checks = Checks(
        event.at, facts.get("request", ""), facts.get("digest", ""), facts.get("target", ""), lines_of(facts)
    )
    return replace(change, checks=checks)


def _run(change: ChangeRequest, event: Event) -> ChangeRequest:
    """A change that was asked of the bot for it; told again when it has ended. What took it back, did."""
    facts = event.facts
    is_back = facts.get("back") == "yes"
    known = {each.request: each for each in change.linked}
    before = known.get(facts["id"])
    is_own = facts.get("own") == "yes" or (before is not None and before.is_own)
    linked = Linked(facts["id"], facts.get("line", ""), facts.get("state", ""), event.at, is_back, is_own)
    return replace(
        change,
        linked=tuple({**known, linked.request: linked}.values()),
        undone=event.at if is_back and linked.state == "succeeded" else change.undone,
    )


def _baseline(change: ChangeRequest, event: Event) -> ChangeRequest:
    return replace(change, baseline=event.at)


def _sample(change: ChangeRequest, event: Event) -> ChangeRequest:
    facts = event.facts
    return replace(
        change,
        samples=change.samples + 1,
        verdict=facts.get("outcome", change.verdict),
        verdict_why=facts.get("why", change.verdict_why),
    )


def _validated(change: ChangeRequest, event: Event) -> ChangeRequest:
    look = Validated(event.at, event.facts.get("due", ""), lines_of(event.facts))
    return replace(change, validated=(*change.validated, look))


def _declared(change: ChangeRequest, event: Event) -> ChangeRequest:
    return replace(change, incident=event.facts["id"])


# --- Its clock ------------------------------------------------------------------------------------


def _timer(change: ChangeRequest, event: Event) -> ChangeRequest:
    return replace(change, timers=with_timer(change.timers, event))


def _fired(change: ChangeRequest, event: Event) -> ChangeRequest:
    return replace(change, timers=with_fired(change.timers, event))


_STEPS: Mapping[str, _Step] = {
    Kind.EDITED: _edited,
    Kind.MOVED: _moved,
    Kind.CHECKED: _checked,
    Kind.AGREED: _agreed,
    Kind.TICKED: _ticked,
    Kind.STANDBY: _standby,
    Kind.STEP: _step,
    Kind.RUN: _run,
    Kind.NOTIFIED: _notified,
    Kind.BASELINE: _baseline,
    Kind.SAMPLE: _sample,
    Kind.VALIDATED: _validated,
    Kind.REPORTED: _reported,
    Kind.DECLARED: _declared,
    Kind.REVIEWED: _reviewed,
    Kind.TIMER: _timer,
    Kind.FIRED: _fired,
}

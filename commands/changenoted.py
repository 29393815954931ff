"""What a look at a change request means for it, as events: its pre-checks let it through or hold it up, and what the
validation found is kept.

Pure; asked by workers/changenotes.py with the record as it is. A look at a payload that was edited meanwhile means nothing
for the one that stands now.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from commands.changeclock import LOOKS
from commands.changelines import PAYLOAD, START, TARGET, found, hold_ups, said
from commands.finding import Light
from commands.ledger import Draft
from commands.model import Request, Section
from commands.phrase import counted
from commands.response.changeevents import Kind, draft, line_facts, moving
from commands.response.changemoves import Move
from commands.response.changerequest import ChangeRequest, Checked, Stage
from commands.site import Site

_CHECKS, _VALIDATION = "checks", "validation"


def is_look(request: Request) -> bool:
    return request.args.word == "change" and request.args.verb in ("check", "validate")


def of(change: ChangeRequest, request: Request, section: Section, site: Site) -> tuple[Draft, ...]:
    if section.key == _CHECKS:
        return tuple(_checked(change, request.id, section, site))
    if section.key == _VALIDATION:
        return tuple(_validated(change, request, section))
    return ()


def _checked(change: ChangeRequest, id: str, section: Section, site: Site) -> Iterator[Draft]:
    digest = said(section, PAYLOAD)
    if not digest:
        yield from _unread(change, id, section)
        return
    lines = found(section)
    fine = sum(line.light is Light.GREEN for line in lines)
    told = draft(
        Kind.CHECKED, f"pre-checks: {fine} of {len(lines)} fine", request=id, digest=digest,
        target=said(section, TARGET), **line_facts(lines),
    )  # fmt: skip
    yield replace(told, key=f"check:{id}")
    if digest == change.digest and change.stage in (Stage.DRAFT, Stage.PRECHECKS):
        yield from _onward(change, lines, site)


def _onward(change: ChangeRequest, lines: tuple[Checked, ...], site: Site) -> Iterator[Draft]:
    against = hold_ups(change, lines)
    if change.stage is Stage.DRAFT and not against:
        yield draft(Kind.MOVED, "its pre-checks were made anew", move=Move.SUBMIT)
    if not against:
        yield from _cleared(change, site)
    elif change.stage is Stage.PRECHECKS:
        told = "; ".join(f"{line.label}: {line.value}" for line in against[:3])
        more = f"; and {len(against) - 3} more" if len(against) > 3 else ""
        yield moving(Move.HOLD_UP, f"held up by its pre-checks: {told}{more}")


def _cleared(change: ChangeRequest, site: Site) -> Iterator[Draft]:
    roles = site.approver_roles(START, change.payload.cluster)
    who = " or ".join(f"`{role}`" for role in roles) or "nobody: `access` lets nobody approve `change start`"
    yield moving(
        Move.CLEAR, f"its pre-checks let it through; it may be approved by {who}", roles=",".join(roles)
    )
    if change.emergency:
        why = f"the commander of {change.emergency} decides alone; somebody else looks at it within 24 h"
        yield moving(Move.GRANT, f"🚨 {why}", why=why)


def _unread(change: ChangeRequest, id: str, section: Section) -> Iterator[Draft]:
    """It could not be looked at at all."""
    if change.stage is Stage.PRECHECKS:
        why = "; ".join(filter(None, (line.value for line in found(section)))) or "nothing was read"
        yield replace(moving(Move.HOLD_UP, f"its pre-checks could not be made: {why}"), key=f"check:{id}")


def _validated(change: ChangeRequest, request: Request, section: Section) -> Iterator[Draft]:
    lines = found(section)
    bad = [line for line in lines if line.light is not Light.GREEN]
    due = _due(change, request.created) if request.actor.is_scheduler else ""
    when = f"validation at +{due} min" if due else "validation"
    text = f"🔎 {when}: all {len(lines)} lines are fine"
    if bad:
        told = "; ".join(f"{line.label}: {line.value}" for line in bad[:4])
        text = f"🔎 {when}: {counted(len(bad), 'line')} of {len(lines)} not fine: {told}"
    told_of = draft(Kind.VALIDATED, text, due=due, **line_facts(lines))
    yield replace(told_of, key=f"validate:{request.id}", is_told=True)


def _due(change: ChangeRequest, at: datetime) -> str:
    """Which of the looks by the clock this is."""
    if change.done is None:
        return ""
    minutes = (at - change.done).total_seconds() / 60
    return str(min(LOOKS, key=lambda each: abs(each - minutes)))

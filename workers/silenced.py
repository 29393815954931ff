"""Writes down beside the alerts what a silence made of them: in their records, and as a line in their threads.

Done just before the change ends, and as often as that is tried: a silence is noted once in each group, by its id.
Called by workers/applying.py; asks the store alone.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from bot.casebook import Casebook
from bot.state import Conflict, Stored
from commands import matchers
from commands.effects import Silence, Unsilence
from commands.model import AlertGroup, Request, Silenced
from commands.plan import Standing, Step
from workers.house import House

_TRIES = 25  # the intake and people write the same record

Note = Callable[[AlertGroup, datetime], AlertGroup]


def note(house: House, ended: Request) -> None:
    """What this change made or ended, told under every alert that it is about."""
    for step in ended.plan.steps if ended.plan else ():
        if ended.progress is None or ended.progress.standing(step) is not Standing.PROVED:
            continue
        effect = step.effect
        if isinstance(effect, Silence):
            _note_everywhere(house, _is_found(effect, ended.cluster), _made(effect, ended, step))
        elif isinstance(effect, Unsilence):
            id = effect.target.uid
            _note_everywhere(house, _is_hidden_by(id), _ended(id, ended.actor.user))


def _made(effect: Silence, ended: Request, step: Step) -> Note:
    mark = ended.progress.marks[step.key].note if ended.progress else ""
    id = mark.removeprefix("silence ").partition(";")[0]
    until = datetime.fromisoformat(effect.until)

    def noted(group: AlertGroup, now: datetime) -> AlertGroup:
        if any(each.id == id for each in group.care.silences):
            return group
        made = Silenced(id, effect.by, until, effect.why)
        care = replace(group.care, silences=(*group.care.silences, made))
        return replace(group, care=care).say(
            f"🔕 silenced until {until:%H:%M} UTC{_part(effect, group)}: {effect.why}", now, by=effect.by
        )

    return noted


def _part(effect: Silence, group: AlertGroup) -> str:
    finds = tuple(map(matchers.parse, effect.matchers))
    hidden = sum(matchers.all_find(finds, alert.labels) for alert in group.firing)
    return f" ({hidden} of {len(group.firing)})" if hidden < len(group.firing) else ""


def _ended(id: str, by: str) -> Note:
    def noted(group: AlertGroup, now: datetime) -> AlertGroup:
        care = group.care
        if not any(each.id == id and not each.ended for each in care.silences):
            return group
        silences = tuple(replace(each, ended=each.ended or each.id == id) for each in care.silences)
        return replace(group, care=replace(care, silences=silences)).say("🔔 silence ended early", now, by=by)

    return noted


def _is_found(effect: Silence, cluster: str) -> Callable[[AlertGroup], bool]:
    finds = tuple(map(matchers.parse, effect.matchers))

    def is_about(group: AlertGroup) -> bool:
        is_here = group.cluster in ("", cluster)
        return is_here and any(matchers.all_find(finds, alert.labels) for alert in group.firing)

    return is_about


def _is_hidden_by(id: str) -> Callable[[AlertGroup], bool]:
    return lambda group: any(each.id == id and not each.ended for each in group.care.silences)


def _note_everywhere(house: House, is_about: Callable[[AlertGroup], bool], noted: Note) -> None:
    casebook = Casebook(house.state, house.site)
    for stored, _ in casebook.watched():
        if is_about(stored.record):
            _note_in(house, casebook, stored, noted)


def _note_in(house: House, casebook: Casebook, stored: Stored[AlertGroup], noted: Note) -> None:
    """Kept as long as any group that is quiet, where it is; whoever writes it meanwhile comes first."""
    latest: Stored[AlertGroup] | None = stored
    for _ in range(_TRIES):
        if latest is None:
            return
        group, now = noted(latest.record, house.now()), house.now()
        if group == latest.record:
            return
        try:
            casebook.put(house.state.change(), latest, group, now).commit()
            return
        except Conflict:
            latest = house.state.alert_group(stored.record.id)
    raise AssertionError(f"{stored.record.id} was written by others {_TRIES} times meanwhile")

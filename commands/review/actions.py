"""What is still to do: incidents that are open, postmortems that are missing, actions with owner and day, the lessons.

A private incident, and what is to be done about it, is named nowhere here: whoever may know of it finds it where it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from commands.called import names_of
from commands.finding import Finding, Light
from commands.model import Gap, Inquiry, Section
from commands.numbers.population import population, reason_against
from commands.numbers.window import Window
from commands.phrase import counted, span
from commands.response.incident import Dismissed, Glass, Incident, Milestone
from commands.response.task import Task
from commands.responsereads import OpenIncidents, Tasks
from commands.review.facts import Facts
from commands.review.telling import named
from commands.site import ClusterSite
from commands.wording import one_line, unread

TITLE = "What is open"
GRAVE = 2  # from here up a postmortem is owed
_WORKED = (Milestone.ACKNOWLEDGED, Milestone.MITIGATED)  # somebody took it for one


def inquiry(site: ClusterSite, facts: Facts, window: Window) -> Inquiry:
    read, asked = OpenIncidents(site.name), Tasks()
    seen = yield (read, asked)
    waiting: tuple[Incident, ...] | Gap = seen[read]
    tasks: tuple[Task, ...] | Gap = seen[asked]
    findings: list[Finding] = []
    if isinstance(waiting, Gap):
        findings.append(unread("OM-4.2", "Open incidents", waiting))
    else:
        real = [each for each in waiting if not reason_against(each) and not each.is_private]
        findings += [_active(real, facts.now), _owed(real, facts.now)]
    known = [] if isinstance(tasks, Gap) else [each for each in tasks if _is_meant(each, site)]
    alone = _alone(facts, window)
    none = _none(facts, window)
    asked_for = (
        *(each.owner for each in known),
        *(glass.by for _, glass in alone),
        *(said.by for _, said in none),
    )
    names = yield from names_of(asked_for)
    if isinstance(tasks, Gap):
        findings.append(unread("OM-4.6", "Actions", tasks))
    else:
        findings.append(_actions(known, names, facts))
    findings += [_glass(alone, names)] if alone else []
    findings += [_dismissed(none, names)] if none else []
    return Section("actions", TITLE, True, (*findings, *_lessons(facts, window)))


def _is_meant(task: Task, site: ClusterSite) -> bool:
    return task.is_active and not task.is_drill and not task.is_private and task.cluster in ("", site.name)


def _active(waiting: Sequence[Incident], now: datetime) -> Finding:
    active = [each for each in waiting if each.is_active]
    lines = tuple(f"{called(each)}, open for {span(now - each.opened)}" for each in active)
    light = Light.YELLOW if active else Light.GREEN
    return Finding("OM-4.2", "Open incidents", light, str(len(active) or "none"), evidence=lines)


def _owed(waiting: Sequence[Incident], now: datetime) -> Finding:
    owed = [each for each in waiting if not each.is_active and is_owed(each)]
    lines = tuple(f"{called(each)}, resolved {_ago(each, now)}" for each in owed)
    light = Light.YELLOW if owed else Light.GREEN
    said = named([each.id for each in owed]) or "none"
    return Finding("OM-4.2", "Postmortems missing", light, said, evidence=lines)


def is_owed(incident: Incident) -> bool:
    """Whether a grave one has neither a published postmortem nor anybody's word that it needs none."""
    report = incident.report
    return incident.severity <= GRAVE and report.published is None and not report.waived


def _ago(incident: Incident, now: datetime) -> str:
    resolved = incident.at(Milestone.RESOLVED)
    return f"{span(now - resolved)} ago" if resolved else "at a time nobody said"


def _actions(open_ones: Sequence[Task], names: Mapping[str, str], facts: Facts) -> Finding:
    """Those that are due first come first."""
    today = facts.now.astimezone(facts.zone).date()
    late = [each for each in open_ones if each.due < today]
    lines = tuple(
        f"{each.id} {one_line(each.title, 80)}: {names.get(each.owner, each.owner)}, "
        + (f"{counted((today - each.due).days, 'day')} late" if each in late else f"due {each.due:%d %b}")
        for each in sorted(open_ones, key=lambda task: (task.due, task.id))
    )
    said = f"{len(open_ones)} open, {len(late)} late" if open_ones else "none"
    light = Light.YELLOW if late else Light.GREEN
    return Finding("OM-4.6", "Actions", light, said, "none late", lines)


def _alone(facts: Facts, window: Window) -> list[tuple[Incident, Glass]]:
    """What one person approved alone in the window, or before it and nobody has reviewed."""
    every = ((each, glass) for each in facts.known_incidents() for glass in each.glass)
    return [(each, glass) for each, glass in every if window.has(glass.at) or glass.reviewed is None]


def _glass(alone: Sequence[tuple[Incident, Glass]], names: Mapping[str, str]) -> Finding:
    open_ones = [glass for _, glass in alone if glass.reviewed is None]
    lines = tuple(
        f"{_where(each, glass)}, by {names.get(glass.by, glass.by)}: "
        + ("reviewed" if glass.reviewed else "not reviewed")
        for each, glass in sorted(alone, key=lambda pair: pair[1].at)
    )
    light = Light.YELLOW if open_ones else Light.GREEN
    said = f"{counted(len(alone), 'change')} approved by one alone, {len(open_ones)} not reviewed"
    return Finding("EM-3.1", "Break-glass", light, said, "every one reviewed", lines)


def _where(incident: Incident, glass: Glass) -> str:
    if incident.is_private:
        return "one in a private incident"
    return f"{incident.id} {glass.request} {one_line(glass.line, 80)}"


def _none(facts: Facts, window: Window) -> list[tuple[Incident, Dismissed]]:
    """Grave ones that somebody was at work on, and that in the window were said to be none: they are in no numbers, and
    owe no postmortem."""
    return [
        (each, each.dismissed)
        for each in facts.known_incidents()
        if each.dismissed and window.has(each.dismissed.at)
        if each.severity <= GRAVE and not each.is_drill and any(each.at(name) for name in _WORKED)
    ]


def _dismissed(none: Sequence[tuple[Incident, Dismissed]], names: Mapping[str, str]) -> Finding:
    lines = tuple(
        f"{called(each)}: {each.status.value}, says {names.get(said.by, said.by)}: {one_line(said.why, 200)}"
        if not each.is_private
        else f"a private incident: {each.status.value}"
        for each, said in sorted(none, key=lambda pair: pair[1].at)
    )
    said = f"{counted(len(none), 'grave incident')} that somebody was at work on"
    return Finding("EM-4.4", "Said to be none", Light.YELLOW, said, evidence=lines)


def _lessons(facts: Facts, window: Window) -> Iterable[Finding]:
    """Of every grave incident that was resolved in the window; one without a lesson is named."""
    counted_ones = population(facts.known_incidents(), window).counted
    grave = [each for each in counted_ones if each.severity <= GRAVE and not each.is_private]
    if not grave:
        return
    lines = tuple(f"{called(each)}: {one_line(each.lessons) or 'nobody wrote one down'}" for each in grave)
    bare = [each.id for each in grave if not each.lessons]
    said = f"{len(grave) - len(bare)} of {counted(len(grave), 'incident')}"
    said += f"; none yet of {named(bare)}" if bare else ""
    yield Finding("KM-4.3", "Lessons", Light.YELLOW if bare else Light.GREEN, said, evidence=lines)


def called(incident: Incident) -> str:
    return f"{incident.id} Sev{incident.severity} {one_line(incident.title, 80)}"

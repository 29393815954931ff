"""What is still to do from incidents: those that are open, postmortems that are missing, actions, and the lessons."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from commands.finding import Finding, Light
from commands.model import Gap, Inquiry, Section
from commands.numbers.population import population, reason_against
from commands.numbers.window import Window
from commands.phrase import counted, span
from commands.response.incident import Incident, Milestone
from commands.responsereads import OpenIncidents
from commands.review.facts import Facts
from commands.review.telling import named
from commands.site import ClusterSite
from commands.wording import one_line, unread

TITLE = "What is open"
GRAVE = 2  # from here up a postmortem is owed


def inquiry(site: ClusterSite, facts: Facts, window: Window) -> Inquiry:
    read = OpenIncidents(site.name)
    seen = yield (read,)
    waiting: tuple[Incident, ...] | Gap = seen[read]
    if isinstance(waiting, Gap):
        return Section("actions", TITLE, True, (unread("OM-4.2", "Open incidents", waiting),))
    real = [each for each in waiting if not reason_against(each)]
    findings = (_active(real, facts.now), _owed(real, facts.now), _actions(real), *_lessons(facts, window))
    return Section("actions", TITLE, True, findings)


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


def _actions(waiting: Sequence[Incident]) -> Finding:
    having = [each for each in waiting if each.tasks]
    lines = tuple(
        f"{called(each)}: {counted(len(each.tasks), 'action')} ({named(each.tasks)})" for each in having
    )
    count = sum(len(each.tasks) for each in having)
    said = f"{counted(count, 'action')}, {counted(len(having), 'incident')} not closed" if count else "none"
    return Finding("OM-4.6", "Actions", Light.YELLOW if count else Light.GREEN, said, evidence=lines)


def _lessons(facts: Facts, window: Window) -> Iterable[Finding]:
    """Of every grave incident that was resolved in the window; one without a lesson is named."""
    grave = [each for each in population(facts.known_incidents(), window).counted if each.severity <= GRAVE]
    if not grave:
        return
    lines = tuple(f"{called(each)}: {_lesson(each)}" for each in grave)
    bare = [each.id for each in grave if not each.lessons]
    said = f"{len(grave) - len(bare)} of {counted(len(grave), 'incident')}"
    said += f"; none yet of {named(bare)}" if bare else ""
    yield Finding("KM-4.3", "Lessons", Light.YELLOW if bare else Light.GREEN, said, evidence=lines)


def _lesson(incident: Incident) -> str:
    if incident.is_private or incident.is_security:
        return "private"
    return one_line(incident.lessons) or "nobody wrote one down"


def called(incident: Incident) -> str:
    """With its title, unless it is not for all to read."""
    private = incident.is_private or incident.is_security
    return f"{incident.id} Sev{incident.severity} " + (
        "(private)" if private else one_line(incident.title, 80)
    )

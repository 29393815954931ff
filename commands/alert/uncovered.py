"""Incidents that no alert announced in time: part of `alert gaps`, and what `alert rank` takes for harm to users."""

from collections.abc import Generator, Iterable, Sequence
from datetime import datetime, timedelta

from commands.alertreads import OccurrencePage, Occurrences
from commands.finding import Finding, Light
from commands.model import Gap, Reads, Seen
from commands.numbers.coverage import AHEAD, GAPS, Coverage, alerts_of, covered, signals
from commands.numbers.failures import GRAVE
from commands.numbers.population import impacts, reason_against
from commands.numbers.spread import Stretch, union, within
from commands.phrase import counted, span
from commands.reads import Now
from commands.response.incident import Incident
from commands.responsereads import Incidents
from commands.site import ClusterSite
from commands.wording import unread

_KEY = "AW-3"
_SHOWN = 5
_MEND = "Each needs a rule that would have told: make it an action of the incident."


def finding(site: ClusterSite, window: timedelta) -> Generator[Reads, Seen, Finding]:
    label = f"Incidents of the last {span(window)}"
    now: datetime | Gap = (yield (Now(),))[Now()]
    if isinstance(now, Gap):
        return unread(_KEY, label, now)
    told, fired = Incidents(now - window, now, site.name), Occurrences(window + timedelta(days=1), site.name)
    seen = yield (told, fired)
    found: tuple[Incident, ...] | Gap = seen[told]
    page: OccurrencePage | Gap = seen[fired]
    if isinstance(found, Gap):
        return unread(_KEY, label, found)
    alerts = () if isinstance(page, Gap) else alerts_of(site, page.occurrences)
    heard = (*signals(found), *alerts)
    own = [each for each in found if each.opened >= now - window and _is_told(each)]
    judged = _judged(label, {each.id: (each, covered(each, heard)) for each in own})
    if isinstance(page, Gap) and judged.light is not Light.GREEN:
        return unread(_KEY, label, page)  # an alert that was not linked may have announced it
    return judged


def _is_told(incident: Incident) -> bool:
    """A private one is named in no list that others see."""
    return not reason_against(incident) and not incident.is_private


def _judged(label: str, classed: dict[str, tuple[Incident, Coverage]]) -> Finding:
    if not classed:
        return Finding(_KEY, label, Light.GREEN, "none was declared")
    gaps = [id for id, (_, kind) in classed.items() if kind in GAPS]
    lines = tuple(
        f"{id} Sev{each.severity} {each.service}".rstrip() + f": {kind.value}"
        for id, (each, kind) in classed.items()
        if kind is not Coverage.COVERED
    )
    whole, threshold = (
        counted(len(classed), "incident"),
        f"an alert from {span(AHEAD)} before until it is declared",
    )
    if not gaps:
        return Finding(_KEY, label, Light.GREEN, f"none of {whole} came without an alert", threshold, lines)
    value = f"{len(gaps)} of {whole} came without an alert in time"
    return Finding(_KEY, label, Light.YELLOW, value, threshold, lines, mend=_MEND)


def hurt(incidents: Iterable[Incident], start: datetime, now: datetime) -> tuple[Stretch, ...]:
    """When users were hurt by something grave, without overlap."""
    grave = (each for each in incidents if each.severity <= GRAVE and not reason_against(each))
    return within(union(stretch for each in grave for stretch in impacts(each, now)), start, now)


def undated(incidents: Sequence[Incident]) -> tuple[str, ...]:
    """Grave ones of which nobody said when users began to feel them."""
    grave = (each for each in incidents if each.severity <= GRAVE and _is_told(each))
    return tuple(each.id for each in grave if not impacts(each, each.updated))[:_SHOWN]

"""Which incidents an alert announced, and which people had to find out by themselves."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from commands.alertreads import Occurrence
from commands.numbers.population import Population
from commands.response.incident import Incident, Milestone
from commands.site import ClusterSite, ServiceSite

AHEAD = timedelta(minutes=10)  # an alert may come so long before users feel it


class Coverage(StrEnum):
    """UNANSWERED and SILENCED: an alert was there, and nobody was made to act; they are no gaps."""

    COVERED = "covered"
    UNANSWERED = "fired, not acknowledged"
    SILENCED = "fired, but silenced"
    LATE = "after it was declared"
    NONE = "no alert"


GAPS = frozenset({Coverage.LATE, Coverage.NONE})


@dataclass(frozen=True, slots=True)
class Signal:
    """An alert about a service. incident: the one it belongs to, "" for none."""

    service: str
    name: str
    started: datetime
    is_silenced: bool = False
    incident: str = ""


@dataclass(frozen=True, slots=True)
class Covered:
    """By id, of every incident that is counted."""

    classes: Mapping[str, Coverage]

    @property
    def eligible(self) -> int:
        return len(self.classes)

    @property
    def gaps(self) -> tuple[str, ...]:
        return tuple(id for id, kind in self.classes.items() if kind in GAPS)

    def of(self, kind: Coverage) -> tuple[str, ...]:
        return tuple(id for id, own in self.classes.items() if own is kind)


def signals(incidents: Iterable[Incident]) -> tuple[Signal, ...]:
    """The alerts that belong to incidents: of the service that each is about."""
    return tuple(
        Signal(each.service, link.name, link.started, link.is_silenced, each.id)
        for each in incidents
        for link in each.alerts
    )


def alerts_of(site: ClusterSite, occurrences: Iterable[Occurrence]) -> tuple[Signal, ...]:
    """The alerts that are about a service of the configuration, by what their labels name."""
    return tuple(
        Signal(service.name, each.name, each.starts_at)
        for each in occurrences
        for service in site.services.values()
        if _names(each, service)
    )


def _names(alert: Occurrence, service: ServiceSite) -> bool:
    named = {alert.labels.get(label) for label in ("service", "deployment", "job", "app")} - {None, ""}
    is_there = alert.labels.get("namespace", service.namespace) == service.namespace
    return is_there and bool(named & {service.name, service.service, service.deployment})


def coverage(found: Population, heard: Sequence[Signal]) -> Covered:
    """heard: every alert of the window that is known, of other incidents and of none as well."""
    return Covered({each.id: covered(each, heard) for each in found.counted})


def covered(incident: Incident, heard: Iterable[Signal]) -> Coverage:
    begun = incident.at(Milestone.STARTED) or incident.opened
    declared = incident.at(Milestone.DECLARED) or incident.opened
    ended = incident.at(Milestone.RESOLVED)
    own = [signal for signal in heard if _is_about(signal, incident)]
    if timely := [signal for signal in own if begun - AHEAD <= signal.started <= declared]:
        if all(signal.is_silenced for signal in timely):
            return Coverage.SILENCED
        return Coverage.COVERED if incident.at(Milestone.ACKNOWLEDGED) else Coverage.UNANSWERED
    is_late = any(declared < signal.started and (ended is None or signal.started <= ended) for signal in own)
    return Coverage.LATE if is_late else Coverage.NONE


def _is_about(signal: Signal, incident: Incident) -> bool:
    services = {incident.service, *incident.affected} - {""}
    return signal.incident == incident.id or signal.service in services

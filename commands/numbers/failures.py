"""Time between failures of a service: how long it was well, by how often it was not."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from commands.numbers.population import impacts, reason_against
from commands.numbers.spread import Stretch, total, union, within
from commands.numbers.window import Window
from commands.response.incident import Incident

GRAVE = 2  # Sev1 and Sev2 are failures


@dataclass(frozen=True, slots=True)
class Failures:
    """stretches: when the service failed, without overlap. unplaced: ids of grave incidents of which nobody said when
    they began, so that they are in none. ongoing: ids of those that users still feel, counted up to the window's end."""

    service: str
    window: Window
    stretches: tuple[Stretch, ...]
    unplaced: tuple[str, ...] = ()
    ongoing: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        return len(self.stretches)

    @property
    def down(self) -> timedelta:
        return total(self.stretches)

    @property
    def up(self) -> timedelta:
        return self.window.length - self.down

    @property
    def mtbf(self) -> float | None:
        """In seconds; None where nothing failed: then it is at least `up`, and nobody knows how much more."""
        return self.up.total_seconds() / self.n if self.n else None


def failures(incidents: Iterable[Incident], service: str, window: Window) -> Failures:
    """Of the service that was at fault; one that only suffered did not fail."""
    stretches: list[Stretch] = []
    unplaced, ongoing = [], []
    for each in incidents:
        if (
            each.service != service
            or each.severity > GRAVE
            or reason_against(each)
            or each.opened >= window.end
        ):
            continue
        found = within(impacts(each, window.end), window.start, window.end)
        stretches += found
        if not found and _is_unplaced(each, window.start):
            unplaced.append(each.id)
        if found and each.is_active and found[-1][1] == window.end:
            ongoing.append(each.id)
    return Failures(service, window, union(stretches), tuple(unplaced), tuple(ongoing))


def _is_unplaced(incident: Incident, start: datetime) -> bool:
    return not impacts(incident, incident.updated) and incident.opened >= start


def failed_services(incidents: Iterable[Incident]) -> tuple[str, ...]:
    """Services at fault in a grave incident, by name."""
    return tuple(
        sorted({e.service for e in incidents if e.service and e.severity <= GRAVE and not reason_against(e)})
    )

"""Answers what is asked of the bot's own records: incidents and their events.

Called by workers/reader.py.
"""

from typing import Any

from bot.records import Records
from commands.model import Read
from commands.response.incident import Incident
from commands.responsereads import EventsOf, HouseZone, IncidentOf, Incidents, OpenIncidents
from workers import ownstore


class RecordsSource:
    """zone: of the configuration."""

    def __init__(self, records: Records, zone: str) -> None:
        self._records = records
        self._zone = zone

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        return ((IncidentOf, OpenIncidents, HouseZone), (Incidents, EventsOf))

    def read(self, read: Read, deadline: float) -> Any:
        with ownstore.asked():
            return self._answer(read)

    def _answer(self, read: Read) -> Any:
        match read:
            case IncidentOf():
                stored = self._records.incident(read.id)
                return stored.record if stored else None
            case OpenIncidents():
                return _of(self._records.open_incidents(), read.cluster)
            case Incidents():
                return _of(self._records.told_between(read.start, read.end), read.cluster)
            case EventsOf():
                return self._records.events(read.id, read.start, read.count)
            case HouseZone():
                return self._zone
        raise LookupError(f"not a read of the records: {read}")


def _of(incidents: tuple[Incident, ...], cluster: str) -> tuple[Incident, ...]:
    return tuple(incident for incident in incidents if cluster in ("", incident.cluster))

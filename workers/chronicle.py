"""Follows the audit trail and writes what concerns an incident into its timeline.

Any number of workers may follow; whoever is slower finds the event there already, by the place of its line. Where the
last of them came to is kept in the store: after an hour away nothing is missing. Called by the rounds.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice

from bot.audit import view
from bot.casebook import Casebook
from bot.records import Records
from bot.state import State
from commands import chronicle
from commands.ledger import Draft
from commands.model import AlertGroup, Request
from commands.reads import AuditLine
from commands.response.incident import Incident
from commands.site import Site

# Where the trail was left, and how much of it is read in a turn.
_PLACE = "sre:chronicle"
_LINES = 500


class Chronicle:
    def __init__(
        self, state: State, site: Site, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._state = state
        self._records = Records(state, site, now)
        self._casebook = Casebook(state, site)

    def follow(self) -> bool:
        """Read on from where it was left; False when there was nothing new."""
        after = self._left()
        if after is None:
            return False
        lines = [view(entry, raw) for entry, raw in islice(self._state.trail.lines(after), _LINES)]
        active = self._records.open_incidents() if lines else ()
        for line in lines if active else ():
            self._tell(line, active)
        if lines:
            self._state.redis.set(_PLACE, lines[-1].entry)
        return bool(lines)

    def _left(self) -> str | None:
        """The first time it begins with what comes next: there can be no incident of before."""
        place = self._state.redis.get(_PLACE)
        if place is None:
            last = self._state.trail.last()
            self._state.redis.set(_PLACE, last, nx=True)
            return None
        return str(place.decode())

    def _tell(self, line: AuditLine, active: tuple[Incident, ...]) -> None:
        id = line.facts.get("id", "")
        if line.what == "entered" or not id:
            return  # what was entered into a record is there already
        if id.startswith("A"):
            self._tell_alert(line, id, active)
        elif id[0] in "RFT":
            self._tell_request(line, id)

    def _tell_request(self, line: AuditLine, id: str) -> None:
        stored = self._state.request(id)
        if stored is None:
            return
        told = chronicle.of_request(line, stored.record)
        incident = self._incident_of(stored.record) if told else ""
        if told and incident:
            self._add(incident, told)

    def _incident_of(self, request: Request) -> str:
        if named := request.args.flags.get("incident", ""):
            return self._records.whole(named)
        under = request.place.under.partition(" ")[0]
        if under.startswith("incident:"):
            return under.removeprefix("incident:")
        if under.startswith("alert:"):
            return self._records.of_group(under.removeprefix("alert:"))
        return self._records.in_room(request.place.channel, request.place.thread)

    def _tell_alert(self, line: AuditLine, id: str, active: tuple[Incident, ...]) -> None:
        stored = self._state.alert_group(id)
        if stored is None:
            return
        incident = self._records.of_group(id) or _concerned(stored.record, active)
        if not incident:
            return

        def making(now: Incident) -> list[Draft]:
            known = next((link for link in now.alerts if link.group == id), None)
            told = chronicle.of_group(line, stored.record, known)
            return [told] if told else []

        self._records.append_open(incident, making)

    def _add(self, incident: str, told: Draft) -> None:
        self._records.append_open(incident, lambda _: [told])


def _concerned(group: AlertGroup, active: tuple[Incident, ...]) -> str:
    """The newest open incident about the service of this alert."""
    found = (
        each.id for each in active if each.is_active and chronicle.is_of(group, each.service, each.cluster)
    )
    return next(found, "")

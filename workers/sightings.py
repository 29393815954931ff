"""Writes into an incident's timeline what changed in the cluster while nobody told the bot: deploys and their like.

While an incident is active its namespace is looked at every minute, by one worker; a change is known by what changed
and when, so each appears once. A cluster that gives no answer adds nothing, and is asked again. Called by the workers'
start.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event

from bot.records import Records
from bot.state import State, Taken
from bot.turns import in_turns
from commands import chronicle
from commands.model import Gap
from commands.response.incident import Incident
from commands.site import Site
from commands.triagereads import Changes, ChangesSeen
from workers.alone import alone
from workers.walk import Reader

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=1)
BEFORE = timedelta(hours=2)  # what changed just before it began belongs to its story

_TICK = timedelta(seconds=5)  # between two looks whether one is due
_WALL = 15.0  # seconds one look may take


class Sightings:
    """reader: for one look into one cluster."""

    def __init__(
        self,
        state: State,
        site: Site,
        reader: Callable[[str], Reader],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._state = state
        self._records = Records(state, site, now)
        self._site = site
        self._reader = reader
        self._now = now

    def run(self, stop: Event) -> None:
        """Look until told to stop."""
        in_turns(stop, _TICK, self.look_in_turn)

    def look_in_turn(self) -> None:
        """Look for each active incident, once a minute in all."""
        for incident in self._records.open_incidents():
            if not incident.is_active:
                continue
            try:
                self._state.change().once(f"sighted:{incident.id}", "1", EVERY).commit()
            except Taken:
                continue
            with alone(f"what changed around {incident.id}", incident.id):
                self.look(incident)

    def look(self, incident: Incident) -> None:
        """What changed since shortly before it began, as far as it is not in the timeline yet."""
        began = incident.opened - BEFORE
        read = Changes(self._namespace(incident), self._now() - began)
        seen: ChangesSeen | Gap = self._reader(incident.cluster).see((read,), time.monotonic() + _WALL)[read]
        if isinstance(seen, Gap):
            log.warning("%s: what changed was not read: %s", incident.id, seen.reason)
            return
        drafts = chronicle.of_changes(seen.changes, began)
        self._records.append_open(incident.id, lambda _: drafts)

    def _namespace(self, incident: Incident) -> str:
        """Of its service; "" looks at the whole cluster."""
        site = self._site.clusters.get(incident.cluster)
        service = site.services.get(incident.service) if site else None
        return service.namespace if service else ""

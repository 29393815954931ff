"""The lookout: duties that need a look outside, every five minutes and beside the rounds, so that a source that
hangs keeps no reminder back.

What fires here and is not known to Alertmanager any more ends; who owns which namespace is noted for the
intake, which asks nobody but the store. A source that gives no answer changes nothing.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

from bot import duties
from bot.casebook import Casebook
from bot.state import Conflict, State, Stored, Taken
from bot.turns import in_turns
from commands.alertreads import AmAlerts
from commands.model import AlertGroup, Gap, Read
from commands.site import Site
from commands.triagereads import CHANNEL, OWNER, NamespaceNotes
from workers.alone import alone
from workers.walk import Reader

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=5)

# How long the store believes what it was told of namespaces that cannot be read any more.
NOTES = timedelta(hours=1)

# How long an address is known to be that of the Alertmanager that is asked: of one whose alerts it had.
SENDERS = timedelta(days=30)

_TICK = timedelta(seconds=5)

_WALL = 15.0  # seconds one look may take


class Lookout:
    """reader: for one look into one cluster."""

    def __init__(
        self,
        state: State,
        site: Site,
        reader: Callable[[str], Reader],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._state = state
        self._site = site
        self._reader = reader
        self._casebook = Casebook(state, site)
        self._now = now

    def run(self, stop: Event) -> None:
        """Look out until told to stop, one worker each time."""

        def look() -> None:
            for cluster in self._site.clusters:
                if not stop.is_set():
                    self._look_if_due(cluster)

        in_turns(stop, _TICK, look)

    def _look_if_due(self, cluster: str) -> None:
        with alone(f"a look into {cluster}"), suppress(Taken):  # by another worker
            self._state.change().once(f"lookout:{cluster}", "1", EVERY).commit()
            self.look(cluster)

    def look(self, cluster: str) -> None:
        """Both looks into one cluster."""
        reads: tuple[Read, ...] = (AmAlerts(), NamespaceNotes())
        seen = self._reader(cluster).see(reads, time.monotonic() + _WALL)
        for read, then in ((reads[0], self.compare), (reads[1], self.note)):
            if isinstance(seen[read], Gap):
                log.warning("%s: %s", cluster, seen[read].reason)
            else:
                then(cluster, seen[read])

    def compare(self, cluster: str, known: Any) -> None:
        """End what Alertmanager does not have, in this look and in the one before."""
        fingerprints = frozenset(alert.fingerprint for alert in known)
        labels = {tuple(sorted(alert.labels.items())) for alert in known}
        before = frozenset(self._state.recall(f"absent-{cluster}").split())
        senders = set(self._state.recall(f"senders-{cluster}").split())
        absent: set[str] = set()
        for stored in self._groups(cluster):
            group = stored.record
            same = {a.fingerprint for a in group.firing if tuple(sorted(a.labels.items())) in labels}
            if same or any(alert.fingerprint in fingerprints for alert in group.firing):
                senders.add(_sender(group))
            if group.external_url and _sender(group) not in senders:
                continue  # of another Alertmanager, or of Grafana: this one never had it
            gone = duties.absent(group, fingerprints | same, self._now())
            again = frozenset(each for each in gone if f"{group.id}/{each}" in before)
            absent |= {f"{group.id}/{each}" for each in gone - again}
            if again:
                self._end(stored, again)
        self._state.remember(f"absent-{cluster}", " ".join(sorted(absent)), 3 * EVERY)
        self._state.remember(f"senders-{cluster}", " ".join(sorted(senders)), SENDERS)

    def _groups(self, cluster: str) -> list[Stored[AlertGroup]]:
        """Those of this cluster; with one cluster, also those that name none."""
        own = {cluster, ""} if len(self._site.clusters) == 1 else {cluster}
        return [stored for stored, _ in self._casebook.watched() if stored.record.cluster in own]

    def _end(self, stored: Stored[AlertGroup], gone: frozenset[str]) -> None:
        now = self._now()
        group = duties.without(stored.record, gone, now)
        change = self._casebook.put(self._state.change(), stored, group, now)
        change.audit("alert gone", id=group.id, cluster=group.cluster, resolved=str(len(gone)))
        try:
            change.commit()
        except Conflict:
            log.info("%s was written meanwhile: looked at again next time", group.id)

    def note(self, cluster: str, namespaces: Any) -> None:
        """Note who owns which namespace, for bot/intake.py."""
        keys = {"owner": OWNER, "channel": CHANNEL}
        told = {
            namespace: {key: notes[name] for key, name in keys.items() if notes.get(name)}
            for namespace, notes in namespaces.items()
        }
        self._state.remember(f"notes-{cluster}", json.dumps(told, sort_keys=True), NOTES)


def _sender(group: AlertGroup) -> str:
    """By whose address its alerts came, in a word."""
    return hashlib.sha256(group.external_url.encode()).hexdigest()[:16]

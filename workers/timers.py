"""Fires what is due of the records: any number of workers, each thing once, late ones too.

What is due is decided purely (commands/clockwork.py) on the record as it is, and stored by compare-and-set. Called by
the rounds.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bot.book import Book
from bot.ears import TALKED
from bot.records import Records
from bot.state import State
from bot.taskrecords import TaskRecords
from commands import clockwork, taskclock
from commands.response.incident import Incident
from commands.site import Site
from workers.alone import alone


class Timers:
    def __init__(
        self, state: State, site: Site, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._state = state
        self._records = Records(state, site, now)
        self._tasks = TaskRecords(state, site, now)
        self._site = site
        self._now = now

    def fire(self) -> None:
        """Do what is due now."""
        for id in self._due(self._records):
            with alone(f"what is due of {id}", id):
                self._records.append(
                    id, lambda each: clockwork.due(self._heard(each), self._now(), self._site)
                )
        for id in self._due(self._tasks):
            with alone(f"what is due of {id}", id):
                self._tasks.append(id, lambda task: taskclock.due(task, self._now(), self._site))

    def _heard(self, incident: Incident) -> Incident:
        """With when people last talked there: what nobody marked is in no event, and still somebody is on it."""
        talked = self._state.recall(TALKED + incident.id)
        known = [
            each for each in (incident.heard, datetime.fromisoformat(talked) if talked else None) if each
        ]
        return replace(incident, heard=max(known, default=None))

    def _due(self, book: Book[Any]) -> list[str]:
        return [member.partition(":")[2] for member in book.due(self._now())]

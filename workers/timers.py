"""Fires what is due of the records: any number of workers, each thing once, late ones too.

What is due is decided purely (commands/clockwork.py) on the record as it is, and stored by compare-and-set. Called by
the rounds.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from redis.exceptions import RedisError

from bot.book import Book
from bot.records import Records
from bot.state import State
from bot.taskrecords import TaskRecords
from commands import clockwork, taskclock
from commands.site import Site

log = logging.getLogger(__name__)


class Timers:
    def __init__(
        self, state: State, site: Site, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._records = Records(state, site, now)
        self._tasks = TaskRecords(state, site, now)
        self._site = site
        self._now = now

    def fire(self) -> None:
        """Do what is due now."""
        for id in self._due(self._records):
            with _alone(id):
                self._records.append(id, lambda incident: clockwork.due(incident, self._now(), self._site))
        for id in self._due(self._tasks):
            with _alone(id):
                self._tasks.append(id, lambda task: taskclock.due(task, self._now(), self._site))

    def _due(self, book: Book[Any]) -> list[str]:
        return [member.partition(":")[2] for member in book.due(self._now())]


@contextmanager
def _alone(id: str) -> Iterator[None]:
    """What is wrong with one record must not keep the clock of the others from being looked at."""
    try:
        yield
    except RedisError:
        raise
    except Exception:
        log.exception("what is due of %s could not be done", id)

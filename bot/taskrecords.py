"""The records of tasks: how they are folded, and by what they are found beside their id.

How they are written and read is in bot/book.py. Called by bot/clerk.py and the rounds; read by bot/desk.py and
workers/records.py.
"""

from collections.abc import Iterable
from datetime import datetime

from bot.book import Book
from bot.shelf import Shelf
from bot.state import Change
from commands import taskclock
from commands.ledger import Draft, Event
from commands.response import taskfold
from commands.response.task import Task


class TaskRecords(Book[Task]):
    shelf = Shelf("task", "sre:tasks", "sre:tasks:due")

    def _begun(self, id: str, event: Event) -> Task:
        return taskfold.begun(id, event)

    def _after(self, record: Task, event: Event) -> Task:
        return taskfold.after(record, event)

    def _consequences(self, before: Task | None, record: Task) -> Iterable[Draft]:
        return taskclock.consequences(before, record, self._now(), self._site)

    def _index(self, change: Change, record: Task) -> None:
        if record.incident:
            change.pipe.sadd(_of(record.incident), record.id)

    def of_incident(self, id: str) -> tuple[Task, ...]:
        """The actions of an incident, the oldest first."""
        ids: set[bytes] = self._redis.smembers(_of(id))
        return self._all(sorted(ids))

    def told(self, since: datetime | None) -> tuple[Task, ...]:
        """Those that are open, newest first; since: with those whose record was written since then."""
        if since is None:
            return self.open_records()
        found = self._all(self._redis.zrevrange(self.shelf.every, 0, -1))
        return tuple(each for each in found if each.is_active or each.updated >= since)


def _of(incident: str) -> str:
    return f"sre:tasks:of:{incident}"

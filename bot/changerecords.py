"""The records of change requests: how they are folded and numbered, and in whose thread something was typed.

How they are written and read is in bot/book.py. Called by bot/clerk.py and the workers.
"""

from collections.abc import Callable, Iterable
from datetime import date

from bot.book import Book, Shelf
from bot.state import THREADS
from commands import changeclock
from commands.ledger import Draft, Event
from commands.response import changefold
from commands.response.changerequest import ChangeRequest

Making = Callable[[ChangeRequest], Iterable[Draft]]


class ChangeRecords(Book[ChangeRequest]):
    shelf = Shelf("change", "sre:changes", "sre:changes:due")

    def _begun(self, id: str, event: Event) -> ChangeRequest:
        return changefold.begun(id, event)

    def _after(self, record: ChangeRequest, event: Event) -> ChangeRequest:
        return changefold.after(record, event)

    def _consequences(self, before: ChangeRequest | None, record: ChangeRequest) -> Iterable[Draft]:
        return changeclock.consequences(before, record, self._site)

    def next_id(self, day: date, form: str) -> str:
        """The next id of a day, as `change.id` of the configuration has it; a number is given once."""
        return day.strftime(form).format(n=self._count("CR", day))

    def told_in(self, channel: str, thread: str) -> str:
        """The id of the one in the thread of whose card this is, "" where none is."""
        told = self._redis.hget(THREADS, f"{channel} {thread}") if thread else None
        kind, _, id = (told or b"").decode().partition(" ")[0].partition(":")
        return id if kind == "change" else ""

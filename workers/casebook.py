"""Answers what is asked of the bot's own store about alerts: a group, the open ones, all that fired, who is who.

Called by workers/reader.py.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from bot.casebook import Casebook
from commands.alertreads import Called, GroupOf, Occurrences, OpenGroups
from commands.model import Read
from workers import ownstore


class CasebookSource:
    """called: what people call a user, "" for one that is not known."""

    def __init__(
        self,
        casebook: Casebook,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        called: Callable[[str], str] = lambda user: "",
    ) -> None:
        self._casebook = casebook
        self._now = now
        self._called = called

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        return ((GroupOf, OpenGroups, Called), (Occurrences,))

    def read(self, read: Read, deadline: float) -> Any:
        with ownstore.asked():
            return self._answer(read)

    def _answer(self, read: Read) -> Any:
        match read:
            case GroupOf():
                found = self._casebook.named(read.id)
                return found[0] if len(found) == 1 else None
            case OpenGroups():
                return self._casebook.open_groups(read.cluster)
            case Occurrences():
                return self._casebook.occurrences(read.window, self._now(), read.cluster)
            case Called():
                return {user: name for user in read.users if (name := self._called(user))}
        raise LookupError(f"not a read of the casebook: {read}")

"""Hand-written fakes at our own seams."""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from commands.model import Gap, Read, Reads, Seen
from commands.reads import Now


class FakeReader:
    """Answers reads from a table by type; what is not in it is a Gap. `hang` holds every answer back.

    What it promises (every read answered or a Gap, never later than the deadline) is held for the real
    Reader by tests/edges/test_reader.py.
    """

    def __init__(self, answers: Mapping[type[Read], Any] | None = None) -> None:
        self.answers = {Now: datetime.now(UTC), **(answers or {})}
        self.asked: list[Read] = []
        self.before: Callable[[Read], None] = lambda read: None
        self.hang = threading.Event()
        self.hang.set()

    def see(self, reads: Reads, deadline: float) -> Seen:
        self.hang.wait()
        return Seen({read: self._answer(read) for read in reads})

    def _answer(self, read: Read) -> Any:
        self.asked.append(read)
        self.before(read)
        return self.answers.get(type(read), Gap("nobody answers", "start somebody"))

"""Hand-written fakes at our own seams."""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from commands.effects import Done, Effect, Outcome
from commands.errors import Unanswered
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


class FakeEffects:
    """Takes every effect, but for what `script` says of a target's name: its outcomes in turn, the last for ever.

    `sent` is what was asked for, in order; `taken` the names of targets whose effect was taken.
    """

    def __init__(self, script: Mapping[str, list[Outcome | Unanswered]] | None = None) -> None:
        self._script = {name: list(outcomes) for name, outcomes in (script or {}).items()}
        self.sent: list[Effect] = []
        self.taken: set[str] = set()
        self.before: Callable[[Effect], None] = lambda effect: None
        self._lock = threading.Lock()

    def apply(self, effect: Effect, deadline: float) -> Outcome:
        self.before(effect)
        with self._lock:
            self.sent.append(effect)
            outcome = self._next(effect.target.name)
            if isinstance(outcome, Done):
                self.taken.add(effect.target.name)
        if isinstance(outcome, Unanswered):
            raise outcome
        return outcome

    def _next(self, name: str) -> Outcome | Unanswered:
        outcomes = self._script.get(name) or [Done()]
        return outcomes.pop(0) if len(outcomes) > 1 else outcomes[0]

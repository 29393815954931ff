"""Runs reads: in parallel, each once, each answered or given up in time.

Owns the promise the rest of the house builds on: `see` comes back within `per_read`, or the patience of a
read that has more (and never after the wall), with an answer or a `Gap` for every read, whatever the sources
do. It catches `Unanswered` only; any other exception is a bug and comes out of `see` as it is. It must never
wait for a thread: a source that hangs keeps its daemon thread, and loses its place to the next read.
A `Reader` lives for one run and remembers its answers; the sources behind it are shared by all runs.
"""

import collections
import re
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from commands.errors import TimedOut, Unanswered
from commands.model import Gap, Read, Reads, Seen
from commands.version import VERSION

# How many reads of one lane run at a time. A source has a lane per server it asks, so that thirty queries to
# a Prometheus that hangs leave Grafana and the Kubernetes API their own threads.
WIDTH = 8

# Sources get the deadline too and mostly keep it; the margin lets their own, better reason arrive first.
MARGIN_SECONDS = 0.2


class Source(Protocol):
    """A client of one vendor. `deadline` is on the clock of time.monotonic()."""

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        """The reads it answers; those of one tuple share their threads, and wait for each other."""
        ...

    def read(self, read: Read, deadline: float) -> Any:
        """The answer the Read's docstring promises; raises Unanswered, and nothing else but bugs."""
        ...


class Watch(Protocol):
    """Is told of every read (workers/watching.py)."""

    def reading(self, source: object, read: Read) -> AbstractContextManager[None]:
        """Around one read, on its own thread."""
        ...

    def answered(self, source: object, read: Read, seconds: float, error: Unanswered | None) -> None:
        """Once for each read that was begun, when it was answered or given up."""
        ...


class Unwatched:
    def reading(self, source: object, read: Read) -> AbstractContextManager[None]:
        return nullcontext()

    def answered(self, source: object, read: Read, seconds: float, error: Unanswered | None) -> None:
        """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer as the clients pass it among themselves; `cut` when the body was longer than kept."""

    status: int
    content_type: str
    body: bytes
    took: timedelta
    retry_after: timedelta | None = None
    location: str = ""
    cut: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def is_html(self) -> bool:
        return "html" in self.content_type.lower() or self.body.lstrip()[:1] == b"<"


def seconds_header(value: str | None) -> timedelta | None:
    """A Retry-After in seconds; its other form, a date, is as good as none to us."""
    return timedelta(seconds=int(value)) if value and value.isascii() and value.isdigit() else None


def user_agent() -> str:
    """How API servers and proxies see the bot, so that flow schemas and logs can tell it apart."""
    return f"sre-bot/{VERSION}"


class _Flight:
    """One read on its way; `landed` is set once and for ever."""

    def __init__(self, read: Read, deadline: float) -> None:
        self.read = read
        self.deadline = deadline
        self.context = copy_context()  # of who asked, whoever opens a seat for it
        self.landed = threading.Event()
        self.answer: Any = None
        self.bug: BaseException | None = None
        self.is_running = False
        self.began = 0.0


class _Lane:
    """The threads for one server. A flight that is given up no longer counts against the width."""

    def __init__(self, source: Source, width: int, watch: Watch) -> None:
        self._source = source
        self._width = width
        self._watch = watch
        self._lock = threading.Lock()
        self._waiting: collections.deque[_Flight] = collections.deque()
        self._busy = 0

    def board(self, flight: _Flight) -> None:
        with self._lock:
            self._waiting.append(flight)
            self._open_seats()

    def give_up(self, flight: _Flight) -> None:
        with self._lock:
            if flight.landed.is_set():
                return
            _too_late(flight)
            if flight.is_running:
                self._busy -= 1
                self._tell(flight, TimedOut(flight.answer.reason))
            else:
                self._waiting.remove(flight)
            self._open_seats()

    def _tell(self, flight: _Flight, error: Unanswered | None) -> None:
        self._watch.answered(self._source, flight.read, time.monotonic() - flight.began, error)

    def _open_seats(self) -> None:
        while self._waiting and self._busy < self._width:
            flight = self._waiting.popleft()
            if time.monotonic() >= flight.deadline:
                _too_late(flight)
                continue
            self._busy += 1
            flight.is_running = True
            flight.began = time.monotonic()
            name = f"read-{type(flight.read).__name__}"
            threading.Thread(
                target=flight.context.run, args=(self._fly, flight), name=name, daemon=True
            ).start()

    def _fly(self, flight: _Flight) -> None:
        answer: Any = None
        bug: BaseException | None = None
        missing: Unanswered | None = None
        try:
            with self._watch.reading(self._source, flight.read):
                answer = self._source.read(flight.read, flight.deadline)
        except Unanswered as error:
            answer, missing = Gap.of(error), error
        except BaseException as error:  # not handled here: carried to the caller's thread
            bug = error
        with self._lock:
            if flight.landed.is_set():
                return
            if bug is None:
                self._tell(flight, missing)
            flight.answer, flight.bug = answer, bug
            flight.landed.set()
            self._busy -= 1
            self._open_seats()


class Reader:
    """watch: is told of every read."""

    def __init__(
        self,
        sources: Sequence[Source],
        per_read: timedelta = timedelta(seconds=5),
        *,
        width: int = WIDTH,
        watch: Watch | None = None,
    ) -> None:
        self._per_read = per_read.total_seconds()
        self._lanes: dict[type[Read], _Lane] = {}
        for source in sources:
            for kinds in source.lanes():
                self._lanes.update(dict.fromkeys(kinds, _Lane(source, width, watch or Unwatched())))
        self._flights: dict[Read, _Flight] = {}
        self._lock = threading.Lock()

    def see(self, reads: Reads, wall: float = float("inf")) -> Seen:
        """What the sources say to these; `wall` is the time.monotonic() at which the run must be over.

        May be called from several threads: a read that is under way is waited for, not asked again.
        """
        now = time.monotonic()
        flights = [
            self._flight(read, min(now + max(self._per_read, read.patience), wall))
            for read in dict.fromkeys(reads)
        ]
        for flight in flights:
            latest = min(flight.deadline + MARGIN_SECONDS, wall)
            if not flight.landed.wait(max(0.0, latest - time.monotonic())):
                self._lanes[type(flight.read)].give_up(flight)
        for flight in flights:
            if flight.bug is not None:
                raise flight.bug
        return Seen({flight.read: flight.answer for flight in flights})

    def _flight(self, read: Read, deadline: float) -> _Flight:
        if type(read) not in self._lanes:
            raise LookupError(f"no source handles {type(read).__name__}")
        with self._lock:
            known = self._flights.get(read)
            if known is not None:
                return known
            flight = self._flights[read] = _Flight(read, deadline)
        self._lanes[type(read)].board(flight)
        return flight


def _too_late(flight: _Flight) -> None:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(flight.read).__name__).lower()
    why = "no answer in time"
    if not flight.is_running:
        why = "not asked, its source is still busy with earlier questions"
    flight.answer = Gap(f"{words}: {why}", silent=flight.is_running)
    flight.landed.set()

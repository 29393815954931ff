"""Triage beside the queue: a bounded number of diagnoses at a time, so that a storm keeps nobody waiting.

A job that finds every place taken goes away; its request stays open, and the sweeper brings it back. What was
found to be the matter is noted on the alert's own card here, too. Called by workers/jobs.py and workers/engine.py.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from threading import Lock, Thread

from bot import alertcause
from bot.casebook import Casebook
from bot.state import Change, Conflict, Stored
from commands.model import AlertGroup, Cause, Request
from commands.triage.rule import verdict
from workers.house import House

log = logging.getLogger(__name__)

# Diagnoses of one worker at a time. Each mostly waits for others, at most for a run's whole time.
PLACES = 4

_TRIES = 25


class Bay:
    """Runs each job on a thread of its own while there is a place."""

    def __init__(self, run: Callable[[str], None], places: int = PLACES) -> None:
        self._run = run
        self._places = places
        self._lock = Lock()
        self._running: dict[str, Thread] = {}

    def take(self, id: str) -> bool:
        """Begin with it; False when every place is taken, or it is under way."""
        with self._lock:
            if id in self._running or len(self._running) >= self._places:
                return False
            thread = Thread(target=self._work, args=(id,), name=f"triage-{id}", daemon=True)
            thread.start()  # before it has its place: one that cannot start would keep it for ever
            self._running[id] = thread
        return True

    def _work(self, id: str) -> None:
        try:
            self._run(id)
        finally:
            with self._lock:
                del self._running[id]

    def close(self, seconds: float) -> None:
        """Let what runs come to its end, so long at most: what does not is taken over by another worker."""
        deadline = time.monotonic() + seconds
        with self._lock:
            running = list(self._running.values())
        for thread in running:
            thread.join(max(0.0, deadline - time.monotonic()))


def is_triage(request: Request) -> bool:
    return request.place.under.startswith("alert:")


def seen_until(house: House, request: Request) -> datetime | None:
    """Up to which news of its alert a diagnosis that begins now looks; None of what is no alert's own."""
    stored = _own(house, request)
    if stored is None:
        return None
    is_taken_over = any(section.done for section in request.sections)
    return request.created if is_taken_over else stored.record.updated


def is_moot(house: House, request: Request) -> bool:
    """Whether it was asked for anew and all is over already: what was found while it fired is worth more."""
    stored = _own(house, request) if request.again else None
    return stored is not None and not stored.record.firing and not any(s.done for s in request.sections)


def note_cause(house: House, request: Request) -> None:
    """Write what is known to be the matter on the card of the alert; nothing where a newer triage has taken over.

    After each save of the request, so that nobody waits for the rest of it.
    """
    found = _found(house, request)
    for _ in range(_TRIES):
        stored = _own(house, request)
        if found is None or stored is None or stored.record.cause == found:
            return
        try:
            _put(house, house.state.change(), stored, found).commit()
        except Conflict:
            continue
        return
    log.warning("%s: the cause is not on the card, the group is being written by others", request.id)


def finish_in_step(
    house: House, stored: Stored[Request], finish: Callable[[Change], None], since: datetime | None = None
) -> None:
    """Finish a request, in one step with what the card of its alert says from now on where it is the diagnosis of one.
    Where something else fires by now than it looked at (`seen_until`), it is asked for anew instead: news that come
    later find it over and ask for it themselves."""
    for tried in range(1, _TRIES + 1):
        change, group = house.state.change(), _own(house, stored.record)
        if group and since and alertcause.is_other(group.record, since):
            asked = alertcause.anew(stored.record, house.now())
            change.put(asked, was=stored.version).wake(asked, alertcause.PAUSE).commit()
            return
        if group:
            _put(house, change, group, _found(house, stored.record))
        try:
            return finish(change)
        except Conflict as moved:
            if tried == _TRIES or not str(moved).startswith("sre:alert:"):
                raise


def _found(house: House, request: Request) -> Cause | None:
    """What is the matter, by all that is read; where all was over before it was read again, by what was read before."""
    sections = request.sections
    if not any(section.done for section in sections):
        sections = tuple(replace(section, done=True) for section in sections)
    found = verdict(sections)
    return replace(found, suggestions=house.offered(found.suggestions, request.cluster)) if found else None


def _put(house: House, change: Change, stored: Stored[AlertGroup], found: Cause | None) -> Change:
    group = replace(stored.record, cause=found, looking=False)
    return Casebook(house.state, house.site).put(change, stored, group, house.now())


def _own(house: House, request: Request) -> Stored[AlertGroup] | None:
    """The alert whose diagnosis this is; None where a newer one has taken over."""
    stored = house.state.alert_group(_group_of(request)) if is_triage(request) else None
    return stored if stored and stored.record.triage == request.id else None


def _group_of(request: Request) -> str:
    return request.place.under.partition(" ")[0].removeprefix("alert:")

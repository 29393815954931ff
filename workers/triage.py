"""Triage beside the queue: a bounded number of diagnoses at a time, so that a storm keeps nobody waiting.

A job that finds every place taken goes away; its request stays open, and the sweeper brings it back. What was
found to be the matter is noted on the alert's own card here, too. Called by workers/jobs.py and workers/engine.py.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from threading import Lock, Thread

from bot.casebook import Casebook
from bot.state import Conflict
from commands.model import Request
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


def note_cause(house: House, request: Request) -> None:
    """Write what is known to be the matter on the card of the alert; nothing where a newer triage has taken over.

    After each save of the request, and once more before its end, so that whoever takes over a request whose worker
    died does it, too.
    """
    found = verdict(request.sections)
    if found is None or not is_triage(request):
        return
    cause = replace(found, suggestions=house.offered(found.suggestions, request.cluster))
    casebook = Casebook(house.state, house.site)
    for _ in range(_TRIES):
        stored = house.state.alert_group(_group_of(request))
        if stored is None or stored.record.triage != request.id or stored.record.cause == cause:
            return
        try:
            casebook.put(
                house.state.change(), stored, replace(stored.record, cause=cause), house.now()
            ).commit()
        except Conflict:
            continue
        return
    log.warning("%s: the cause is not on the card, the group is being written by others", request.id)


def _group_of(request: Request) -> str:
    return request.place.under.partition(" ")[0].removeprefix("alert:")

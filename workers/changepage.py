"""Tells the status page of planned changes: whenever one that is announced there changes, each time at least once.

What is to be told is a timer of the change request, which fires when the page has taken it. A page that does not take it is
tried again with growing waits, and the thread of the change says so once.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event

from redis.exceptions import RedisError

from bot.changerecords import ChangeRecords
from bot.state import State
from commands import changeclock, changewatch
from commands.errors import Unanswered
from commands.response.changeevents import Kind, draft
from commands.response.changerequest import ChangeRequest
from commands.site import Site
from workers.http import Http
from workers.statuspage import send

log = logging.getLogger(__name__)

_TICK = 1.0  # seconds between two looks
_WAITS = (5, 15, 60, 300)  # seconds between tries, the last one repeated
_TRIED = timedelta(days=2)


class ChangePage:
    """token: sent as a bearer token, "" for none."""

    def __init__(
        self,
        state: State,
        site: Site,
        token: str = "",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._state = state
        self._site = site
        self._token = token
        self._now = now
        self._changes = ChangeRecords(state, site, now)
        self._http = Http()

    def run(self, stop: Event) -> None:
        """Tell until told to stop, one worker at a time."""
        while not stop.wait(_TICK):
            try:
                with self._state.lease("changepage") as is_ours:
                    if is_ours:
                        self.tell_due()
            except RedisError as error:
                log.warning("the status page waits for the store: %s", error)
            except Exception:
                log.exception("a change could not be told to the status page")
        self._http.close()

    def tell_due(self) -> None:
        """Tell what is due now."""
        for member in self._changes.due(self._now()):
            stored = self._changes.stored(member.partition(":")[2])
            at = stored.record.timer(changeclock.PAGE) if stored else None
            if stored and at and at <= self._now() and not self._state.recall(_rest(stored.record)):
                self._tell(stored.record, at)

    def _tell(self, change: ChangeRequest, at: datetime) -> None:
        url = self._site.clusters.get(change.payload.cluster, self._site).urls.status_page_webhook
        try:
            send(self._http, url, self._token, f"{change.id}-{at.isoformat()}", changewatch.on_page(change))
        except Unanswered as error:
            self._again_later(change, error.reason)
            return
        fired = changeclock.fired(changeclock.PAGE, at)
        self._changes.append(change.id, lambda now: [fired] if now.timer(changeclock.PAGE) == at else [])

    def _again_later(self, change: ChangeRequest, reason: str) -> None:
        rest = _rest(change)
        tries = int(self._state.recall(f"{rest}:tries") or "0")
        self._state.remember(rest, "1", timedelta(seconds=_WAITS[min(tries, len(_WAITS) - 1)]))
        self._state.remember(f"{rest}:tries", str(tries + 1), _TRIED)
        text = f"the status page does not have it yet: {reason}. It is tried again"
        nudge = replace(draft(Kind.NOTE, text), is_told=True, key="page failed")
        self._changes.append(change.id, lambda _: [nudge])


def _rest(change: ChangeRequest) -> str:
    return f"rest-{change.id}-page"

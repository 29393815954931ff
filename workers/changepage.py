"""Tells the status page of planned changes: whenever one that is announced there changes, each time at least once.

What is to be told is a timer of the change request, which fires when the page has taken it. A page that does not take it is
tried again with growing waits, and the thread of the change says so once.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event

from bot.changerecords import ChangeRecords
from bot.state import State
from bot.turns import in_turns
from commands import changeclock, changewatch
from commands.errors import Unanswered
from commands.response.changeevents import Kind, draft
from commands.response.changerequest import ChangeRequest
from commands.site import Site
from workers.alone import alone
from workers.http import Http
from workers.statuspage import rest_longer, send

_TICK = timedelta(seconds=1)  # between two looks


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
        in_turns(stop, _TICK, self._tell_in_turn)
        self._http.close()

    def _tell_in_turn(self) -> None:
        with self._state.lease("changepage") as is_ours:
            if is_ours:
                self.tell_due()

    def tell_due(self) -> None:
        """Tell what is due now."""
        for member in self._changes.due(self._now()):
            id = member.partition(":")[2]
            with alone(f"what the status page is to be told of {id}", id):
                self._tell_if_due(id)

    def _tell_if_due(self, id: str) -> None:
        stored = self._changes.stored(id)
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
        rest_longer(self._state, _rest(change))
        text = f"the status page does not have it yet: {reason}. It is tried again"
        nudge = replace(draft(Kind.NOTE, text), is_told=True, key="page failed")
        self._changes.append(change.id, lambda _: [nudge])


def _rest(change: ChangeRequest) -> str:
    return f"rest-{change.id}-page"

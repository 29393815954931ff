"""Posts status updates of incidents to the webhook of the status page, each at least once.

What is to be posted is a timer of the incident ("statuspage:2"), which fires when the page has taken it: a worker that
dies in between posts it again under the same Idempotency-Key. A page that does not take it is tried again with growing
waits, and the incident says so once. Redirects are not followed, and the token is never in a reason.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event

import orjson

from bot.records import Records
from bot.state import State
from bot.turns import in_turns
from commands.clockwork import STATUS_PAGE
from commands.errors import Unanswered
from commands.response.events import Kind, draft
from commands.response.incident import Incident, StatusUpdate, Timer
from commands.site import Site
from workers.alone import alone
from workers.http import Ask, Http

_TICK = timedelta(seconds=1)  # between two looks
_WAITS = (5, 15, 60, 300)  # seconds between tries, the last one repeated
_TRIED = timedelta(days=2)


class StatusPage:
    """token: sent as a bearer token, "" for none."""

    def __init__(
        self,
        state: State,
        site: Site,
        token: str = "",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._state = state
        self._records = Records(state, site, now)
        self._site = site
        self._token = token
        self._now = now
        self._http = Http()

    def run(self, stop: Event) -> None:
        """Post until told to stop, one worker at a time."""
        in_turns(stop, _TICK, self._post_in_turn)
        self._http.close()

    def _post_in_turn(self) -> None:
        with self._state.lease("statuspage") as is_ours:
            if is_ours:
                self.post_due()

    def post_due(self) -> None:
        """Post what is due now."""
        for incident in self._records.open_incidents():
            for timer in incident.timers:
                if (
                    timer.key.startswith(STATUS_PAGE)
                    and timer.fired is None
                    and self._may_try(incident, timer)
                ):
                    with alone(f"{timer.key} of {incident.id}", incident.id):
                        self._post(incident, timer)

    def _may_try(self, incident: Incident, timer: Timer) -> bool:
        return timer.due <= self._now() and not self._state.recall(_rest(incident, timer))

    def _post(self, incident: Incident, timer: Timer) -> None:
        number = int(timer.key.removeprefix(STATUS_PAGE))
        url = self._site.clusters.get(incident.cluster, self._site).urls.status_page_webhook
        try:
            self._send(url, incident, number)
        except Unanswered as error:
            self._again_later(incident, timer, number, error.reason)
            return
        posted = draft(Kind.FIRED, f"the status page has update {number}", key=timer.key)
        self._records.append(incident.id, lambda _: [replace(posted, key=timer.key, source="timer")])

    def _send(self, url: str, incident: Incident, number: int) -> None:
        body = told(incident, number, incident.updates[number - 1])
        send(self._http, url, self._token, f"{incident.id}-{number}", body)

    def _again_later(self, incident: Incident, timer: Timer, number: int, reason: str) -> None:
        rest_longer(self._state, _rest(incident, timer))
        text = f"the status page does not have update {number} yet: {reason}. It is tried again"
        nudge = replace(draft(Kind.NUDGE, text), is_told=True, source="timer", key=f"{timer.key} failed")
        self._records.append_open(incident.id, lambda _: [nudge])


def send(http: Http, url: str, token: str, key: str, body: Mapping[str, object]) -> None:
    """Post this once under the key; raises Unanswered where the page does not take it."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    ask = Ask("the status page", url, "check urls.status_page_webhook", headers, "POST", orjson.dumps(body))
    answer = http.fetch(ask, time.monotonic() + 5, 4096)
    if not 200 <= answer.status < 300:
        raise Unanswered(f"the status page answered {answer.status}")


def rest_longer(state: State, rest: str) -> None:
    """Note under this name, while it stands, that the page is left alone: longer after each try."""
    tries = int(state.recall(f"{rest}:tries") or "0")
    state.remember(rest, "1", timedelta(seconds=_WAITS[min(tries, len(_WAITS) - 1)]))
    state.remember(f"{rest}:tries", str(tries + 1), _TRIED)


def told(incident: Incident, number: int, update: StatusUpdate) -> dict[str, object]:
    """The body of a post: what a page shows, and nothing of who said it, or of what is needed and of whom."""
    parts = {name: said for name in ("conditions", "actions") if (said := update.parts.get(name, ""))}
    message = "\n".join(f"{name.capitalize()}: {said}" for name, said in parts.items())
    return {
        "incident": incident.id,
        "number": number,
        "title": incident.title,
        "severity": incident.severity,
        "status": incident.status.value,
        "service": incident.service,
        "message": message,
        "conditions": update.parts.get("conditions", ""),
        "actions": update.parts.get("actions", ""),
        "at": update.at.astimezone(UTC).isoformat(),
        "next_update": update.next_due.astimezone(UTC).isoformat() if update.next_due else None,
    }


def _rest(incident: Incident, timer: Timer) -> str:
    return f"rest-{incident.id}-{timer.key}"

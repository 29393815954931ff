"""Makes silences in a cluster's Alertmanager and ends them; nothing else in the bot writes there.

A silence is found again by the request's id at the end of its comment, so a repeated effect makes no second one: it
looks before it writes and once more after it, because Alertmanager takes any number of the same. Of two that a slow
worker and its heir have made, all agree on which one stays. Called by workers/effects.py with approved effects.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol
from urllib.parse import quote

import orjson

from commands import matchers, silences
from commands.alertreads import Silences, SilenceView
from commands.effects import Already, Done, Moved, Outcome, Rejected, Silence, Unsilence
from commands.errors import Unanswered
from commands.site import ClusterSite, ServiceAddress
from workers import alertmanager
from workers.http import Ask, Http
from workers.reader import Answer
from workers.stack import API_BYTES, Proxy, Stack, json_of, mend, shaped, text_of, unexpected

# Alertmanager begins a silence no earlier than its own now; ours may be ahead of that.
_CLOCKS = timedelta(minutes=5)

_JSON = {"Content-Type": "application/json"}
_Method = Literal["POST", "DELETE"]


class Writes(Protocol):
    """The way through the API server's proxy: workers.effects.ProxiedWrites."""

    def via_service(
        self, address: ServiceAddress, method: _Method, path: str, body: Any, deadline: float
    ) -> Answer: ...


class Silencing:
    """The silences of one cluster. called: what people call a Slack user, "" where nobody knows."""

    def __init__(
        self, site: ClusterSite, proxy: Proxy, writes: Writes, called: Callable[[str], str] = lambda user: ""
    ) -> None:
        self._by_proxy = site.monitoring.access == "proxy"
        self._http = Http()
        self._stack = Stack(site, proxy, self._http)
        self._writes = writes
        self._called = called

    def close(self) -> None:
        self._http.close()

    def make(self, effect: Silence, deadline: float, is_rehearsal: bool = False) -> Outcome:
        known = self._of(effect.request, deadline)
        if known:
            return self._known(effect, known, deadline, is_rehearsal)
        if datetime.fromisoformat(effect.until) <= datetime.now(UTC):
            return Moved(f"it was to end at {effect.until}, which is over")
        if is_rehearsal:
            return Done()
        answer = self._send("POST", "/api/v2/silences", self._body(effect), deadline)
        found = json_of(answer)
        if answer.status != 200 or found is None or "silenceID" not in found:
            return _refused(answer)
        self._drop_twins(self._of(effect.request, deadline), deadline)
        return Done(f"silence {found['silenceID']}")

    def end(self, effect: Unsilence, deadline: float, is_rehearsal: bool = False) -> Outcome:
        over = self._is_over(effect.target.uid, deadline)
        if over is not None or is_rehearsal:
            return over or Done()
        answer = self._send("DELETE", f"/api/v2/silence/{quote(effect.target.uid, safe='')}", None, deadline)
        if answer.status == 200:
            return Done()
        # Of one that it does not know (any more) Alertmanager says 500.
        return self._is_over(effect.target.uid, deadline) or _refused(answer)

    # --- what is there ---

    def _of(self, request: str, deadline: float) -> list[SilenceView]:
        """Those made for this request, first the one that stays."""
        found: tuple[SilenceView, ...] = alertmanager.READS[Silences](self._stack, Silences(), deadline)
        own = [each for each in found if silences.request_of(each.comment) == request]
        return sorted(own, key=lambda each: (each.state == "expired", each.starts_at, each.id))

    def _known(
        self, effect: Silence, known: list[SilenceView], deadline: float, is_rehearsal: bool
    ) -> Outcome:
        if set(known[0].matchers) != set(effect.matchers):
            return Moved(f"silence {known[0].id} has this request's id and other matchers")
        if not is_rehearsal:
            self._drop_twins(known, deadline)
        return Already(f"silence {known[0].id}")

    def _drop_twins(self, known: list[SilenceView], deadline: float) -> None:
        for twin in known[1:]:
            if twin.state != "expired":
                self._send("DELETE", f"/api/v2/silence/{quote(twin.id, safe='')}", None, deadline)

    def _is_over(self, id: str, deadline: float) -> Outcome | None:
        answer = self._stack.asked("alertmanager", f"/api/v2/silence/{quote(id, safe='')}", deadline)
        if answer.status == 404 and not answer.is_html:
            return Already("is gone")
        found = json_of(answer)
        if answer.status != 200 or found is None:
            return _refused(answer)
        view = shaped("alertmanager", alertmanager.silence_view, found)
        return Already("has ended already") if view.state == "expired" else None

    # --- writing ---

    def _body(self, effect: Silence) -> Mapping[str, Any]:
        name = self._called(effect.by)
        return {
            "matchers": [_matcher(each) for each in effect.matchers],
            "startsAt": (datetime.now(UTC) - _CLOCKS).isoformat(),
            "endsAt": effect.until,
            "createdBy": f"{name} ({effect.by})" if name else effect.by,
            "comment": silences.comment(effect.why, effect.request),
        }

    def _send(self, method: _Method, path: str, body: Any, deadline: float) -> Answer:
        url = self._stack.address("alertmanager")
        if self._by_proxy:
            address = self._stack.service("alertmanager", url)
            return self._writes.via_service(address, method, path, body, deadline)
        ask = Ask("alertmanager", url.rstrip("/") + path, mend("alertmanager"), method=method)
        if body is not None:
            ask = replace(ask, headers=_JSON, body=orjson.dumps(body))
        return self._http.fetch(ask, deadline, API_BYTES)


def _matcher(text: str) -> Mapping[str, Any]:
    found = matchers.parse(text)
    return {
        "name": found.label,
        "value": found.value,
        "isRegex": "~" in found.op,
        "isEqual": not found.op.startswith("!"),
    }


def _refused(answer: Answer) -> Outcome:
    """A no in Alertmanager's own words is for good; anything else is no answer of it."""
    said = text_of(answer)
    if answer.status in (400, 422) and said:
        return Rejected(f"Alertmanager refuses it: {said}")
    error: Unanswered = unexpected("alertmanager", answer)
    raise error

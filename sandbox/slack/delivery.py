"""How Slack reaches the app: signed HTTP requests or Socket Mode envelopes, deadlines, event retries.

Owns the signature, the 3 s limit, the retry schedule of events (at once, +1 min, +5 min on Slack's clock)
and the record of every delivery. Commands and interactions are never retried. Sends only to loopback hosts
unless told otherwise. What is sent is built by `payloads`.
"""

from __future__ import annotations

import functools
import hashlib
import heapq
import hmac
import ipaddress
import itertools
import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlencode, urlsplit

import httpx

from sandbox.slack import events, payloads
from sandbox.slack.socket_mode import NotConnected, SocketHub
from sandbox.slack.workspace import Json, Workspace

logger = logging.getLogger(__name__)

Kind = Literal["command", "interactive", "event"]

_ENVELOPES: dict[Kind, str] = {
    "command": "slash_commands",
    "interactive": "interactive",
    "event": "events_api",
}
RETRY_DELAYS = (0.0, 60.0, 300.0)  # seconds; docs.slack.dev Events API


def http_client() -> httpx.Client:
    """Never through a proxy: the app is on this machine."""
    return httpx.Client(
        trust_env=False, headers={"user-agent": "Slackbot 1.0 (+https://api.slack.com/robots)"}
    )


@dataclass(frozen=True)
class Delivery:
    """One attempt to reach the app and what came of it.

    `error` is what the person sees: `operation_timeout` (no 200 within 3 s) or `dispatch_failed`. `reason`
    is the `x-slack-retry-reason` of a failed event. `body` is the acknowledgement.
    """

    kind: Kind
    payload: Json
    transport: Literal["http", "socket"]
    status: int | None
    body: Json = field(default_factory=dict)
    raw: str = ""
    error: str | None = None
    reason: str | None = None
    elapsed: float = 0.0
    attempt: int = 0
    may_retry: bool = True

    @property
    def ok(self) -> bool:
        return self.error is None

    @property
    def text(self) -> str:
        return str(self.body.get("text", ""))

    @property
    def blocks(self) -> list[Json]:
        return list(self.body.get("blocks") or [])


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Slack's v0 signature."""
    base = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Courier:
    """Delivers to one app. Everything public may be called from any thread."""

    def __init__(
        self,
        workspace: Workspace,
        sockets: SocketHub,
        http: httpx.Client,
        *,
        signing_secret: str,
        request_url: str | None,
        subscribed: frozenset[str],
        granted: frozenset[str],
        ack_timeout: float,
        retry_scale: float,
        may_leave_host: bool,
        kept: int | None = None,
    ) -> None:
        self.workspace = workspace
        self.signing_secret = signing_secret
        self.subscribed = subscribed
        self.granted = granted
        self.loses_events = False  # Slack gave up on an app that was away too long: the history alone tells
        self.ack_timeout = ack_timeout
        self.retry_delays = tuple(delay * retry_scale for delay in RETRY_DELAYS)
        self.clock_skew = 0.0  # seconds added to the signed timestamp, to try stale signatures
        self.deliveries: deque[Delivery] = deque(maxlen=kept)
        self._may_leave_host = may_leave_host
        self._request_url: str | None = None
        self.request_url = request_url
        self._sockets = sockets
        self._http = http
        self._agenda = _Agenda(workspace)

    @property
    def request_url(self) -> str | None:
        return self._request_url

    @request_url.setter
    def request_url(self, url: str | None) -> None:
        if url is not None and not self._may_leave_host and not is_loopback(urlsplit(url).hostname or ""):
            raise ValueError(f"the stand-in only delivers to loopback addresses, not to {url}")
        self._request_url = url

    def close(self) -> None:
        self._agenda.close()

    # --- deliveries

    def deliver(self, kind: Kind, payload: Json, *, attempt: int = 0, reason: str = "") -> Delivery:
        """One attempt, now, in this thread."""
        begun = time.monotonic()
        if self._sockets.connections:
            result = self._over_socket(kind, payload, attempt, reason)
        else:
            result = self._over_http(kind, payload, attempt, reason)
        elapsed = time.monotonic() - begun
        delivery = Delivery(kind=kind, payload=payload, attempt=attempt, elapsed=elapsed, **result)
        with self.workspace.change("delivery", delivered=kind, ok=delivery.ok):
            self.deliveries.append(delivery)
        return delivery

    def deliver_event(self, inner: Json) -> Delivery | None:
        """The first attempt in this thread, retries later; None when the app is not subscribed."""
        if not self._is_subscribed(inner):
            return None
        envelope = payloads.event(self.workspace, inner, self.workspace.new_id("Ev"))
        return self._attempt_event(envelope, 0, "")

    def announce(self, *inners: Json) -> None:
        """Events caused by the app itself: delivered later, by other threads."""
        for inner in inners:
            if self._is_subscribed(inner) and (self._sockets.connections or self.request_url):
                envelope = payloads.event(self.workspace, inner, self.workspace.new_id("Ev"))
                self._agenda.add(0.0, functools.partial(self._attempt_event, envelope, 0, ""))

    def _attempt_event(self, envelope: Json, attempt: int, reason: str) -> Delivery:
        delivery = self.deliver("event", envelope, attempt=attempt, reason=reason)
        if not delivery.ok and delivery.may_retry and attempt < len(self.retry_delays):
            why = delivery.reason or "unknown_error"
            self._agenda.add(
                self.retry_delays[attempt], lambda: self._attempt_event(envelope, attempt + 1, why)
            )
        return delivery

    def _is_subscribed(self, inner: Json) -> bool:
        if self.loses_events or events.name(inner) not in self.subscribed:
            return False
        return events.reaches(self.workspace, inner, self.granted)

    # --- transports

    def _over_socket(self, kind: Kind, payload: Json, attempt: int, reason: str) -> Json:
        # Over Socket Mode Slack says `timeout` where HTTP says `http_timeout`.
        why = reason.removeprefix("http_")
        try:
            body = self._sockets.send(
                _ENVELOPES[kind], payload, timeout=self.ack_timeout, attempt=attempt, reason=why
            )
        except TimeoutError:
            return _failed("socket", None, "operation_timeout", "http_timeout")
        except NotConnected:
            return _failed("socket", None, "dispatch_failed", "connection_failed")
        return {"transport": "socket", "status": None, "body": body, "raw": json.dumps(body)}

    def _over_http(self, kind: Kind, payload: Json, attempt: int, reason: str) -> Json:
        if self.request_url is None:
            return _failed("http", None, "dispatch_failed", "connection_failed")
        body, headers = self._encoded(kind, payload)
        if attempt:
            headers |= {"x-slack-retry-num": str(attempt), "x-slack-retry-reason": reason}
        begun = time.monotonic()
        try:
            answer = self._http.post(
                self.request_url, content=body, headers=headers, timeout=self.ack_timeout
            )
        except httpx.TimeoutException:
            return _failed("http", None, "operation_timeout", "http_timeout")
        except httpx.HTTPError as error:
            logger.debug("delivery failed: %s", error)
            return _failed("http", None, "dispatch_failed", "connection_failed")
        if time.monotonic() - begun > self.ack_timeout:
            return _failed("http", answer.status_code, "operation_timeout", "http_timeout")
        return _judged(kind, answer)

    def _encoded(self, kind: Kind, payload: Json) -> tuple[bytes, dict[str, str]]:
        if kind == "event":
            body, content_type = json.dumps(payload).encode(), "application/json"
        else:
            form = payload if kind == "command" else {"payload": json.dumps(payload)}
            body, content_type = urlencode(form).encode(), "application/x-www-form-urlencoded"
        return body, {"content-type": content_type, **self.signature(body)}

    def signature(self, body: bytes) -> dict[str, str]:
        # Signed with the host's clock, not Slack's: the app checks it against its own, which a test that
        # moves Slack's clock does not move.
        timestamp = str(int(time.time() + self.clock_skew))
        return {
            "x-slack-request-timestamp": timestamp,
            "x-slack-signature": sign(self.signing_secret, timestamp, body),
        }

    def post_raw(self, body: bytes, content_type: str) -> httpx.Response:
        """A signed request as given: for url_verification, ssl_check and malformed bodies."""
        if self.request_url is None:
            raise ValueError("no request_url is set")
        headers = {"content-type": content_type, **self.signature(body)}
        return self._http.post(self.request_url, content=body, headers=headers, timeout=self.ack_timeout)


def _failed(transport: str, status: int | None, error: str, reason: str) -> Json:
    return {"transport": transport, "status": status, "error": error, "reason": reason}


def _judged(kind: Kind, answer: httpx.Response) -> Json:
    """Was that a 200, and what did it say? Commands and interactions take plain text as well as JSON."""
    accepted = answer.is_success if kind == "event" else answer.status_code == 200
    if not accepted:
        refused = _failed("http", answer.status_code, "dispatch_failed", "http_error")
        return refused | {"raw": answer.text, "may_retry": answer.headers.get("x-slack-no-retry") != "1"}
    result: Json = {"transport": "http", "status": answer.status_code, "raw": answer.text}
    if answer.headers.get("content-type", "").startswith("application/json") and answer.text:
        try:
            parsed = json.loads(answer.text)
        except ValueError:
            parsed = None
        return result | {"body": parsed if isinstance(parsed, dict) else {}}
    return result | {"body": {"text": answer.text} if answer.text else {}}


class _Agenda:
    """Runs jobs when Slack's clock says so. One thread keeps the time, a small pool does the work."""

    def __init__(self, workspace: Workspace) -> None:
        self._clock = workspace.clock
        self._jobs: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._wake = threading.Condition()
        self._is_closed = False
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="slack-delivery")
        self._clock.observe(self._tick)
        self._thread: threading.Thread | None = None

    def add(self, delay: float, job: Callable[[], object]) -> None:
        with self._wake:
            if self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._run, name="slack-agenda", daemon=True)
                self._thread.start()
            heapq.heappush(self._jobs, (self._clock.now() + delay, next(self._numbers), job))
            self._wake.notify_all()

    def close(self) -> None:
        with self._wake:
            self._is_closed = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _tick(self) -> None:
        with self._wake:
            self._wake.notify_all()

    def _run(self) -> None:
        with self._wake:
            while not self._is_closed:
                now = self._clock.now()
                if self._jobs and self._jobs[0][0] <= now:
                    self._pool.submit(_logged, heapq.heappop(self._jobs)[2])
                    continue
                due = self._jobs[0][0] - now if self._jobs else None
                self._wake.wait(None if due is None or self._clock.is_frozen else due)


def _logged(job: Callable[[], object]) -> None:
    try:
        job()
    except Exception:
        logger.exception("a background delivery failed")

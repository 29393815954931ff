"""The only HTTP ingress: Slack's requests, Alertmanager's webhook, health and metrics.

Sizes are capped by the server before a body is read (`serve`), and authenticity is checked before one is
parsed. Every route answers in milliseconds: nothing here calls Slack, Kubernetes or Prometheus.
"""

import base64
import binascii
import hmac
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from threading import Lock
from typing import Any

import waitress
from redis.exceptions import RedisError
from slack_bolt import App, BoltRequest
from slack_sdk.signature import SignatureVerifier
from waitress.channel import HTTPChannel
from waitress.task import ErrorTask
from waitress.utilities import RequestEntityTooLarge

from bot import metrics, vitals
from bot.intake import Intake
from bot.vitals import Vitals
from commands.errors import Unanswered, Unreachable, UsageError

log = logging.getLogger(__name__)

# An Alertmanager group of 300 alerts is about 250 kB, and 18 MB where each has 60 kB of text. What is refused here
# is repeated for ever and never shown, so little is. Slack's largest payload, a view submission, is 250 kB.
MAX_BODY = 24 * 1024 * 1024
MAX_SLACK_BODY = 1024 * 1024

# A body is held as bytes, as parsed and as kept, some four times its size: of the large ones, one at a time.
_LARGE = 2 * 1024 * 1024
_PATIENCE = 0.5  # seconds for which the next large one waits before Alertmanager is asked to send it again

Headers = list[tuple[str, str]]
Answer = tuple[str, Headers, bytes]


class Web:
    """A WSGI application. `not_ready` names what keeps the process from doing its work, empty when nothing."""

    def __init__(
        self,
        intake: Intake,
        slack: App,
        *,
        signing_secret: str,
        alert_tokens: tuple[str, ...],
        not_ready: Callable[[], list[str]],
        told: Callable[[], Vitals],
    ) -> None:
        self._intake = intake
        self._slack = slack
        self._verifier = SignatureVerifier(signing_secret) if signing_secret else None
        self._alert_tokens = alert_tokens
        self._not_ready = not_ready
        self._told = told
        self._large = Lock()
        self._routes: dict[tuple[str, str], Callable[[dict[str, Any]], Answer]] = {
            ("POST", "/slack/events"): self._slack_events,
            ("POST", "/alerts"): self._alerts,
            ("GET", "/healthz"): lambda _: _text("200 OK", "ok\n"),
            ("GET", "/readyz"): lambda _: self._readyz(),
            ("GET", "/metrics"): lambda _: self._metrics(),
        }

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        route = self._routes.get((method, path))
        if route is None:
            known = [at for verb, at in self._routes if at == path]
            status = "405 Method Not Allowed" if known else "404 Not Found"
            answer = _text(status, f"{status}: this server knows {self._known()}\n")
        else:
            answer = self._answered(path, route, environ)
        start_response(answer[0], [*answer[1], ("Content-Length", str(len(answer[2])))])
        return [answer[2]]

    def _answered(
        self, path: str, route: Callable[[dict[str, Any]], Answer], environ: dict[str, Any]
    ) -> Answer:
        status = "500"  # what the server says of an exception
        try:
            with metrics.HTTP_TOOK.labels(path).time():
                answer = route(environ)
            status = answer[0]
            return answer
        finally:
            metrics.RESPONSES.labels(path, f"{status[0]}xx").inc()

    def _known(self) -> str:
        return ", ".join(f"{verb} {path}" for verb, path in self._routes)

    # --- Slack ---

    def _slack_events(self, environ: dict[str, Any]) -> Answer:
        if self._verifier is None:
            return _text(
                "404 Not Found", "SLACK_SIGNING_SECRET is not set: this bot listens by Socket Mode\n"
            )
        if _length(environ) > MAX_SLACK_BODY:
            return _text("413 Request Entity Too Large", "Slack sends nothing as large\n")
        body = _body(environ)
        if not self._is_signed(body, environ):
            return _text("401 Unauthorized", "invalid signature\n")
        headers: dict[str, str | Sequence[str]] = {
            name[5:].replace("_", "-").lower(): value
            for name, value in environ.items()
            if name.startswith("HTTP_") and isinstance(value, str)
        }
        headers["content-type"] = environ.get("CONTENT_TYPE", "")
        try:
            request = BoltRequest(body=body.decode("utf-8"), headers=headers)
        except (ValueError, TypeError, AttributeError, RecursionError):
            # Signed, and yet not what Slack sends: Bolt looks into the body as it takes it.
            return _text("400 Bad Request", "the body is neither a form nor a JSON object\n")
        answer = self._slack.dispatch(request)
        kept = [(k, value) for k, values in answer.headers.items() for value in values]
        return f"{answer.status} {HTTPStatus(answer.status).phrase}", kept, (answer.body or "").encode()

    def _is_signed(self, body: bytes, environ: dict[str, Any]) -> bool:
        """Slack's v0 signature within five minutes. Bolt checks again; it would answer a malformed
        timestamp with 500, and writes the body of a rejected request to its log."""
        stamp, signature = (
            environ.get("HTTP_X_SLACK_REQUEST_TIMESTAMP", ""),
            environ.get("HTTP_X_SLACK_SIGNATURE", ""),
        )
        if self._verifier is None or not stamp.isascii() or not stamp.isdigit() or not signature.isascii():
            return False
        try:
            return bool(self._verifier.is_valid(body, stamp, signature))
        except UnicodeDecodeError:  # a signed body is UTF-8; this one never was Slack's
            return False

    # --- Alertmanager ---

    def _alerts(self, environ: dict[str, Any]) -> Answer:
        if not self._is_alertmanager(environ.get("HTTP_AUTHORIZATION", "")):
            metrics.WEBHOOKS.labels("unauthorized").inc()
            return _text(
                "401 Unauthorized", "send ALERTMANAGER_WEBHOOK_TOKEN as bearer token or basic auth password\n"
            )
        try:
            with self._turn(_length(environ)):
                self._intake.take(_body(environ))
        except UsageError as error:
            metrics.WEBHOOKS.labels("malformed").inc()
            log.warning("an alert webhook was refused: %s", error)
            return _text("400 Bad Request", f"{error}\n")
        except (RedisError, Unanswered) as error:
            # 503 makes Alertmanager try again within the second; 429 or 4xx would wait a group interval. Redis that is
            # full, or that was given up, is one of these.
            metrics.WEBHOOKS.labels("unavailable").inc()
            log.error("an alert webhook could not be stored: %s", error)
            return _text("503 Service Unavailable", "not stored; send it again\n")
        metrics.WEBHOOKS.labels("stored").inc()
        return _text("200 OK", "stored\n")

    @contextmanager
    def _turn(self, size: int) -> Iterator[None]:
        """A large body waits for another one only briefly: who waits holds a thread that people's commands need."""
        if size <= _LARGE:
            yield
            return
        if not self._large.acquire(timeout=_PATIENCE):
            raise Unreachable("another large body is being taken")
        try:
            yield
        finally:
            self._large.release()

    def too_large(self, authorization: str, size: int) -> None:
        """A body that the server refused to read. It cannot be taken; people can be told, if Alertmanager sent it."""
        metrics.WEBHOOKS.labels("too_large").inc()
        if not self._is_alertmanager(authorization):
            return
        log.error("an alert webhook of %s bytes was refused: at most %s are taken", size, MAX_BODY)
        try:
            self._intake.too_large(size, MAX_BODY)
        except RedisError as error:
            log.error("and that could not be told: %s", error)

    def _is_alertmanager(self, header: str) -> bool:
        """Any of the configured tokens, as bearer or as basic-auth password; all are compared, always."""
        kind, _, given = header.partition(" ")
        if kind.lower() == "basic":
            try:
                given = base64.b64decode(given, validate=True).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                return False
        elif kind.lower() != "bearer":
            return False
        matches = [
            hmac.compare_digest(token.encode(), given.strip().encode()) for token in self._alert_tokens
        ]
        return any(matches)

    # --- the process itself ---

    def _metrics(self) -> Answer:
        """Counters of this process, and what the store has; without the store, the counters alone."""
        try:
            page = metrics.page(vitals.registry(self._told()))
        except RedisError as error:
            log.warning("metrics without the store: %s", error)
            page = metrics.page()
        return "200 OK", [("Content-Type", metrics.CONTENT_TYPE)], page

    def _readyz(self) -> Answer:
        missing = self._not_ready()
        if missing:
            return _text("503 Service Unavailable", "".join(f"not ready: {what}\n" for what in missing))
        return _text("200 OK", "ready\n")


def _refusing(tell: Callable[[str, int], None]) -> type:
    """A connection of waitress that tells of what is too large: waitress refuses it by itself, from its head."""

    class Refusal(ErrorTask):  # type: ignore[misc]  # waitress has no types
        def execute(self) -> None:
            is_alert = getattr(self.request, "path", "") == "/alerts"
            if is_alert and isinstance(self.request.error, RequestEntityTooLarge):
                tell(self.request.headers.get("AUTHORIZATION", ""), self.request.content_length)
            super().execute()

    return type("Channel", (HTTPChannel,), {"error_task_class": Refusal})


def serve(web: Web, port: int, host: str = "0.0.0.0") -> Any:  # noqa: S104 - the pod's address is not known here
    """A server bound to the port; call its `run()` to serve and `close()` from elsewhere to stop."""
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a line for each request that waits its turn
    server = waitress.create_server(
        web,
        host=host,
        port=port,
        threads=8,
        ident="sre-bot",
        max_request_body_size=MAX_BODY,
        # Many who send half a request and wait must not keep the others out.
        connection_limit=1000,
        asyncore_use_poll=True,
        channel_timeout=10,
        cleanup_interval=5,
    )
    server.channel_class = _refusing(web.too_large)
    return server


def _length(environ: dict[str, Any]) -> int:
    return int(environ.get("CONTENT_LENGTH") or 0)


def _body(environ: dict[str, Any]) -> bytes:
    body: bytes = environ["wsgi.input"].read(_length(environ))
    return body


def _text(status: str, text: str) -> Answer:
    return status, [("Content-Type", "text/plain; charset=utf-8")], text.encode()

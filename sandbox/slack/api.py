"""The Web API over HTTP: `/api/<method>` with form, query or JSON arguments.

Owns what comes before and after a method: token, scopes, required arguments, rate limits, planned faults,
the record of every call, and the shape of the answer. The methods themselves are in `methods`.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from sandbox.slack import events, limits
from sandbox.slack.call import Call, Method, missing_scope
from sandbox.slack.faults import Fault, Faults
from sandbox.slack.methods import METHODS
from sandbox.slack.rates import RateLimits
from sandbox.slack.workspace import Json, SlackError, Workspace

# Every scope that any method here takes, and those of the events: an app that may do everything.
EVERY_SCOPE = frozenset(
    scope
    for scopes in (*(method.scopes for method in METHODS.values()), *events.SCOPES.values())
    for scope in scopes
)

_BODY_LIMIT = 16 * 1024 * 1024


@dataclass(frozen=True)
class RecordedCall:
    """One Web API call as Slack saw it. `status` 0: the connection was dropped instead of answered."""

    method: str
    args: Json
    at: float
    status: int
    answer: Json
    took_effect: bool

    @property
    def ok(self) -> bool:
        return self.status == 200 and bool(self.answer.get("ok"))

    @property
    def error(self) -> str | None:
        return self.answer.get("error")


@dataclass(frozen=True)
class _Outcome:
    answer: Json
    status: int = 200
    retry_after: int | None = None
    took_effect: bool = False


class WebApi:
    """An ASGI app for one app installed in one workspace."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        bot_token: str,
        app_token: str,
        scopes: Iterable[str],
        rates: RateLimits,
        faults: Faults,
        announce: Callable[..., None],
        open_socket: Callable[[], str],
        kept: int | None = None,
    ) -> None:
        self.workspace = workspace
        self.bot_token = bot_token
        self.app_token = app_token
        self.granted = frozenset(scopes)
        self.is_revoked = False
        self.rates = rates
        self.faults = faults
        self.calls: deque[RecordedCall] = deque(maxlen=kept)
        self._announce = announce
        self._open_socket = open_socket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        name = request.path_params["method"]
        args, token = await _arguments(request, METHODS.get(name))
        fault = self.faults.take(name)
        if fault is not None and fault.kind in ("drop_before", "down"):
            self._record(name, args, _Outcome({}, status=0))
            await _drop(receive)
            return
        if fault is not None and fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        outcome = self._outcome(name, args, token, fault)
        if fault is not None and fault.kind == "drop_after":
            self._record(name, args, _Outcome({}, status=0, took_effect=outcome.took_effect))
            await _drop(receive)
            return
        self._record(name, args, outcome)
        if fault is not None and fault.kind == "latency":
            await _wait_or_disconnect(fault.seconds, receive)
        await self._response(name, outcome)(scope, receive, send)

    def _outcome(self, name: str, args: Json, token: str, fault: Fault | None) -> _Outcome:
        if fault is not None and (planned := _before_effect(fault)) is not None:
            return planned
        with self.workspace.changed:
            outcome = self._perform(name, args, token)
        if fault is not None and fault.kind == "fatal_error":
            error = "fatal_error" if fault.error == "internal_error" else fault.error
            return _Outcome({"ok": False, "error": error}, took_effect=outcome.took_effect)
        return outcome

    def _perform(self, name: str, args: Json, token: str) -> _Outcome:
        method = METHODS.get(name)
        try:
            if method is None:
                raise SlackError("unknown_method", req_method=name)
            self._authorise(method, token)
            wait = self.rates.wait(name, method.per_minute, args.get("channel"))
            if wait is not None:
                return _Outcome({"ok": False, "error": "ratelimited"}, 429, retry_after=wait)
            absent = [field for field in method.required if args.get(field) in (None, "")]
            if absent:
                raise limits.invalid_arguments(*(f"missing required field: {field}" for field in absent))
            call = Call(self.workspace, args, self.granted, self._announce, self._open_socket, method.scopes)
            return _Outcome({"ok": True, **method.run(call)}, took_effect=True)
        except SlackError as refusal:
            return _Outcome({"ok": False, "error": refusal.code, **refusal.extra})

    def _authorise(self, method: Method, token: str) -> None:
        if method.token == "none":
            return
        if not token:
            raise SlackError("not_authed")
        if token not in (self.bot_token, self.app_token):
            raise SlackError("invalid_auth")
        if self.is_revoked:
            raise SlackError("token_revoked")
        if token != (self.bot_token if method.token == "bot" else self.app_token):
            raise SlackError("not_allowed_token_type")
        if method.scopes and not self.granted.intersection(method.scopes):
            raise missing_scope(method.scopes[0], self.granted)

    def _record(self, name: str, args: Json, outcome: _Outcome) -> None:
        visible = {key: value for key, value in args.items() if key != "token"}
        at = self.workspace.clock.now()
        with self.workspace.change("call", method=name, status=outcome.status):
            recorded = RecordedCall(name, visible, at, outcome.status, outcome.answer, outcome.took_effect)
            self.calls.append(recorded)

    def _response(self, name: str, outcome: _Outcome) -> Response:
        headers = {"x-oauth-scopes": ",".join(sorted(self.granted)), "x-slack-req-id": "emulated"}
        method = METHODS.get(name)
        if method is not None and method.scopes:
            headers["x-accepted-oauth-scopes"] = ",".join(method.scopes)
        if outcome.retry_after is not None:
            headers["retry-after"] = str(outcome.retry_after)
        if outcome.status >= 500:
            # A failing edge answers with text, not with the API's JSON.
            return PlainTextResponse(HTTPStatus(outcome.status).phrase, outcome.status, headers)
        return JSONResponse(outcome.answer, outcome.status, headers)


def _before_effect(fault: Fault) -> _Outcome | None:
    if fault.kind == "status":
        return _Outcome({}, fault.status)
    if fault.kind == "error":
        return _Outcome({"ok": False, "error": fault.error})
    if fault.kind == "ratelimited":
        return _Outcome({"ok": False, "error": "ratelimited"}, 429, retry_after=fault.retry_after)
    if fault.kind == "rate_limited_body":
        return _Outcome({"ok": False, "error": "rate_limited"})
    return None


async def _arguments(request: Request, method: Method | None) -> tuple[Json, str]:
    """The arguments and the token: from the header, or from a form or query field `token`."""
    args: Json = dict(request.query_params)
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await _body(request)
    if content_type == "application/json":
        # Methods without JSON support do not look at a JSON body at all.
        if body and (method is None or method.takes_json):
            args |= _json_object(body)
        args.pop("token", None)
    elif content_type == "application/x-www-form-urlencoded":
        args |= dict(parse_qsl(body.decode(), keep_blank_values=True))
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    token = bearer.strip() if scheme.lower() == "bearer" else str(args.get("token", ""))
    return args, token


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_LIMIT:
            break
    return bytes(body)


def _json_object(body: bytes) -> Json:
    try:
        value: Any = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


async def _wait_or_disconnect(seconds: float, receive: Receive) -> None:
    """Sleep, but not for a client that has given up: the server could not stop before."""
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        pass


async def _drop(receive: Receive) -> None:
    """Close the TCP connection without a byte of answer.

    ASGI has no word for it; uvicorn's `receive` is a method of the request cycle, which holds the
    transport. After the close uvicorn must see the disconnect, or it would answer 500 itself.
    """
    cycle: Any = getattr(receive, "__self__", None)
    cycle.transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass

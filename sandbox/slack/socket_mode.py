"""Socket Mode: websocket urls, hello, envelopes, acknowledgements and refreshes.

Owns the open connections (at most ten per app, node-slack-sdk issue 1654). An envelope goes to any one of
them. Called by `delivery` from other threads; never decides what is in an envelope. Message shapes:
docs.slack.dev "Using Socket Mode" and slack_sdk's own client tests.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Literal
from uuid import uuid4

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from sandbox.slack.workspace import Json

MAX_CONNECTIONS = 10
CONNECTION_SECONDS = 18_060  # what Slack announces in debug_info

Reason = Literal["warning", "refresh_requested", "too_many_websockets", "link_disabled"]


class NotConnected(Exception):
    """No Socket Mode connection is open."""


@dataclass(eq=False)
class _Connection:
    websocket: WebSocket
    waiting: dict[str, Future[Json]] = field(default_factory=dict)
    is_leaving: bool = False  # told to reconnect; gets no new envelope

    @property
    def is_open(self) -> bool:
        return self.websocket.application_state is WebSocketState.CONNECTED

    async def tell(self, message: Json) -> None:
        if self.is_open:
            await self.websocket.send_json(message)

    async def close(self, code: int = 1000) -> None:
        if self.is_open:
            await self.websocket.close(code)

    async def listen(self) -> None:
        """Hand acknowledgements to who waits for them, until either side closes."""
        while self.is_open:
            try:
                message = json.loads(await self.websocket.receive_text())
            except ValueError:
                continue
            if not isinstance(message, dict):
                continue
            waiting = self.waiting.get(str(message.get("envelope_id")))
            if waiting is not None and not waiting.done():
                waiting.set_result(message.get("payload") or {})


class SocketHub:
    def __init__(self, app_id: str, on_change: Callable[[str], None]) -> None:
        self._app_id = app_id
        self._on_change = on_change
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tickets: set[str] = set()
        self._connections: list[_Connection] = []
        self._next = 0
        self.base_url = ""

    # --- the bot's side

    def new_url(self) -> str:
        """A websocket url that opens one connection."""
        ticket = uuid4().hex
        self._tickets.add(ticket)
        return f"{self.base_url.replace('http', 'ws', 1)}/link/?ticket={ticket}&app_id={self._app_id}"

    async def endpoint(self, websocket: WebSocket) -> None:
        self._loop = asyncio.get_running_loop()
        ticket = websocket.query_params.get("ticket", "")
        if ticket not in self._tickets:
            await websocket.close(1008)
            return
        self._tickets.discard(ticket)
        await websocket.accept()
        if len(self._connections) >= MAX_CONNECTIONS:
            await websocket.send_json(_disconnect("too_many_websockets"))
            await websocket.close()
            return
        connection = _Connection(websocket)
        self._connections.append(connection)
        try:
            await websocket.send_json(self._hello())
            await self._close_leaving()
            self._on_change("socket_open")
            await connection.listen()
        except WebSocketDisconnect:
            pass
        finally:
            self._connections.remove(connection)
            self._on_change("socket_closed")

    async def _close_leaving(self) -> None:
        """The server ends a refreshed connection itself, here once its successor has arrived."""
        for connection in [c for c in self._connections if c.is_leaving]:
            await connection.close()

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self._connections),
            "debug_info": {
                "host": "applink-emulated",
                "build_number": 1,
                "approximate_connection_time": CONNECTION_SECONDS,
            },
            "connection_info": {"app_id": self._app_id},
        }

    # --- the stand-in's side, from any thread

    @property
    def connections(self) -> int:
        return sum(not connection.is_leaving for connection in self._connections)

    def send(self, kind: str, payload: Json, *, timeout: float, attempt: int = 0, reason: str = "") -> Json:
        """Deliver one envelope and return the ack's payload; TimeoutError when none comes in time."""
        connection = self._choose()
        envelope_id = str(uuid4())
        envelope: Json = {
            "envelope_id": envelope_id,
            "payload": payload,
            "type": kind,
            "accepts_response_payload": kind != "events_api",
        }
        if kind == "events_api":
            envelope |= {"retry_attempt": attempt, "retry_reason": reason}
        acknowledged: Future[Json] = Future()
        connection.waiting[envelope_id] = acknowledged
        try:
            self._run(connection.tell(envelope))
            return acknowledged.result(timeout)
        finally:
            connection.waiting.pop(envelope_id, None)

    def disconnect(self, reason: Reason = "refresh_requested") -> None:
        """Ask every client to reconnect. A warning leaves the old connections in use until they close."""
        for connection in list(self._connections):
            connection.is_leaving = reason != "warning"
            self._run(connection.tell(_disconnect(reason)))

    def cut(self) -> None:
        """Close every connection without a word."""
        for connection in list(self._connections):
            connection.is_leaving = True
            self._run(connection.close(1012))

    def _choose(self) -> _Connection:
        usable = [connection for connection in self._connections if not connection.is_leaving]
        if not usable:
            raise NotConnected
        self._next += 1
        return usable[self._next % len(usable)]

    def _run(self, coroutine: object) -> None:
        if self._loop is None:
            raise NotConnected
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(5)  # type: ignore[arg-type]


def _disconnect(reason: Reason) -> Json:
    return {"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-emulated"}}

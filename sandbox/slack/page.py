"""The endpoints under /_standin/ for a page that shows the workspace; documented in `sandbox.slack`.

Only translates HTTP to the stand-in's own methods. It holds no state and builds no HTML.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from sandbox.slack import shapes
from sandbox.slack.delivery import Delivery
from sandbox.slack.workspace import Channel, Json, Message, SlackError, User

if TYPE_CHECKING:
    from sandbox.slack.server import SlackStandIn


def routes(slack: SlackStandIn) -> list[BaseRoute]:
    actions: dict[str, Callable[..., Any]] = {
        "command": slack.command,
        "mention": slack.mention,
        "post": lambda **fields: shapes.message(slack.workspace, slack.post_as(**fields)),
        "press": slack.press,
        "press_in_view": slack.press_in_view,
        "submit_view": slack.submit_view,
        "close_view": slack.close_view,
        "shortcut": slack.shortcut,
        "react": slack.react,
        "unreact": slack.unreact,
        "pin": slack.pin,
        "unpin": slack.unpin,
        "edit": slack.edit,
        "delete": slack.delete,
        "upload": lambda **fields: shapes.message(slack.workspace, slack.upload(**fields)),
        "open_channel": slack.open_channel,
        "join": slack.join,
        "leave": slack.leave,
        "invite": slack.invite,
        "remove": slack.remove,
        "rename_channel": slack.rename_channel,
        "set_topic": slack.set_topic,
        "archive": slack.archive,
        "unarchive": slack.unarchive,
        "remove_bookmark": slack.remove_bookmark,
        "home": slack.open_home,
        "faults": lambda **fields: slack.fault(**fields),
        "clear_faults": slack.clear_faults,
        "reset": slack.reset,
    }
    return [
        Route("/_standin/state", _State(slack).get),
        Route("/_standin/files/{file}", _File(slack).get),
        *(Route(f"/_standin/{name}", _endpoint(act), methods=["POST"]) for name, act in actions.items()),
        WebSocketRoute("/_standin/live", _Live(slack).serve),
    ]


def _endpoint(act: Callable[..., Any]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        body = await request.body()
        try:
            fields = await request.json() if body else {}
            result = await run_in_threadpool(lambda: act(**fields))
        except SlackError as refusal:
            return JSONResponse({"ok": False, "error": refusal.code}, 400)
        except Exception as error:  # the page shows whatever a person cannot do here
            return JSONResponse({"ok": False, "error": str(error)}, 400)
        return JSONResponse({"ok": True, "result": _result(result)})

    return endpoint


def _result(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_result(each) for each in value]
    if isinstance(value, Delivery):
        kept = asdict(value)
        kept.pop("payload")
        return kept | {"ok": value.ok}
    return value


class _File:
    """A shared file for the page's reader. As a picture or as text: whatever it says, a browser runs none of it."""

    def __init__(self, slack: SlackStandIn) -> None:
        self._slack = slack

    async def get(self, request: Request) -> Response:
        file = self._slack.workspace.files.get(request.path_params["file"])
        if file is None or not file.completed or file.content is None:
            return JSONResponse({"ok": False, "error": "file_not_found"}, 404)
        headers = {
            "x-content-type-options": "nosniff",
            "content-security-policy": "default-src 'none'; sandbox",
        }
        is_picture = file.content.startswith(b"\x89PNG\r\n")
        kind = "image/png" if is_picture else "text/plain; charset=utf-8"
        return Response(file.content, media_type=kind, headers=headers)


class _State:
    def __init__(self, slack: SlackStandIn) -> None:
        self._slack = slack

    async def get(self, request: Request) -> Response:
        user = request.query_params.get("user")
        try:
            return JSONResponse(await run_in_threadpool(self._state, user))
        except KeyError as error:
            return JSONResponse({"ok": False, "error": str(error)}, 404)

    def _state(self, user: str | None) -> Json:
        slack, workspace = self._slack, self._slack.workspace
        with workspace.changed:
            person = workspace.user(user) if user else None
            visible = [c for c in workspace.channels.values() if _sees(person, c)]
            state: Json = {
                "version": workspace.version,
                "now": workspace.clock.now(),
                "team": {"id": workspace.team_id, "name": workspace.name, "domain": workspace.domain},
                "bot_user_id": workspace.bot_user_id,
                "request_url": slack.request_url,
                "socket_connections": slack.sockets.connections,
                "users": [shapes.user(workspace, u, with_email=True) for u in workspace.users.values()],
                "usergroups": [
                    shapes.usergroup(workspace, g, include_users=True, include_count=True)
                    for g in workspace.usergroups.values()
                ],
                "channels": [self._channel(c) for c in visible],
                "faults": [asdict(fault) for fault in slack.faults.planned()],
            }
            if person is not None:
                state |= {
                    "ephemerals": slack.ephemerals(person.id),
                    "views": slack.views(person.id),
                    "home": slack.home(person.id),
                }
            return state

    def _channel(self, channel: Channel) -> Json:
        workspace = self._slack.workspace
        top_level = [m for m in channel.messages.values() if not m.is_reply]
        return shapes.conversation(workspace, channel) | {
            "members": list(channel.members),
            "kind": channel.kind,
            "messages": [
                self._message(m) | {"replies": [self._message(r) for r in channel.thread(m.ts)[1:]]}
                for m in top_level
            ],
            "pins": [pin.ts for pin in channel.pins],
            "bookmarks": [shapes.bookmark(workspace, b) for b in channel.bookmarks],
            "canvas": workspace.canvases[channel.canvas_id].markdown if channel.canvas_id else None,
        }

    def _message(self, message: Message) -> Json:
        return shapes.message(self._slack.workspace, message, include_metadata=True)


def _sees(person: User | None, channel: Channel) -> bool:
    if person is None:
        return True
    is_outsider = person.is_stranger or person.is_restricted
    return person.id in channel.members or not (channel.is_private or is_outsider)


class _Live:
    def __init__(self, slack: SlackStandIn) -> None:
        self._slack = slack

    async def serve(self, websocket: WebSocket) -> None:
        await websocket.accept()
        sender = asyncio.create_task(self._send(websocket))
        try:
            while True:
                await websocket.receive_text()
        except WebSocketDisconnect:
            pass
        finally:
            sender.cancel()

    async def _send(self, websocket: WebSocket) -> None:
        async for notice in self._slack.subscribe():
            await websocket.send_json(notice)

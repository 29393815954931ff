"""Keeps other sites' pages out: a browser on this machine reaches loopback on behalf of every page that it shows.

Whoever asks must name this server by an address of this machine (another name may be somebody else's, that leads here),
and a page must be this server's own: browsers say in `Origin` whose it is, with every request that changes something and
with every websocket. Programs send none. Wrapped around the stand-in's server, and so around the sandbox's levers.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from sandbox.slack.delivery import is_loopback


class Doorman:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        why = stranger(Headers(scope=scope)) if scope["type"] in ("http", "websocket") else ""
        if not why:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose(1008, why)(scope, receive, send)
        else:
            await PlainTextResponse(f"{why}. Nothing was done.\n", 403)(scope, receive, send)


def stranger(headers: Headers) -> str:
    """Why who sent these is not let in, "" where they are."""
    host, origin = headers.get("host", ""), headers.get("origin")
    if not is_loopback(_name(host)):
        return "This server is asked by an address of this machine only"
    if origin is not None and origin != f"http://{host}":
        return "This server is not for pages of other sites"
    return ""


def _name(host: str) -> str:
    """Without its port; "" for what is no host."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""

"""The sandbox page: the Slack stand-in's workspace in a browser, for a person to try the bot.

    SlackStandIn(extra_routes=page.routes)

Served by the stand-in, talks to its `/_standin/` endpoints (documented in `sandbox.slack`) and to nobody else, so it
works offline. Its sources are in src/ (Preact); built/ is what `make page` makes of them and is committed, so that
Python alone runs it. Everything shown came from outside and is drawn as text; the policy below holds that even if a
line of the script forgets it.

GET  /grammar.json     → what can be typed after `/sre`, for the completion (grammar.py)

The levers are optional: where `GET /_sandbox/state` answers 404, nothing of them is shown. They are not served here
(sandbox/shop/levers.py does), and of them the page uses state, break, mend, clock and reset.
"""

from __future__ import annotations

from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.page.grammar import grammar

_HERE = Path(__file__).parent

_FILES = {
    "/": ("index.html", "text/html"),
    "/page.css": ("built/page.css", "text/css"),
    "/page.js": ("built/page.js", "text/javascript"),
    "/emoji.svg": ("emoji.svg", "image/svg+xml"),
}

# 'self' includes the websocket of the same origin. Pictures in messages may come from this machine only: a
# picture from elsewhere is shown as a link, so that reading a message calls nobody.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' http://127.0.0.1:* http://localhost:*",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",
}


async def _file(request: Request) -> Response:
    name, media_type = _FILES[request.url.path]
    return FileResponse(_HERE / name, media_type=media_type, headers=_HEADERS)


async def _grammar(_: Request) -> Response:
    return JSONResponse(await run_in_threadpool(grammar), headers=_HEADERS)


routes: list[BaseRoute] = [*(Route(path, _file) for path in _FILES), Route("/grammar.json", _grammar)]

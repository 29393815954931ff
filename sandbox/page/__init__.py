"""The sandbox page: the Slack stand-in's workspace in a browser, for a person to try the bot.

    SlackStandIn(extra_routes=page.routes)

Static files and nothing else: the page is served by the stand-in and talks to its `/_standin/` endpoints
(documented in `sandbox.slack`), so it works offline and needs no build. Everything shown came from outside
and is drawn as text; the policy below holds that even if a line of the script forgets it.

Two endpoints are optional, and what they feed is hidden while they answer 404. They are not served here:

GET  /_sandbox/about   → {"parts": [{"name", "real": bool, "note"}], "try": [line to type]}
GET  /_sandbox/faults  → {"faults": [{"name", "title", "on": bool}]}
POST /_sandbox/break   {"fault": name}      POST /_sandbox/mend {"fault": name}
"""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

_HERE = Path(__file__).parent

_FILES = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/blocks.js": ("blocks.js", "text/javascript"),
    "/window.js": ("window.js", "text/javascript"),
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


routes: list[BaseRoute] = [Route(path, _file) for path in _FILES]

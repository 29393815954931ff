"""A status page as its customers read it: takes what the bot posts, shows the newest first.

GET and POST `/_sandbox/status`; a post that comes again under its key replaces itself. Put together in assembly.py.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

PATH = "/_sandbox/status"
_KEPT = 50


class StatusPage:
    def __init__(self) -> None:
        self.posts: dict[str, dict[str, Any]] = {}

    def routes(self) -> Sequence[BaseRoute]:
        return [Route(PATH, self._take, methods=["POST"]), Route(PATH, self._show, methods=["GET"])]

    async def _take(self, request: Request) -> Response:
        key = request.headers.get("idempotency-key") or f"{len(self.posts)}"
        self.posts[key] = dict(await request.json())
        while len(self.posts) > _KEPT:
            del self.posts[next(iter(self.posts))]
        return Response(status_code=204)

    async def _show(self, request: Request) -> Response:
        shown = [
            f"{key}\n{json.dumps(post, indent=2, ensure_ascii=False)}" for key, post in self.posts.items()
        ]
        return PlainTextResponse(
            "\n\n".join(reversed(shown)) or "Nothing was posted to the status page yet.\n"
        )

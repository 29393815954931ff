"""The shop's levers over HTTP, for the page and for curl: JSON in, JSON out.

GET  /_sandbox/about   → {"parts": [{"name", "real", "note"}], "try": [line to type]}
GET  /_sandbox/faults  → {"faults": [{"name", "title", "expect", "on", "since"}], "backend": …}
POST /_sandbox/break   {"fault": name}
POST /_sandbox/mend    {"fault"?: name}   all of them without a name
GET  /_sandbox/alerts  → {"alerts": [rule names]}
POST /_sandbox/alert   {"alert": rule name, "resolve"?: bool}   straight to the bot, as Alertmanager posts it

Answers 400 with {"ok": false, "error": text} for what is not there. Holds only when which alert began.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.shop import Shop, rules

Json = dict[str, Any]
PostAlerts = Callable[[bytes], tuple[int, str]]


class Levers:
    """`about` is what runs; `post_alerts` reaches the bot's webhook."""

    def __init__(self, shop: Shop, *, about: Callable[[], Json], post_alerts: PostAlerts) -> None:
        self._shop = shop
        self._about = about
        self._post_alerts = post_alerts
        self._began: dict[str, tuple[datetime.datetime, Mapping[str, str]]] = {}

    def routes(self) -> list[BaseRoute]:
        reads: Mapping[str, Callable[[], Json]] = {
            "about": self._about,
            "faults": self._shop.state,
            "alerts": lambda: {"alerts": [rule.name for rule in rules.RULES]},
        }
        acts: Mapping[str, Callable[[Json], Json]] = {
            "break": self._break,
            "mend": self._mend,
            "alert": self._alert,
        }
        return [
            *(Route(f"/_sandbox/{name}", _reading(read), methods=["GET"]) for name, read in reads.items()),
            *(Route(f"/_sandbox/{name}", _acting(act), methods=["POST"]) for name, act in acts.items()),
        ]

    def _break(self, body: Json) -> Json:
        self._shop.break_(str(body.get("fault", "")))
        return self._shop.state()

    def _mend(self, body: Json) -> Json:
        self._shop.mend(str(body.get("fault", "")))
        return self._shop.state()

    def _alert(self, body: Json) -> Json:
        name, now = str(body.get("alert", "")), datetime.datetime.now(datetime.UTC)
        if body.get("resolve"):
            # Resolving is about the start that was told; without one, Alertmanager would not post at all.
            if name not in self._began:
                raise LookupError(f"{name!r} was not raised by hand")
            started, about = self._began.pop(name)
            sent = rules.webhook_body(name, started=started, ended=now, about=about)
        else:
            started, about = self._began.get(name, (now, self._shop.example()))
            sent = rules.webhook_body(name, started=started, about=about)
            self._began[name] = started, about
        status, text = self._post_alerts(sent)
        return {"status": status, "answer": text.strip()}


def _reading(read: Callable[[], Json]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(read))

    return endpoint


def _acting(act: Callable[[Json], Json]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        try:
            body = json.loads(await request.body() or b"{}")
            result = await run_in_threadpool(act, body)
        except (LookupError, ValueError, AttributeError) as error:
            text = error.args[0] if error.args else str(error)
            return JSONResponse({"ok": False, "error": str(text)}, 400)
        return JSONResponse({"ok": True, **result})

    return endpoint

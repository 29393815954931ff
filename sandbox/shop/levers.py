"""The sandbox's levers over HTTP, for the page and for curl: JSON in, JSON out.

GET  /_sandbox/state   → all of faults, about and clock in one, and "resets"
GET  /_sandbox/faults  → {"faults": [{"name", "title", "expect", "group", "once", "on", "since", "last", "off"}],
                          "groups", "broken": [name], "backend", …}; "off" is why it cannot be broken here, or ""
GET  /_sandbox/about   → {"parts": [{"name", "real", "note", "replace"}], "try": [line to type]}
GET  /_sandbox/clock   → {"ahead_seconds", "ahead", "now", "real", "steps", "off"}
GET  /_sandbox/alerts  → {"alerts": [rule names]}
POST /_sandbox/break   {"fault": name}
POST /_sandbox/mend    {"fault"?: name}   all of them without a name
POST /_sandbox/clock   {"skip": "15m"}
POST /_sandbox/reset   {}                 answers once all is as at a fresh start
POST /_sandbox/alert   {"alert": rule name, "resolve"?: bool}   straight to the bot, as Alertmanager posts it

Answers 400 with {"ok": false, "error": text} for what is not there. What changed is told to who listens on
/_standin/live: {"kind": "sandbox", "what": "break", "fault": name}. Holds only when which alert began.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox import hours
from sandbox.shop import Shop, rules
from sandbox.shop.bare import Bare
from sandbox.shop.inventory import stamp
from sandbox.slack import SlackStandIn

Json = dict[str, Any]

STEPS = ("5m", "15m", "1h", "1d")


class Parts(Protocol):
    """The sandbox, once it runs."""

    stage: Shop | Bare
    slack: SlackStandIn
    clock: hours.Clock
    resets: int

    def about(self) -> Json: ...

    def post_alerts(self, body: bytes) -> tuple[int, str]: ...

    def skip(self, seconds: float) -> None: ...

    def rigid(self) -> str: ...

    def reset(self) -> float: ...


class Levers:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._began: dict[str, tuple[datetime.datetime, Mapping[str, str]]] = {}

    def routes(self) -> list[BaseRoute]:
        reads: Mapping[str, Callable[[], Json]] = {
            "state": self._state,
            "about": self._parts.about,
            "faults": lambda: self._parts.stage.state(),
            "clock": self._clock,
            "alerts": lambda: {"alerts": [rule.name for rule in rules.RULES]},
        }
        acts: Mapping[str, Callable[[Json], Json]] = {
            "break": self._break,
            "mend": self._mend,
            "clock": self._skip,
            "reset": self._reset,
            "alert": self._alert,
        }
        return [
            *(Route(f"/_sandbox/{name}", _reading(read), methods=["GET"]) for name, read in reads.items()),
            *(Route(f"/_sandbox/{name}", _acting(act), methods=["POST"]) for name, act in acts.items()),
        ]

    def forget(self) -> None:
        """The alerts that were raised by hand: nobody is there any more who was told of them."""
        self._began.clear()

    def _state(self) -> Json:
        return {
            **self._parts.stage.state(),
            **self._parts.about(),
            "clock": self._clock(),
            "resets": self._parts.resets,
        }

    def _break(self, body: Json) -> Json:
        name = str(body.get("fault", ""))
        self._parts.stage.break_(name)
        self._tell("break", fault=name)
        return self._parts.stage.state()

    def _mend(self, body: Json) -> Json:
        name = str(body.get("fault", ""))
        self._parts.stage.mend(name)
        self._tell("mend", fault=name)
        return self._parts.stage.state()

    def _clock(self) -> Json:
        real, ahead = datetime.datetime.now(datetime.UTC), self._parts.clock.ahead()
        return {
            "ahead_seconds": round(ahead),
            "ahead": hours.written(ahead),
            "now": stamp(real + datetime.timedelta(seconds=ahead)),
            "real": stamp(real),
            "steps": list(STEPS),
            "off": self._parts.rigid(),
        }

    def _skip(self, body: Json) -> Json:
        self._parts.skip(hours.parsed(str(body.get("skip", ""))))
        self._tell("clock")
        return self._clock()

    def _reset(self, body: Json) -> Json:
        seconds = self._parts.reset()
        self._tell("reset")
        return {"seconds": round(seconds, 1), **self._state()}

    def _tell(self, what: str, **about: str) -> None:
        with self._parts.slack.workspace.change("sandbox", what=what, **about):
            pass

    def _alert(self, body: Json) -> Json:
        name, now = str(body.get("alert", "")), datetime.datetime.now(datetime.UTC)
        if body.get("resolve"):
            # Resolving is about the start that was told; without one, Alertmanager would not post at all.
            if name not in self._began:
                raise LookupError(f"{name!r} was not raised by hand")
            started, about = self._began.pop(name)
            sent = rules.webhook_body(name, started=started, ended=now, about=about)
        else:
            started, about = self._began.get(name, (now, self._parts.stage.example()))
            sent = rules.webhook_body(name, started=started, about=about)
            self._began[name] = started, about
        status, text = self._parts.post_alerts(sent)
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

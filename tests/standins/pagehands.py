"""What tests of the sandbox page share: a bot that answers whatever comes, levers of a shop, and a person's hands."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest
from slack_sdk import WebClient
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bot import render
from sandbox.slack import SlackStandIn
from tests.standins.browser import PROGRAM, Browser, Tab

DAILY, GENERAL, ALERTS = "C0SREDAILY1", "C0GENERAL01", "C0SREALERTS"
BOT, BOB = "U0SREBOT001", "U0BOB000001"
BOXES = {"main": "#compose textarea", "thread": "#reply textarea"}

in_a_browser = pytest.mark.skipif(
    PROGRAM is None, reason="NO CHROMIUM ON PATH: the sandbox page was not tried in a browser"
)

Json = dict[str, Any]


def button(label: str, action_id: str, **fields: Any) -> Json:
    text = {"type": "plain_text", "text": label}
    return {"type": "button", "action_id": action_id, "text": text, **fields}


def section(text: str) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


CARD = [
    section("*Drain the node?* 🔴 `ip-10-0-3-17`"),
    {
        "type": "actions",
        "elements": [
            button("Approve", "approve", value="1", style="primary"),
            button("Slow", "slow"),
            button("Graph", "graph", url="https://graph.example.com/"),
        ],
    },
]


class FakeBot:
    """Answers whatever comes, and trusts it all. A press of `slow` waits until the test is over."""

    def __init__(self) -> None:
        self.client: WebClient | None = None
        self.over = threading.Event()
        bot = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                is_event = self.headers["content-type"] == "application/json"
                answer = bot.on_event(json.loads(body)) if is_event else bot.on_form(parse_qs(body))
                try:
                    self.send_response(200)
                    self.send_header("content-type", "application/json")
                    self.end_headers()
                    self.wfile.write(json.dumps(answer).encode())
                except BrokenPipeError:
                    pass  # the stand-in did not wait for `slow`

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> FakeBot:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def web(self) -> WebClient:
        assert self.client is not None
        return self.client

    def on_form(self, form: dict[str, list[str]]) -> Json:
        if "payload" in form:
            return self.on_press(json.loads(form["payload"][0]))
        self.web.chat_postMessage(channel=form["channel_id"][0], text="Drain the node?", blocks=CARD)
        return {"response_type": "ephemeral", "text": f"On it: {form.get('text', [''])[0]}"}

    def on_press(self, payload: Json) -> Json:
        if payload["type"] == "view_submission":
            return self.on_form_filled(payload)
        pressed = payload["actions"][0]["action_id"]
        if pressed == "reject":
            value = payload["actions"][0]["value"]
            self.web.views_open(trigger_id=payload["trigger_id"], view=render.reject_view(value))
        if pressed == "cancel":
            own = {"channel": payload["channel"]["id"], "user": payload["user"]["id"]}
            self.web.chat_postEphemeral(**own, text="Not you: only the requester may cancel this.")
        if pressed == "slow":
            self.over.wait()
        if pressed == "approve":
            by = section(f"approved by <@{payload['user']['id']}>")
            place = {"channel": payload["channel"]["id"], "ts": payload["message"]["ts"]}
            self.web.chat_update(**place, text="approved", blocks=[CARD[0], by])
        return {}

    def on_form_filled(self, payload: Json) -> Json:
        view = payload["view"]
        reason = view["state"]["values"]["reason"]["reason"]["value"]
        if reason == "no":
            return {"response_action": "errors", "errors": {"reason": "Say a little more."}}
        told = f"{view['private_metadata']} rejected by <@{payload['user']['id']}>: {reason}"
        self.web.chat_postMessage(channel=DAILY, text=told)
        return {}

    def on_event(self, envelope: Json) -> Json:
        event = envelope["event"]
        if event["type"] == "app_mention":
            thread = event.get("thread_ts", event["ts"])
            self.web.chat_postMessage(channel=event["channel"], thread_ts=thread, text="All *green*.")
        return {}


class Sandbox:
    """The levers, as whoever runs the sandbox serves them."""

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.ahead = ""
        self.resets = 0
        self.routes = [
            Route("/_sandbox/state", self.state),
            *(
                Route(f"/_sandbox/{name}", self.turn, methods=["POST"])
                for name in ("break", "mend", "clock", "reset")
            ),
        ]

    async def state(self, _: Request) -> JSONResponse:
        parts = [
            {"name": "Redis", "real": True, "note": "its own process", "replace": ""},
            {"name": "Slack", "real": False, "note": "<b>emulated</b>", "replace": "--real-slack"},
        ]
        faults = [
            self.fault("crash-loop", "Crash loop of a pod", "pods"),
            self.fault("redis", "Redis is down", "house"),
            self.fault("worker-kill", "A worker is killed", "house", off="there are no workers"),
        ]
        clock = {"ahead": self.ahead, "steps": ["5m", "1h"], "off": ""}
        about = {"parts": parts, "try": ["/sre health payments"]}
        return JSONResponse({"faults": faults, "clock": clock, "resets": self.resets, **about})

    def fault(self, name: str, title: str, group: str, off: str = "") -> Json:
        since = "2026-11-23T12:00:00Z" if name in self.broken else None
        told = {"expect": f"`{name}` is seen", "once": False, "last": None, "since": since}
        return {"name": name, "title": title, "group": group, "on": name in self.broken, "off": off, **told}

    async def turn(self, request: Request) -> JSONResponse:
        said = await request.json()
        match request.url.path.rpartition("/")[2]:
            case "break":
                self.broken.add(said["fault"])
            case "mend":
                self.broken -= {said["fault"]} if "fault" in said else self.broken
            case "clock":
                self.ahead = said["skip"]
            case "reset":
                self.broken, self.ahead, self.resets = set(), "", self.resets + 1
        return JSONResponse({"ok": True})


@pytest.fixture(scope="module")
def bot() -> Iterator[FakeBot]:
    with FakeBot() as bot:
        yield bot


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@contextmanager
def alice(browser: Browser, slack: SlackStandIn) -> Iterator[Tab]:
    """In #sre-daily. Whatever the page itself got wrong fails the test at its end."""
    with browser.open(f"{slack.url}/#alice/{DAILY}") as tab:
        tab.wait_for("document.querySelector('#channel-name').innerText === '#sre-daily'")
        yield tab
        assert tab.troubles == []


def say(tab: Tab, text: str, where: str = "main") -> None:
    tab.click(BOXES[where])
    tab.type(text)
    tab.key("Enter")


def shown(tab: Tab, text: str) -> None:
    tab.wait_for_text("#messages .message", text)

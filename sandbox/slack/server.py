"""The stand-in itself: one HTTP and websocket server on loopback, and the object tests hold in their hands.

`SlackStandIn` owns the parts (workspace, Web API, Socket Mode, courier) and the uvicorn thread, and adds
what a test may look at: messages, ephemerals, calls, transcripts, waiting. It is not Slack for anybody
else: it listens on loopback only and takes no token but its own.
"""

from __future__ import annotations

import asyncio
import json
import queue
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from sandbox.slack import installed, page, shapes, transcript
from sandbox.slack.api import RecordedCall, WebApi
from sandbox.slack.cast import Cast, default_cast, settle
from sandbox.slack.delivery import Courier, Delivery, Kind, http_client, is_loopback
from sandbox.slack.doorman import Doorman
from sandbox.slack.faults import Fault, Faults
from sandbox.slack.faults import Kind as FaultKind
from sandbox.slack.joining import Joining
from sandbox.slack.rates import POST_BURST, RateLimits
from sandbox.slack.socket_mode import Reason, SocketHub
from sandbox.slack.workspace import Clock, Json, Message, SlackError, View
from sandbox.slack.writing import Writing

T = TypeVar("T")

BOT_TOKEN = "xoxb-emulator-sre-bot"
APP_TOKEN = "xapp-emulator-sre-bot"
SIGNING_SECRET = "emulator-signing-secret"


class SlackStandIn(Writing, Joining):
    """A Slack workspace with one app installed. Use as a context manager, or start() and stop()."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        request_url: str | None = None,
        bot_token: str = BOT_TOKEN,
        app_token: str = APP_TOKEN,
        signing_secret: str = SIGNING_SECRET,
        scopes: Iterable[str] = installed.SCOPES,
        events: Iterable[str] = installed.EVENTS,
        home_tab: bool = installed.HOME_TAB,
        cast: Callable[[], Cast] = default_cast,
        frozen_at: float | None = None,
        rate_limits: Literal["slack", "off"] = "slack",
        rate_scale: float = 1.0,
        post_burst: int = POST_BURST,
        ack_timeout: float = 3.0,
        retry_scale: float = 1.0,
        should_escape: bool = True,
        extra_routes: Sequence[BaseRoute] = (),
        allow_any_host: bool = False,
        kept: int | None = None,
    ) -> None:
        """`kept`: how many of the newest calls and deliveries it can still tell of; all of them by itself."""
        if not (bot_token.startswith("xoxb-emulator-") and app_token.startswith("xapp-emulator-")):
            raise ValueError("the stand-in takes only xoxb-emulator-… and xapp-emulator-… tokens")
        if not (is_loopback(host) or allow_any_host):
            raise ValueError(f"the stand-in listens on loopback only, not on {host}")
        self.host, self.port = host, port
        self.bot_token, self.app_token, self.signing_secret = bot_token, app_token, signing_secret
        self.should_escape = should_escape
        self.scopes, self._home_tab = frozenset(scopes), home_tab
        self._request_url = request_url
        self._cast, self._kept = cast, kept
        self._frozen_at = frozen_at
        self._rates = {"policy": rate_limits, "scale": rate_scale, "post_burst": post_burst}
        self._courier_options: Json = {
            "subscribed": frozenset(events),
            "granted": self.scopes,
            "ack_timeout": ack_timeout,
            "retry_scale": retry_scale,
            "may_leave_host": allow_any_host,
            "kept": kept,
        }
        doors = [] if allow_any_host else [Middleware(Doorman)]
        self._app = Starlette(routes=[*extra_routes, *self._routes()], middleware=doors)
        self._http = http_client()  # one for all resets: making it costs more than a test
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._assemble()

    def _assemble(self) -> None:
        self.clock = Clock(self._frozen_at)
        self.workspace = settle(self._cast(), self.clock)
        self.workspace.home_tab = self._home_tab
        self.faults = Faults()
        self.sockets = SocketHub(self.workspace.app_id, self._note)
        self.courier = Courier(
            self.workspace,
            self.sockets,
            self._http,
            signing_secret=self.signing_secret,
            request_url=self._request_url,
            **self._courier_options,
        )
        self.api = WebApi(
            self.workspace,
            bot_token=self.bot_token,
            app_token=self.app_token,
            scopes=self.scopes,
            rates=RateLimits(self.clock, **self._rates),  # type: ignore[arg-type]
            faults=self.faults,
            announce=self.courier.announce,
            open_socket=self.sockets.new_url,
            kept=self._kept,
        )
        self._address()

    def _address(self) -> None:
        self.workspace.base_url = self.sockets.base_url = self.url

    def _note(self, kind: str) -> None:
        with self.workspace.change(kind):
            pass

    # --- running

    @property
    def url(self) -> str:  # type: ignore[override]
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def api_url(self) -> str:
        """What slack_sdk wants as `base_url`."""
        return f"{self.url}/api/"

    @property
    def app(self) -> Starlette:
        """The ASGI app, for who wants to serve it himself."""
        return self._app

    @property
    def request_url(self) -> str | None:
        """Where the app listens for commands, interactions and events."""
        return self.courier.request_url

    @request_url.setter
    def request_url(self, url: str | None) -> None:
        self.courier.request_url = url
        self._request_url = url

    def start(self) -> Self:
        # With the protocol named, asyncio sets TCP_NODELAY; without it each answer on a kept-alive
        # connection takes 40 ms more.
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.host, self.port))
        self.port = listener.getsockname()[1]
        self._address()
        config = uvicorn.Config(
            self._app,
            log_config=None,
            access_log=False,
            timeout_keep_alive=3600,  # who closes first loses a request that is on its way
            timeout_graceful_shutdown=2,
            http="h11",
            ws="websockets-sansio",
            lifespan="off",
        )
        self._server = _Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="slack-stand-in", daemon=True
        )
        self._thread.start()
        if not self._server.ready.wait(60):
            raise RuntimeError("the Slack stand-in did not start within 60 s")
        return self

    def stop(self) -> None:
        self.courier.close()
        self._http.close()
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join()
        self._server = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def reset(self) -> None:
        """Everything as at the start, on the same port: cheaper than another stand-in. Cuts the sockets."""
        self.sockets.cut()
        self.courier.close()
        before = self.workspace
        self._assemble()
        self.workspace.succeed(before)
        self._note("reset")

    # --- what there is to see

    def messages(self, channel: str) -> list[Json]:
        """All messages of a channel, oldest first, replies included, with metadata."""
        with self.workspace.changed:
            return [self._described(m) for m in self.workspace.channel(channel).messages.values()]

    def thread(self, channel: str, ts: str) -> list[Json]:
        """The parent and its replies, oldest first."""
        with self.workspace.changed:
            return [self._described(m) for m in self.workspace.channel(channel).thread(ts)]

    def _described(self, message: Message) -> Json:
        return shapes.message(self.workspace, message, include_metadata=True)

    def ephemerals(self, user: str) -> list[Json]:
        """Everything only this person was shown: acks, response_url posts, ephemerals, Slackbot errors."""
        with self.workspace.changed:
            person = self.workspace.user(user)
            return [shapes.ephemeral(e) for e in self.workspace.ephemerals if e.user == person.id]

    def views(self, user: str) -> list[Json]:
        """The open modals, topmost last, each with `errors` as the person sees them."""
        with self.workspace.changed:
            stack = self.workspace.modal_stacks.get(self.workspace.user(user).id, [])
            return [self._seen_view(self.workspace.views[view_id]) for view_id in stack]

    def home(self, user: str) -> Json | None:
        """The Home tab as published for this person."""
        with self.workspace.changed:
            view_id = self.workspace.home_views.get(self.workspace.user(user).id)
            return self._seen_view(self.workspace.views[view_id]) if view_id else None

    def _seen_view(self, view: View) -> Json:
        return shapes.view(self.workspace, view) | {"errors": dict(view.errors)}

    def calls(self, method: str | None = None) -> list[RecordedCall]:
        with self.workspace.changed:
            return [call for call in self.api.calls if method in (None, call.method)]

    def deliveries(self, kind: Kind | None = None) -> list[Delivery]:
        with self.workspace.changed:
            return [item for item in self.courier.deliveries if kind in (None, item.kind)]

    def transcript(self, channel: str, *, ephemerals: bool = True) -> str:
        with self.workspace.changed:
            return transcript.channel(self.workspace, self.workspace.channel(channel), ephemerals=ephemerals)

    def wait_for(self, predicate: Callable[[], T], timeout: float = 60.0) -> T:
        """Wait until `predicate()` is true, looking again at every change; returns what it returned.

        It is called with the workspace locked: it may look, but must not act or call the API."""
        deadline = time.monotonic() + timeout
        with self.workspace.changed:
            while not (result := predicate()):
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise TimeoutError(f"not within {timeout} s: {predicate}")
                self.workspace.changed.wait(remaining)
            return result

    async def subscribe(self) -> AsyncIterator[Json]:
        """Notices of every change: {"version", "kind", …ids}. The first, "hello", says that from now on none
        is missed. Never ends by itself."""
        notices: asyncio.Queue[Json] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def hand_over(notice: Json) -> None:
            loop.call_soon_threadsafe(notices.put_nowait, notice)

        stop = self.workspace.listen(hand_over)
        try:
            yield {"version": self.workspace.version, "kind": "hello"}
            while True:
                yield await notices.get()
        finally:
            stop()

    def notices(self) -> queue.SimpleQueue[Json]:
        """The same feed for threads: a queue that fills from now on."""
        notices: queue.SimpleQueue[Json] = queue.SimpleQueue()
        self.workspace.listen(notices.put)
        return notices

    # --- making trouble

    def fault(self, method: str, kind: FaultKind, times: int | None = 1, **options: Any) -> None:
        """Plan a fault: see `faults.Kind`. Options: status, error, seconds, retry_after."""
        self.faults.add(Fault(method, kind, times, **options))
        if kind == "down":
            self.sockets.cut()

    def clear_faults(self, method: str | None = None) -> None:
        self.faults.clear(method)

    def lose_events(self, is_lost: bool = True) -> None:
        """The app was away for longer than Slack tries again: from now on no event reaches it, now or later, and
        only the history tells of what happened. `lose_events(False)`: it is heard again."""
        self.courier.loses_events = is_lost

    def revoke_token(self) -> None:
        """The app was removed from the workspace: every call says token_revoked."""
        self.api.is_revoked = True

    def disconnect_sockets(self, reason: Reason = "refresh_requested") -> None:
        self.sockets.disconnect(reason)

    def verify_request_url(self) -> bool:
        """What Slack does when the request URL is saved: a signed challenge that must come back."""
        challenge = self.workspace.secret("challenge")
        body = json.dumps({"token": "emulated", "challenge": challenge, "type": "url_verification"})
        answer = self.courier.post_raw(body.encode(), "application/json")
        return answer.status_code == 200 and challenge in answer.text

    # --- HTTP

    def _routes(self) -> list[BaseRoute]:
        return [
            Route("/api/{method}", endpoint=_Forward(lambda: self.api)),
            WebSocketRoute("/link/", self._link),
            Route("/upload/v1/{ticket}", self._upload, methods=["POST"]),
            Route("/files-pri/{file}/{rest:path}", self._download),
            *(
                Route(f"/{kind}/{{team}}/{{secret}}", self._response_url_endpoint, methods=["POST"])
                for kind in ("commands", "actions", "app")
            ),
            *page.routes(self),
        ]

    async def _link(self, websocket: WebSocket) -> None:
        if self.faults.is_down():
            await websocket.close(1013)
            return
        await self.sockets.endpoint(websocket)

    async def _upload(self, request: Request) -> Response:
        """Takes the raw bytes (as slack_sdk sends them) or a multipart form with one file."""
        body = await request.body()
        content_type = request.headers.get("content-type", "")
        if content_type.startswith("multipart/form-data"):
            body = _only_part(body, content_type)
        with self.workspace.change("file"):
            for file in self.workspace.files.values():
                if file.ticket == request.path_params["ticket"] and file.content is None:
                    file.content = body
                    file.length = len(body)
                    return PlainTextResponse(f"OK - {len(body)}")
        return PlainTextResponse("invalid upload url", 404)

    async def _download(self, request: Request) -> Response:
        file = self.workspace.files.get(request.path_params["file"])
        is_ours = request.headers.get("authorization") == f"Bearer {self.bot_token}"
        if not is_ours or "files:read" not in self.scopes:  # then it is the way to the login page
            return PlainTextResponse("", 302, {"location": f"https://{self.workspace.domain}.slack.com/"})
        if file is None or file.content is None or not self.workspace.bot_sees(file):
            return PlainTextResponse("", 404)
        return Response(file.content, media_type=file.mimetype)

    async def _response_url_endpoint(self, request: Request) -> Response:
        body = _json_or_form(await request.body())
        try:
            await run_in_threadpool(self.answer_response_url, request.path_params["secret"], body)
        except SlackError as refusal:
            # 404 with used_url or expired_url is assumed; bad blocks are a 400, as at incoming webhooks.
            status = 404 if refusal.code.endswith("_url") else 400
            return JSONResponse({"ok": False, "error": refusal.code, **refusal.extra}, status)
        return PlainTextResponse("ok")


class _Server(uvicorn.Server):
    """uvicorn that says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


class _Forward:
    """An ASGI app that is looked up for each request: `reset` replaces the one behind it."""

    def __init__(self, target: Callable[[], WebApi]) -> None:
        self._target = target

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._target()(scope, receive, send)


def _json_or_form(body: bytes) -> Json:
    """A response_url takes JSON, also inside a form field `payload`."""
    text = body.decode(errors="replace")
    if not text.lstrip().startswith("{"):
        text = parse_qs(text).get("payload", ["{}"])[0]
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _only_part(body: bytes, content_type: str) -> bytes:
    """The content of a multipart body that holds one file."""
    boundary = b"--" + content_type.partition("boundary=")[2].strip('"').encode()
    part = body.split(boundary)[1]
    return part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")

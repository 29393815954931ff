"""A stand-in for Grafana: the few pages of its API that the bot reads, on loopback.

Owns health, the search over the manual's dashboards, and the check of tokens: a wrong token is always
refused; none at all is let in as a Viewer only where `anonymous` is on, as in Grafana itself. Keys and
refusals are those of Grafana 12. Draws nothing: a dashboard's address shows its name. Called by the
sandbox and by tests.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]

TOKEN = "glsa_sandbox-viewer"
VERSION, COMMIT = "12.3.0", "20051fb1fc604fc54aae76356da1c14612af41d0"
DASHBOARDS = ("SRE Shop - SLO Dashboard", "Kubernetes Overview")


class Grafana:
    url: str

    def __init__(
        self, *, token: str = TOKEN, anonymous: bool = False, dashboards: Sequence[str] = DASHBOARDS
    ) -> None:
        self.token = token
        self.anonymous = anonymous
        self.dashboards = list(dashboards)
        self.database = "ok"  # anything else is a health page with 503

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.grafana = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="grafana", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str, query: Json, authorization: str) -> tuple[int, Any]:
        """Status and body."""
        if path == "/api/health":
            health = {"database": self.database, "version": VERSION, "commit": COMMIT}
            return (200 if self.database == "ok" else 503), health
        if path.startswith("/d/"):
            return self._dashboard_page(path)
        refusal = self._refusal(authorization)
        if refusal:
            return 401, refusal
        if path == "/api/search":
            wanted = query.get("query", [""])[0].casefold()
            limit = int(query.get("limit", ["1000"])[0])
            found = [board for board in self._listed() if wanted in board["title"].casefold()]
            return 200, found[:limit]
        if path == "/api/org":
            keys = ("address1", "address2", "city", "zipCode", "state", "country")
            return 200, {"id": 1, "name": "Main Org.", "address": dict.fromkeys(keys, "")}
        return 404, {"message": "Not found", "traceID": ""}

    def _refusal(self, authorization: str) -> Json | None:
        if not authorization:
            return None if self.anonymous else _refused("Unauthorized", "auth.unauthorized")
        if authorization == f"Bearer {self.token}":
            return None
        return _refused("Invalid API key", "api-key.invalid")

    def _listed(self) -> list[Json]:
        return [_board(number, title) for number, title in enumerate(self.dashboards, 1)]

    def _dashboard_page(self, path: str) -> tuple[int, Any]:
        for board in self._listed():
            if path.startswith(f"/d/{board['uid']}"):
                return 200, f"{board['title']}\n\nThe sandbox has a stand-in for Grafana: it draws nothing.\n"
        return 404, "Dashboard not found\n"


def _board(number: int, title: str) -> Json:
    slug = re.sub(r"[^a-z0-9]+", "-", title.casefold()).strip("-")
    uid = f"sandbox-{number}"
    return {
        "id": number,
        "orgId": 1,
        "uid": uid,
        "title": title,
        "uri": f"db/{slug}",
        "url": f"/d/{uid}/{slug}",
        "slug": "",
        "type": "dash-db",
        "tags": [],
        "isStarred": False,
        "sortMeta": 0,
        "isDeleted": False,
    }


def _refused(message: str, kind: str) -> Json:
    return {"extra": None, "message": message, "messageId": kind, "statusCode": 401, "traceID": ""}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    grafana: Grafana


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: Any = self.server
        parts = urlsplit(self.path)
        authorization = self.headers.get("Authorization", "")
        status, answer = server.grafana.answer(parts.path, parse_qs(parts.query), authorization)
        is_text = isinstance(answer, str)
        body = answer.encode() if is_text else json.dumps(answer).encode()
        self.send_response(status)
        kind = "text/plain; charset=utf-8" if is_text else "application/json; charset=UTF-8"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """The bot's own log has it."""

"""What lies between the bot and an API server: a reverse proxy on loopback that passes everything on, and loses,
refuses or holds back what a test says. It notes every request that came, and what became of it.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import urllib3

# cut: before it arrives. lose: the server did it, and its answer is cut off. busy: the 429 of priority and
# fairness, which has no cause. broken: 503.
What = Literal["cut", "lose", "busy", "broken"]

_BODY = b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"%s","code":%d}'
_SAID = {
    "busy": (429, "too many requests, please try again later"),
    "broken": (503, "apiserver is shutting down"),
}
_REHEARSAL = "dryRun=All"
_HOP = ("connection", "transfer-encoding", "content-length", "keep-alive")


@dataclass(slots=True)
class Rule:
    """Strikes so many matching requests, or all while times is None; never a rehearsal, which changes nothing.

    path: a pattern, without the query.
    """

    what: What
    method: str
    path: str
    times: int | None
    hits: int = 0

    def strikes(self, method: str, path: str, query: str) -> bool:
        return (
            _REHEARSAL not in query
            and (self.times is None or self.hits < self.times)
            and fnmatchcase(method, self.method)
            and fnmatchcase(path, self.path)
        )


@dataclass(frozen=True, slots=True)
class Passed:
    """A request; status 0 where the server never had it."""

    method: str
    path: str
    status: int
    rehearsal: bool = False


class Gate:
    """`with Gate(url, ca) as gate: ...`; speaks plain HTTP on `gate.url`."""

    def __init__(self, upstream: str, ca: Path | None) -> None:
        self._upstream = upstream
        self._pool = urllib3.PoolManager(ca_certs=str(ca) if ca else None, maxsize=32, retries=False)
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        self._passed: list[Passed] = []

    def __enter__(self) -> Self:
        gate = self

        class Handler(_Handler):
            def answer(self) -> None:
                gate._answer(self)

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="gate", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._pool.clear()

    def rule(self, what: What, method: str = "*", path: str = "*", *, times: int | None = None) -> Rule:
        made = Rule(what, method, path, times)
        with self._lock:
            self._rules.append(made)
        return made

    def lift(self, rule: Rule) -> None:
        with self._lock:
            self._rules.remove(rule)

    def writes(self, path: str = "*", method: str = "*") -> list[Passed]:
        """What was sent to change something, oldest first; rehearsals change nothing."""
        with self._lock:
            return [
                each
                for each in self._passed
                if each.method != "GET"
                and not each.rehearsal
                and fnmatchcase(each.method, method)
                and fnmatchcase(each.path, path)
            ]

    def taken(self, path: str = "*", method: str = "*") -> list[Passed]:
        """Those of them that the server took."""
        return [each for each in self.writes(path, method) if 200 <= each.status < 300]

    # --- one request ---

    def _answer(self, asked: "_Handler") -> None:
        path, _, query = asked.path.partition("?")
        what = self._struck(asked.command, path, query)
        note: Callable[[int], None] = lambda status: self._note(  # noqa: E731
            Passed(asked.command, path, status, _REHEARSAL in query)
        )
        body = asked.rfile.read(int(asked.headers.get("Content-Length") or 0))
        if what == "cut":
            note(0)
            asked.hang_up()
        elif what in _SAID:
            status, words = _SAID[what]
            note(0)
            asked.say(status, {"Content-Type": "application/json"}, _BODY % (words.encode(), status))
        else:
            self._pass_on(asked, body, what == "lose", note)

    def _struck(self, method: str, path: str, query: str) -> str:
        with self._lock:
            for rule in self._rules:
                if rule.strikes(method, path, query):
                    rule.hits += 1
                    return rule.what
        return ""

    def _note(self, passed: Passed) -> None:
        with self._lock:
            self._passed.append(passed)

    def _pass_on(self, asked: "_Handler", body: bytes, is_lost: bool, note: Callable[[int], None]) -> None:
        headers = {
            name: value for name, value in asked.headers.items() if name.lower() not in (*_HOP, "host")
        }
        try:
            answer = self._pool.request(
                asked.command, self._upstream + asked.path, body=body or None, headers=headers,
                timeout=urllib3.Timeout(connect=2, read=30), decode_content=False,
            )  # fmt: skip
        except urllib3.exceptions.HTTPError:
            note(0)
            asked.hang_up()
            return
        note(answer.status)
        if is_lost:
            asked.hang_up()
        else:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
            asked.say(answer.status, kept, answer.data)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def answer(self) -> None:
        raise NotImplementedError

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = lambda self: self.answer()

    def say(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self) -> None:
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """The gate keeps its own notes."""

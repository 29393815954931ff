"""What it costs that the house tells of itself: a page of metrics over a full store, and a run with its reads watched.

The page is asked of the real application as Prometheus asks it, over an empty store and over one that is as full as a bad
day makes it. The run is a reader that sees forty reads which cost nothing: unwatched, watched (metrics and log
lines), and watched while traces are sent to a collector that takes them.
"""

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.common import SPREAD, Sample, main, ratio, request, table
from bot import logs, tracing, vitals, web
from bot.secret import Redactor
from bot.state import JOB_TIMEOUT, State, connect
from commands.model import Read
from commands.reads import Query
from commands.site import Site
from sandbox.redis_server import RedisServer
from workers.reader import Reader, Watch
from workers.watching import Watcher

READS = 40


def run(is_quick: bool) -> list[str]:
    pages, runs, full = (30, 30, 500) if is_quick else (200, 300, 5_000)
    with RedisServer() as server:
        state = State(connect(server.url, patient=False))
        empty, _ = _pages(state, pages)
        _fill(state, full)
        filled, size = _pages(state, pages)
    table(
        "a page of metrics", ("", *SPREAD), [("empty store", *empty.cells()), ("full store", *filled.cells())]
    )
    unwatched, watched = _in_turns(runs)
    with _collector() as url:
        traced = _traced(url, runs)
    rows = [("unwatched", *unwatched.cells()), ("watched", *watched.cells()), ("traced", *traced.cells())]
    table(f"{READS} reads", ("", *SPREAD), rows)
    each = (watched.p50 - unwatched.p50) / READS * 1000
    return [
        f"telling: a page of {size / 1000:.0f} kB over {full} cards, requests and jobs p50 {filled.p50:.1f} ms, over an "
        f"empty store {empty.p50:.1f} ms: {ratio(filled.p50, empty.p50)}",
        f"telling: {READS} reads p50 {watched.p50:.1f} ms, unwatched {unwatched.p50:.1f} ms ({each:.0f} us a read), "
        f"with traces {traced.p50:.1f} ms",
    ]


# --- the page ---


def _pages(state: State, count: int) -> tuple[Sample, int]:
    app = web.Web(
        None, None, signing_secret="", alert_tokens=(), not_ready=list, told=lambda: vitals.read(state, Site())  # type: ignore[arg-type]
    )  # fmt: skip
    sample, size = Sample(), 0

    def ask() -> None:
        nonlocal size
        size = len(b"".join(app({"REQUEST_METHOD": "GET", "PATH_INFO": "/metrics"}, lambda *_: None)))

    for _ in range(count):
        sample.time(ask)
    return sample, size


def _fill(state: State, count: int) -> None:
    for _ in range(count):
        each = request()
        state.change().put(each, was="").show(each).work(each, timeout=JOB_TIMEOUT).commit()


# --- the reads ---


class Instant:
    """Answers at once."""

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        return ((Query,),)

    def read(self, read: Read, deadline: float) -> Any:
        return ()


def _in_turns(count: int) -> tuple[Sample, Sample]:
    logs.configure(Redactor(()), stream=open(os.devnull, "w"))  # noqa: SIM115 - for the life of the process
    logging.getLogger("workers.watching").setLevel("DEBUG")  # a line for each, at its dearest
    unwatched, watched = Sample(), Sample()
    for _ in range(count):
        _see(unwatched, None)
        _see(watched, Watcher())
    return unwatched, watched


def _traced(url: str, count: int) -> Sample:
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = url
    tracing.configure(url, "worker")
    sample = Sample()
    for _ in range(count):
        with tracing.span("work", request="RBENCH001"):
            _see(sample, Watcher())
    return sample


def _see(sample: Sample, watch: Watch | None) -> None:
    reader = Reader([Instant()], watch=watch)
    asked = tuple(Query(f"up{number}") for number in range(READS))
    with logs.bound("RBENCH001"):
        sample.time(lambda: reader.see(asked))


class _Takes(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


@contextmanager
def _collector() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Takes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


if __name__ == "__main__":
    sys.exit(main(__doc__, run))

"""A worker's own port, for probes and metrics: `/healthz`, `/readyz` and `/metrics`, as the bot has them.

Nothing else is answered, and nothing is asked of the outside. Opened and closed by workers/__main__.py, where
WORKER_PORT says so; a job under way does not keep it from answering.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import Any

import waitress

from bot import metrics

_TEXT = "text/plain; charset=utf-8"


class Port:
    """A WSGI application. threads: those that must live for as long as the worker does. not_ready: names what keeps it
    from taking jobs, empty when nothing."""

    def __init__(self, threads: Sequence[Thread], not_ready: Callable[[], list[str]]) -> None:
        self._threads = threads
        self._not_ready = not_ready

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        status, kind, body = self._answer(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    def _answer(self, method: str, path: str) -> tuple[str, str, bytes]:
        if method != "GET":
            return "405 Method Not Allowed", _TEXT, b"405 Method Not Allowed: only GET\n"
        match path:
            case "/healthz":
                dead = [f"{thread.name} has ended" for thread in self._threads if not thread.is_alive()]
                return _verdict(dead, "ok")
            case "/readyz":
                return _verdict([f"not ready: {what}" for what in self._not_ready()], "ready")
            case "/metrics":
                return "200 OK", metrics.CONTENT_TYPE, metrics.page()
        return "404 Not Found", _TEXT, b"404 Not Found: this port knows /healthz, /readyz and /metrics\n"


def _verdict(wrong: list[str], well: str) -> tuple[str, str, bytes]:
    status = "503 Service Unavailable" if wrong else "200 OK"
    return status, _TEXT, "".join(f"{line}\n" for line in wrong or [well]).encode()


@contextmanager
def listening(port: int, app: Port, host: str = "0.0.0.0") -> Iterator[None]:  # noqa: S104 - of the pod
    """Serve while the block runs; nothing where the port is 0. Raises OSError when somebody else has the port."""
    if not port:
        yield
        return
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    server = waitress.create_server(
        app, host=host, port=port, threads=2, ident="sre-bot", connection_limit=50, channel_timeout=10,
        cleanup_interval=5, max_request_body_size=1024, asyncore_use_poll=True,
    )  # fmt: skip
    serving = Thread(target=server.run, name="port", daemon=True)
    serving.start()
    try:
        yield
    finally:
        server.task_dispatcher.shutdown()
        server.close()
        serving.join(5)

"""A server on loopback that answers byte for byte what a test says, rudeness included.

An answer is bytes, an iterator of bytes (sent as it yields), DROP to close without a word, or HANG to keep
silent until the server is stopped. Nothing here knows HTTP beyond where a request ends.
"""

import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import orjson

DROP = object()
HANG = object()


@dataclass(frozen=True)
class Asked:
    method: str
    target: str
    headers: dict[str, str]
    body: str


def page(status: int, body: Any, content_type: str = "application/json", **headers: str) -> bytes:
    """A whole HTTP answer; a body that is no text becomes JSON."""
    content = (
        body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else orjson.dumps(body)
    )
    lines = [f"HTTP/1.1 {status} Said", f"Content-Type: {content_type}", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


HTML = page(200, "<!DOCTYPE html><title>Sign in</title>", "text/html; charset=utf-8")


class RudeServer:
    def __init__(self, answer: Callable[[Asked], Any]) -> None:
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        rude = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while (asked := _request(self.rfile)) is not None:
                    rude.asked.append(asked)
                    if not rude._say(self, answer(asked)):
                        return

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 64

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that hung up first is what many tests are about."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def drip(self, beginning: bytes) -> Iterator[bytes]:
        """The beginning, then a byte every 20 ms for as long as the server lives."""
        yield beginning
        while not self.closing.wait(0.02):
            yield b"x"

    def _say(self, handler: socketserver.StreamRequestHandler, answer: Any) -> bool:
        if answer is DROP:
            return False
        if answer is HANG:
            self.closing.wait()
            return False
        for piece in [answer] if isinstance(answer, bytes) else answer:
            handler.wfile.write(piece)
        return isinstance(answer, bytes)


def _request(stream: Any) -> Asked | None:
    line = stream.readline().decode().split()
    if len(line) != 3:
        return None
    headers: dict[str, str] = {}
    while text := stream.readline().decode().strip():
        name, _, value = text.partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0))).decode()
    return Asked(line[0], line[1], headers, body)

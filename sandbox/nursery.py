"""Where the processes of the sandbox's house come from: one that has imported the product, and forks.

`python -m sandbox.nursery CLOCK SOCKET` imports the bot and the workers once and makes each process of the house a copy
of itself: all share what they have in common, and one that was killed is back at once. The copies run the product's own
`main`, with the clock of hours.py. It has no threads of its own, as only then a copy is whole; its children die with it.
Every other user of sandbox.house starts `python -m bot` and `python -m workers` as they are deployed.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from sandbox.process import Child, ChildFailed

Json = dict[str, Any]

MODULES = ("bot", "workers")
READY_SECONDS = 60

# One heap for all threads: each of its own would hold pages for itself in every copy.
THRIFTY = {"MALLOC_ARENA_MAX": "1"}
ANSWER_SECONDS = 30


# --- who asks for processes -----------------------------------------------------------------------


class Nursery:
    """`with Nursery(clock_file, log=…) as nursery: nursery.child("bot", log=…, env=…).start()`"""

    def __init__(self, clock: Path, *, log: Path, environment: Mapping[str, str]) -> None:
        self._clock, self._log, self._environment = clock, log, dict(environment)
        self._asking = threading.Lock()
        self._answers: dict[int, tuple[threading.Event, Json]] = {}
        self._forks: dict[int, Fork] = {}
        self._count = 0
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as closing:
            # Not in the sandbox's folder: the path of a socket may have at most 107 bytes.
            folder = Path(tempfile.mkdtemp(prefix="sre-bot-nursery-"))
            closing.callback(shutil.rmtree, folder, ignore_errors=True)
            self._path = folder / "socket"
            self._child = Child(
                [sys.executable, "-m", "sandbox.nursery", str(self._clock), str(self._path)],
                log=self._log,
                env={**self._environment, **THRIFTY},
            )
            self._child.start()
            closing.callback(self._child.stop)
            self._socket = socket.socket(socket.AF_UNIX)
            closing.callback(self._hang_up)
            self._hearing: threading.Thread | None = None
            self._closing = closing.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    @property
    def pid(self) -> int:
        return self._child.pid

    def child(self, module: str, *, log: Path, env: Mapping[str, str]) -> Child:
        """Not started; used as any other."""
        return _Copy(self, module, log=log, env=env)

    def fork(self, module: str, log: Path, env: Mapping[str, str]) -> Fork:
        told = threading.Event()
        with self._asking:
            self._connect()
            self._count += 1
            number, answer = self._count, Json()
            self._answers[number] = told, answer
            wanted = {"number": number, "module": module, "log": str(log), "env": dict(env)}
            self._socket.sendall(json.dumps(wanted).encode() + b"\n")
        if not told.wait(ANSWER_SECONDS) or "pid" not in answer:
            raise ChildFailed(f"the nursery made no {module}: {self._child.tail()}")
        return self._forks[answer["pid"]]

    def _connect(self) -> None:
        """At the first question only: it imports for seconds, while other parts of the sandbox start."""
        if self._hearing:
            return
        self._child.wait_ready(self._path.exists, seconds=READY_SECONDS)
        self._socket.connect(str(self._path))
        self._hearing = threading.Thread(target=self._hear, name="nursery", daemon=True)
        self._hearing.start()

    def _hang_up(self) -> None:
        if self._hearing:
            with contextlib.suppress(OSError):  # it was the other side that did
                self._socket.shutdown(socket.SHUT_RDWR)
            self._hearing.join()
        self._socket.close()

    def _hear(self) -> None:
        with contextlib.suppress(OSError), self._socket.makefile("r") as lines:
            for line in lines:
                self._note(json.loads(line))
        for told, _ in list(self._answers.values()):
            told.set()
        for fork in list(self._forks.values()):
            fork.note_end(-signal.SIGKILL)

    def _note(self, said: Json) -> None:
        if "ended" in said:
            self._forks.pop(said["ended"]).note_end(said["code"])
            return
        told, answer = self._answers.pop(said["number"])
        self._forks[said["pid"]] = Fork(said["pid"])
        answer["pid"] = said["pid"]
        told.set()


class Fork:
    """What Child needs of a subprocess.Popen."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = threading.Event()

    def note_end(self, code: int) -> None:
        self.returncode = code
        self._ended.set()

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired("a process of the house", timeout or 0)
        return self.returncode


class _Copy(Child):
    def __init__(self, nursery: Nursery, module: str, *, log: Path, env: Mapping[str, str]) -> None:
        super().__init__([module], log=log, env=env)
        self._nursery = nursery

    def _spawn(self) -> subprocess.Popen[bytes]:
        fork = self._nursery.fork(self.name, self.log, self._env)
        return cast("subprocess.Popen[bytes]", fork)


# --- the process itself ---------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    from sandbox import hours

    clock, path = hours.Clock(Path(arguments[0])), Path(arguments[1])
    mains = {module: import_module(f"{module}.__main__") for module in MODULES}
    hours.put_ahead(clock)
    _warm()
    gc.collect()
    gc.freeze()  # or the copies' collectors would touch, and so copy, everything that is shared
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path) + "~")
    listener.listen(1)
    os.rename(str(path) + "~", path)
    talk, _ = listener.accept()
    listener.close()
    for wanted in _orders(talk):
        parent, pid = os.getpid(), os.fork()
        if not pid:
            _become(wanted, mains[wanted["module"]], talk, parent)
        with contextlib.suppress(
            OSError
        ):  # whichever of the two is first: from now on it is signalled as a group
            os.setpgid(pid, pid)
        _say(talk, {"number": wanted["number"], "pid": pid})
    return 0


def _warm() -> None:
    """What each process would make for itself, and never changes."""
    import_module("commands.catalog").Catalog.load()
    import_module("bot.vitals")


def _orders(talk: socket.socket) -> Iterator[Json]:
    """What is asked for, until nobody is there to ask; in between, whose end is told."""
    woken, wake = socket.socketpair()
    for each in (woken, wake):
        each.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    looking = selectors.DefaultSelector()
    for each in (talk, woken):
        looking.register(each, selectors.EVENT_READ)
    rest = b""
    while True:
        for key, _ in looking.select():
            if key.fileobj is woken:
                woken.recv(4096)
                _tell_ends(talk)
                continue
            found = talk.recv(65_536)
            if not found:
                return
            *lines, rest = (rest + found).split(b"\n")
            yield from (json.loads(line) for line in lines)


def _tell_ends(talk: socket.socket) -> None:
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            _say(talk, {"ended": ended[0], "code": os.waitstatus_to_exitcode(ended[1])})


def _say(talk: socket.socket, what: Json) -> None:
    with contextlib.suppress(BrokenPipeError):
        talk.sendall(json.dumps(what).encode() + b"\n")


def _become(wanted: Json, module: Any, talk: socket.socket, parent: int) -> None:
    """A process as `python -m` would have made it; never returns."""
    code = 1
    try:
        os.setpgid(0, 0)
        _end_with(parent)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        talk.close()
        output = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for number in (1, 2):
            os.dup2(output, number)
        os.environ.clear()
        os.environ.update(wanted["env"])
        _name(wanted["module"])
        code = module.main([])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _name(module: str) -> None:
    """What `top` and `ps -e` call it."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(15, f"sre-bot {module}".encode()[:15])


def _end_with(parent: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))
        if os.getppid() != parent:
            os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

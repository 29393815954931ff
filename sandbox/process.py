"""Child processes that cannot outlive us: how every real server of the sandbox is started and stopped.

Owns starting (own process group, output to a log file), waiting until a probe says yes, and stopping
(TERM, then KILL). A child gets PR_SET_PDEATHSIG, so even a `kill -9` of the test run leaves nothing
behind on Linux; elsewhere only the orderly stop is promised. Must never wait by sleeping a guessed time.
Called by the runners next to it; knows nothing of what it runs.
"""

from __future__ import annotations

import functools
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

POLL_SECONDS = 0.02
TAIL_CHARACTERS = 2000

# Below Linux's range for outgoing connections (32768–60999): while a killed server is down, no client's
# own socket can be given its port, and a client retrying it cannot end up connected to itself.
PORTS = range(15_000, 30_000)

# Runs in the child before the real program. A preexec_fn would do the same, but it forks a process with
# threads, which Python 3.12 warns about. PR_SET_PDEATHSIG is 1; it is kept across exec. The parent may
# have died before the call, hence the second look at getppid.
_LAUNCH = """
import os, signal, sys
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))
    if os.getppid() != int(sys.argv[1]):
        os._exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""


class ChildFailed(RuntimeError):
    """The program ended or never became ready; the message carries the end of its log."""


class Child:
    def __init__(
        self, argv: Sequence[str | Path], *, log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.argv = [str(word) for word in argv]
        self.name = Path(self.argv[0]).name
        self.log = log
        self._env = dict(os.environ if env is None else env)
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        return self._started().pid

    def is_running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def start(self) -> None:
        if self.is_running():
            raise ChildFailed(f"{self.name} runs already")
        # The death signal fires when the *thread* that started the child ends, so one thread that lasts
        # as long as the process starts them all.
        self._popen = _spawner(os.getpid()).submit(self._spawn).result()

    def wait_ready(self, probe: Callable[[], bool], *, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not probe():
            if self._ended_within(POLL_SECONDS):
                raise ChildFailed(f"{self.name} ended with {self._started().returncode}: {self.tail()}")
            if time.monotonic() > deadline:
                raise ChildFailed(f"{self.name} was not ready after {seconds:g} s: {self.tail()}")

    def stop(self, *, grace: float = 10) -> None:
        """Ask, then kill. A paused child is woken first, or it could not hear the question."""
        if self._popen is None:
            return
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)
        if not self._ended_within(grace):
            self.kill()

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        self._started().wait()

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-TAIL_CHARACTERS:] if self.log.exists() else ""

    def _spawn(self) -> subprocess.Popen[bytes]:
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCH, str(os.getpid())]
        with self.log.open("ab") as output:
            return subprocess.Popen(
                [*launcher, *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._env,
                start_new_session=True,
            )

    def _started(self) -> subprocess.Popen[bytes]:
        if self._popen is None:
            raise ChildFailed(f"{self.name} was never started")
        return self._popen

    def _ended_within(self, seconds: float) -> bool:
        try:
            self._started().wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _signal(self, number: signal.Signals) -> None:
        """To the whole group; nothing once the child is reaped, when its number may be another's."""
        if self.is_running():
            os.killpg(self.pid, number)


def free_ports(count: int) -> list[int]:
    """Different ports nobody listens on; held open together so that none is given twice."""
    held: list[socket.socket] = []
    try:
        while len(held) < count:
            candidate = socket.socket()
            try:
                candidate.bind(("127.0.0.1", random.choice(PORTS)))
            except OSError:
                candidate.close()
                continue
            held.append(candidate)
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()


@functools.cache
def _spawner(pid: int) -> ThreadPoolExecutor:
    """Keyed by process: a fork inherits the object but not its thread."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"spawner-{pid}")

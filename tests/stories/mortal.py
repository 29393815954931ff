"""`python -m workers`, three of them, each of which is struck down at one checkpoint of a change, as a test says.

PLAN is a hash in Redis: the name of the object that is changed, and "before 3" (killed before the third
checkpoint of that change is written), "after 3" (killed after it) or "pause 3" (stopped after it). The
checkpoints are counted in Redis, over all workers that have the change in turn; so a plan strikes once.
STRUCK tells whom.
"""

import ctypes
import os
import signal
import sys
from typing import Any

from bot import logs
from bot.state import State
from workers.__main__ import main

PLAN, COUNT, STRUCK = "mortal:plan", "mortal:count", "mortal:struck"


def mortal() -> None:
    """Put the counting around every commit of this process."""
    make = State.__init__

    def made(self: State, *given: Any, **options: Any) -> None:
        make(self, *given, **options)
        self.commit_script = counted(self, self.commit_script)

    State.__init__ = made  # type: ignore[method-assign]


def counted(state: State, commit: Any) -> Any:
    names: dict[str, str] = {}

    def wrapped(**options: Any) -> Any:
        id = logs._request.get()
        if not id:  # the scheduler's own
            return commit(**options)
        name = names[id] if id in names else names.setdefault(id, changed_by(state, id))
        when, _, nth = (state.redis.hget(PLAN, name) or b"").decode().partition(" ")
        is_now = state.redis.hincrby(COUNT, name, 1) == int(nth or 0)
        if is_now and when == "before":
            strike(state, name, signal.SIGKILL)
        outcome = commit(**options)
        if is_now:
            strike(state, name, signal.SIGSTOP if when == "pause" else signal.SIGKILL)
        return outcome

    return wrapped


def changed_by(state: State, id: str) -> str:
    stored = state.request(id)
    return stored.record.args.name if stored else ""


def strike(state: State, name: str, how: signal.Signals) -> None:
    state.redis.hset(STRUCK, name, os.getpid())
    os.kill(os.getpid(), how)


class Litter:
    """Workers of one parent that has imported everything: the next life begins at once, not in two seconds.

    There are always so many that go on: one that is stopped has a successor, too.
    """

    def __init__(self, count: int) -> None:
        self._is_wanted = True
        signal.signal(signal.SIGTERM, self._stop)
        self._alive = {self._born() for _ in range(count)}

    def watch(self) -> None:
        while self._alive:
            pid, status = os.waitpid(-1, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                self._alive.discard(pid)
            if self._is_wanted and (os.WIFSTOPPED(status) or os.WIFSIGNALED(status)):
                self._alive.add(self._born())

    def _born(self) -> int:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))  # as sandbox/process.py: none outlives its parent
        os._exit(main() if os.getppid() == parent else 1)

    def _stop(self, number: int, frame: Any) -> None:
        """The workers hear it, too: it is sent to the whole group."""
        self._is_wanted = False


if __name__ == "__main__":
    mortal()
    Litter(3).watch()

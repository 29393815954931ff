"""`python -m bot` whose clocks at Slack run a hundred times as fast; and one that strikes where a plan says so.

The plan is a file that a test writes, "12 0 web": before the twelfth step from now this process is killed; "12 4711
web": process 4711 is. The last word tells one plan from the next. A step is what a kill may come between: a commit to
the store, a claim of a card, the note of an attempt, a call to Slack, the note of its answer, the release. A life
that ends so is followed by the next at once.
"""

import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial, wraps
from pathlib import Path
from threading import Lock
from typing import Any

from bot import __main__ as program
from bot import rooms
from bot.courier import Courier, Pace
from bot.outbox import Outbox
from bot.state import State
from bot.wire import Wire

PLAN = "SWIFT_PLAN"

# How much faster Slack's clocks and our patience run.
SCALE = 100
_MS = timedelta(milliseconds=1)
QUICK = Pace(
    post=timedelta(0), settle=30 * _MS, backoff=tuple(n * 10 * _MS for n in (1, 2, 5, 10, 20, 30)), mend=300 * _MS,
    lease=600 * _MS, dead=timedelta(seconds=6), progress=30 * _MS, glance=5 * _MS, root=10 * _MS, calm=100 * _MS,
    updates=60_000, burst=100, look=300 * _MS,
)  # fmt: skip


class Fate:
    """Counts steps, once there is a plan."""

    def __init__(self, plan: Path) -> None:
        self._plan = plan
        self._lock = Lock()
        self._read = ""
        self._count = 0

    def step(self) -> None:
        with self._lock:
            read = self._plan.read_text() if self._plan.exists() else ""
            if not read:
                return
            self._count = self._count + 1 if read == self._read else 1
            self._read = read
            nth, pid, _ = read.split()
            if self._count == int(nth):
                self._plan.unlink()
                os.kill(int(pid) or os.getpid(), signal.SIGKILL)

    def before(self, deed: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(deed)
        def counted(*given: Any, **named: Any) -> Any:
            self.step()
            return deed(*given, **named)

        return counted

    def watch(self) -> None:
        for owner, names in ((Outbox, ("attempt", "note_sent", "release")), (Wire, ("send",))):
            for name in names:
                exchange(owner, name, self.before(getattr(owner, name)))
        claim, make = Outbox.claim, State.__init__

        def claimed(self_: Outbox, lease: timedelta) -> Any:
            got = claim(self_, lease)
            if got:
                self.step()
            return got

        def made(self_: State, *given: Any, **options: Any) -> None:
            make(self_, *given, **options)
            exchange(self_, "commit_script", self.before(self_.commit_script))

        exchange(Outbox, "claim", claimed)
        exchange(State, "__init__", made)


def exchange(owner: object, name: str, part: Callable[..., Any]) -> None:
    setattr(owner, name, part)


def live() -> None:
    """One life after the other, each a child of a process that has imported everything."""
    wanted = [True]

    def stop(number: int, frame: Any) -> None:
        wanted[0] = False  # the child hears it, too: it is sent to the whole group

    signal.signal(signal.SIGTERM, stop)
    while wanted[0]:
        child = os.fork()
        if not child:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            _end_with_parent()
            os._exit(program.main([]))
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.exit(os.waitstatus_to_exitcode(status))


def _end_with_parent() -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))


if __name__ == "__main__":
    exchange(program, "Courier", partial(Courier, pace=QUICK))
    exchange(rooms, "REMIND", 500 * _MS)
    if PLAN in os.environ:
        Fate(Path(os.environ[PLAN])).watch()
    live()

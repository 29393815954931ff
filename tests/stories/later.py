"""`python -m workers` whose timers live ahead of time: by as many seconds as the file AHEAD says, 0 where there is none.
A read has long to be answered: on a busy machine what was not read would be another story.

So a worker that comes back finds what came due while nobody was here. Read once, at the start of a process.
"""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from workers import clients, rounds
from workers.__main__ import main
from workers.reader import Reader
from workers.timers import Timers

AHEAD = "LATER_AHEAD"
UNHURRIED = timedelta(seconds=30)


def ahead() -> timedelta:
    file = Path(os.environ[AHEAD])
    return timedelta(seconds=float(file.read_text()) if file.exists() else 0)


def made(state: Any, site: Any, now: Callable[[], datetime]) -> Timers:
    span = ahead()
    return Timers(state, site, lambda: datetime.now(UTC) + span)


if __name__ == "__main__":
    setattr(rounds, "Timers", made)  # noqa: B010
    setattr(clients, "Reader", partial(Reader, per_read=UNHURRIED))  # noqa: B010
    sys.exit(main())

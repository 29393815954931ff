"""`change`: what changed, and what is going to.

Each verb has its file; this one only lists them. (The package is not called commands/change, which declares what a
changing command is.) How a running change is judged is in commands/watch.py and its neighbours.
"""

from commands.changes import after, deciding, looks, new, prechecks, ready, recent, start, steps
from commands.command import Command

COMMANDS: tuple[Command, ...] = (
    looks.LIST,
    looks.SHOW,
    recent.RECENT,
    new.NEW,
    new.EDIT,
    prechecks.CHECK,
    ready.TICK,
    ready.STAND_BY,
    ready.NOTIFY,
    deciding.APPROVE,
    deciding.REJECT,
    deciding.CANCEL,
    start.START,
    steps.STEP,
    after.WATCH,
    steps.REPORT,
    steps.ROLLBACK,
    after.VALIDATE,
    steps.CLOSE,
    steps.REVIEW,
)

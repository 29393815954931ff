"""The calendar of a house whose story is not about it: every line as though it had run already.

Otherwise each story that runs at 08:30, or over one of the marks of five minutes, has messages, requests and reads
that nobody in it asked for: a card in the channel it counts, a job before its own. What the calendar does is told in
test_faults_calendar.py; the house of test_sandbox.py keeps its own.
"""

from datetime import UTC, datetime, timedelta

from bot.state import Run, State
from commands.catalog import Catalog
from commands.reads import RunView

_FAR = timedelta(days=400)


def still(state: State, *running: str) -> None:
    """Nothing of the calendar is due, but of these lines; for a house of one cluster."""
    change = state.change()
    far = datetime.now(UTC) + _FAR
    for due in Catalog.load().schedule:
        if due.name not in running:
            change.calendar(Run(RunView(due.name, due.text, due.cron, next_due=far, last_due=far)))
    change.commit()

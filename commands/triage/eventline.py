"""An event as a line, the same in every diagnosis: what happened, how often, when last, and in which words."""

from datetime import datetime

from commands.phrase import span
from commands.podreads import EventView
from commands.wording import one_line


def event_line(event: EventView, now: datetime | None = None, *, is_named: bool = False) -> str:
    """ "FailedMount ×3, 4 min ago: no volume". is_named: with its object, where several are told of."""
    about = f" {event.kind} {event.name}" if is_named else ""
    times = f" ×{event.count}" if event.count > 1 else ""
    ago = f", {span(now - event.last)} ago" if now and event.last and now >= event.last else ""
    return f"{event.reason}{about}{times}{ago}: {one_line(event.message, 200)}"

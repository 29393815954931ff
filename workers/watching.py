"""Watches the reads of a run: which source answered, how long that took, and what became of it, for metrics, traces and
the log. Handed to the reader (workers/reader.py), which knows nothing of them. Never changes an answer.
"""

import logging
from contextlib import AbstractContextManager

from bot import tracing
from bot.metrics import SOURCE_READS, SOURCE_TOOK
from commands.errors import Forbidden, TimedOut, Unanswered, Unreachable
from commands.model import Read
from commands.reads import Dashboards, GrafanaHealth, Probe
from workers import alertmanager, prometheus

log = logging.getLogger(__name__)

# By the class of the source.
_NAMES = {
    "Aws": "aws",
    "Cluster": "kubernetes",
    "Network": "network",
    "Rehearsals": "kubernetes",
    "Runbooks": "runbooks",
    "Own": "store",
    "TrailSource": "store",
    "CasebookSource": "store",
    "RecordsSource": "store",
    "TasksSource": "store",
    "DeedsSource": "store",
    "ChangeSource": "store",
}


class Watcher:
    def reading(self, source: object, read: Read) -> AbstractContextManager[None]:
        """Around one read, on its own thread."""
        return tracing.span("read", source=source_of(source, read), read=type(read).__name__)

    def answered(self, source: object, read: Read, seconds: float, error: Unanswered | None) -> None:
        """Once for each read that was begun, when it was answered or given up."""
        name, what = source_of(source, read), type(read).__name__
        SOURCE_READS.labels(name, outcome_of(error)).inc()
        SOURCE_TOOK.labels(name).observe(seconds)
        if error is None:
            log.debug("read %s from %s in %.3f s", what, name, seconds)
        else:
            log.info("no answer to %s from %s in %.3f s: %s", what, name, seconds, error)


def source_of(source: object, read: Read) -> str:
    """As metrics call it."""
    if type(source).__name__ == "Signals":
        return _component(read)
    return _NAMES.get(type(source).__name__, "other")


def _component(read: Read) -> str:
    match read:
        case Probe():
            return read.component
        case GrafanaHealth() | Dashboards():
            return "grafana"
    if type(read) in prometheus.READS:
        return "prometheus"
    return "alertmanager" if type(read) in alertmanager.READS else "pods"


def outcome_of(error: Unanswered | None) -> str:
    match error:
        case None:
            return "ok"
        case TimedOut():
            return "timeout"
        case Unreachable():
            return "unreachable" if error.retry_after is None else "busy"
        case Forbidden():
            return "forbidden"
    return "refused"

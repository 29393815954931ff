"""What the store tells of the house, as metrics: what waits and since when, what is open, who works, what ended.

Read anew for each page of bot/web.py, in a few round trips whose cost does not grow with what is kept. Of several
bots over one store each tells the same numbers.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.casebook import Casebook
from bot.outbox import Outbox
from bot.presence import present
from bot.records import Records
from bot.state import BEAT, State
from commands.site import Site


@dataclass(frozen=True, slots=True)
class Vitals:
    """waiting and open: how much, by kind. oldest: how long something has waited, by kind; nothing where nothing waits.
    processes: how many are alive, by part. silence: since somebody last looked at the calendar, None where nobody ever
    did. ended: changes by ("node drain", "succeeded")."""

    waiting: Mapping[str, int]
    oldest: Mapping[str, timedelta]
    open: Mapping[str, int]
    processes: Mapping[str, int]
    silence: timedelta | None
    ended: Mapping[tuple[str, str], int]


def read(state: State, site: Site) -> Vitals:
    """Raises RedisError when the store does not answer."""
    now = datetime.now(UTC)
    looked, here = state.heard(BEAT), present(state)
    since = {"outbox": Outbox(state).stale_since(), "queued_jobs": state.queued_since()}
    return Vitals(
        waiting=state.depths(),
        oldest={kind: max(now - at, timedelta()) for kind, at in since.items() if at},
        open={"alerts": Casebook(state, site).count(), "incidents": Records(state, site).count()},
        processes={part: sum(each.part == part for each in here) for part in ("bot", "worker")},
        silence=max(now - looked, timedelta()) if looked else None,
        ended=state.ended(),
    )


def registry(vitals: Vitals) -> CollectorRegistry:
    """To be served beside the metrics of the process."""
    told = CollectorRegistry()
    told.register(_Told(vitals))
    return told


class _Told(Collector):
    def __init__(self, vitals: Vitals) -> None:
        self._vitals = vitals

    def collect(self) -> Iterator[Metric]:
        told = self._vitals
        oldest = {kind: span.total_seconds() for kind, span in told.oldest.items()}
        yield _by("kind", "sre_bot_waiting", "What waits in the store, by kind", told.waiting)
        yield _by("kind", "sre_bot_oldest_seconds", "How long the oldest of it has waited, by kind", oldest)
        yield _by("kind", "sre_bot_open", "What is open in the store, by kind", told.open)
        yield _by("part", "sre_bot_processes", "Processes of this house that are alive", told.processes)
        if told.silence is not None:
            text = "Since a worker last looked at the calendar"
            yield GaugeMetricFamily("sre_bot_schedule_silent_seconds", text, told.silence.total_seconds())
        yield _ended(told.ended)


def _by(label: str, name: str, text: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for each, value in values.items():
        family.add_metric([each], value)
    return family


def _ended(counted: Mapping[tuple[str, str], int]) -> Metric:
    family = CounterMetricFamily(
        "sre_bot_changes", "Changes that came to an end", labels=["command", "state"]
    )
    for labels, number in counted.items():
        family.add_metric(labels, number)
    return family

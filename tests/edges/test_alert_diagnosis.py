"""The diagnosis of an alert on a real Redis: its cause on the card, and made anew when something else fires."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

from bot import alertcause
from bot.intake import Intake
from bot.state import State
from commands.alertreads import GroupOf
from commands.catalog import Catalog
from commands.command import Command, Part, Parts
from commands.model import AlertGroup, Args, Cause, Confidence, Read, Request, Section, Seen
from commands.model import State as Standing
from commands.site import ClusterSite, Site
from tests import build
from tests.fakes import FakeReader
from workers.engine import Engine

SITE = Site()
NAME = SITE.default_cluster


class OnePart(Catalog):
    """Says of a pod that fires that it is the cause; of one called `quiet` nothing."""

    def __init__(self) -> None:
        return

    def find(self, args: Args) -> Command:
        return Command("alert", ("triage",), "x", ("AR-5",), self._parts)

    def _parts(self, args: Args, site: ClusterSite) -> Parts:
        def inquiry() -> Any:
            read = GroupOf(args.name)
            seen: Seen = yield (read,)
            pod = seen[read].lead.labels["pod"]
            cause = None if pod.startswith("quiet") else Cause(f"{pod} is broken", Confidence.LIKELY)
            return Section("cause", "Cause", findings=(build.finding(),), cause=cause)

        return {"cause": Part("cause", inquiry())}


@dataclass
class Case:
    """One alert group, what Alertmanager says of it, and the workers that look at it."""

    state: State
    now: datetime = build.NOW

    def __post_init__(self) -> None:
        self.reader = FakeReader()
        self.reader.answers = {GroupOf: None}
        self.reader.before = self._reads
        self.meanwhile: Callable[[], None] = lambda: None
        self.intake = Intake(self.state, Catalog.load(), SITE, now=lambda: self.now)

    def _reads(self, read: Read) -> None:
        assert isinstance(read, GroupOf)
        self.reader.answers = {GroupOf: self.group}
        self.meanwhile()

    def hear(
        self, *pods: str, over: tuple[str, ...] = (), minute: float = 0, severity: str = "warning"
    ) -> None:
        self.now = build.NOW + timedelta(minutes=minute)
        alerts = [self._alert(pod, "firing", severity) for pod in pods]
        alerts += [self._alert(pod, "resolved", severity) for pod in over]
        body = {"version": "4", "receiver": "x", "groupLabels": {"alertname": "PodDown"}, "alerts": alerts}
        self.intake.take(orjson.dumps(body))

    def _alert(self, pod: str, status: str, severity: str) -> dict[str, Any]:
        labels = {"alertname": "PodDown", "severity": severity, "pod": pod, "cluster": NAME}
        begun = build.NOW + timedelta(seconds=int(pod.rpartition("-")[2]))
        return {"status": status, "labels": labels, "annotations": {}, "startsAt": f"{begun:%Y-%m-%dT%H:%M:%SZ}",
                "endsAt": f"{self.now:%Y-%m-%dT%H:%M:%SZ}"}  # fmt: skip

    def look(self, clock: Callable[[], datetime] | None = None) -> int:
        """A worker takes the diagnosis up; how often the alert was read for it."""
        before = len(self.reader.asked)
        now = clock or (lambda: self.now)
        Engine(self.state, OnePart(), SITE, lambda _: self.reader, now=now).answer(self.triage.id)
        return len(self.reader.asked) - before

    @property
    def group(self) -> AlertGroup:
        (key,) = self.state.redis.keys("sre:alert:*")
        stored = self.state.alert_group(key.decode().rpartition(":")[2])
        assert stored is not None
        return stored.record

    @property
    def triage(self) -> Request:
        """The only one there is."""
        (key,) = self.state.redis.keys("sre:request:*")
        stored = self.state.request(key.decode().rpartition(":")[2])
        assert stored is not None
        return stored.record

    @property
    def said(self) -> tuple[str, bool]:
        """The cause on the card, and whether it is being looked for."""
        return self.group.cause.text if self.group.cause else "", self.group.looking

    def wait(self) -> float:
        """Seconds until a worker may take it up."""
        seconds, micros = self.state.redis.time()
        due = self.state.redis.zscore("sre:open", self.triage.id)
        return float(due / 1000 - seconds - micros / 1e6)


@pytest.fixture
def case(state: State) -> Case:
    case = Case(state)
    # What Alertmanager's body leaves to the parts that are made here.
    case.hear("web-1")
    stored = state.request(case.triage.id)
    assert stored is not None
    request = replace(stored.record, sections=(Section("cause", "Cause"),))
    state.change().put(request, was=stored.version).commit()
    return case


def test_the_card_looks_for_the_cause_until_the_diagnosis_is_over(case: Case) -> None:
    assert case.said == ("", True)
    assert case.look() == 1
    assert case.said == ("web-1 is broken", False)
    assert case.triage.state is Standing.ANSWERED


def test_a_diagnosis_that_names_no_cause_ends_the_look_for_it(state: State, case: Case) -> None:
    case.hear("quiet-0")
    case.look()
    assert case.said == ("", False)


def test_a_diagnosis_that_fails_ends_the_look_for_it(case: Case) -> None:
    Engine(case.state, OnePart(), SITE, lambda _: case.reader).fail(case.triage.id, RuntimeError("a bug"))
    assert case.triage.state is Standing.FAILED
    assert case.said == ("", False)


def test_what_fires_again_is_diagnosed_anew_in_the_same_thread(case: Case) -> None:
    case.look()
    case.hear(over=("web-1",), minute=5)
    assert case.said == ("web-1 is broken", False), "it is still what it was"
    case.hear("api-30", minute=10)
    assert (case.group.flaps, case.said) == (1, ("", True))
    assert case.triage.again and case.wait() < 10, "at once: the first was long ago"
    assert case.look() == 1
    assert case.said == ("api-30 is broken", False)


def test_while_what_it_was_about_fires_its_cause_stands_until_the_next_is_known(case: Case) -> None:
    case.look()
    case.hear("web-1", "api-30", minute=5)
    assert case.triage.is_open and case.said == ("web-1 is broken", False)
    case.look()
    case.hear("api-30", over=("web-1",), minute=10)
    assert case.said == ("", True)
    case.look()
    assert case.said == ("api-30 is broken", False)


def test_what_only_repeats_itself_or_is_over_in_part_is_not_diagnosed_anew(case: Case) -> None:
    case.hear("web-1", "web-2")
    case.look()
    case.hear("web-1", "web-2", minute=5)
    assert case.group.repeats == 1
    case.hear("web-1", over=("web-2",), minute=10)
    case.hear(over=("web-1",), minute=15)
    assert not case.triage.is_open and case.said == ("web-1 is broken", False)


def test_a_group_that_changes_all_the_time_is_diagnosed_once_a_minute_at_most(case: Case) -> None:
    case.look()
    for pod in range(2, 40):
        case.hear(*(f"web-{n}" for n in range(1, pod)), minute=pod / 1000)
    assert 40 < case.wait() <= 60, "one, which will look at the newest"
    assert case.look() == 1
    assert not case.triage.is_open, "nothing came since"


def test_news_while_it_is_looked_at_are_looked_at_a_minute_later(case: Case) -> None:
    def meanwhile() -> None:
        case.meanwhile = lambda: None
        case.hear("api-0", "web-1", minute=1)

    case.meanwhile = meanwhile
    assert case.look() == 1
    assert case.triage.is_open and case.triage.again
    assert 40 < case.wait() <= 60
    assert case.look() == 1
    assert case.said == ("api-0 is broken", False)
    assert not case.triage.is_open


def test_news_in_the_very_moment_of_its_end_are_not_lost(case: Case) -> None:
    """The clock is asked for the last time between what the worker read of the group and its commit."""
    struck: list[datetime] = []

    def clock() -> datetime:
        if case.group.cause and not struck:
            struck.append(case.group.updated)
            case.hear("api-0", "web-1", minute=1)
        return case.now

    case.look(clock)
    assert struck and case.triage.is_open and case.triage.again


def test_what_was_over_before_it_was_looked_at_again_keeps_what_was_found(case: Case) -> None:
    case.look()
    found = case.triage.sections[0].findings
    case.hear(over=("web-1",), minute=5)
    case.hear("api-30", minute=10)
    case.hear(over=("api-30",), minute=11)
    assert case.look() == 0
    assert case.said == ("web-1 is broken", False)
    assert case.triage.state is Standing.ANSWERED and case.triage.sections[0].findings == found


def test_what_becomes_critical_is_diagnosed_anew_before_all_that_wait(case: Case) -> None:
    case.hear("web-1", "web-9", severity="critical")
    (first, *_) = case.state.queue.job_ids
    assert case.triage.id in first and len(case.state.queue.job_ids) == 2, "the open one is hurried"
    case.look()
    assert not case.triage.is_open


def test_a_worker_that_takes_over_looks_again_at_what_came_since_it_was_asked_for(case: Case) -> None:
    stored = case.state.request(case.triage.id)
    assert stored is not None
    half = replace(stored.record, sections=(build.section("cause"), Section("more", "More")))
    case.state.change().put(half, was=stored.version).commit()
    case.hear("api-0", "web-1", minute=1)
    case.look()
    assert case.triage.is_open and case.triage.again
    assert case.wait() <= alertcause.PAUSE.total_seconds()

"""The road of a request on a real Redis: read, judge, tell; taken over, failed, told once."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from rq.timeouts import JobTimeoutException

from bot import render
from bot.state import State
from commands.catalog import Catalog
from commands.command import Command, Part, Parts
from commands.model import Args, Finding, Light, Place, Read, Request, Section, Seen, Suggestion
from commands.model import State as Standing
from commands.reads import GrafanaHealth, Targets
from commands.site import ClusterSite, Site
from tests import build
from tests.fakes import FakeReader
from workers import jobs
from workers.engine import Engine

SITE = Site()
NAME = SITE.default_cluster


def part(key: str, read: Read, judge: Callable[[Any], Finding]) -> Part:
    def inquiry() -> Any:
        seen: Seen = yield (read,)
        return Section(key, key, findings=(judge(seen[read]),))

    return Part(key, inquiry())


class TwoParts(Catalog):
    """A catalog with one command of two parts, judged by the test."""

    def __init__(self, judge: Callable[[Any], Finding] = lambda _: build.finding()) -> None:
        self.judge = judge

    def find(self, args: Args) -> Command:
        return Command("health", ("",), "x", ("DH-0.1",), self._parts)

    def _parts(self, args: Args, site: ClusterSite) -> Parts:
        return {
            "slo": part("slo", Targets(), self.judge),
            "cluster": part("cluster", GrafanaHealth(), self.judge),
        }


def opened(state: State, **changes: Any) -> Request:
    request = build.request(cluster=NAME, **changes)
    state.change().put(request, was="").show(request).work(request, timeout=timedelta(minutes=1)).commit()
    return request


def engine(state: State, reader: FakeReader, catalog: Catalog | None = None, **options: Any) -> Engine:
    return Engine(state, catalog or TwoParts(), SITE, lambda _: reader, **options)


def stored(state: State) -> Request:
    found = state.request("RTEST0001")
    assert found is not None
    return found.record


def test_a_request_is_answered_section_by_section_and_closed(state: State) -> None:
    opened(state)
    engine(state, FakeReader()).answer("RTEST0001")
    request = stored(state)
    assert request.state is Standing.ANSWERED
    assert [section.done for section in request.sections] == [True, True]
    assert state.request("RTEST0001").version == "4"  # type: ignore[union-attr]  # opened, two sections, answered
    assert state.depths()["open_requests"] == 0
    assert state.audit_lines()[-1]["what"] == "answered"


def test_a_worker_that_takes_over_reads_only_what_is_missing(state: State) -> None:
    opened(state, sections=(build.section("slo"), Section("cluster", "cluster")))
    reader = FakeReader()
    engine(state, reader).answer("RTEST0001")
    assert reader.asked == [GrafanaHealth()]
    assert stored(state).state is Standing.ANSWERED


def test_two_workers_with_the_same_job_answer_once(state: State) -> None:
    opened(state)
    reader = FakeReader()
    reader.hang.clear()
    first = threading.Thread(target=engine(state, reader).answer, args=("RTEST0001",))
    first.start()
    while not state.redis.exists("sre:lease:request:RTEST0001"):
        pass
    engine(state, FakeReader()).answer("RTEST0001")  # finds it taken, returns at once
    assert stored(state).state is Standing.READING
    reader.hang.set()
    first.join()
    assert [line["what"] for line in state.audit_lines()] == ["answered"]


def test_a_job_for_what_is_answered_already_does_nothing(state: State) -> None:
    opened(state)
    reader = FakeReader()
    for _ in range(3):
        engine(state, reader).answer("RTEST0001")
    assert len(reader.asked) == 2


def test_sources_that_never_answer_end_at_the_wall_as_unknown(state: State) -> None:
    opened(state)
    reader = FakeReader()
    reader.hang.clear()
    engine(state, reader, wall=timedelta(milliseconds=50)).answer("RTEST0001")
    reader.hang.set()
    request = stored(state)
    assert request.state is Standing.ANSWERED
    assert request.light is Light.UNKNOWN


def test_a_bug_fails_the_request_with_a_reference_and_keeps_its_insides_from_the_user(
    state: State, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Any) -> Finding:
        raise KeyError("insides")

    opened(state)
    jobs.install(engine(state, FakeReader(), TwoParts(broken)))
    with pytest.raises(KeyError):
        jobs.answer("RTEST0001")
    request = stored(state)
    assert request.state is Standing.FAILED
    assert request.reference in caplog.text
    card = render.messages(request, str)[0]
    assert request.reference in card.text and "insides" not in card.text


def test_rqs_alarm_fails_the_request_and_is_not_swallowed(state: State) -> None:
    def late(_: Any) -> Finding:
        raise JobTimeoutException("too long")

    opened(state)
    jobs.install(engine(state, FakeReader(), TwoParts(late)))
    with pytest.raises(JobTimeoutException):
        jobs.answer("RTEST0001")
    assert stored(state).state is Standing.FAILED


def red(alarm: str = "Service outage likely", **changes: Any) -> Callable[[Any], Finding]:
    return lambda _: build.finding(Light.RED, alarm=alarm, **changes)


def test_a_button_is_offered_only_when_its_command_is_built(state: State) -> None:
    offered = (Suggestion("SLO", "health slo"), Suggestion("Nobody built this", "restore cluster"))
    catalog = Catalog.load()
    parsed = catalog.parse("health")
    parts = {"slo": part("slo", Targets(), lambda _: build.finding(Light.RED, suggestions=offered))}
    built = replace(parsed.command, parts=lambda args, site: parts)
    catalog.find = lambda args: built  # type: ignore[method-assign]
    opened(state, args=parsed.args, sections=(Section("slo", "slo"),))
    engine(state, FakeReader(), catalog).answer("RTEST0001")
    (finding,) = stored(state).sections[0].findings
    assert [suggestion.text for suggestion in finding.suggestions] == ["health slo"]


def on_duty() -> Site:
    return replace(SITE, roles=replace(SITE.roles, oncall=replace(SITE.roles.oncall, rota=("U0ALICE0001",))))


def test_a_red_flag_mentions_on_call_once_per_hour(state: State) -> None:
    for id in ("RTEST0001", "RTEST0002"):
        opened(state, id=id)
        Engine(state, TwoParts(red()), on_duty(), lambda _: FakeReader()).answer(id)
    first, second = (state.request(id).record for id in ("RTEST0001", "RTEST0002"))  # type: ignore[union-attr]
    assert (first.mention, len(first.flags), first.news) == ("<@U0ALICE0001>", 1, True)
    assert (second.mention, second.flags, second.news) == ("", (), False)
    assert 3_590_000 < state.redis.pttl(f"sre:once:red:{NAME}:DH-1.5:Availability") <= 3_600_000


def test_a_window_of_weeks_is_news_once_a_day(state: State) -> None:
    opened(state)
    engine(state, FakeReader(), TwoParts(red(again_after=timedelta(days=1)))).answer("RTEST0001")
    assert state.redis.pttl(f"sre:once:red:{NAME}:DH-1.5:Availability") > 86_000_000


def test_a_private_answer_alarms_nobody_and_spends_no_mention(state: State) -> None:
    opened(state, place=Place("C1", private=True))
    Engine(state, TwoParts(red()), on_duty(), lambda _: FakeReader()).answer("RTEST0001")
    assert (stored(state).mention, stored(state).flags) == ("", ())
    assert not state.redis.keys("sre:once:red:*")


def test_a_request_that_no_longer_parses_says_so_instead_of_failing(state: State) -> None:
    opened(state, args=Args("health", flags={"service": "gone"}))
    engine(state, FakeReader(), Catalog.load()).answer("RTEST0001")
    request = stored(state)
    assert request.state is Standing.ANSWERED
    assert "gone" in request.sections[0].findings[0].evidence[0]


def test_health_with_every_source_silent_is_unknown_everywhere(state: State) -> None:
    catalog = Catalog.load()
    parsed = catalog.parse("health")
    parts = parsed.command.parts(parsed.args, SITE.clusters[NAME])
    opened(state, args=parsed.args, sections=tuple(Section(k, p.title) for k, p in parts.items()))
    engine(state, FakeReader(), catalog).answer("RTEST0001")
    request = stored(state)
    assert [section.light for section in request.sections] == [Light.UNKNOWN] * 4
    assert not any(f.light is Light.GREEN for section in request.sections for f in section.findings)

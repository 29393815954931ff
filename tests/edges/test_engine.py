"""The road of a request on a real Redis: read, judge, tell; taken over, failed, told once."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from redis.exceptions import ConnectionError
from rq.timeouts import JobTimeoutException

from bot import render
from bot.state import State
from commands.catalog import Catalog
from commands.command import Command, Part, Parts
from commands.finding import Finding, Light, Suggestion
from commands.model import Args, Place, Read, Request, Section, Seen
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
    assert build.audit_lines(state)[-1]["what"] == "answered"


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
    assert [line["what"] for line in build.audit_lines(state)] == ["answered"]


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


def test_a_bug_in_one_part_is_unknown_with_a_reference_and_the_other_part_still_alarms(
    state: State, caplog: pytest.LogCaptureFixture
) -> None:
    def half_broken(answer: Any) -> Finding:
        if answer == "broken":
            raise KeyError("insides")
        return build.finding(Light.RED, alarm="Service outage likely")

    opened(state)
    reader = FakeReader({Targets: "broken"})
    Engine(state, TwoParts(half_broken), on_duty(), lambda _: reader).answer("RTEST0001")
    request = stored(state)
    assert request.state is Standing.ANSWERED
    assert [section.light for section in request.sections] == [Light.UNKNOWN, Light.RED]
    assert request.mention == "<@U0ALICE0001>"
    (why,) = request.sections[0].findings[0].evidence
    assert "reference E" in why and "insides" not in why
    assert "insides" in caplog.text


def failing(state: State, error: BaseException) -> None:
    """The engine meets this error outside of any part."""

    def now() -> Any:
        if isinstance(error, JobTimeoutException) or stored(state).is_open:
            raise error

    opened(state)
    made = engine(state, FakeReader(), now=now)
    made.fail = lambda id, why: Engine.fail(engine(state, FakeReader()), id, why)  # type: ignore[method-assign]
    jobs.install(made)


@pytest.mark.parametrize("error", [KeyError("insides"), JobTimeoutException("too long")])
def test_a_bug_and_rqs_alarm_fail_the_request_and_are_not_swallowed(
    state: State, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    failing(state, error)
    with pytest.raises(type(error)):
        jobs.answer("RTEST0001")
    request = stored(state)
    assert request.state is Standing.FAILED
    assert request.reference in caplog.text
    card = render.messages(request, str)[0]
    assert request.reference in card.text and "insides" not in card.text


def test_a_store_that_is_away_leaves_the_request_open_for_the_next_worker(state: State) -> None:
    failing(state, ConnectionError("Redis is away"))
    with pytest.raises(ConnectionError):
        jobs.answer("RTEST0001")
    assert stored(state).is_open


def test_an_answer_that_comes_just_after_the_wall_is_late_and_no_bug(state: State) -> None:
    opened(state)
    release = threading.Event()

    class Slow(FakeReader):
        def see(self, reads: Any, deadline: float) -> Seen:
            release.wait(timeout=max(deadline - time.monotonic(), 0))  # exactly at the wall, as the real one
            return super().see(reads, deadline)

    engine(state, Slow(), wall=timedelta(milliseconds=50)).answer("RTEST0001")
    request = stored(state)
    assert request.state is Standing.ANSWERED
    assert all(section.done for section in request.sections)


def test_a_quiet_run_that_read_nothing_breaks_its_silence_once_a_day(state: State) -> None:
    silent = TwoParts(lambda _: build.finding(Light.UNKNOWN))
    for id in ("RTEST0001", "RTEST0002"):
        opened(state, id=id, is_quiet=True)
        engine(state, FakeReader(), silent).answer(id)
    assert [state.request(id).record.has_news for id in ("RTEST0001", "RTEST0002")] == [True, False]  # type: ignore[union-attr]
    assert state.redis.pttl(state.redis.keys("sre:once:told:*")[0]) > 86_000_000


def test_what_another_channel_was_told_is_news_here(state: State) -> None:
    for id, channel in (("RTEST0001", "C1"), ("RTEST0002", "C2")):
        opened(state, id=id, place=Place(channel))
        engine(state, FakeReader(), TwoParts(red())).answer(id)
    assert [state.request(id).record.has_news for id in ("RTEST0001", "RTEST0002")] == [True, True]  # type: ignore[union-attr]
    assert len(state.request("RTEST0002").record.flags) == 1  # type: ignore[union-attr]


def test_red_again_after_green_is_news_but_no_second_mention_within_the_hour(state: State) -> None:
    for id, light in (("RTEST0001", Light.RED), ("RTEST0002", Light.GREEN), ("RTEST0003", Light.RED)):
        opened(state, id=id)
        flagged = TwoParts(lambda _, light=light: build.finding(light, alarm="Service outage likely"))
        engine(state, FakeReader(), flagged).answer(id)
    told = [state.request(id).record for id in ("RTEST0001", "RTEST0002", "RTEST0003")]  # type: ignore[union-attr]
    assert [record.has_news for record in told] == [True, False, True]
    assert [len(record.flags) for record in told] == [1, 0, 0]


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
    assert (first.mention, len(first.flags), first.has_news) == ("<@U0ALICE0001>", 1, True)
    assert (second.mention, second.flags, second.has_news) == ("", (), False)
    assert (
        3_590_000 < state.redis.pttl(f"sre:once:mention:{NAME}:C0SREDAILY1:DH-1.5:Availability") <= 3_600_000
    )


def test_a_window_of_weeks_is_news_once_a_day(state: State) -> None:
    opened(state)
    engine(state, FakeReader(), TwoParts(red(again_after=timedelta(days=1)))).answer("RTEST0001")
    assert state.redis.pttl(f"sre:once:mention:{NAME}:C0SREDAILY1:DH-1.5:Availability") > 86_000_000


def test_a_private_answer_alarms_nobody_and_spends_no_mention(state: State) -> None:
    opened(state, place=Place("C1", private=True))
    Engine(state, TwoParts(red()), on_duty(), lambda _: FakeReader()).answer("RTEST0001")
    assert (stored(state).mention, stored(state).flags) == ("", ())
    assert not state.redis.keys("sre:once:mention:*")


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

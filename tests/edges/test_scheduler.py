"""The calendar on a real Redis: one run per due time, made up once when missed, right over clock changes."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.state import State
from commands.catalog import Catalog
from commands.command import Command, Due, Part
from commands.errors import UsageError
from commands.model import Request, Section
from commands.site import Channels, ClusterSite, Site
from tests import build
from workers.scheduler import Scheduler

BERLIN = ZoneInfo("Europe/Berlin")
MORNING = Due("morning-health", "30 8 * * 1-5", "health", "daily")
SITE = Site(channels=Channels(daily="#sre-daily"))


class Calendar(Catalog):
    def __init__(self, *dues: Due) -> None:
        def parts(args: Any, site: Any) -> dict[str, Part]:
            return {"slo": Part("SLO", (Section(each, each) for each in ()))}  # type: ignore[dict-item]

        self.commands = (Command("health", ("",), "x", ("DH-0.1",), parts, schedule=dues),)


class Clock:
    def __init__(self, *local: int) -> None:
        self.now = datetime(*local, tzinfo=BERLIN)  # type: ignore[arg-type, misc]

    def __call__(self) -> datetime:
        return self.now.astimezone(UTC)


def scheduler(state: State, clock: Clock, *dues: Due, site: Site = SITE) -> Scheduler:
    return Scheduler(state, Calendar(*(dues or (MORNING,))), site, now=clock)


def runs(state: State) -> list[Request]:
    found = [state.load(key.decode().removeprefix("sre:")) for key in state.redis.keys("sre:request:*")]
    made = [each.record for each in found if each and isinstance(each.record, Request)]
    return sorted(made, key=lambda request: request.created)


def started(state: State, clock: Clock, *moments: tuple[int, ...], **options: Any) -> list[Request]:
    """The runs a scheduler makes when it looks at these moments of local time."""
    for moment in moments:
        clock.now = datetime(*moment, tzinfo=BERLIN)  # type: ignore[arg-type, misc]
        scheduler(state, clock, **options).tick()
    return runs(state)


def test_a_run_starts_at_its_time_in_the_configured_zone_and_place(state: State) -> None:
    (run,) = started(state, Clock(2026, 11, 23), (2026, 11, 23, 8, 29, 59), (2026, 11, 23, 8, 30, 1))
    assert (run.text, run.place.channel, run.actor.is_scheduler, run.late_since) == (
        "health",
        "#sre-daily",
        True,
        None,
    )
    assert run.created == datetime(2026, 11, 23, 7, 30, 1, tzinfo=UTC)
    assert state.depths()["queued_jobs"] == 1


def test_no_run_starts_before_its_time_not_even_by_a_part_of_a_second(state: State) -> None:
    moments = ((2026, 11, 23, 8, 0), (2026, 11, 23, 8, 29, 59, 900_000))
    assert started(state, Clock(2026, 11, 23), *moments) == []
    assert len(started(state, Clock(2026, 11, 23), (2026, 11, 23, 8, 30))) == 1


def test_many_schedulers_at_the_same_time_make_one_run(state: State) -> None:
    started(state, Clock(2026, 11, 23), (2026, 11, 23, 8, 0))
    clock = Clock(2026, 11, 23, 8, 30)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: scheduler(state, clock).tick(), range(24)))
    assert len(runs(state)) == 1
    assert [line["what"] for line in build.audit_lines(state)] == ["scheduled"]


def test_a_run_missed_by_two_hours_is_made_up_once_and_says_so(state: State) -> None:
    made = started(
        state, Clock(2026, 11, 23), (2026, 11, 23, 8, 0), (2026, 11, 23, 10, 30), (2026, 11, 23, 10, 31)
    )
    assert [run.late_since for run in made] == [datetime(2026, 11, 23, 7, 30, tzinfo=UTC)]


def test_of_several_missed_runs_only_the_newest_is_made_up(state: State) -> None:
    made = started(state, Clock(2026, 11, 23), (2026, 11, 23, 9, 0), (2026, 11, 27, 12, 0))
    assert [run.late_since for run in made] == [datetime(2026, 11, 27, 7, 30, tzinfo=UTC)]


def test_what_was_due_before_the_bot_was_installed_is_nobodys_missed_run(state: State) -> None:
    assert started(state, Clock(2026, 11, 23), (2026, 11, 23, 9, 0), (2026, 11, 23, 9, 1)) == []


@pytest.mark.parametrize(
    ("why", "cron", "moments", "expected"),
    [
        (
            "a time that comes twice runs once",
            "30 2 * * *",
            [(2026, 10, 24, 12), *((2026, 10, 25, h, m) for h in (1, 2, 3) for m in (29, 31, 59))],
            1,
        ),
        (
            "a time that does not exist still runs that day",
            "30 2 * * *",
            [(2026, 3, 28, 12), (2026, 3, 29, 1, 59), (2026, 3, 29, 3, 1), (2026, 3, 29, 5)],
            1,
        ),
        (
            "no run on a weekend",
            "30 8 * * 1-5",
            [(2026, 11, 27, 12), (2026, 11, 28, 9), (2026, 11, 29, 9)],
            0,
        ),
        (
            "the first Tuesday only",
            "0 10 * * 2#1",
            [(2026, 11, 30, 12), (2026, 12, 1, 11), (2026, 12, 8, 11), (2026, 12, 15, 11)],
            1,
        ),
    ],
)
def test_local_time_is_kept(
    state: State, why: str, cron: str, moments: list[tuple[int, ...]], expected: int
) -> None:
    clock = Clock(2026, 1, 1)
    for moment in moments:
        clock.now = datetime(*moment, tzinfo=BERLIN)  # type: ignore[arg-type, misc]
        scheduler(state, clock, replace(MORNING, cron=cron)).tick()
    assert len(runs(state)) == expected, why


def test_every_cluster_has_a_run_of_its_own(state: State) -> None:
    site = replace(SITE, clusters={name: ClusterSite(name=name) for name in ("eu", "us")})
    made = started(state, Clock(2026, 11, 23), (2026, 11, 23, 8, 0), (2026, 11, 23, 8, 30), site=site)
    assert sorted(run.cluster for run in made) == ["eu", "us"]


def test_a_run_without_a_channel_is_said_and_not_lost_in_silence(
    state: State, caplog: pytest.LogCaptureFixture
) -> None:
    site = replace(SITE, channels=Channels(daily=""))
    assert started(state, Clock(2026, 11, 23), (2026, 11, 23, 8, 0), (2026, 11, 23, 8, 30), site=site) == []
    assert "channels.daily" in caplog.text
    (view,) = state.run_views(datetime(2026, 11, 23, 7, 31, tzinfo=UTC))
    assert view.result == "no channel"


def test_the_calendar_tells_next_due_last_run_and_overdue(state: State) -> None:
    (run,) = started(state, Clock(2026, 11, 23), (2026, 11, 23, 8, 0), (2026, 11, 23, 8, 30))
    soon, late = (state.run_views(datetime(2026, 11, day, 7, 40, tzinfo=UTC))[0] for day in (23, 24))
    assert (soon.result, soon.overdue, soon.last_started) == ("reading", False, run.created)
    assert soon.next_due == datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
    assert late.overdue


def test_a_run_that_nobody_declares_any_more_leaves_the_calendar_after_a_day(state: State) -> None:
    """Not at once: during a rolling update the old version does not know the new one's lines."""
    started(state, Clock(2026, 11, 23), (2026, 11, 23, 8, 0))
    other = replace(MORNING, name="other")
    names = []
    for day in (23, 25):
        scheduler(state, Clock(2026, 11, day, 8, 1), other).tick()
        names.append(sorted(view.name for view in state.run_views(build.NOW)))
    assert names == [["morning-health", "other"], ["other"]]


def test_a_run_that_was_moved_is_not_made_up_for_the_time_it_moved_to(state: State) -> None:
    started(state, Clock(2026, 11, 23), (2026, 11, 23, 8, 0))
    scheduler(state, Clock(2026, 11, 23, 8, 1), replace(MORNING, cron="0 7 * * *")).tick()
    assert runs(state) == []


def test_a_line_that_cannot_be_built_stops_neither_the_others_nor_the_sweeper(
    state: State, caplog: pytest.LogCaptureFixture
) -> None:
    class Half(Calendar):
        def parse(self, text: str) -> Any:
            if text == "health broken":
                raise UsageError("there is no service `broken`")
            return super().parse(text)

    dues = (replace(MORNING, name="broken", text="health broken"), MORNING)
    clock = Clock(2026, 11, 23, 8, 0)
    Scheduler(state, Half(*dues), SITE, now=clock).tick()
    opened(state, "RLOST0001")
    state.redis.delete(state.queue.key)
    clock.now = datetime(2026, 11, 23, 8, 30, tzinfo=BERLIN)
    for _ in range(3):
        Scheduler(state, Half(*dues), SITE, now=clock).tick()
    assert [run.text for run in runs(state) if run.actor.is_scheduler] == ["health"]
    assert any("RLOST0001" in job for job in state.queue.job_ids)
    assert caplog.text.count("there is no service `broken`") == 1
    assert "there is no service `broken`" in [view.result for view in state.run_views(build.NOW)]


# --- the sweeper ---


def opened(state: State, id: str) -> None:
    request = build.request(id)
    state.change().put(request, was="").work(request, timeout=timedelta(minutes=1)).commit()
    state.redis.zadd("sre:open", {id: 0})


def test_a_request_whose_worker_or_queue_was_lost_is_enqueued_again(state: State) -> None:
    opened(state, "RLOST0001")
    state.redis.delete(state.queue.key)
    scheduler(state, Clock(2026, 11, 23)).sweep()
    assert state.depths()["queued_jobs"] == 1


def test_a_request_somebody_works_on_is_left_alone(state: State) -> None:
    opened(state, "RHELD0001")
    with state.lease("request:RHELD0001"):
        scheduler(state, Clock(2026, 11, 23)).sweep()
    assert state.depths()["queued_jobs"] == 1


def test_an_open_mark_without_an_open_request_is_dropped(state: State) -> None:
    state.redis.zadd("sre:open", {"RGONE0001": 0})
    scheduler(state, Clock(2026, 11, 23)).sweep()
    assert state.depths()["open_requests"] == 0

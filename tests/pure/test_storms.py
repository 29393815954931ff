"""What a storm's card counts, when it is over, and the list of its groups."""

import json
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from bot import storms
from bot.alertcard import storm
from commands.model import AlertGroup, Storm
from tests import build
from tests.build import NOW

STORM = Storm("S1", "#sre-alerts", NOW, NOW)
MINUTE = timedelta(minutes=1)


def member(n: int, name: str = "PodCrashLooping", namespace: str = "shop", **changes: object) -> AlertGroup:
    made = build.group(
        build.alert(name, namespace=namespace), id=f"A{n}", group_labels={"alertname": name}, storm="S1",
        cluster="training",
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def quiet(n: int) -> AlertGroup:
    return member(n, alerts=(build.alert(ends_after=MINUTE),))


def test_what_fires_is_counted_by_name_namespace_and_cluster_the_most_first() -> None:
    members = [member(1), member(2), member(3, "TargetDown", "db"), quiet(4)]
    told = storms.counted(STORM, members, NOW + MINUTE)
    assert (told.members, told.firing, told.updated) == (4, 3, NOW + MINUTE)
    assert told.counts == (
        ("alert", "PodCrashLooping", 2), ("alert", "TargetDown", 1),
        ("namespace", "shop", 2), ("namespace", "db", 1), ("cluster", "training", 3),
    )  # fmt: skip


def test_a_later_episode_with_a_card_of_its_own_fires_in_no_storm() -> None:
    told = storms.counted(STORM, [member(1, storm="")], NOW)
    assert (told.members, told.firing) == (1, 0)


def test_a_storm_is_over_once_nobody_joins_for_ten_minutes_and_nothing_of_it_fires() -> None:
    fires = storms.counted(STORM, [member(1)], NOW)
    calm = storms.counted(STORM, [quiet(1)], NOW)
    assert not storms.is_over(fires, NOW, NOW + 60 * MINUTE)
    assert not storms.is_over(calm, NOW, NOW + 9 * MINUTE)
    assert storms.is_over(calm, NOW, NOW + 10 * MINUTE)
    assert storms.is_over(STORM, None, NOW + 10 * MINUTE)  # whoever began it died before anybody joined


def test_the_list_is_worth_sharing_once_nobody_joined_for_a_minute() -> None:
    told = storms.counted(STORM, [member(1)], NOW)
    assert not storms.is_settled(told, NOW, NOW + 0.9 * MINUTE)
    assert storms.is_settled(told, NOW, NOW + MINUTE)


def test_the_list_has_a_line_for_each_group_those_that_fire_first() -> None:
    text = storms.listing(STORM, [quiet(1), member(2, "Two\nLines")], ZoneInfo("Europe/Berlin"))
    head, first, second = text.splitlines()
    assert head.startswith("state\tsince (Europe/Berlin)\t") and "\t2026-11-23 09:30:00\t" in first
    assert first.split("\t")[0] == "firing 1" and "Two Lines" in first
    assert second.split("\t")[0] == "resolved"


def test_of_many_names_the_others_are_counted_and_told() -> None:
    told = storms.counted(STORM, [member(n, f"Alert{n:02}") for n in range(14)], NOW)
    assert [each for each in told.counts if each[0] == "alert"][-1] == ("alert", "", 4)
    assert "13 others" in json.dumps(storm(told).blocks)

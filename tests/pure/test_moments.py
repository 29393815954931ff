"""The time somebody means: of day, with its day, its zone, its doubt; and what cannot be one."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.errors import UsageError
from commands.response.moments import leading, moment

BERLIN = "Europe/Berlin"
NOW = datetime(2026, 11, 23, 13, 30, tzinfo=UTC)  # 14:30 in Berlin
MIDNIGHT = datetime(2026, 11, 23, 23, 10, tzinfo=UTC)  # 00:10 of the 24th in Berlin


def told(text: str, now: datetime = NOW, zone: str = BERLIN) -> str:
    return f"{moment(text, now, zone).at:%d %H:%M:%S}"


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("14:02", "23 13:02:00"),
        ("2:05", "23 01:05:00"),
        ("14:02:09", "23 13:02:09"),
        ("13:02 UTC", "23 13:02:00"),
        ("13:02Z", "23 13:02:00"),
        ("12:02 -01:00", "23 13:02:00"),
        ("14:02+0100", "23 13:02:00"),
        ("yesterday 23:50", "22 22:50:00"),
        ("today 14:02", "23 13:02:00"),
        ("2026-11-21 09:00", "21 08:00:00"),
        ("2026-11-21T09:00", "21 08:00:00"),
        ("2026-11-21T09:00:30Z", "21 09:00:30"),
        ("14:30", "23 13:30:00"),
        ("14:31", "23 13:30:00"),  # their clock is ahead by a minute at most
    ],
)
def test_a_time_is_read_in_the_zone_of_the_house_unless_one_is_named(text: str, at: str) -> None:
    assert told(text) == at


@pytest.mark.parametrize("text", ["about 14:02", "ABOUT 14:02", "~14:02", "ca. 14:02"])
def test_who_is_not_sure_says_so(text: str) -> None:
    assert moment(text, NOW, BERLIN).is_about and told(text) == "23 13:02:00"
    assert not moment("14:02", NOW, BERLIN).is_about


def test_what_is_still_to_come_was_last_night_where_that_is_not_long_ago() -> None:
    assert told("23:50", MIDNIGHT) == "23 22:50:00"
    assert told("12:15", MIDNIGHT) == "23 11:15:00"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("15:00", "still to come: it is 14:30 now (Europe/Berlin)"),
        ("2026-11-24 09:00", "still to come"),
        ("25:00", "no time of a day"),
        ("14:60", "no time of a day"),
        ("2026-02-30 09:00", "no day of the calendar"),
        ("soon", "`soon` is no time"),
        ("", "is no time"),
        ("14:02 or so", "is no time"),
        ("`14:02`", "is no time"),
    ],
)
def test_what_cannot_be_is_asked_back(text: str, said: str) -> None:
    with pytest.raises(UsageError, match="Nothing was done") as refused:
        moment(text, NOW, BERLIN)
    assert said in str(refused.value)


def test_an_hour_that_the_clocks_skip_or_repeat_is_asked_back() -> None:
    spring, autumn = datetime(2026, 3, 29, 12, tzinfo=UTC), datetime(2026, 10, 25, 12, tzinfo=UTC)
    with pytest.raises(UsageError, match="put forward"):
        moment("02:30", spring, BERLIN)
    with pytest.raises(UsageError, match=r"Type 02:30\+02:00 or 02:30\+01:00"):
        moment("02:30", autumn, BERLIN)
    assert told("02:30+02:00", autumn) == "25 00:30:00" and told("02:30+01:00", autumn) == "25 01:30:00"


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("14:02 restarted the database", "restarted the database"),
        ("14:02: restarted", "restarted"),
        ("about 14:02, it fell", "it fell"),
        ("yesterday 23:50 first errors", "first errors"),
    ],
)
def test_a_note_may_begin_with_its_time(text: str, rest: str) -> None:
    found = leading(text, NOW, BERLIN)
    assert found is not None and found.rest == rest


@pytest.mark.parametrize(
    "text", ["restarted at 14:02", "5 pods", "14:023", "14:02h later", "2026", "", "10.0.0.1:80"]
)
def test_what_only_looks_like_a_time_is_text(text: str) -> None:
    assert leading(text, NOW, BERLIN) is None


@given(st.text(max_size=40))
def test_any_text_is_a_time_text_or_asked_back(text: str) -> None:
    try:
        found = leading(text, NOW, BERLIN)
    except UsageError:
        return
    assert found is None or found.at <= NOW

"""Duties that are done again and again: one that fails holds up neither the others nor its own next turn."""

import logging
from datetime import timedelta
from threading import Event

import pytest
from redis.exceptions import ConnectionError as Away

from bot.turns import in_turns


def test_what_fails_is_done_again_and_holds_up_no_other(caplog: pytest.LogCaptureFixture) -> None:
    stop, done = Event(), list[str]()
    wrong = [Away("no answer"), KeyError("x")]

    def failing() -> None:
        done.append("failing")
        if wrong:
            raise wrong.pop(0)
        stop.set()

    with caplog.at_level(logging.WARNING):
        in_turns(stop, timedelta(0), failing, lambda: done.append("other"))
    assert done == ["failing", "other"] * 3
    assert [(each.levelname, each.exc_info is not None) for each in caplog.records] == [
        ("WARNING", False),
        ("ERROR", True),
    ]


def test_who_cannot_wait_does_it_at_once() -> None:
    stop = Event()
    in_turns(stop, timedelta(hours=1), stop.set, at_once=True)
    assert stop.is_set()

"""Does duties again and again until told to stop, each by itself: what fails is done again the next time.

The store being away only delays, and nothing ends the thread. Called by whoever has a thread of its own in the bot or
in a worker, and looks every so often.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from threading import Event

from redis.exceptions import RedisError

log = logging.getLogger(__name__)


def in_turns(stop: Event, every: timedelta, *duties: Callable[[], object], at_once: bool = False) -> None:
    """at_once: for the first time now, and not only after that long."""
    wait = timedelta(0) if at_once else every
    while not stop.wait(wait.total_seconds()):
        wait = every
        for duty in duties:
            _do(duty)


def _do(duty: Callable[[], object]) -> None:
    try:
        duty()
    except RedisError as error:
        log.warning("%s waits for the store: %s", duty.__qualname__, error)
    except Exception:
        log.exception("%s failed", duty.__qualname__)

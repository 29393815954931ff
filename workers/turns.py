"""Does duties again and again until told to stop, each by itself: what fails is done again the next time.

The store being away only delays. Called by whoever has a thread of its own at the workers' start.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from threading import Event

from redis.exceptions import RedisError

log = logging.getLogger(__name__)


def in_turns(stop: Event, every: timedelta, *duties: Callable[[], object]) -> None:
    while not stop.wait(every.total_seconds()):
        for duty in duties:
            try:
                duty()
            except RedisError as error:
                log.warning("%s waits for the store: %s", duty.__qualname__, error)
            except Exception:
                log.exception("%s failed", duty.__qualname__)

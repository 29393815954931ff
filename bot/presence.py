"""Who works in this house: each bot and worker says every few seconds that it is alive, and which version it is.

So that two versions that run side by side, and none that runs at all, can be told. Written by the processes' own
threads, read by the doctor. Nothing is decided by it: work is taken over by leases (bot/state.py).
"""

import logging
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from threading import Event
from typing import Any

from redis.exceptions import RedisError

from bot.state import State
from bot.turns import in_turns
from commands.version import VERSION

log = logging.getLogger(__name__)

EVERY = timedelta(seconds=10)
GONE = 35.0  # not heard of for so long: three times missed

_KEY = "sre:present"
_FORGET = 24 * 3600


@dataclass(frozen=True, slots=True)
class Present:
    """part: "bot" or "worker"."""

    part: str
    version: str


class Presence:
    def __init__(self, state: State, part: str) -> None:
        self._redis = state.redis
        self._name = f"{part} {socket.gethostname()}-{os.getpid()}"

    def run(self, stop: Event) -> None:
        """Until stopped; then nobody is here any more."""
        in_turns(stop, EVERY, self.announce, at_once=True)
        try:
            self._redis.hdel(_KEY, self._name)
        except RedisError as error:
            log.warning("who goes cannot say so: %s", error)

    def announce(self) -> None:
        now, _ = self._redis.time()
        pipe = self._redis.pipeline(transaction=False)
        pipe.hset(_KEY, self._name, f"{VERSION} {now}")
        pipe.expire(_KEY, _FORGET)
        pipe.execute()
        gone = [name for name, _, age in _known(self._redis, now) if age > _FORGET]
        if gone:
            self._redis.hdel(_KEY, *gone)


def present(state: State) -> tuple[Present, ...]:
    """Those heard of lately. Raises RedisError."""
    now, _ = state.redis.time()
    return tuple(
        Present(name.partition(" ")[0], version)
        for name, version, age in _known(state.redis, now)
        if age <= GONE
    )


def _known(redis: Any, now: int) -> Iterator[tuple[str, str, int]]:
    for name, value in sorted(redis.hgetall(_KEY).items()):
        version, _, at = value.decode().partition(" ")
        yield name.decode(), version, now - int(at)

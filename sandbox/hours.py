"""The sandbox's own sense of now: the real time, and how far ahead of it somebody moved it.

A clock is a file of eight bytes that the page's lever writes and every process of the house reads. `put_ahead` gives
it to the bot and the workers, in a process that the sandbox made for them: there, and nowhere in the product, `datetime`
in their modules is one whose `now` is this clock's. What must stay real does: Slack's signatures, leases and limits are
counted in Redis' or monotonic time, Prometheus is asked by `time.time()`, and Alertmanager has a clock of its own.
"""

from __future__ import annotations

import datetime as real
import os
import re
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Any

_FORM = struct.Struct("d")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
MOST = 30 * 86_400  # seconds ahead: longer than anything that is waited for

# What Alertmanager is told of silences must be its own time.
_REAL = frozenset({"workers.silencing"})
# Beats are compared with now.
_TOLD_BY_SECONDS = frozenset({"bot.state"})


class Clock:
    """How far ahead; only forwards, as nothing that was done can be undone by it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        if not file.exists():
            file.write_bytes(_FORM.pack(0.0))
        self._open = os.open(file, os.O_RDWR)
        self._lock = threading.Lock()

    def ahead(self) -> float:
        """In seconds; whole in one read, whoever writes."""
        (seconds,) = _FORM.unpack(os.pread(self._open, _FORM.size, 0))
        return float(seconds)

    def time(self) -> float:
        return time.time() + self.ahead()

    def skip(self, seconds: float) -> None:
        with self._lock:
            if self.ahead() + seconds > MOST:
                raise ValueError(f"time is at most {MOST // 86_400} days ahead; a reset puts it back")
            os.pwrite(self._open, _FORM.pack(self.ahead() + seconds), 0)

    def put_back(self) -> None:
        with self._lock:
            os.pwrite(self._open, _FORM.pack(0.0), 0)

    def close(self) -> None:
        os.close(self._open)


def parsed(text: str) -> float:
    """ "90s", "15m", "1h30m", "1d" in seconds; raises ValueError over anything else, and over nothing."""
    if not re.fullmatch(r"(\d{1,6}[smhd])+", text):
        raise ValueError(f"{text!r} is no length of time: say 90s, 15m, 1h30m or 1d")
    seconds = sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([smhd])", text))
    if not seconds:
        raise ValueError("time only moves forward")
    return float(seconds)


def written(seconds: float) -> str:
    """The other way round; "" for nothing."""
    left, words = round(seconds), []
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        words += [f"{count}{unit}"] if count else []
    return "".join(words)


def put_ahead(clock: Clock) -> None:
    """Every module of the bot and the workers that is loaded has this clock from now on."""
    moved, seconds = _datetime(clock), _Seconds(clock)
    for name, module in list(sys.modules.items()):
        if not name.startswith(("bot.", "workers.")) or name in _REAL:
            continue
        if vars(module).get("datetime") is real.datetime:
            setattr(module, "datetime", moved)  # noqa: B010
        if name in _TOLD_BY_SECONDS:
            setattr(module, "time", seconds)  # noqa: B010


def _datetime(clock: Clock) -> type:
    """datetime, but for its now. What it makes are real ones, so that nothing can tell the difference."""

    class Kind(type(real.datetime)):  # type: ignore[misc]
        def __instancecheck__(cls, each: object) -> bool:
            return isinstance(each, real.datetime)

    class Ahead(real.datetime, metaclass=Kind):
        def __new__(cls, *given: Any, **named: Any) -> Any:
            return real.datetime(*given, **named)

        @classmethod
        def now(cls, tz: real.tzinfo | None = None) -> Any:
            return real.datetime.fromtimestamp(clock.time(), tz)

    return Ahead


class _Seconds:
    """The module time, but for its time()."""

    def __init__(self, clock: Clock) -> None:
        self.time = clock.time

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

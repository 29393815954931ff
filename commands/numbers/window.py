"""The time a number is about: from a moment (included) to another (not included); calendar months of a time zone."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Window:
    """start included, end not; both aware UTC. name: what people call it, such as "Nov 2026"."""

    start: datetime
    end: datetime
    name: str = ""

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    def has(self, at: datetime) -> bool:
        return self.start <= at < self.end


def until(now: datetime, length: timedelta) -> Window:
    return Window(now - length, now)


def month(zone: ZoneInfo, year: int, number: int) -> Window:
    """A calendar month as people of this zone live it; number may lie outside of 1 to 12."""
    return Window(_first(zone, year, number), _first(zone, year, number + 1), f"{_local(year, number):%b %Y}")


def months(zone: ZoneInfo, now: datetime, count: int) -> tuple[Window, ...]:
    """The last so many calendar months, oldest first; the last one is the month that is running, up to now."""
    local = now.astimezone(zone)
    whole = [month(zone, local.year, local.month - ago) for ago in range(count - 1, -1, -1)]
    running = whole[-1]
    return (*whole[:-1], Window(running.start, now, running.name))


def last_month(zone: ZoneInfo, now: datetime) -> Window:
    local = now.astimezone(zone)
    return month(zone, local.year, local.month - 1)


def before(window: Window) -> Window:
    """As much time, right before it."""
    return Window(window.start - window.length, window.start)


def days(window: Window, zone: ZoneInfo) -> tuple[Window, ...]:
    """The calendar days that begin in it, each from midnight to midnight of this zone."""
    found = []
    day = window.start.astimezone(zone).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    while (begun := day.replace(tzinfo=zone).astimezone(UTC)) < window.end:
        day += timedelta(days=1)
        ended = day.replace(tzinfo=zone).astimezone(UTC)
        if begun >= window.start:
            found.append(Window(begun, min(ended, window.end), f"{begun.astimezone(zone):%Y-%m-%d}"))
    return tuple(found)


def _first(zone: ZoneInfo, year: int, number: int) -> datetime:
    return _local(year, number).replace(tzinfo=zone).astimezone(UTC)


def _local(year: int, number: int) -> datetime:
    return datetime(year + (number - 1) // 12, (number - 1) % 12 + 1, 1)

"""Who was on call when, by the rota of the configuration: the turns that `Site.oncall` counts, one after the other."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from commands.responsereads import Turn
from commands.site import Site


def turns(site: Site, start: datetime, end: datetime) -> tuple[Turn, ...]:
    """Who was on call, one after the other."""
    found: list[Turn] = []
    at = start
    while at < end:
        user, until = site.oncall(at), min(_handover(site, at) or end, end)
        if user and found and found[-1].user == user and found[-1].end == at:
            found[-1] = replace(found[-1], end=until)
        elif user:
            found.append(Turn(user, at, until))
        at = until
    return tuple(found)


def _handover(site: Site, at: datetime) -> datetime | None:
    """When the next turn after that moment begins; None where there is one turn only. As Site.oncall counts: in local
    time, so that a handover stays at its hour when the clocks change."""
    duty, zone = site.roles.oncall, ZoneInfo(site.timezone)
    if not duty.rota or duty.start is None:
        return None
    local = at.astimezone(zone).replace(tzinfo=None)
    begun = max((local - duty.start) // duty.shift, -1)
    then = (duty.start + (begun + 1) * duty.shift).replace(tzinfo=zone)
    # An hour that comes twice: the handover of its first half is over in its second.
    first, second = then.astimezone(UTC), then.replace(fold=1).astimezone(UTC)
    return first if first > at else second

"""Who is called when, and whom next: the whole plan of a page, what is still to come included.

Pure: the order of people is the rota's as it is now, with who was called first in front. Called where somebody is
paged and where nobody has answered.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from commands.response.incident import Incident, Page


@dataclass(frozen=True, slots=True)
class Rung:
    """user: who is called; at: when they were, or will be unless somebody answers. is_done: they were called."""

    user: str
    at: datetime
    is_done: bool


def key(page: str) -> str:
    """The timer of a page: due when the next one is to be called."""
    return f"page:{page}"


def is_answered(incident: Incident, page: str) -> bool:
    return any(each.acked for each in incident.pages if each.id == page)


def waiting(incident: Incident) -> tuple[str, ...]:
    """The pages that nobody has answered yet, the first one first."""
    ids = dict.fromkeys(each.id for each in incident.pages)
    return tuple(id for id in ids if not is_answered(incident, id))


def plan(called: Iterable[Page], rota: Iterable[str], within: timedelta) -> tuple[Rung, ...]:
    """Those who were called, and then those of the rota who were not, each `within` behind the one before."""
    done = [Rung(page.user, page.at, True) for page in called]
    known = {rung.user for rung in done}
    last = max((rung.at for rung in done), default=None)
    left = [user for user in dict.fromkeys(rota) if user not in known]
    if last is None:
        return ()
    return (*done, *(Rung(user, last + within * n, False) for n, user in enumerate(left, start=1)))

"""What a postmortem is made of, and what people are called in it: by their roles, so that it blames nobody."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from commands.ledger import Event
from commands.model import Gap
from commands.response.events import Kind
from commands.response.incident import ROLE_NAMES, Incident, Role
from commands.response.task import Task
from commands.timeline import plain

NOBODY = "somebody"
_USER = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>|@?\b([UW][A-Z0-9]{6,})\b")


@dataclass(frozen=True, slots=True)
class Facts:
    """tasks: a Gap where they could not be read. names: what people are called outside of this, by user id."""

    incident: Incident
    events: tuple[Event, ...]
    zone: tzinfo
    tasks: tuple[Task, ...] | Gap = ()
    names: Mapping[str, str] | None = None


class Cast:
    """Who is called what: by the gravest role that they held in it, else by a number."""

    def __init__(self, facts: Facts) -> None:
        self._known = dict(_cast(facts))
        names = {name: user for user, name in (facts.names or {}).items() if len(name) > 1}
        self._names = {name: self.of(user) for name, user in names.items()}
        longest = sorted(map(re.escape, self._names), key=len, reverse=True)
        self._said = re.compile(rf"(?<!\w)@?({'|'.join(longest)})(?!\w)") if longest else None

    def of(self, user: str) -> str:
        """ "incident commander", "responder 2"; "the bot" for nobody's id."""
        return self._known.get(user, NOBODY) if user else "the bot"

    def told(self, text: str) -> str:
        """A text of anybody's on one line, without names, and without markup."""
        flat = " ".join(text.split())
        hidden = _USER.sub(self._id, flat)
        if self._said:
            hidden = self._said.sub(lambda found: self._names[found[1]], hidden)
        return plain(hidden)

    def _id(self, found: re.Match[str]) -> str:
        mentioned, bare = found.groups()
        return self.of(mentioned) if mentioned else self._known.get(bare, found[0])

    @property
    def others(self) -> int:
        """How many had a part in it and no role."""
        return sum(1 for name in self._known.values() if name.startswith("responder"))


def _cast(facts: Facts) -> Iterator[tuple[str, str]]:
    held = {
        role: tuple(dict.fromkeys(_holders(facts.events, role))) for role in Role
    }  # in the order in which they had it
    named: set[str] = set()
    for role, holders in held.items():
        for number, user in enumerate(holders, 1):
            if user not in named:
                yield user, ROLE_NAMES[role] + (f" {number}" if number > 1 else "")
                named.add(user)
    for number, user in enumerate((u for u in users(facts) if u not in named), 1):
        yield user, f"responder {number}"


def _holders(events: Iterable[Event], role: Role) -> Iterator[str]:
    for event in events:
        if event.kind == Kind.ACCEPTED and event.facts.get("role") == role.value:
            yield event.facts.get("user", event.by)


def users(facts: Facts) -> tuple[str, ...]:
    """Everybody of whom the record speaks, in the order in which it does."""
    told = [user for event in facts.events for user in (event.by, event.facts.get("user", ""))]
    tasks = () if isinstance(facts.tasks, Gap) else facts.tasks
    return tuple(
        dict.fromkeys(filter(None, (*told, *facts.incident.people, *(each.owner for each in tasks))))
    )


def stamp(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"

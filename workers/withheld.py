"""Which lines of the audit trail are about a private incident: they are not shown where everybody reads them.

A line is that names one, or that is about what was asked for in its room. What was asked for so long ago that nobody
knows where counts as private. Nothing is written here. Called by workers/trail.py.
"""

import re
from collections.abc import Iterable, Iterator

from bot.records import Records
from bot.state import State
from commands.reads import AuditLine

_INCIDENT = re.compile(r"INC-\d{4}-\d{2}-\d{2}-\d{3,}")
_REQUESTS = ("R", "F", "T")  # what the ids of requests begin with
_TASK = "TSK-"


class Withheld:
    def __init__(self, state: State, records: Records) -> None:
        self._state = state
        self._records = records

    def among(self, lines: Iterable[AuditLine]) -> frozenset[str]:
        """Their places in the trail."""
        return frozenset(_Look(self._state, self._records).found(tuple(lines)))


class _Look:
    """One page of lines; what several of them name is read once."""

    def __init__(self, state: State, records: Records) -> None:
        self._state = state
        self._records = records
        self._private: dict[str, bool] = {}
        self._asked: dict[str, bool] = {}

    def found(self, lines: tuple[AuditLine, ...]) -> Iterator[str]:
        rooms = {
            line.facts.get("id", ""): channel for line in lines if (channel := line.facts.get("channel"))
        }
        for line in lines:
            named = _INCIDENT.findall(" ".join(line.facts.values()))
            if any(self._is_private(id) for id in named) or self._is_asked(line.facts.get("id", ""), rooms):
                yield line.entry

    def _is_private(self, id: str) -> bool:
        if id not in self._private:
            stored = self._records.incident(id)
            self._private[id] = stored is not None and stored.record.is_private
        return self._private[id]

    def _is_asked(self, id: str, rooms: dict[str, str]) -> bool:
        """Whether it was asked for in the room of one, or nobody knows where."""
        if not id.startswith(_REQUESTS) or id.startswith(_TASK):
            return False
        if id not in self._asked:
            self._asked[id] = self._is_hidden(id, rooms.get(id, ""))
        return self._asked[id]

    def _is_hidden(self, id: str, channel: str) -> bool:
        stored = self._state.request(id)
        place = stored.record.place if stored else None
        if place is None and not channel:
            return True
        under = place.under.partition(" ")[0].removeprefix("incident:") if place else ""
        of = (
            under
            if _INCIDENT.fullmatch(under)
            else self._records.in_room(place.channel if place else channel)
        )
        return self._is_private(of)

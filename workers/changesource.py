"""Answers what is asked of the records of change requests: one, all that are open, its baseline, its samples.

Called by workers/reader.py.
"""

from typing import Any

from bot.changerecords import ChangeRecords
from commands.model import Read
from commands.responsereads import ChangeBaseline, ChangeRequestOf, ChangeRequests, ChangeSamples
from workers import ownstore


class ChangeSource:
    def __init__(self, records: ChangeRecords) -> None:
        self._records = records

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        return ((ChangeRequestOf, ChangeRequests), (ChangeBaseline, ChangeSamples))

    def read(self, read: Read, deadline: float) -> Any:
        with ownstore.asked():
            return self._answer(read)

    def _answer(self, read: Read) -> Any:
        match read:
            case ChangeRequestOf():
                stored = self._records.stored(read.id)
                return stored.record if stored else None
            case ChangeRequests():
                found = self._records.open_records()
                return tuple(each for each in found if read.cluster in ("", each.payload.cluster))
            case ChangeBaseline():
                return self._records.baseline(read.id)
            case ChangeSamples():
                return self._records.samples(read.id)
        raise LookupError(f"not a read of change requests: {read}")

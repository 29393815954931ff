"""The records of change requests: how they are folded and numbered, and in whose thread something was typed.

How they are written and read is in bot/book.py. Called by bot/changeclerk.py and the workers.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime

from pydantic import TypeAdapter, ValidationError

from bot.book import Book
from bot.following import following as asked
from bot.shelf import Shelf
from bot.state import THREADS, card_of, lane_of
from commands import changeclock
from commands.baseline import Baseline
from commands.catalog import Catalog
from commands.ledger import Draft, Event
from commands.model import Place, Request
from commands.response import changefold
from commands.response.changeevents import Kind
from commands.response.changerequest import ChangeRequest
from commands.site import Site
from commands.watch import Judged

_BASELINES, _SAMPLE = TypeAdapter(dict[str, Baseline]), TypeAdapter(Judged)
_MOST = 1e9  # times the baseline: of one that was zero nothing is so many times

Making = Callable[[ChangeRequest], Iterable[Draft]]


class ChangeRecords(Book[ChangeRequest]):
    shelf = Shelf("change", "sre:changes", "sre:changes:due", urgency=1)

    def _begun(self, id: str, event: Event) -> ChangeRequest:
        return changefold.begun(id, event)

    def _after(self, record: ChangeRequest, event: Event) -> ChangeRequest:
        return changefold.after(record, event)

    def _consequences(self, before: ChangeRequest | None, record: ChangeRequest) -> Iterable[Draft]:
        return changeclock.consequences(before, record, self._site)

    def next_id(self, day: date, form: str) -> str:
        """The next id of a day, as `change.id` of the configuration has it; a number is given once."""
        return day.strftime(form).format(n=self._count("CR", day))

    def told_in(self, channel: str, thread: str) -> str:
        """The id of the one in the thread of whose card this is, "" where none is."""
        told = self._redis.hget(THREADS, f"{channel} {thread}") if thread else None
        kind, _, id = (told or b"").decode().partition(" ")[0].partition(":")
        return id if kind == "change" else ""

    # --- what was measured of one ---

    def baseline(self, id: str) -> Mapping[str, Baseline] | None:
        """What was frozen when it began, by service; None where nothing was, or it cannot be read any more."""
        for event in reversed(self.events(id)):
            if event.kind == Kind.BASELINE:
                try:
                    return _BASELINES.validate_json(event.facts.get("baseline", ""))
                except ValidationError:
                    return None
        return None

    def samples(self, id: str) -> tuple[Judged, ...]:
        """Every sample of it, oldest first."""
        found = (event for event in self.events(id) if event.kind == Kind.SAMPLE)
        return tuple(_SAMPLE.validate_json(event.facts["sample"]) for event in found)


def written_baseline(baselines: Mapping[str, Baseline]) -> str:
    return _BASELINES.dump_json(dict(baselines)).decode()


def written_sample(judged: Judged) -> str:
    measures = tuple(replace(each, rise=min(each.rise, _MOST)) for each in judged.measures)
    return _SAMPLE.dump_json(replace(judged, measures=measures)).decode()


def following(
    catalog: Catalog, site: Site, line: str, change: ChangeRequest, now: datetime
) -> Request | None:
    """What the bot asks for by itself because of a change request."""
    place = Place(lane_of(change), under=f"{card_of(change)} card")
    return asked(catalog, site, line, change.payload.cluster, place, now)

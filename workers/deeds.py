"""Answers what people did: how the changes ended that were asked of the bot, what was asked for by hand, who was on call.

The audit trail is the source, beside the records of change requests: it is never trimmed, while what was asked of the
bot goes after a month. Turns on call come from the configuration as it is now. Called by workers/reader.py.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from bot.audit import Trail, view
from bot.changerecords import ChangeRecords
from commands.errors import Unanswered
from commands.model import Read, State
from commands.numbers.announced import facts_of
from commands.numbers.turns import turns
from commands.reads import AuditLine
from commands.response.changerequest import Payload
from commands.responsereads import (
    ChangeFacts,
    ChangeOutcomes,
    CommandCount,
    CommandCounts,
    CommandPage,
    Duty,
    OnCallTurns,
    Outcome,
    Road,
)
from commands.site import CHANGES, Site
from commands.words import WORDS
from workers import ownstore

# What is left of the time for a read when going through the trail stops.
_SPARE_SECONDS = 0.5
_OFTEN = 500  # lines between two looks at the clock

_ENDED = {
    State.SUCCEEDED.value: Outcome.SUCCEEDED,
    State.PARTIAL.value: Outcome.FAILED,
    State.FAILED.value: Outcome.FAILED,
    State.REJECTED.value: Outcome.REJECTED,
    State.EXPIRED.value: Outcome.EXPIRED,
    State.CANCELLED.value: Outcome.CANCELED,
    State.BLOCKED.value: Outcome.PRECHECK_FAILED,
}
# They change what runs; a silence, or what is done inside an incident, is no change of production.
_PRODUCTION = frozenset(line for line in CHANGES if line.split()[0] in ("deploy", "node", "pod"))
_BACK = "deploy rollback"


class DeedsSource:
    def __init__(self, trail: Trail, requests: ChangeRecords, site: Site) -> None:
        self._trail = trail
        self._requests = requests
        self._site = site

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        return ((ChangeOutcomes, CommandCounts), (OnCallTurns,))

    def read(self, read: Read, deadline: float) -> Any:
        with ownstore.asked():
            return self._answer(read, lambda: time.monotonic() > deadline - _SPARE_SECONDS)

    def _answer(self, read: Read, is_late: Callable[[], bool]) -> Any:
        match read:
            case ChangeOutcomes():
                found = (*self._outcomes(read, is_late), *self._announced(read))
                return tuple(sorted(found, key=lambda each: each.ended))
            case CommandCounts():
                return self._counts(read, is_late)
            case OnCallTurns():
                return Duty(turns(self._site, read.start, read.end), self._site.timezone)
        raise LookupError(f"not a read of what people did: {read}")

    def _announced(self, read: ChangeOutcomes) -> Iterator[ChangeFacts]:
        for change in self._requests.told_between(read.start, read.end):
            if read.cluster not in ("", change.payload.cluster):
                continue
            fact = facts_of(change, _objects(self._site, change.payload))
            if fact and read.start <= fact.ended < read.end:
                yield fact

    def _outcomes(self, read: ChangeOutcomes, is_late: Callable[[], bool]) -> list[ChangeFacts]:
        found: list[ChangeFacts] = []
        begun: set[str] = set()
        for line in self._lines(read.start, read.end):
            if line is None:
                if is_late():
                    why = "the audit trail of this time is too long to be read at once"
                    raise Unanswered(why, mend="Ask for a shorter --window.")
                continue
            cluster = line.facts.get("cluster", "")
            if line.what == State.APPLYING.value:
                begun.add(line.facts.get("id", ""))
            elif cluster in ("", read.cluster) or not read.cluster:
                found += _outcome(self._site, line, cluster)
        # What failed or was stopped before it began did not touch production. The trail is read backwards.
        return [_begun(each, each.id in begun) for each in reversed(found)]

    def _counts(self, read: CommandCounts, is_late: Callable[[], bool]) -> CommandPage:
        times: dict[tuple[str, str], list[str]] = {}
        since = read.start
        for line in self._lines(read.start, read.end):
            if line is None:
                if is_late():
                    break
                continue
            since = line.at
            if key := _by_hand(line):
                times.setdefault(key, []).append(line.facts.get("by", ""))
        else:
            since = read.start
        counts = (
            CommandCount(said, object, len(people), len(set(people)))
            for (said, object), people in times.items()
        )
        return CommandPage(
            tuple(sorted(counts, key=lambda each: (-each.times, each.line, each.object))), since
        )

    def _lines(self, start: datetime, end: datetime) -> Iterator[AuditLine | None]:
        """Newest first; None now and then, to look at the clock."""
        for number, (entry, raw) in enumerate(self._trail.back(start), 1):
            line = view(entry, raw)
            if start <= line.at < end:
                yield line
            if number % _OFTEN == 0:
                yield None


def _begun(change: ChangeFacts, has_begun: bool) -> ChangeFacts:
    if has_begun or change.outcome not in (Outcome.FAILED, Outcome.ROLLBACK_FAILED):
        return change
    return replace(change, outcome=Outcome.PRECHECK_FAILED)


def _outcome(site: Site, line: AuditLine, cluster: str) -> Iterator[ChangeFacts]:
    outcome = _ENDED.get(line.what)
    said = _line(line.facts.get("text", ""))
    if outcome is None or said not in _PRODUCTION or not line.facts.get("id"):
        return
    objects = tuple(line.facts.get("objects", "").split())
    if said == _BACK:
        outcome = {Outcome.SUCCEEDED: Outcome.ROLLED_BACK, Outcome.FAILED: Outcome.ROLLBACK_FAILED}.get(
            outcome, outcome
        )
    yield ChangeFacts(
        id=line.facts["id"],
        service=_service(site, cluster, objects),
        outcome=outcome,
        ended=line.at,
        restored=line.at if outcome is Outcome.ROLLED_BACK else None,
        road=Road.BOT,
        objects=objects,
    )


def _objects(site: Site, payload: Payload) -> tuple[str, ...]:
    """The workload of the service that a change request is about; () for one that is none of the configuration."""
    known = (site.clusters.get(payload.cluster) or site).services.get(payload.service)
    return (f"deployment/{known.namespace}/{known.deployment}",) if known else ()


def _service(site: Site, cluster: str, objects: Sequence[str]) -> str:
    """The service that one of the objects is the workload of, "" for none."""
    services = (site.clusters.get(cluster) or site).services.values()
    named = {each.partition("/")[2] for each in objects}
    return next((each.name for each in services if f"{each.namespace}/{each.deployment}" in named), "")


def _line(text: str) -> str:
    """The command of a line: "deploy restart"."""
    word, _, rest = text.partition(" ")
    verb = rest.partition(" ")[0]
    known = WORDS.get(word)
    return f"{word} {verb}" if known and known.verb(verb) else word


def _by_hand(line: AuditLine) -> tuple[str, str] | None:
    """What somebody asked for, and about what; None for what the bot or the calendar did, and for what is only
    written down."""
    if line.what != "submitted" or not line.facts.get("by"):
        return None
    said = _line(line.facts.get("text", ""))
    rest = line.facts.get("text", "").removeprefix(said).split()
    return said, rest[0] if rest and not rest[0].startswith("-") else ""

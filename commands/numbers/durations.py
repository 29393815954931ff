"""How long incidents took, from which milestone to which; each measure has its name, and none is called just MTTR."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from commands.numbers.population import Population, impacts
from commands.numbers.spread import Spread, spread, total
from commands.response.incident import Incident, Milestone


@dataclass(frozen=True, slots=True)
class Measure:
    """key: as a file has it. meaning: from what to what. spread: None where there is nothing to measure.

    missing: ids of incidents that lack one of the two; inverted: whose second lies before the first: neither is
    measured. approximate: how many of the measured rest on a time that somebody called approximate. unanswered: of
    pages, how many nobody answered.
    """

    key: str
    meaning: str
    spread: Spread | None
    missing: tuple[str, ...] = ()
    inverted: tuple[str, ...] = ()
    approximate: int = 0
    unanswered: int = 0


Ends = tuple[datetime | None, datetime | None]


@dataclass(frozen=True, slots=True)
class _Kind:
    key: str
    meaning: str
    ends: Callable[[Incident], Ends]
    milestones: tuple[Milestone, ...]


def _between(first: Milestone, second: Milestone) -> Callable[[Incident], Ends]:
    return lambda incident: (incident.at(first), incident.at(second))


def _first_alert(incident: Incident) -> datetime | None:
    return min((link.started for link in incident.alerts), default=None)


_M = Milestone
_KINDS = (
    _Kind("ttd", "started to detected", _between(_M.STARTED, _M.DETECTED), (_M.STARTED, _M.DETECTED)),
    _Kind("respond", "alerted to first acknowledgement", _between(_M.ALERTED, _M.ACKNOWLEDGED),
          (_M.ALERTED, _M.ACKNOWLEDGED)),
    _Kind("tta_incident", "first alert to first acknowledgement",
          lambda each: (_first_alert(each), each.at(_M.ACKNOWLEDGED)), (_M.ACKNOWLEDGED,)),
    _Kind("time_to_ic", "declared to commander", _between(_M.DECLARED, _M.COMMANDED),
          (_M.DECLARED, _M.COMMANDED)),
    _Kind("resolve", "started to resolved", _between(_M.STARTED, _M.RESOLVED), (_M.STARTED, _M.RESOLVED)),
)  # fmt: skip


def durations(found: Population) -> tuple[Measure, ...]:
    """Restore first: it is the headline."""
    return (restore(found), *(_measure(kind, found.counted) for kind in _KINDS), tta_page(found))


def restore(found: Population) -> Measure:
    """Started to mitigated; of one that was opened again all the time in which users felt it, counted once."""
    kind = _Kind(
        "restore", "started to mitigated", _between(_M.STARTED, _M.MITIGATED), (_M.STARTED, _M.MITIGATED)
    )
    return _measure(kind, found.counted, lambda each: total(impacts(each, found.window.end)))


def _measure(
    kind: _Kind, incidents: Iterable[Incident], length: Callable[[Incident], timedelta] | None = None
) -> Measure:
    lengths: list[timedelta] = []
    missing, inverted, approximate = [], [], 0
    for each in incidents:
        begun, ended = kind.ends(each)
        if begun is None or ended is None:
            missing.append(each.id)
        elif ended < begun:
            inverted.append(each.id)
        else:
            lengths.append(length(each) if length else ended - begun)
            approximate += _is_approximate(each, kind.milestones)
    return Measure(kind.key, kind.meaning, spread(lengths), tuple(missing), tuple(inverted), approximate)


def _is_approximate(incident: Incident, milestones: Iterable[Milestone]) -> bool:
    marks = (incident.milestones.get(each) for each in milestones)
    return any(mark.is_approximate for mark in marks if mark)


def tta_page(found: Population) -> Measure:
    """Page sent to first answer of a person, for each page. Nobody's answer is none: an end by itself and a silence
    are no answers, and such a page is counted as unanswered."""
    pages = [page for each in found.counted for page in each.pages]
    answered = [page.acked - page.at for page in pages if page.acked and page.acked_by]
    return Measure(
        "tta_page", "page to first acknowledgement", spread(answered), unanswered=len(pages) - len(answered)
    )

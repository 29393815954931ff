"""How changes went: which share failed, which were made to repair, how long a failed one took to be over."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from commands.numbers.population import reason_against
from commands.numbers.spread import Spread, spread
from commands.numbers.window import Window
from commands.response.incident import Incident
from commands.responsereads import PRODUCTION, ChangeFacts, Outcome, Road

CONFIRMED = "confirmed"
_UNDONE = (Outcome.ROLLED_BACK, Outcome.ROLLBACK_FAILED)


@dataclass(frozen=True, slots=True)
class Share:
    """Of how many how many, exactly."""

    part: int
    whole: int

    @property
    def percent(self) -> float | None:
        return 100 * self.part / self.whole if self.whole else None


@dataclass(frozen=True, slots=True)
class Changes:
    """reached: those that reached production in the window. failed: why, by id; each once. then: the share as it was
    known when the window ended. late: ids of failed ones of which that was said only after it ended. excluded: how
    many did not reach production, by outcome. recovery: from the end of a failed one until users were well.
    unrestored: ids of failed ones of which nobody said when that was. unannounced: seen in the cluster only."""

    window: Window
    reached: tuple[ChangeFacts, ...]
    failed: Mapping[str, str]
    then: Share
    late: tuple[str, ...]
    excluded: Mapping[str, int]
    recovery: Spread | None
    unrestored: tuple[str, ...]

    @property
    def failure(self) -> Share:
        return Share(len(self.failed), len(self.reached))

    @property
    def rework(self) -> Share:
        return Share(sum(bool(each.hotfix_for) for each in self.reached), len(self.reached))

    @property
    def emergency(self) -> Share:
        own = [each for each in self.reached if each.is_emergency]
        return Share(sum(each.id in self.failed for each in own), len(own))

    @property
    def unannounced(self) -> int:
        return sum(each.road is Road.SEEN for each in self.reached)


def changes(facts: Iterable[ChangeFacts], incidents: Sequence[Incident], window: Window) -> Changes:
    """facts, incidents: of the window and since: what repaired or blamed a change may have come long after it."""
    known = tuple(facts)
    own = [each for each in known if window.has(each.ended)]
    reached = tuple(each for each in own if each.outcome in PRODUCTION)
    blamed, repaired = _blamed(incidents), _repaired(known)
    why = {each.id: _why(each, blamed, repaired) for each in reached}
    failed = {id: reason for id, reason in why.items() if reason}
    late = tuple(each.id for each in reached if _is_late(each, blamed, repaired, window.end))
    lengths = {each.id: each.restored - each.ended for each in reached if each.id in failed and each.restored}
    return Changes(
        window, reached, failed, Share(len(failed) - len(late), len(reached)), late, _excluded(own),
        spread(lengths.values()), tuple(id for id in failed if id not in lengths),
    )  # fmt: skip


def _blamed(incidents: Iterable[Incident]) -> dict[str, datetime]:
    """When each change was first confirmed to have caused an incident. One that was merged still says so."""
    found: dict[str, datetime] = {}
    for each in incidents:
        blame, reason = each.caused_by, reason_against(each)
        if blame is None or blame.confidence != CONFIRMED or reason not in ("", "merged"):
            continue
        at = blame.at or each.opened
        found[blame.change] = min(at, found.get(blame.change, at))
    return found


def _repaired(facts: Iterable[ChangeFacts]) -> dict[str, datetime]:
    """When each change was repaired by another one in production."""
    found: dict[str, datetime] = {}
    for each in facts:
        if each.hotfix_for and each.outcome in PRODUCTION:
            found[each.hotfix_for] = min(each.ended, found.get(each.hotfix_for, each.ended))
    return found


def _why(change: ChangeFacts, blamed: Mapping[str, datetime], repaired: Mapping[str, datetime]) -> str:
    if change.outcome in _UNDONE:
        return change.outcome.value
    if change.id in blamed:
        return "caused an incident"
    return "needed a hotfix" if change.id in repaired else ""


def _is_late(
    change: ChangeFacts, blamed: Mapping[str, datetime], repaired: Mapping[str, datetime], end: datetime
) -> bool:
    """Whether it is known to have failed only by what was said after the window ended."""
    said = [known[change.id] for known in (blamed, repaired) if change.id in known]
    return change.outcome not in _UNDONE and bool(said) and min(said) >= end


def _excluded(facts: Iterable[ChangeFacts]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in facts:
        if each.outcome not in PRODUCTION:
            found[each.outcome.value] = found.get(each.outcome.value, 0) + 1
    return dict(sorted(found.items()))

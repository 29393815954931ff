"""One change for what several roads tell of: a change request, what was asked of the bot, a rollout seen in the cluster.

What went back is told by the bot, what it went back from by the cluster: together they are one change that was rolled
back, and it counts when it was carried out. A rollout that no road announced is a change like any other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

from commands.responsereads import PRODUCTION, ChangeFacts, Outcome, Road

SAME = timedelta(minutes=10)  # between the end of a change and the rollout that it made
_BACK = (Outcome.ROLLED_BACK, Outcome.ROLLBACK_FAILED)
_LONGEST = timedelta(days=7)  # from a rollout to a rollback that still is about it


def joined(facts: Iterable[ChangeFacts], seen: Iterable[ChangeFacts]) -> tuple[ChangeFacts, ...]:
    """By when they were carried out. seen: rollouts of the cluster (Road.SEEN), each of one object."""
    known = list(facts)
    asked = [each for each in known if each.road is Road.REQUEST]
    left = sorted(seen, key=lambda each: each.ended)
    found = list(asked)
    for each in (each for each in known if each.road is Road.BOT):
        if any(_is_of(each, request) for request in asked):
            continue
        found.append(_placed(each, left) if each.outcome in _BACK else each)
    found += [each for each in left if not any(_made(change, each) for change in found)]
    return tuple(sorted(found, key=lambda each: (each.ended, each.id)))


def _is_of(deed: ChangeFacts, request: ChangeFacts) -> bool:
    """Whether the bot did this for that change request, or to take it back."""
    if deed.id in request.runs:
        return True
    if not _share(deed, request):
        return False
    after = deed.ended - request.ended
    if deed.outcome in _BACK:
        return request.outcome in _BACK and -SAME <= after <= _LONGEST
    return request.outcome in PRODUCTION and abs(after) <= SAME


def _placed(back: ChangeFacts, seen: Sequence[ChangeFacts]) -> ChangeFacts:
    """A rollback as the change that it undid: the last rollout of the same object before it."""
    last = [
        each for each in seen if _share(each, back) and timedelta() <= back.ended - each.ended <= _LONGEST
    ]
    return replace(back, ended=last[-1].ended) if last else back


def _made(change: ChangeFacts, rollout: ChangeFacts) -> bool:
    """Whether the rollout is what this change did."""
    return (
        change.outcome in PRODUCTION and _share(change, rollout) and abs(change.ended - rollout.ended) <= SAME
    )


def _share(one: ChangeFacts, other: ChangeFacts) -> bool:
    return not set(one.objects).isdisjoint(other.objects)

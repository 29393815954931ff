"""What people do by hand again and again, and about how long that takes them.

Only what changes something is toil: what is looked at, written down, taken notice of or done of a list is not.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from commands.responsereads import CommandCount

# Minutes of a person for one of these, from deciding on it to having seen that it worked. Estimates: what matters is
# their order. What is not named takes the usual time.
USUAL = 5
MINUTES: Mapping[str, int] = {
    "deploy restart": 10,
    "deploy rollback": 20,
    "deploy scale": 10,
    "node cordon": 5,
    "node uncordon": 5,
    "node drain": 30,
    "pod delete": 5,
    "pod isolate": 10,
    "pod release": 5,
    "alert silence": 5,
    "alert unsilence": 3,
}


@dataclass(frozen=True, slots=True)
class Toil:
    """One thing done by hand so often. minutes: of people, in all."""

    line: str
    object: str
    times: int
    people: int
    minutes: int


def toil(counts: Iterable[CommandCount], by_hand: frozenset[str]) -> tuple[Toil, ...]:
    """What was done more than once, what takes most time first. by_hand: the lines that do something."""
    made = (
        Toil(each.line, each.object, each.times, each.people, each.times * MINUTES.get(each.line, USUAL))
        for each in counts
        if each.line in by_hand and each.times > 1
    )
    return tuple(sorted(made, key=lambda each: (-each.minutes, -each.times, each.line, each.object)))
